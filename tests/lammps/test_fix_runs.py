"""`fix glassml` during simulations: every step, minimisation, groups, values that are kept."""

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


# hftn counts one step less than it makes, fire and quickmin have no line search.
@pytest.mark.parametrize(
    "minimiser",
    [
        "min_style cg",
        "min_style sd",
        "min_style hftn",
        "min_style quickmin",
        "min_style fire",
        "min_style cg\nfix box all box/relax aniso 1.0 vmax 0.01",
    ],
)
def test_minimised_configuration_is_evaluated_wherever_the_minimiser_stops(
    bench, models, minimiser
):
    """After all its steps, at its tolerance, and after so many computations of forces."""
    script = bench.start(liquid(120, seed=18)) + f"fix g all glassml 1000 {models()} A B\n"
    script += f"thermo_style custom step f_g[1]\nthermo_modify format float %20.15g\n{minimiser}\n"
    for stop in ("0.0 0.0 7 1000", "1.0e-3 0.0 900 9000", "0.0 0.0 90 25"):
        script += f"minimize {stop}\nrun 0\nreset_timestep 0\n"
    runs = bench.run(script, ranks=2).thermo()
    assert len(runs) == 6
    assert runs[0]["Step"][-1] == 7
    for minimised, anew in zip(runs[::2], runs[1::2], strict=True):
        first, last = minimised["f_g[1]"][0], minimised["f_g[1]"][-1]
        assert abs(last / first - 1.0) > 1e-6
        # The sums are over neighbours in another order.
        np.testing.assert_allclose(last, anew["f_g[1]"][0], rtol=1e-12)


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
from glassml.lammps import load_lammps_library

lmp = load_lammps_library().lammps(cmdargs=["-log", "none", "-screen", "none"])
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
