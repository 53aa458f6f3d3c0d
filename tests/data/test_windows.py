"""Averaged positions in configurations and datasets, and as a model sees them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glassml.data import (
    Configuration,
    Dataset,
    DatasetWriter,
    Window,
    number_of_windows,
    reads_window,
    shift_names,
    view_of,
    window_of,
    with_windows,
)
from glassml.errors import InputError
from glassml.physics import AveragedPositions

N = 12
WINDOW = Window(0.1, 20)


def plain() -> Configuration:
    rng = np.random.default_rng(0)
    return Configuration(
        positions=4 * rng.random((N, 3)),
        cell=4 * np.eye(3),
        species=np.zeros(N, int),
        species_names=("A",),
        scalars={"potential_energy": rng.random(N)},
        structures={"inherent": 4 * rng.random((N, 3))},
    )


def averages(number: int, energies: bool = True) -> list[AveragedPositions]:
    rng = np.random.default_rng(1)
    return [
        AveragedPositions(
            0.1 * rng.normal(size=(N, 3)), rng.random(N), rng.random(N) if energies else None
        )
        for _ in range(number)
    ]


def test_a_further_window_may_have_a_present_of_its_own() -> None:
    first, other = averages(2)
    path = np.full((N, 3), 0.5)
    found = with_windows(plain(), [first, other._replace(path=path)], WINDOW)
    expected = found.positions + path + other.shift
    np.testing.assert_array_equal(found.structures["average_2"], expected)
    np.testing.assert_array_equal(
        found.scalars["average_displacement_2"], np.linalg.norm(other.shift, axis=1)
    )


def test_view_of_each_window() -> None:
    parts = averages(3)
    configuration = with_windows(plain(), parts, WINDOW)
    assert number_of_windows(configuration) == 3
    for number, part in enumerate(parts, start=1):
        view = view_of(configuration, "average", number)
        np.testing.assert_array_equal(view.positions, configuration.positions + part.shift)
        np.testing.assert_array_equal(view.scalars["average_energy"], part.energy)
        np.testing.assert_array_equal(view.scalars["vibration"], part.vibration)
        np.testing.assert_array_equal(view.scalars["average_displacement"], part.displacement)
        assert set(view.scalars) == {
            "potential_energy",
            "inherent_displacement",
            *shift_names("inherent"),
            "average_energy",
            "vibration",
            "average_displacement",
        }


def test_scalars_of_a_window_beside_thermal_positions() -> None:
    parts = averages(2)
    configuration = with_windows(plain(), parts, WINDOW)
    view = view_of(configuration)
    np.testing.assert_array_equal(view.positions, plain().positions)
    np.testing.assert_array_equal(view.scalars["vibration"], parts[0].vibration)
    for positions in ("thermal", "inherent"):
        with pytest.raises(InputError, match=f"window: expected 1 for {positions} .* found 2"):
            view_of(configuration, positions, window=2)


def test_energy_of_another_present() -> None:
    """A window that ends before the configuration has a thermal energy of its own."""
    configuration = with_windows(plain(), averages(2), WINDOW)
    other = np.arange(float(N))
    configuration = replace(
        configuration, scalars={**configuration.scalars, "potential_energy_2": other}
    )
    energy = [view_of(configuration, "average", k).scalars["potential_energy"] for k in (1, 2)]
    np.testing.assert_array_equal(energy, [plain().scalars["potential_energy"], other])


def test_scalars_that_only_look_like_those_of_windows() -> None:
    """Order parameters `psi` and `psi_2` are two inputs, in every window."""
    configuration = with_windows(plain(), averages(2), WINDOW)
    both = {"psi": np.arange(float(N)), "psi_2": np.ones(N)}
    configuration = replace(configuration, scalars={**configuration.scalars, **both})
    for window in (1, 2):
        found = view_of(configuration, "average", window).scalars
        np.testing.assert_array_equal([found["psi"], found["psi_2"]], list(both.values()))


def test_missing_windows() -> None:
    with pytest.raises(InputError, match=r"expected 'average'.*found inherent. `glassml average`"):
        view_of(plain(), "average")
    with pytest.raises(InputError, match="window: expected a number up to 2; found 3"):
        view_of(with_windows(plain(), averages(2), WINDOW), "average", 3)


def test_new_windows_replace_old_ones() -> None:
    configuration = with_windows(plain(), averages(3), WINDOW)
    again = with_windows(configuration, averages(1, energies=False), Window(0.2, 5))
    assert set(again.structures) == {"inherent", "average"}
    assert set(again.scalars) == {"potential_energy", "vibration", "average_displacement"}
    assert window_of(again) == Window(0.2, 5)


def test_kept_by_datasets(tmp_path: Path) -> None:
    configuration = with_windows(plain(), averages(2), WINDOW)
    with DatasetWriter(tmp_path / "data.h5") as writer:
        writer.add(configuration)
        writer.add(replace(plain(), name="without"))
    with Dataset(tmp_path / "data.h5") as dataset:
        assert [dataset.n_windows(name) for name in dataset.names] == [2, 0]
        assert window_of(dataset[0]) == WINDOW
        assert window_of(dataset[1]) is None


@pytest.mark.parametrize(
    "provenance", [{}, {"average_interval": "x", "average_samples": 2},
                   {"average_interval": 0.0, "average_samples": 2}]
)  # fmt: skip
def test_averages_of_unknown_windows(provenance: dict) -> None:
    configuration = replace(with_windows(plain(), averages(1), WINDOW), provenance=provenance)
    with pytest.raises(InputError, match="expected average_interval and average_samples"):
        window_of(configuration)


def test_same_window() -> None:
    assert Window(0.1, 20).same_as(Window(0.1 * (1 + 1e-9), 20))
    assert not Window(0.1, 20).same_as(Window(0.1, 19))
    assert not Window(0.1, 20).same_as(Window(0.11, 20))
    assert str(Window(0.1, 20)) == "20 samples every 0.1"
    assert str(Window(0.1, 1)) == "1 sample"


def test_what_needs_a_window() -> None:
    assert reads_window("average", [])
    assert reads_window("thermal", ["potential_energy", "vibration"])
    assert not reads_window("inherent", ["inherent_energy"])
