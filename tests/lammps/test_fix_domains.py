"""The values of `fix glassml` do not depend on how LAMMPS splits the system, and equal Python's."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from systems import liquid

from glassml.pretrained import pretrained_path

OUTPUTS = ("propensity", "descriptors", "equivariant")


def three_models(models):
    """A closed-form model and a network in both precisions, in one simulation."""
    return {
        "exact": models(),
        "net": models.network("float64"),
        "single": models.network("float32"),
    }


def fixes(files):
    return "".join(
        f"fix {name} all glassml 1 {file} A B output {' '.join(OUTPUTS)} device cpu\n"
        for name, file in files.items()
    )


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_equals_python_on_any_number_of_ranks(bench, models, dump, agrees, edges_agree, ranks):
    every = three_models(models)
    exact = {"exact": every["exact"]}
    skew = liquid(216, seed=ranks, triclinic=True)
    straight = liquid(216, seed=ranks)
    cases = [("on", straight, every), ("off", skew, every)]
    cases += [("off", straight, exact), ("on", skew, exact)]
    # One process for all: starting LAMMPS takes longer than running it. Also a test of `clear`.
    script = ""
    for k, (newton, configuration, files) in enumerate(cases):
        script += bench.start(configuration, before=f"newton {newton}", data=f"data.{k}")
        script += fixes(files) + dump(*files, name=f"dump.{k}") + "run 0\nclear\n"
    run = bench.run(script, ranks=ranks)
    edges_agree(run, "exact", *(configuration for _, configuration, _ in cases))
    for k, (_, configuration, files) in enumerate(cases):
        (frame,) = bench.frames(f"dump.{k}")
        for name, file in files.items():
            agrees(frame.values(name), configuration, file, OUTPUTS)


def test_the_shipped_model_equals_python(bench, dump, agrees):
    configuration = liquid(300, seed=10)
    model = pretrained_path("kob_andersen_T0.44")
    script = bench.start(configuration) + f"fix g all glassml 1 {model} A B\n" + dump("g") + "run 0"
    bench.run(script, ranks=2)
    (frame,) = bench.frames()
    agrees(frame.values("g"), configuration, model)


def test_tiled_communication_after_balancing(bench, models, dump, agrees):
    # Dense on one side: recursive bisection then cuts the box into unequal tiles.
    dense = liquid(200, seed=3)
    cell = dense.cell.copy()
    cell[0, 0] *= 2.0
    configuration = dataclasses.replace(dense, cell=cell)
    files = three_models(models)
    script = bench.start(configuration, before="comm_style tiled")
    script += "balance 1.0 rcb\n" + fixes(files) + dump(*files) + "run 0"
    bench.run(script, ranks=4)
    (frame,) = bench.frames()
    for name, file in files.items():
        agrees(frame.values(name), configuration, file, OUTPUTS)


def test_a_rank_without_atoms(bench, models, dump, agrees):
    dense = liquid(120, seed=4)
    cell = dense.cell.copy()
    cell[2, 2] *= 6.0
    wrapped = dense.positions % np.diag(dense.cell)
    configuration = dataclasses.replace(dense, cell=cell, positions=wrapped)
    files = three_models(models)
    script = bench.start(configuration, before="processors 1 1 4")
    run = bench.run(script + fixes(files) + dump(*files) + "run 0", ranks=4)
    assert re.search(r"Nlocal: .* 0 min", run.log.read_text())
    (frame,) = bench.frames()
    for name, file in files.items():
        agrees(frame.values(name), configuration, file, OUTPUTS)


@pytest.mark.parametrize(("ranks", "triclinic"), [(1, False), (2, True)])
def test_box_smaller_than_the_cutoff(bench, models, dump, agrees, edges_agree, ranks, triclinic):
    configuration = liquid(5, seed=5, triclinic=triclinic)
    assert configuration.cell[0, 0] < 2.0  # so a particle sees several images, also its own
    files = three_models(models)
    script = bench.start(configuration)
    run = bench.run(script + fixes(files) + dump(*files) + "run 0", ranks=ranks)
    (frame,) = bench.frames()
    for name, file in files.items():
        edges_agree(run, name, configuration)
        agrees(frame.values(name), configuration, file, OUTPUTS)


def test_without_ghosts(bench, models, dump, agrees):
    """The fix does not need ghosts, and does not ask for them."""
    configuration = liquid(216, seed=6)
    files = three_models(models)
    script = bench.start(configuration, pair="pair_style none")
    run = bench.run(script + fixes(files) + dump(*files) + "run 0", ranks=3)
    assert re.search(r"^Nghost: +0 ave", run.log.read_text(), re.MULTILINE)
    (frame,) = bench.frames()
    for name, file in files.items():
        agrees(frame.values(name), configuration, file, OUTPUTS)


def test_open_boundaries(bench, models, dump, agrees):
    periodic = liquid(100, seed=7)
    wrapped = periodic.positions % np.diag(periodic.cell)
    configuration = dataclasses.replace(periodic, positions=wrapped, pbc=(False, True, False))
    model = models()
    script = bench.start(configuration, before="boundary s p s")
    script += f"fix g all glassml 1 {model} A B\n" + dump("g") + "run 0"
    bench.run(script, ranks=2)
    (frame,) = bench.frames()
    agrees(frame.values("g"), configuration, model)


@pytest.mark.parametrize(
    "commands",
    [
        "neighbor 0.3 multi\ncomm_modify mode multi\n",
        "comm_style tiled\nneighbor 0.3 multi\ncomm_modify mode multi\nbalance 1.0 rcb\n",
        "group some id 1:50\natom_modify first some\ncomm_modify group some\n",
    ],
    ids=["multi", "multi tiled", "group"],
)
def test_the_communication_of_lammps_does_not_matter(bench, models, dump, agrees, commands):
    configuration = liquid(216, seed=11, triclinic=True)
    files = three_models(models)
    script = bench.start(configuration) + commands + fixes(files) + dump(*files)
    # Steps so short that nothing moves visibly; one reneighbouring sends atoms to other ranks.
    script += "fix move all nve\ntimestep 1e-9\nneigh_modify every 1 delay 0 check no\nrun 2"
    bench.run(script, ranks=2)
    for frame in bench.frames():
        for name, file in files.items():
            agrees(frame.values(name), frame.configuration(configuration), file, OUTPUTS)


def test_a_box_that_changes_its_shape(bench, models, dump, agrees):
    configuration = liquid(216, seed=12, triclinic=True)
    files = three_models(models)
    numbers = " ".join(f"$({key}:%.17g)" for key in ("lx", "ly", "lz", "xy", "xz", "yz"))
    script = bench.start(configuration) + fixes(files) + dump(*files, every=5)
    script += f'fix box all print 5 "$(step) {numbers}" file box screen no\n'
    script += "velocity all create 1.0 12\nfix move all npt temp 1.0 1.0 0.2 tri 40.0 40.0 0.1\n"
    bench.run(script + "timestep 0.002\nrun 20", ranks=2)
    boxes = {int(row[0]): row[1:] for row in np.loadtxt(bench.folder / "box")}
    assert np.all(np.abs(boxes[20] - boxes[5]) > 1e-4)
    frames = [frame for frame in bench.frames() if frame.step > 0]
    assert [frame.step for frame in frames] == [5, 10, 15, 20]
    for frame in frames:
        lx, ly, lz, xy, xz, yz = boxes[frame.step]
        cell = np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]])
        moved = dataclasses.replace(frame.configuration(configuration), cell=cell)
        for name, file in files.items():
            agrees(frame.values(name), moved, file, OUTPUTS)


def test_pairs_excluded_from_the_forces_stay_in_the_environment(bench, models, dump, agrees):
    configuration = liquid(216, seed=8)
    model = models()
    script = bench.start(configuration) + "neigh_modify exclude type 1 2\n"
    script += f"fix g all glassml 1 {model} A B\n" + dump("g") + "run 0"
    bench.run(script, ranks=2)
    (frame,) = bench.frames()
    agrees(frame.values("g"), configuration, model)


@pytest.mark.parametrize(("omp", "torch_threads"), [(1, 2), (2, 1)])
def test_threads_of_lammps_and_of_torch(bench, models, dump, agrees, omp, torch_threads):
    configuration = liquid(216, seed=9)
    files = {"net": models.network(), "exact": models()}
    script = f"package omp {omp}\nsuffix omp\n" + bench.start(configuration)
    for name, file in files.items():
        script += f"fix {name} all glassml 1 {file} A B threads {torch_threads}\n"
    # A second step: the forces of LAMMPS' threads come after torch has used its own.
    run = bench.run(script + dump(*files) + "timestep 1e-9\nrun 1", threads=omp)
    assert f"{torch_threads} thread(s) per MPI task" in run.log.read_text()
    for frame in bench.frames():
        for name, file in files.items():
            agrees(frame.values(name), frame.configuration(configuration), file)
