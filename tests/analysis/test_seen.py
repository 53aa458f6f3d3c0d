"""Which configurations count as known to a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glassml.analysis.seen import seen_configurations
from glassml.data import Dataset, DatasetWriter
from glassml.export import read_manifest, save_model
from glassml.models import Committee, build
from glassml.training import committee_provenance


@pytest.fixture
def dataset(make_dataset) -> Dataset:
    return Dataset(make_dataset("there.h5", lambda bare, rng: rng.random((60, 2))))


@pytest.mark.parametrize("number", [2, 3])
def test_a_committee_has_seen_what_its_members_have(
    dataset: Dataset, tmp_path: Path, number: int
) -> None:
    files = [{"file": "there.h5", "sha256": dataset.sha256}]
    parts = [
        {"data": files, "train": ["c0"], "validation": ["c1"]},
        {"data": files, "train": ["c2"], "validation": ["c1"]},
        {"data": [], "train": ["c5"]},  # without it all members share the files
    ]
    models = [build("analytic", cutoff=cutoff) for cutoff in (1.5, 1.6, 1.7)]
    path = tmp_path / "committee.pt"
    training = committee_provenance(parts[:number])
    save_model(Committee(models[:number]), path, training=training)
    assert seen_configurations(read_manifest(path), dataset) == ("c0", "c1", "c2")


def test_reversed_runs_are_seen_with_their_start(dataset: Dataset, tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "back.h5") as writer:
        for start in dataset:
            end = start.positions + np.array([0.1, 0.0, 0.0])
            writer.add(replace(start, positions=end, name=f"{start.name}_reversed_000"))
    back = Dataset(tmp_path / "back.h5")
    files = [{"file": "back.h5", "sha256": back.sha256}]
    training = {"data": files, "train": ["c0", "c3"], "validation": ["c4"]}
    save_model(build("analytic"), tmp_path / "m.pt", training=training)
    expected = tuple(f"c{k}_reversed_000" for k in (0, 3, 4))
    assert seen_configurations(read_manifest(tmp_path / "m.pt"), back) == expected
