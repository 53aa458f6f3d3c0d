"""Monte Carlo fixes compute forces, and call every fix, for each of their trials.

Such trials are no configurations of the run. The numbers of evaluations are counted by a scalar
input that takes the next number of a file whenever the fix asks for it.
"""

from __future__ import annotations

import dataclasses

import averages
import numpy as np
import pytest
from averages import EVERY, POSITIONS, averaged, averaging_model, check, dumps, read
from systems import liquid

SPLIT = """units lj
atom_style charge
lattice sc 1.2
region box block 0 6 0 6 0 6
create_box 2 box
create_atoms 1 box
set group all type/fraction 2 0.2 33
set group all charge 0.001
mass * 1.0
pair_style lj/cut/coul/long 2.5
pair_coeff 1 1 1.0 1.00 2.5
pair_coeff 1 2 1.5 0.80 2.0
pair_coeff 2 2 0.5 0.88 2.2
kspace_style pppm 1e-2
neigh_modify every 3 delay 0 check no
velocity all create 2.0 1
fix move all nve
run_style {style}
fix g all glassml 1 {model} A B
compute total all reduce sum f_g[1]
thermo_style custom step c_total
thermo_modify format float %.12g
thermo 1
run 7
"""
MOVE = "minimize 0.0 1.0e-2 50 200\nreset_timestep 0\nvelocity all create 1.0 71\nfix nve all nve\n"
COUNT = "variable next file numbers.txt\nvariable count atom next(next)+0.0*id\n"
MONTE_CARLO = {
    "swaps": "fix mc all atom/swap 1 20 8123 50.0 ke no types 1 2\n",
    "insertions and deletions": "fix mc all gcmc 2 5 5 1 29494 20.0 5.0 0.1 full_energy\n",
}


def trials(log: str) -> int:
    """Attempted trials in the last line of thermo: the sum of its last columns."""
    return int(float(log.rpartition("Loop time")[0].rstrip().splitlines()[-1].split()[-1]))


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("kind", MONTE_CARLO)
def test_trials_are_not_evaluated(bench, models, agrees, kind, ranks):
    configuration = liquid(216, seed=40)
    model = models("analytic", scalar_inputs=("count",))
    (bench.folder / "numbers.txt").write_text("\n".join(map(str, range(1, 1000))))
    script = bench.start(configuration) + MOVE + COUNT + MONTE_CARLO[kind]
    script += f"fix g all glassml 1 {model} A B scalar v_count\n"
    script += "thermo_style custom step atoms pe f_mc[1]\nthermo 6\n"
    script += "dump d all custom 1 dump.out id type x y z f_g[*]\n"
    script += "dump_modify d sort id format float %20.17g\n"
    run = bench.run(script + "run 6", ranks=ranks)
    frames = bench.frames()
    assert [frame.step for frame in frames] == list(range(7))
    assert trials(run.stdout) > 6
    for frame in frames:
        now = frame.configuration(configuration)
        count = np.full(now.n_particles, 1.0 + frame.step)
        agrees(frame.values("g"), dataclasses.replace(now, scalars={"count": count}), model)


def test_trials_are_no_samples_of_a_window(bench, tmp_path):
    configuration = liquid(216, seed=40)
    model = averaging_model(tmp_path, scalars=("vibration",))
    script = bench.start(configuration) + averages.MOVE
    script += MONTE_CARLO["swaps"] + f"fix g all glassml {EVERY} {model} A B {POSITIONS}\n"
    bench.run(script + dumps(energy=False) + f"run {2 * EVERY}")
    positions = read(bench.folder / "samples.dump")
    found = read(bench.folder / "values.dump")
    types = [found[k * EVERY].columns["type"].astype(int) for k in (0, 1, 2)]
    assert not np.array_equal(types[0], types[2])  # swaps were accepted
    expected = {
        k * EVERY: averaged(
            positions, dataclasses.replace(configuration, species=types[k] - 1), k * EVERY
        )
        for k in (1, 2)
    }
    check(found, expected, model)


def test_steps_of_other_integrators_are_no_trials(bench, models):
    """verlet/split does not tell fixes of its neighbour lists; values must follow all the same."""
    found = {}
    for style, split in (("verlet", ()), ("verlet/split", ("-partition", "1", "1"))):
        log = bench.run(SPLIT.format(style=style, model=models()), ranks=2, extra_args=split).log
        text = (log.with_name(log.name + ".0") if split else log).read_text()
        table = text.rpartition("c_total")[2].partition("Loop time")[0]
        found[style] = np.array([line.split() for line in table.split("\n")[1:9]], dtype=float)
    assert found["verlet"][:, 0].tolist() == list(range(8))
    assert (np.abs(np.diff(found["verlet"][:, 1])) > 1e-3).all()
    np.testing.assert_allclose(found["verlet/split"], found["verlet"], rtol=1e-6)
