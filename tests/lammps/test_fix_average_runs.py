"""Windows of `fix glassml` over several runs, and what ends them."""

from __future__ import annotations

import dataclasses

import numpy as np
from averages import (
    EVERY,
    MOVE,
    POSITIONS,
    TIMESTEP,
    WINDOW,
    Snapshot,
    averaged,
    averaging_model,
    check,
    dumps,
    read,
)
from systems import liquid

from glassml.data import with_windows
from glassml.physics import AveragedPositions

UNTIL = "fix g glassml: values are 0 until step {}, when a window of averaged positions"


def start(bench, configuration, positions: str = POSITIONS) -> str:
    model = averaging_model(bench.folder)
    script = bench.start(configuration) + MOVE
    return script + f"fix g all glassml {EVERY} {model} A B {positions}\n" + dumps()


def snapshots(bench, name: str) -> dict[int, Snapshot]:
    return read(bench.folder / f"{name}.dump")


def test_a_window_continues_over_several_runs(bench) -> None:
    """The model's own window, without a keyword."""
    configuration = liquid(216, seed=70)
    script = start(bench, configuration, positions="")
    script += "thermo_style custom step f_g[1]\nthermo_modify format float %20.15g\n"
    script += "run 10\nrun 7\nrun 13 pre no\nrun 10\nrun 0\nrun 5\n"
    run = bench.run(script, ranks=2)
    assert "positions: averages over 5 samples every 0.02 time units" in run.stdout
    assert run.stdout.count("values are 0 until step") == 1
    values = snapshots(bench, "values")
    samples = snapshots(bench, "samples")
    model = bench.folder / "average.pt"
    check(values, {t: averaged(samples, configuration, t) for t in (20, 40)}, model)
    thermo = [(row["Step"], row["f_g[1]"]) for row in run.thermo()[-6:]]
    at_40 = thermo[3][1][-1]
    assert thermo[3][0][-1] == thermo[4][0][0] == thermo[5][0][0] == 40
    # Evaluated again at the beginning of the next runs, with the window that has ended there.
    np.testing.assert_allclose([thermo[4][1][0], thermo[5][1][0]], at_40, rtol=1e-12)
    assert thermo[5][1][-1] == thermo[5][1][0]  # kept until the next window is full


def test_atoms_created_between_two_runs(bench) -> None:
    """At the last step of a window: they have one sample, the others keep theirs."""
    configuration = liquid(120, density=0.5, seed=71)
    script = start(bench, configuration) + "run 20\n"
    script += "create_atoms 2 random 20 4711 NULL overlap 0.8 maxtry 500\n"
    script += "undump v\n"
    script += "dump v all custom 20 again.dump id type x y z c_pe f_g[*]\n"
    script += "dump_modify v format float %20.17g\nrun 0\n"
    bench.run(script, ranks=2)
    samples, again = snapshots(bench, "samples"), snapshots(bench, "again")
    n = len(again[20].columns["id"])
    assert n > 125
    configuration_20 = averaged(samples, configuration, 20)
    shift = configuration_20.structures["average"] - configuration_20.positions
    new = n - 120
    average = AveragedPositions(
        np.concatenate([shift, np.zeros((new, 3))]),
        np.concatenate([configuration_20.scalars["vibration"], np.zeros(new)]),
        np.concatenate(
            [configuration_20.scalars["average_energy"], again[20].columns["c_pe"][120:]]
        ),
    )
    now = dataclasses.replace(
        configuration,
        positions=again[20].positions,
        species=again[20].columns["type"].astype(int) - 1,
    )
    check(again, {20: with_windows(now, [average], WINDOW)}, bench.folder / "average.pt")


def test_a_rerun_gives_the_values_of_the_run(bench) -> None:
    configuration = liquid(216, seed=72)
    script = start(bench, configuration)
    bench.run(script + "run 60\n", ranks=2)
    original = snapshots(bench, "values")
    model = bench.folder / "average.pt"
    again = bench.start(configuration) + f"timestep {TIMESTEP}\n"
    again += f"fix g all glassml {EVERY} {model} A B\n"
    again += "dump v all custom 20 again.dump id type x y z f_g[*]\n"
    again += "dump_modify v format float %20.17g\n"
    run = bench.run(again + "rerun samples.dump dump x y z box yes\n", ranks=2)
    found = snapshots(bench, "again")
    assert list(found) == [0, 20, 40, 60]
    for step, snapshot in found.items():
        # Forces and energies are summed in another order.
        np.testing.assert_allclose(snapshot.values(), original[step].values(), rtol=1e-9)
    assert run.stdout.count("values are 0 until step") == 1
    # Every second sample is missing.
    run = bench.run(again + "rerun samples.dump every 8 dump x y z box yes\n")
    assert not any(snapshot.values().any() for snapshot in snapshots(bench, "again").values())
    for step in (20, 60):
        assert UNTIL.format(step) in run.stdout


def test_resetting_the_timestep_ends_a_window(bench) -> None:
    """Even where the next sample seems to follow the last one: 28, then 32."""
    configuration = liquid(216, seed=73)
    script = start(bench, configuration)
    script += "run 30\nundump s\nundump v\nreset_timestep 28\n" + dumps().replace(
        "compute pe all pe/atom\n", ""
    ).replace(".dump", ".again")
    run = bench.run(script + "run 32\n", ranks=2)
    assert UNTIL.format(60) in run.stdout
    values = read(bench.folder / "values.again")
    assert not values[40].values().any()
    samples = read(bench.folder / "samples.again")
    model = bench.folder / "average.pt"
    check(values, {60: averaged(samples, configuration, 60)}, model)


def test_a_minimisation_has_no_averages(bench) -> None:
    configuration = liquid(216, seed=74)
    script = start(bench, configuration)
    script += "thermo_style custom step f_g[1] f_g[2]\n"
    script += "run 30\nminimize 0.0 1e-3 3 20\nrun 60 upto\n"
    run = bench.run(script, ranks=2)
    text = "fix g glassml: values are 0 during a minimisation, which has no averages over time"
    assert run.stdout.count(text) == 1
    assert UNTIL.format(60) in run.stdout
    first, second, third = run.thermo()[-3:]
    assert first["f_g[1]"][-1] != 0.0
    assert not np.any(second["f_g[1]"])
    assert third["f_g[1]"][0] == 0.0
    check(
        {60: snapshots(bench, "values")[60]},
        {60: averaged(snapshots(bench, "samples"), configuration, 60)},
        bench.folder / "average.pt",
    )


def test_a_restart_begins_a_window(bench) -> None:
    configuration = liquid(216, seed=75)
    script = start(bench, configuration) + "run 30\nwrite_restart middle.restart\n"
    bench.run(script)
    model = bench.folder / "average.pt"
    again = f"read_restart middle.restart\nfix move all nve\ntimestep {TIMESTEP}\n"
    again += f"fix g all glassml {EVERY} {model} A B {POSITIONS}\n" + dumps() + "run 30\n"
    run = bench.run(again, ranks=2)
    assert UNTIL.format(60) in run.stdout
    values = snapshots(bench, "values")
    assert not values[40].values().any()
    samples = snapshots(bench, "samples")
    check(values, {60: averaged(samples, configuration, 60)}, model)


def test_another_timestep_ends_a_window(bench) -> None:
    """With the model's own window, samples are then at other steps."""
    configuration = liquid(216, seed=76)
    script = start(bench, configuration, positions="") + "run 30\ntimestep 0.01\nrun 30\n"
    run = bench.run(script)
    assert f"{UNTIL.format(40)} (5 samples every 2 steps)" in run.stdout
    # Samples are dumped every 4 steps, but taken every 2.
    assert snapshots(bench, "values")[40].values().any()


def test_a_box_that_is_stretched_between_two_runs_ends_a_window(bench) -> None:
    configuration = liquid(216, seed=78)
    script = start(bench, configuration) + "run 30\nchange_box all x scale 1.6 remap\nrun 30\n"
    run = bench.run(script, ranks=2)
    assert UNTIL.format(60) in run.stdout
    values, samples = snapshots(bench, "values"), snapshots(bench, "samples")
    assert values[20].values().any()
    assert not values[40].values().any()
    np.testing.assert_allclose(samples[60].cell[0, 0], 1.6 * configuration.cell[0, 0], rtol=1e-12)
    expected = averaged(samples, configuration, 60)
    check({60: values[60]}, {60: expected}, bench.folder / "average.pt")


def test_atoms_that_are_moved_between_runs(bench) -> None:
    """A move of all atoms is a drift, which does not count."""
    configuration = liquid(216, seed=77)
    script = start(bench, configuration) + "run 20\ndisplace_atoms all move 0.3 0.2 -0.1\n"
    script += "thermo_style custom step f_g[1]\nthermo_modify format float %20.15g\n"
    run = bench.run(script + "run 0\n", ranks=2)
    (value,) = run.thermo()[-1]["f_g[1]"]
    expected = snapshots(bench, "values")[20].values()[:, 0].mean()
    np.testing.assert_allclose(value, expected, rtol=1e-10)
