"""Reversed runs: the ends of isoconfigurational runs as configurations of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glassml.data import (
    REVERSED_FROM,
    Configuration,
    Dataset,
    DatasetWriter,
    parts_by_size,
    reverse_dataset,
    reversed_runs,
    view_of,
)
from glassml.errors import InputError


def started(seed: int = 3, runs: int = 4) -> Configuration:
    """Twelve particles, two times, and where each run took them."""
    random = np.random.default_rng(seed)
    positions = random.uniform(0, 3, (12, 3))
    final = positions + random.normal(size=(runs, 2, 12, 3))
    distance = np.linalg.norm(final - positions, axis=-1)  # [R, T, N]
    return Configuration(
        positions=positions,
        cell=3 * np.eye(3),
        species=np.arange(12) % 2,
        species_names=("A", "B"),
        times=np.array([1.0, 10.0]),
        propensity=distance.mean(axis=0).T,
        n_runs=runs,
        structures={"inherent": positions + 0.1},
        final_positions=final,
        name=f"start_{seed}",
        provenance={"temperature": 0.5, "quench_iterations": 7},
    )


def test_labels_are_the_way_back():
    start = started()
    ends = list(reversed_runs(start, time=10.0))
    assert len(ends) == 4
    for run, end in enumerate(ends):
        np.testing.assert_array_equal(end.positions, start.final_positions[run, 1])
        way = np.linalg.norm(start.positions - end.positions, axis=1)
        np.testing.assert_array_equal(end.propensity[:, 0], way)
        assert end.times.tolist() == [10.0]
        assert end.n_runs == 1
        assert end.provenance[REVERSED_FROM] == start.positions_sha256
    # The labels of the start are averages over the same ways, taken forward.
    back = np.mean([end.propensity[:, 0] for end in ends], axis=0)
    np.testing.assert_allclose(back, start.propensity[:, 1], rtol=1e-14)


def test_nothing_of_the_start_is_taken_for_the_end():
    end = next(reversed_runs(started(), time=1.0))
    assert not end.structures
    assert not end.scalars
    assert end.final_positions is None
    assert "quench_iterations" not in end.provenance
    assert end.provenance["temperature"] == 0.5


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, {}, "time: expected one of 1, 10"),
        ({}, {"time": 3.0}, "time: expected one of 1, 10; found 3"),
        ({}, {"time": 1.0, "runs": 9}, "runs: expected a number from 1 to 4; found 9"),
        ({"final_positions": None}, {"time": 1.0}, "--final-positions"),
        # Labels of something else: distances between cage centres, say.
        ({"propensity": 0.5 * started().propensity}, {"time": 1.0}, "are of another kind"),
        # Positions at the end that were wrapped into the box.
        ({"final_positions": started().final_positions % 3}, {"time": 1.0}, "are wrapped"),
    ],
)
def test_mistakes_are_named(change: dict, arguments: dict, message: str):
    with pytest.raises(InputError, match=message):
        list(reversed_runs(replace(started(), **change), **arguments))


def test_parts_of_a_dataset_keep_what_belongs_together(tmp_path: Path):
    with DatasetWriter(tmp_path / "runs.h5") as writer:
        for seed in range(4):
            writer.add(started(seed))
    assert reverse_dataset(tmp_path / "runs.h5", tmp_path / "back.h5", time=1.0, runs=3) == 12
    with Dataset(tmp_path / "back.h5") as dataset:
        parts = parts_by_size(dataset, {"train": 6, "test": 6}, seed=1)
    origins = {part: {name.split("_rev")[0] for name in names} for part, names in parts.items()}
    assert not origins["train"] & origins["test"]


def test_a_view_takes_positions_and_displacements_of_a_structure():
    start = started()
    view = view_of(start, "inherent")
    np.testing.assert_array_equal(view.positions, start.structures["inherent"])
    expected = np.full(12, 0.1 * np.sqrt(3))
    # Differences of numbers up to 3 keep 15 digits of 0.17.
    np.testing.assert_allclose(view.scalars["inherent_displacement"], expected, rtol=1e-13)
    np.testing.assert_array_equal(view_of(start).positions, start.positions)
    with pytest.raises(InputError, match="structures: expected 'cage'"):
        view_of(start, "cage")
