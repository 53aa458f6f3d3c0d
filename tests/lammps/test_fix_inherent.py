"""`fix glassml ... positions inherent`: values of inherent structures, and a run left untouched."""

from __future__ import annotations

import re

import numpy as np
import pytest
from averages import read
from inherent import MOVE, SCALARS, inherent_model, quenched, telling_model
from systems import liquid, moved

from glassml.data import Dataset, dataset_path
from glassml.inference import Predictor
from glassml.simulation.lammps import LammpsRun

COLUMNS = "id type x y z vx vy vz ix iy iz"


def values(every: int, *fixes: str) -> str:
    columns = " ".join(f"f_{fix}[*]" for fix in fixes)
    return (
        f"dump v all custom {every} values.dump id type x y z {columns}\n"
        "dump_modify v format float %20.17g\n"
    )


@pytest.mark.parametrize(("ranks", "published"), [(1, True), (2, False)])
def test_values_are_those_of_quench_and_python(bench, ranks: int, published: bool) -> None:
    """After steps on which nothing else asks for energies."""
    start = Dataset(dataset_path("kob_andersen_T0.64"))[0] if published else liquid(200, seed=4)
    model = inherent_model(bench.folder)
    script = bench.start(start) + MOVE + "thermo 1000\n"
    script += f"fix g all glassml 20 {model} A B positions inherent\n"
    run = bench.run(script + values(20, "g") + "run 20\n", ranks=ranks)
    predictor = Predictor(model, device="cpu", threads=1)
    snapshots = read(bench.folder / "values.dump")
    assert list(snapshots) == [0, 20]
    for snapshot in snapshots.values():
        expected = predictor.predict([quenched(snapshot, start)])[0]["propensity"]
        # Both minimisers stop below the same force, on paths whose sums are in different order.
        np.testing.assert_allclose(snapshot.values(), expected, atol=1e-4 * np.abs(expected).max())
    for line in (
        "inherent_energy = inherent structure",
        "potential_energy = energy of each atom (pe/atom)",
        "inherent_displacement = inherent structure",
    ):
        assert run.stdout.count(f"scalar input: {line}\n") == 1
    text = "positions: inherent, each evaluation minimises a copy (force tolerance 1e-05, at most 1"
    assert text in run.stdout
    assert run.stdout.count("fix g glassml: inherent structure at step 0 after ") == 1
    assert "WARNING: fix g" not in run.stdout


def test_values_do_not_depend_on_the_ranks(bench) -> None:
    """After as many iterations FIRE is at the same place, whether it has converged or not."""
    start = liquid(216, seed=3, triclinic=True)
    model = inherent_model(bench.folder)
    script = bench.start(start) + f"fix g all glassml 1 {model} A B positions inherent 1e-5 30\n"
    found = []
    for ranks in (1, 2, 4):
        bench.run(script + values(1, "g") + "run 0\n", ranks=ranks)
        (snapshot,) = read(bench.folder / "values.dump").values()
        found.append(snapshot.values())
    # Sums in another order, then 30 iterations and a model whose values are of order 1000.
    np.testing.assert_allclose(found[1], found[0], atol=1e-7)
    np.testing.assert_allclose(found[2], found[0], atol=1e-7)


@pytest.mark.parametrize(("ranks", "triclinic"), [(1, False), (2, True)])
def test_scalars_are_those_of_quench(bench, ranks: int, triclinic: bool) -> None:
    """Three fixes, each with a copy of its own, also in a tilted box."""
    start = liquid(200, seed=5, triclinic=triclinic)
    script = bench.start(start) + MOVE
    for name in SCALARS:
        model = telling_model(bench.folder, name)
        script += f"fix {name} all glassml 15 {model} A B positions inherent\n"
    bench.run(script + values(15, *SCALARS) + "run 30\n", ranks=ranks)
    snapshots = read(bench.folder / "values.dump")
    for step in (15, 30):
        snapshot = snapshots[step]
        expected = quenched(snapshot, start)
        found = {name: snapshot.values(name)[:, 0] - snapshot.columns["type"] for name in SCALARS}
        for name in ("potential_energy", "inherent_energy"):
            # The energy is flat at the minimum: a force of 1e-5 is an energy of order 1e-12.
            np.testing.assert_allclose(found[name], expected.scalars[name], atol=1e-6)
        path = expected.structures["inherent"] - expected.positions
        distance = np.linalg.norm(path, axis=1)
        assert distance.max() > 0.05
        # A force of 1e-5 leaves a soft mode 1e-5 or so from its minimum.
        np.testing.assert_allclose(found["inherent_displacement"], distance, atol=1e-4)


MOTIONS = {
    "nve": "fix move all nve",
    "npt": "fix move all npt temp 0.8 0.8 0.5 aniso 1.0 1.0 2.0",
    "sheared": "fix move all nvt/sllod temp 0.8 0.8 0.5\nfix box all deform 1 xy erate 0.5 remap v",
}


@pytest.mark.parametrize(
    ("ranks", "motion", "newton"),
    [(1, "nve", "on"), (2, "nve", "off"), (2, "npt", "on"), (2, "sheared", "on"), (4, "npt", "on")],
)
def test_the_trajectory_is_the_same_to_the_last_bit(
    bench, ranks: int, motion: str, newton: str
) -> None:
    """Even the order of the atoms in the dump, which is not sorted."""
    start = liquid(216, seed=6, triclinic=motion == "sheared")
    model = inherent_model(bench.folder)
    script = bench.start(start, before=f"newton {newton}") + MOVE + "unfix move\n"
    script += f"{MOTIONS[motion]}\nthermo 1000\n"
    script += f"dump t all custom 3 {{}}.dump {COLUMNS}\ndump_modify t format float %20.17g\n"
    with_fix = f"fix g all glassml 15 {model} A B positions inherent 1e-5 30\n"
    bench.run(script.format("without") + "run 45\n", ranks=ranks)
    run = bench.run(script.format("with") + with_fix + "run 45\n", ranks=ranks)
    assert run.stdout.count("after 30 iterations") == 4  # at 0, 15, 30, 45
    without = (bench.folder / "without.dump").read_bytes()
    assert without.count(b"TIMESTEP") == 16
    assert (bench.folder / "with.dump").read_bytes() == without


def test_a_box_that_changes(bench) -> None:
    """With a box, a decomposition and an order of atoms that differ from the beginning."""
    start = liquid(216, seed=7, triclinic=True)
    model = inherent_model(bench.folder, ())
    script = bench.start(start, before="comm_style tiled") + MOVE
    script += "fix balance all balance 10 1.0 rcb\n"
    script += "change_box all x scale 1.03 xy delta 0.2 remap\nreset_timestep 0\n"
    script += f"fix g all glassml 30 {model} A B positions inherent\n"
    bench.run(script + values(30, "g") + "run 30\n", ranks=2)
    predictor = Predictor(model, device="cpu", threads=1)
    for snapshot in read(bench.folder / "values.dump").values():
        expected = predictor.predict([quenched(snapshot, start)])[0]["propensity"]
        np.testing.assert_allclose(snapshot.values(), expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("suffix", ["", "-sf opt", "-sf omp"])
def test_a_slab_with_charges_and_accelerated_styles(bench, suffix: str) -> None:
    """Against a minimisation of the simulation itself, in a box without images along z."""
    start = liquid(150, seed=8)
    cell = start.cell + np.diag([0.0, 0.0, 2.0])
    start = moved(start, cell=cell, positions=start.positions + np.array([0.0, 0.0, 1.0]))
    pair = "pair_style lj/cut/coul/cut 2.5\npair_coeff * * 1.0 1.0\npair_coeff 2 2 0.5 0.9\n"
    pair += "pair_modify shift yes mix arithmetic\ndielectric 2.0\n"
    pair += "set type 1 charge 0.1\nset type 2 charge -0.4\n"
    model = telling_model(bench.folder, "inherent_energy")
    script = "units lj\natom_style charge\nboundary p p s\n"
    bench.write_data(start)
    data = bench.folder / "data.liquid"
    # A charge of zero between type and position.
    data.write_text(re.sub(r"(?m)^(\d+ [12]) (\S+ \S+ \S+)$", r"\1 0 \2", data.read_text()))
    script += f"read_data data.liquid\n{pair}" + MOVE
    script += (
        f"fix g all glassml 20 {model} A B positions inherent\n" + values(20, "g") + "run 20\n"
    )
    script += "undump v\nunfix g\ncompute pe all pe/atom\nmin_style fire\n"
    script += "min_modify norm max tmax 5\nminimize 0.0 1e-5 100000 1000000\n"
    script += "dump m all custom 1 minimum.dump id type x y z c_pe\n"
    bench.run(script + "run 0\n", ranks=2, extra_args=suffix.split())
    found = read(bench.folder / "values.dump")[20]
    (minimum,) = read(bench.folder / "minimum.dump").values()
    energy = found.values()[:, 0] - found.columns["type"]
    # The dump has six digits.
    np.testing.assert_allclose(energy, minimum.columns["c_pe"], atol=2e-5)


def test_a_minimisation_and_several_runs(bench) -> None:
    """The copy is made anew for each fix, or one that an earlier fix has left is used again."""
    model = telling_model(bench.folder, "inherent_displacement")
    fix = f"fix g all glassml 1000 {model} A B positions inherent\n"
    script = bench.start(liquid(150, seed=9)) + MOVE
    script += "thermo_style custom step f_g[1]\nthermo_modify format float %20.15g\n"
    script = script.replace("thermo_style", fix + "thermo_style")
    script += "run 20\nrun 0\nunfix g\n" + fix + "run 0\npair_coeff 1 2 1.4 0.85 2.0\nrun 0\n"
    script += "min_style fire\nminimize 0.0 1e-6 10000 100000\n"
    run = bench.run(script, ranks=2)
    first, again, anew, changed, minimum = (row["f_g[1]"][-1] for row in run.thermo()[1:])
    assert first != again  # values between two evaluations are kept
    np.testing.assert_allclose(again, anew, rtol=1e-12)
    assert abs(changed - anew) > 1e-4
    # At the minimum nothing moves any more: the mean of 1 and 2 over the species is left.
    assert minimum < changed - 0.05
    np.testing.assert_allclose(minimum, round(minimum * 150) / 150, atol=1e-4)


def test_means_over_evaluations(bench) -> None:
    model = inherent_model(bench.folder)
    command = f"all glassml 5 {model} A B positions inherent 1e-3"
    script = bench.start(liquid(120, seed=10)) + MOVE
    script += f"fix g {command}\nfix mean {command} smooth 3\n" + values(5, "g", "mean")
    bench.run(script + "run 20\n", ranks=2)
    snapshots = read(bench.folder / "values.dump")
    last = np.mean([snapshots[step].values("g") for step in (10, 15, 20)], axis=0)
    np.testing.assert_allclose(snapshots[20].values("mean"), last, rtol=1e-9)


def memory(run: LammpsRun) -> list[float]:
    """What `info memory` says about the heap of the process, in megabytes.

    The number of allocated bytes, which it says too, leaves out large blocks.
    """
    found = re.findall(r"reserved memory pool size: +([\d.]+) Mbyte", run.stdout)
    return [float(number) for number in found]


# A copy takes 4 MB. Without one the pool grew by 0.3 MB in 50 evaluations, as holes remain.
LESS_THAN_A_COPY = 2.0


def test_memory_does_not_grow(bench) -> None:
    model = inherent_model(bench.folder)
    script = bench.start(liquid(100, seed=11)) + MOVE
    script += f"fix g all glassml 1 {model} A B positions inherent 1e-2\n"
    run = bench.run(script + "run 10\ninfo memory\nrun 50\ninfo memory\n")
    before, after = memory(run)
    assert after - before < LESS_THAN_A_COPY


def test_copies_for_other_boxes_are_kept(bench) -> None:
    """A tilted box needs another copy; the one before is used again for the next straight box."""
    model = inherent_model(bench.folder)
    script = bench.start(liquid(100, seed=12)) + MOVE
    script += f"fix g all glassml 1 {model} A B positions inherent 1e-2\n"
    both = "change_box all triclinic\nrun 0\nchange_box all ortho\nrun 0\n"
    before, after = memory(bench.run(script + both + "info memory\n" + 4 * both + "info memory\n"))
    assert after - before < LESS_THAN_A_COPY
