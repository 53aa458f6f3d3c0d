"""Which positions and scalars `fix glassml` gives a model, and what it says about them."""

from __future__ import annotations

import numpy as np
import pytest
from averages import (
    EVERY,
    MOVE,
    POSITIONS,
    SCALARS,
    WINDOW,
    averaged,
    averaging_model,
    check,
    dumps,
    read,
)
from model_files import rewritten
from systems import liquid

from glassml.data import Window

ENERGY = "compute energy all pe/atom\n"


def values_of(bench, *fixes: str) -> list[np.ndarray]:
    """The values of some fixes in the last snapshot."""
    last = list(read(bench.folder / "values.dump").values())[-1]
    return [last.values(fix) for fix in fixes]


def dump_values(every: int, *fixes: str) -> str:
    columns = " ".join(f"f_{fix}[*]" for fix in fixes)
    return (
        f"dump v all custom {every} values.dump id type x y z {columns}\n"
        "dump_modify v format float %20.17g\n"
    )


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_energy_of_the_fix_is_that_of_a_compute(bench, ranks: int) -> None:
    """Also on steps on which nothing else asks for energies, and at the start of any run."""
    model = averaging_model(bench.folder, ("potential_energy",), "thermal", None)
    command = f"all glassml 3 {model} A B"
    script = bench.start(liquid(216, seed=80)) + MOVE + ENERGY + "thermo 1000\n"
    script += f"fix own {command}\nfix given {command} scalar c_energy\n"
    script += dump_values(3, "own", "given") + "run 7\nrun 11\nminimize 0 0 4 100\nrun 5 post no\n"
    run = bench.run(script, ranks=ranks)
    snapshots = read(bench.folder / "values.dump")
    assert list(snapshots) == [*range(0, 28, 3)]
    for snapshot in snapshots.values():
        own, given = snapshot.values("own"), snapshot.values("given")
        assert own.std() > 1e-3
        np.testing.assert_array_equal(own, given)
    assert "scalar input: potential_energy = energy of each atom (pe/atom)" in run.stdout
    assert "scalar input: potential_energy = c_energy" in run.stdout


def test_its_compute_goes_with_the_fix(bench) -> None:
    model = averaging_model(bench.folder, ("potential_energy",), "thermal", None)
    script = bench.start(liquid(60, seed=81)) + f"fix g all glassml 1 {model} A B\n"
    script += "run 0\ninfo computes\nunfix g\ninfo computes\n"
    script += f"fix g all glassml 1 {model} A B\nrun 0\nclear\n"
    assert bench.run(script).stdout.count("g_glassml_pe,") == 1


def test_sources_of_some_or_of_all_scalars(bench) -> None:
    """Sources are given for what the fix does not know, or for everything.

    Energies are ready at each evaluation, although none comes before the first full window, and
    nothing else asks for them.
    """
    scalars = ("vibration", "first", "potential_energy", "average_displacement")
    model = averaging_model(bench.folder, scalars)
    script = bench.start(liquid(120, seed=82)) + MOVE + ENERGY
    script += "variable first atom id/100\nvariable zero atom 0.0\n"
    command = f"all glassml {EVERY} {model} A B {POSITIONS} scalar"
    script += f"fix some {command} v_first\n"
    script += f"fix all all glassml {EVERY} {model} A B {POSITIONS} scalar v_zero scalar v_first "
    script += "scalar c_energy scalar v_zero\n"
    run = bench.run(
        script + dump_values(EVERY, "some", "all") + "thermo 1000\nrun 10\nrun 35\n", ranks=2
    )
    for line in (
        "vibration = average over the window",
        "first = v_first",
        "potential_energy = energy of each atom (pe/atom)",
        "average_displacement = average over the window",
        "vibration = v_zero",
        "potential_energy = c_energy",
    ):
        assert run.stdout.count(f"scalar input: {line}\n") == 1 + (line == "first = v_first")
    some, every = values_of(bench, "some", "all")
    # Vibrations and displacements are positive, and so is their part of the values.
    assert np.all(some > every)


def test_averaged_scalars_at_thermal_positions(bench) -> None:
    configuration = liquid(216, seed=83)
    model = averaging_model(bench.folder, SCALARS, "thermal")
    script = bench.start(configuration) + MOVE + f"fix g all glassml {EVERY} {model} A B\n"
    run = bench.run(script + dumps() + "run 40\n", ranks=2)
    assert "scalars: averages over 5 samples every 0.02 time units" in run.stdout
    assert "positions:" not in run.stdout
    assert "WARNING: fix g" not in run.stdout
    samples = read(bench.folder / "samples.dump")
    expected = {t: averaged(samples, configuration, t) for t in (20, 40)}
    check(read(bench.folder / "values.dump"), expected, model)


def test_averaged_positions_of_a_model_without_scalars(bench) -> None:
    configuration = liquid(120, seed=84)
    model = averaging_model(bench.folder, ())
    script = bench.start(configuration, pair="pair_style none") + "velocity all create 1.0 1\n"
    script += "timestep 0.005\nfix move all nve\n"
    script += f"fix g all glassml {EVERY} {model} A B\n" + dumps(energy=False) + "run 20\n"
    bench.run(script)
    samples = read(bench.folder / "samples.dump")
    check(read(bench.folder / "values.dump"), {20: averaged(samples, configuration, 20)}, model)


@pytest.mark.parametrize(
    ("positions", "keyword", "warning"),
    [
        (
            "average",
            "positions average 2 10",
            "was trained on averages over 5 samples every 0.02, but is given averages over 10 "
            "samples every 0.01: its values are less accurate",
        ),
        (
            "average",
            "positions thermal",
            "reads averaged positions (5 samples every 0.02), but is given thermal ones: its "
            "values are less accurate",
        ),
        (
            "thermal",
            "positions average 4 5",
            "reads thermal positions, but is given averages over 5 samples every 0.02: its values "
            "are less accurate",
        ),
    ],
)
def test_other_positions_than_in_training_warn(
    bench, positions: str, keyword: str, warning: str
) -> None:
    window = WINDOW if positions == "average" else None
    model = averaging_model(bench.folder, (), positions, window)
    script = bench.start(liquid(60, seed=85)) + MOVE
    script += f"fix g all glassml {EVERY} {model} A B {keyword}\n"
    run = bench.run(script + "run 0\nrun 2\n")
    text = " ".join(run.stdout.split())
    assert text.count(f"WARNING: fix g glassml: model {model} {warning}") == 1


@pytest.mark.parametrize("keyword", ["", "positions average 4 5", "positions average 20 1"])
def test_the_window_of_the_training_does_not_warn(bench, keyword: str) -> None:
    window = Window(0.1, 1) if keyword.endswith("1") else WINDOW
    model = averaging_model(bench.folder, (), "average", window)
    script = bench.start(liquid(60, seed=86)) + MOVE
    run = bench.run(script + f"fix g all glassml {EVERY} {model} A B {keyword}\nrun 2\n")
    assert "WARNING: fix g" not in run.stdout


def test_a_timestep_that_changes_by_itself_warns(bench) -> None:
    model = averaging_model(bench.folder, ())
    script = bench.start(liquid(60, seed=87)) + MOVE
    script += f"fix g all glassml {EVERY} {model} A B\nfix dt all dt/reset 1 0.001 0.005 0.1\n"
    text = " ".join(bench.run(script + "run 1\nrun 1\n").stdout.split())
    warning = (
        "WARNING: fix g glassml: expected a constant timestep, as samples of averaged positions "
        "are taken every 4 steps; found fix dt of style dt/reset"
    )
    assert text.count(warning) == 1


@pytest.mark.parametrize(
    ("keyword", "words"),
    [
        ("positions", "keyword positions: expected a value; found none"),
        (
            "positions cold",
            "keyword positions: expected 'thermal', 'inherent [ftol maxiter]' or 'av",
        ),
        ("positions cold", "; found 'cold' (known keywords: output, scalar, device, "),
        ("positions average", "'average Nsample Nrepeat'; found 'average' (known"),
        ("positions average 4", "found 'average 4'"),
        ("positions average 4 5 6", "found 'average 4 5 6'"),
        ("positions thermal 4", "found 'thermal 4'"),
        ("positions average 0 5", "positions: Nsample: expected a positive integer; found '0'"),
        ("positions average 4 x", "positions: Nrepeat: expected a positive integer; found 'x'"),
        ("positions thermal positions thermal", "expected it once; found it twice"),
        (
            "positions average 3 5",
            "Nevery: expected a multiple of the 3 steps between two samples of averaged "
            "positions; found 20",
        ),
        (
            "positions average 4 6",
            "Nevery: expected more steps than the window of averaged positions has, 5 * 4; "
            "found 20",
        ),
        ("scalar c_e", "expected no keyword scalar, as the fix knows average_energy, vibration, "),
        ("scalar c_e", " itself, or 3 of them, one for each scalar input of model"),
    ],
)
def test_misuse_is_explained(bench, keyword: str, words: str) -> None:
    model = averaging_model(bench.folder)
    script = bench.start(liquid(60, seed=88)) + f"fix g all glassml {EVERY} {model} A B {keyword}"
    message = bench.refused(script + "\nrun 0")
    assert "ERROR: fix g glassml: " in message
    assert words in message


@pytest.mark.parametrize(
    ("every", "timestep", "words"),
    [
        (
            20,
            0.003,
            "expected a timestep that divides the interval between the samples of the model (5 "
            "samples every 0.02); found timestep 0.003. Give 'positions average Nsample Nrepeat'",
        ),
        (20, 0.1, "found timestep 0.1. Give"),
        (
            10,
            0.005,
            "expected a multiple of the 4 steps between two samples of averaged positions; found "
            "10 (the window of the model, 5 samples every 0.02, with timestep 0.005)",
        ),
        (16, 0.005, "expected more steps than the window of averaged positions has, 4 * 4; found"),
    ],
)
def test_windows_of_the_model_that_do_not_fit(
    bench, every: int, timestep: float, words: str
) -> None:
    """They are judged at the start of a run: a minimisation before it has no timestep."""
    model = averaging_model(bench.folder)
    script = bench.start(liquid(60, seed=89)) + f"fix g all glassml {every} {model} A B\n"
    script += "minimize 0 0 1 1\nprint 'still there'\nfix move all nve\n"
    message = bench.refused(script + f"timestep {timestep}\nrun 0", ranks=2)
    assert words in message


def test_a_thermal_model_is_not_advised_to_read_averaged_positions(bench) -> None:
    model = averaging_model(bench.folder, SCALARS, "thermal")
    script = bench.start(liquid(60, seed=89)) + f"fix g all glassml {EVERY} {model} A B\n"
    message = bench.refused(script + "fix move all nve\ntimestep 0.003\nrun 0")
    assert "found timestep 0.003. Choose another timestep" in message
    assert "positions average" not in message


@pytest.mark.parametrize("units", ["real", "metal"])
def test_units_of_which_only_the_lengths_are_known_are_told(bench, units: str) -> None:
    text = f"energies and times: those of 'units {units}'; expected the units of the training"
    script = bench.start(liquid(60, seed=93)).replace("units lj", f"units {units}")
    for scalars, count in ((("potential_energy",), 1), ((), 0)):
        own = averaging_model(bench.folder, scalars, "thermal", None)
        model = rewritten(own, bench.folder / "other.pt", length_unit="angstrom")
        run = bench.run(script + f"fix g all glassml 1 {model} A B\nrun 0\nrun 0\n")
        assert run.stdout.count(text) == count


def test_energies_without_a_potential_are_refused(bench) -> None:
    model = averaging_model(bench.folder, ("potential_energy",), "thermal", None)
    script = bench.start(liquid(60, seed=90), pair="pair_style none")
    message = bench.refused(script + f"fix g all glassml 1 {model} A B\nrun 0")
    assert "expected a pair style, as the model reads potential energies; found none" in message
    assert "give other sources with the keyword scalar" in message


@pytest.mark.parametrize("positions", ["inherent", "cage"])
def test_energies_of_another_configuration_must_be_given(bench, positions: str) -> None:
    """In a model of inherent structures, the energy of the fix would be that of the minimum."""
    model = averaging_model(bench.folder, ("potential_energy",), positions, None)
    script = bench.start(liquid(60, seed=91)) + ENERGY + f"fix g all glassml 1 {model} A B "
    assert "(potential_energy [energy]); found 0. Give" in bench.refused(script + "\nrun 0")
    bench.run(script + "scalar c_energy\nrun 0")


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (None, "field 'window': expected a window for averaged positions; found none"),
        ({"interval": 0.1}, "window: field 'samples': expected an integer; found nothing"),
        (
            {"interval": 0.1, "samples": 0},
            "window: field 'samples': expected a positive integer; found 0",
        ),
        (
            {"interval": -0.1, "samples": 2},
            "window: field 'interval': expected a positive number; found -0.1",
        ),
    ],
)
def test_windows_in_model_files_are_checked(bench, window: object, words: str) -> None:
    rewritten(averaging_model(bench.folder), bench.folder / "other.pt", window=window)
    message = bench.refused(bench.start(liquid(60)) + "fix g all glassml 1 other.pt A B")
    assert "other.pt: manifest.json" in message
    assert words in message


def test_a_box_that_jumps_within_a_run_is_explained(bench) -> None:
    """The box is three times as long from step 10 on."""
    model = averaging_model(bench.folder, ())
    script = bench.start(liquid(60, seed=92), pair="pair_style none") + "fix move all nve\n"
    script += f"timestep 0.005\nfix g all glassml {EVERY} {model} A B\n"
    script += "fix box all deform 10 x scale 5.0 remap x\nrun 20\n"
    message = bench.refused(script, ranks=2)
    assert "fix g glassml: averaged positions: expected a box near that of the sample" in message
    assert "take samples more often" in message
