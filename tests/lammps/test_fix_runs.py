"""`fix glassml` during simulations: moving atoms, restarts, minimisation, groups, partitions."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys

import numpy as np
import pytest
from systems import liquid

from glassml.inference import Predictor

# From a jittered lattice to something that can be integrated.
RELAX = """
minimize 0.0 1.0e-2 50 200
reset_timestep 0
velocity all create 1.0 4928459
fix nve all nve
timestep 0.005
"""


def test_atoms_that_migrate_and_are_sorted(bench, models, dump, agrees):
    configuration = liquid(216, seed=11)
    files = {"exact": models(), "single": models.network("float32")}
    script = bench.start(configuration, before="atom_modify sort 5 1.0") + RELAX
    for name, file in files.items():
        script += f"fix {name} all glassml 10 {file} A B\n"
    run = bench.run(script + dump(*files, every=10) + "run 200", ranks=2)
    frames = bench.frames()
    assert [frame.step for frame in frames] == list(range(0, 201, 10))
    assert int(re.findall(r"Neighbor list builds = (\d+)", run.stdout)[-1]) > 5
    for frame in frames:
        now = frame.configuration(configuration)
        for name, file in files.items():
            agrees(frame.values(name), now, file)


def test_every_step_between_two_reneighbourings(bench, models, dump, agrees):
    configuration = liquid(216, seed=12)
    model = models()
    script = bench.start(configuration) + RELAX + "neighbor 0.5 bin\n"
    script += f"fix g all glassml 1 {model} A B\n" + dump("g")
    run = bench.run(script + "run 150", ranks=2)
    builds = int(re.findall(r"Neighbor list builds = (\d+)", run.stdout)[-1])
    assert 2 <= builds < 20
    assert "Dangerous builds = 0" in run.stdout
    for frame in bench.frames():
        agrees(frame.values("g"), frame.configuration(configuration), model)


def test_rerun_gives_the_values_of_the_run(bench, models, dump):
    configuration = liquid(216, seed=13)
    command = f"fix g all glassml 10 {models('analytic')} A B\n"
    script = bench.start(configuration)
    bench.run(script + RELAX + command + dump("g", every=10) + "run 50")
    # In a rerun every snapshot is a new start, so also one whose step is no multiple of Nevery.
    rerun = command.replace("glassml 10", "glassml 20") + dump("g", every=20, name="dump.again")
    rerun += "rerun dump.out first 20 last 40 dump x y z"
    bench.run(script + rerun, ranks=2)
    original = {frame.step: frame.values("g") for frame in bench.frames()}
    for frame in bench.frames("dump.again"):
        np.testing.assert_allclose(frame.values("g"), original[frame.step], rtol=1e-10)


def test_deleted_atoms_and_gaps_in_the_ids(bench, models, dump, agrees):
    configuration = liquid(200, seed=14)
    model = models()
    bench.write_data(configuration, ids=np.random.default_rng(14).permutation(999)[:200] + 1)
    script = "units lj\nread_data data.liquid\npair_style none\n"
    script += f"fix g all glassml 1 {model} A B\nrun 0\n"
    script += "region corner block 0 2.5 0 2.5 0 2.5\ndelete_atoms region corner compress no\n"
    bench.run(script + dump("g") + "run 0", ranks=2)
    (frame,) = bench.frames()
    assert 100 < len(frame["id"]) < 200
    assert frame["id"].max() > 200
    agrees(frame.values("g"), frame.configuration(configuration), model)


def test_created_atoms(bench, models, dump, agrees):
    configuration = liquid(100, density=0.5, seed=15)
    model = models()
    script = bench.start(configuration) + f"fix g all glassml 1 {model} A B\nrun 0\n"
    script += "create_atoms 2 random 50 4711 NULL overlap 0.6 maxtry 500\n"
    bench.run(script + dump("g") + "run 0", ranks=2)
    (frame,) = bench.frames()
    assert len(frame["id"]) > 120
    agrees(frame.values("g"), frame.configuration(configuration), model)


def test_restart_continues_with_the_same_values(bench, models, dump):
    configuration = liquid(216, seed=16)
    command = f"fix g all glassml 10 {models('analytic')} A B\n"
    script = bench.start(configuration) + RELAX + command
    script += "run 20\nwrite_restart middle.restart\n" + dump("g", every=10) + "run 20"
    bench.run(script, ranks=2)
    again = "read_restart middle.restart\nfix nve all nve\ntimestep 0.005\n" + command
    bench.run(again + dump("g", every=10, name="dump.again") + "run 20", ranks=2)
    for one, two in zip(bench.frames(), bench.frames("dump.again"), strict=True):
        assert one.step == two.step
        # The restarted run builds its neighbour lists anew and sums forces in another order.
        np.testing.assert_allclose(one.values("g"), two.values("g"), rtol=1e-7)


def test_reset_timestep(bench, models, dump, agrees):
    configuration = liquid(216, seed=17)
    model = models()
    script = bench.start(configuration) + RELAX + f"fix g all glassml 10 {model} A B\n"
    script += "run 7\nreset_timestep 100\n" + dump("g", every=10) + "run 10"
    bench.run(script)
    frames = bench.frames()
    assert [frame.step for frame in frames] == [100, 110]
    for frame in frames:
        agrees(frame.values("g"), frame.configuration(configuration), model)


def test_minimised_configuration_is_evaluated_wherever_the_minimiser_stops(
    bench, models, dump, agrees
):
    configuration = liquid(120, seed=18)
    model = models()
    script = bench.start(configuration) + f"fix g all glassml 1000 {model} A B\n"
    bench.run(script + dump("g", every=1000) + "minimize 1.0e-4 0.0 900 9000", ranks=2)
    first, last = bench.frames()
    assert first.step == 0
    assert last.step % 1000 != 0
    agrees(first.values("g"), first.configuration(configuration), model)
    agrees(last.values("g"), last.configuration(configuration), model)


def test_minimisation_that_is_cut_off(bench, models):
    script = bench.start(liquid(216, seed=26)) + f"fix g all glassml 1000 {models()} A B\n"
    script += "thermo_style custom step f_g[1]\nthermo_modify format float %20.15g\n"
    minimised, anew = bench.run(script + "minimize 0.0 1.0e-6 7 50\nrun 0").thermo()
    assert minimised["Step"][-1] == 7
    np.testing.assert_allclose(minimised["f_g[1]"][-1], anew["f_g[1]"][0], rtol=1e-12)
    assert abs(minimised["f_g[1]"][-1] / minimised["f_g[1]"][0] - 1.0) > 1e-4


def test_the_group_decides_what_is_reported_and_not_what_is_seen(bench, models, dump):
    configuration = liquid(216, seed=19)
    model = models()
    script = bench.start(configuration) + "group small type 2\n"
    script += f"fix g small glassml 1 {model} A B\nthermo_style custom step f_g[1] f_g[2]\n"
    script += "thermo_modify format float %20.15g\n"
    run = bench.run(script + dump("g") + "run 0", ranks=2)
    (frame,) = bench.frames()
    prediction = Predictor(model, device="cpu").predict([configuration])[0]["propensity"]
    small = configuration.species == 1
    np.testing.assert_allclose(frame.values("g")[small], prediction[small], rtol=1e-10)
    assert np.all(frame.values("g")[~small] == 0.0)
    (thermo,) = run.thermo()
    means = [thermo["f_g[1]"][0], thermo["f_g[2]"][0]]
    np.testing.assert_allclose(means, prediction[small].mean(axis=0), rtol=1e-10)


def test_an_empty_group_has_the_mean_zero(bench, models):
    script = bench.start(liquid(60, seed=20)) + "group nobody id 1000\n"
    script += f"fix g nobody glassml 1 {models('analytic')} A B\nthermo_style custom step f_g[2]\n"
    (thermo,) = bench.run(script + "run 0").thermo()
    assert thermo["f_g[2]"] == [0.0]


def test_partitions_are_independent(bench, models, dump, agrees):
    configurations = [liquid(120, seed=21), liquid(150, seed=22)]
    model = models()
    for k, configuration in enumerate(configurations):
        bench.write_data(configuration, f"data.{k}")
    script = "variable p world 0 1\nunits lj\nread_data data.${p}\npair_style none\n"
    script += f"fix g all glassml 1 {model} A B\n" + dump("g", name="dump.${p}") + "run 0"
    bench.run(script, ranks=2, extra_args=["-partition", "1", "1"])
    for k, configuration in enumerate(configurations):
        (frame,) = bench.frames(f"dump.{k}")
        agrees(frame.values("g"), configuration, model)


def test_atom_types_may_share_a_species_in_any_order(bench, models, dump, agrees):
    configuration = liquid(120, seed=23)
    model = models()
    more_types = dataclasses.replace(
        configuration,
        species=np.where(configuration.species == 0, np.arange(120) % 2, 2),
        species_names=("x", "y", "z"),
    )
    script = bench.start(more_types, pair="pair_style none")
    bench.run(script + f"fix g all glassml 1 {model} A A B\n" + dump("g") + "run 0")
    (frame,) = bench.frames()
    agrees(frame.values("g"), configuration, model)


# Values must stay with their atoms until the next evaluation, however LAMMPS reorders them: read
# from Python at a step where no output command of LAMMPS may read them.
LIBRARY_SCRIPT = """
import sys
import numpy as np
from glassml.lammps import open_lammps

lmp = open_lammps("-log", "none", "-screen", "none")
lmp.commands_string(open(sys.argv[1]).read())

def by_id():
    ids = np.array(lmp.numpy.extract_atom("id")[: lmp.extract_setting("nlocal")])
    values = np.array(lmp.numpy.extract_fix("g", 1, 2))[: len(ids)]
    return ids, values[np.argsort(ids)]

ids, values = by_id()
lmp.command("run 3 post no")
later_ids, later = by_id()
assert not np.array_equal(ids, later_ids), "the atoms kept their order: the test shows nothing"
assert np.abs(values).max() > 1.0 and np.array_equal(values, later)
"""


def test_values_stay_with_their_atoms(bench, models):
    script = bench.start(liquid(216, seed=24), before="atom_modify sort 1 0.7") + RELAX
    script += "neigh_modify every 1 delay 0 check no\n"
    script += f"fix g all glassml 10 {models('analytic')} A B\nrun 10 post no\n"
    # Without the set-up of a new run, which would compute the values anew.
    library = LIBRARY_SCRIPT.replace("run 3 post no", "run 3 pre no post no")
    (bench.folder / "in.lammps").write_text(script)
    result = subprocess.run(
        [sys.executable, "-c", library, "in.lammps"],
        cwd=bench.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr


# As in workers of Dask, and in any process that has started some: glibc then returns every large
# buffer to the system at once. What is kept shows more clearly, and also what others keep for each
# buffer that is returned: UCX, under MPI, does by default.
RETURNS_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "65536"}


@pytest.mark.parametrize("name", ["analytic", "network"])
def test_memory_stays_flat_over_ten_thousand_evaluations(bench, models, name):
    model = models() if name == "analytic" else models.network("float32")
    script = bench.start(liquid(12, seed=25)) + RELAX
    script += f"fix g all glassml 1 {model} A B\nrun 500\ninfo memory\n"
    script += "run 5000\ninfo memory\n" * 2
    run = bench.run(script, env=RETURNS_MEMORY)

    def grown(what: str) -> np.ndarray:
        megabytes = re.findall(rf"{what}: +([\d.]+) Mbyte", run.stdout)
        assert len(megabytes) == 3
        return np.diff([float(number) for number in megabytes])

    # What malloc has given and not got back; LAMMPS names it so. 20 bytes per evaluation would add
    # this much, and one lost tensor of this system has some 100.
    assert max(grown("Current reserved memory pool size")) < 0.1
    # All memory, also what is not malloc's: 100 bytes per evaluation would add this much to each
    # half. Code that is read from disk for the first time adds to one of them only.
    assert min(grown("Maximum resident set size")) < 0.5
