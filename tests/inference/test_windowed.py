"""Windows of a moving system: which samples they have, and what becomes of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from vibrating import PERIOD, centres, rms_vibration, vibrating

from glassml.data import Configuration, Window, configuration_from_atoms, view_of, window_of
from glassml.errors import InputError
from glassml.inference import PositionWindow, SampleClock, window_note


def with_energy(frames: list[Configuration]) -> list[Configuration]:
    return [replace(f, scalars={"average_energy": f.scalars["pe"]}) for f in frames]


def run(window: PositionWindow, frames: list[Configuration]) -> dict[int, Configuration]:
    """The results by the number of the frame."""
    found = {}
    for number, frame in enumerate(frames):
        if window.clock.is_sample(number):
            result = window.add(number, frame)
            if result is not None:
                found[number] = result
    return found


@pytest.mark.parametrize(
    ("samples", "every", "interval"), [(1, 1, 1), (1, 7, 3), (4, 4, 1), (3, 10, 4), (5, 12, 2)]
)
def test_samples_are_the_last_before_each_evaluation(
    samples: int, every: int, interval: int
) -> None:
    clock = SampleClock(samples, every, interval)
    numbers = range(4 * every)
    evaluated = [every, 2 * every, 3 * every]
    taken = [sorted(n - interval * k for k in range(samples)) for n in evaluated]
    due = [n for n in numbers if n <= 3 * every and clock.is_sample(n)]
    assert due == [n for window in taken for n in window]
    assert [n for n in numbers if clock.is_evaluation(n)] == evaluated
    assert [n for n in due if clock.is_first(n)] == [window[0] for window in taken]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1, 1), "samples: expected a positive number; found 0"),
        ((1, -2, 1), "every: expected a positive number; found -2"),
        ((1, 1, 0), "interval: expected a positive number; found 0"),
        ((20, 19), "every: expected 20 or more, as a window of 20 samples must fit .* found 19"),
        ((3, 8, 4), "every: expected 9 or more, as a window of 3 samples, 4 apart, must .*found 8"),
    ],
)
def test_impossible_clocks(arguments: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SampleClock(*arguments)


def test_mean_positions_of_a_vibration_are_its_centres() -> None:
    """Over a whole period, in a system that drifts through the boundaries of its cell."""
    frames = vibrating(2 * PERIOD + 1)
    length, last = frames[0].cell[0, 0], 2 * PERIOD
    found = run(PositionWindow(SampleClock(PERIOD, PERIOD), 0.1), frames)[last]
    off = found.structures["average"] - centres(last)
    # 1e-12: rounding of some 40 sums of numbers of order 10
    np.testing.assert_allclose(off - length * np.rint(off / length), 0, atol=1e-12)
    # 1e-7: the mean square is a difference of numbers a hundred times as large
    np.testing.assert_allclose(found.scalars["vibration"], rms_vibration(), rtol=1e-7)
    assert window_of(found) == Window(0.1, PERIOD)
    np.testing.assert_array_equal(found.positions, frames[last].positions)


def test_windows_do_not_depend_on_what_was_before() -> None:
    frames = with_energy(vibrating(25))
    found = run(PositionWindow(SampleClock(3, 10, 2), 0.1), frames)
    assert sorted(found) == [10, 20]
    for number, result in found.items():
        alone = PositionWindow(SampleClock(3, 5, 2), 0.1)
        again = run(alone, [frames[0], *frames[number - 4 : number + 1]])[5]
        np.testing.assert_array_equal(result.structures["average"], again.structures["average"])
        for name in ("vibration", "average_displacement", "average_energy"):
            np.testing.assert_array_equal(result.scalars[name], again.scalars[name])
        energies = [frames[k].scalars["average_energy"] for k in (number - 4, number - 2, number)]
        # 1e-14: the mean of three numbers of order one
        np.testing.assert_allclose(
            result.scalars["average_energy"], np.mean(energies, axis=0), rtol=0, atol=1e-14
        )


def test_without_energies_there_is_no_mean_energy() -> None:
    frames = vibrating(4)
    found = run(PositionWindow(SampleClock(3, 3), 0.1), frames)[3]
    assert set(found.scalars) == {"pe", "vibration", "average_displacement"}
    np.testing.assert_array_equal(found.scalars["pe"], frames[3].scalars["pe"])


def test_one_sample_is_the_present() -> None:
    frames = vibrating(3)
    found = run(PositionWindow(SampleClock(1, 2), 0.1), frames)[2]
    np.testing.assert_array_equal(found.structures["average"], frames[2].positions)
    np.testing.assert_array_equal(view_of(found, "average").scalars["average_displacement"], 0)


def test_open_directions_have_no_cell_that_changes() -> None:
    """Particles without a cell get one that encloses them, another one in every frame."""
    from ase import Atoms

    rng = np.random.default_rng(3)
    paths = rng.normal(size=(1, 6, 3)) + 0.2 * rng.normal(size=(4, 6, 3))
    frames = [
        configuration_from_atoms(Atoms("H6", positions=p), {"H": "A"}) for p in [paths[0], *paths]
    ]
    assert len({float(np.linalg.det(f.cell)) for f in frames}) == 4
    found = run(PositionWindow(SampleClock(4, 4), 0.1), frames)[4]
    moved = paths - paths.mean(axis=1, keepdims=True)
    expected = moved.mean(axis=0) + paths[-1].mean(axis=0)
    # 1e-14: rounding of numbers of order one, some operations each
    np.testing.assert_allclose(found.structures["average"], expected, rtol=0, atol=1e-13)


def test_other_particles_are_refused() -> None:
    frames = vibrating(4)
    window = PositionWindow(SampleClock(3, 3), 0.1)
    window.add(1, frames[1])
    fewer = replace(
        frames[2], positions=frames[2].positions[1:], species=frames[2].species[1:], scalars={}
    )
    with pytest.raises(InputError, match=r"^frame 2: particles: expected the 60 of frame 1.*59"):
        window.add(2, fewer)
    exchanged = replace(frames[2], species=frames[2].species[::-1].copy())
    differ = np.flatnonzero(exchanged.species != frames[2].species)[0]
    with pytest.raises(InputError, match=rf"frame 2: species: .* found . instead .* {differ}\."):
        window.add(2, exchanged)
    with pytest.raises(InputError, match=r"frame 2: pbc: expected \(True, True, True\), as in"):
        window.add(2, replace(frames[2], pbc=(True, True, False)))


def test_renamed_species_are_the_same() -> None:
    """Species are compared by name: frames may list them in another order."""
    frames = vibrating(3)
    window = PositionWindow(SampleClock(2, 2), 0.1)
    window.add(1, frames[1])
    turned = replace(frames[2], species=1 - frames[2].species, species_names=("B", "A"))
    assert window.add(2, turned) is not None


def test_note_about_another_window() -> None:
    expected = Window(0.1, 20)
    assert window_note("m.pt", expected, Window(0.1 + 1e-9, 20)) == ""
    assert window_note("m.pt", expected, Window(0.2, 20)) == (
        "m.pt was trained on averages over 20 samples every 0.1; found averages over 20 samples "
        "every 0.2: its predictions are less accurate for these"
    )
