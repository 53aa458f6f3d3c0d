"""Records of format 1: every fact that they hold is in the record that they become."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from glassml.errors import InputError
from glassml.provenance import (
    DataFile,
    ReversedRuns,
    RidgeFit,
    SplitSettings,
    TrainingRecord,
    first_problem,
    migrated_training,
    read_accuracy,
)

FILE = {"file": "a.h5", "sha256": "a" * 64, "configurations": 3}
RUNS = {"file": "back.h5", "sha256": "b" * 64, "configurations": 320}
RUN = {
    "data": [FILE],
    "train_configurations": 2,
    "validation_configurations": 1,
    "train": ["c0", "c2"],
    "validation": ["c1"],
    "split": {"validation": 0.3, "split_seed": 5},
    "origin": {"n_runs": [32], "temperature": [0.44], "tau_alpha": [9.0]},
    "recipe": {"epochs": 12, "optimiser": {"lr": 0.01}, "species_weight": None},
    "versions": {"glassml": "0.1.0", "torch": "2.13.0"},
    "epoch": 12,
    "metrics": {
        "train/loss": 1.5,
        "train/pearson_mean": 0.8,
        "train/pearson_mean/A/t=1.65": 0.8,
        "validation/loss": 2.5,
        "validation/pearson_all/A/t=1e-05": 0.6,
        "validation/pearson_mean/A b/t=1.65": 0.7,
        "validation/pearson_mean/B/t=1.65": None,
    },
}


def test_a_run() -> None:
    record = migrated_training(RUN)
    assert record.data == (DataFile(**FILE, role="configurations"),)
    assert (record.train.number, record.train.names) == (2, ("c0", "c2"))
    assert (record.validation.number, record.validation.names) == (1, ("c1",))
    assert {c.positions_sha256 for c in record.train.configurations} == {None}
    assert record.reversed_runs is None
    assert record.split == SplitSettings(validation=0.3, split_seed=5)
    assert (record.temperatures, record.n_runs, record.tau_alpha) == ((0.44,), (32,), 9.0)
    assert record.recipe == RUN["recipe"]
    assert record.versions == RUN["versions"]
    assert record.epoch == 12
    # What was minimised does not compare with the loss of validation.
    assert (record.train.loss, record.train.weighted_loss) == (None, 1.5)
    assert (record.validation.loss, record.validation.weighted_loss) == (2.5, None)
    scores = [(s.species, s.time, s.kind, s.value) for s in record.validation.scores]
    assert scores == [("A", 1e-05, "all", 0.6), ("A b", 1.65, "mean", 0.7)]  # B has no value
    assert [s.value for s in record.train.scores] == [0.8]
    assert {(s.error, s.error_kind) for s in record.validation.scores} == {(None, None)}


def test_the_first_version_named_no_configurations() -> None:
    kept = ("data", "train_configurations", "validation_configurations", "epoch")
    record = migrated_training({key: RUN[key] for key in kept})
    assert (record.train.number, record.train.configurations) == (2, ())
    assert (record.validation.number, record.validation.configurations) == (1, ())


def test_reversed_runs_of_a_run() -> None:
    origin = {"n_runs": [1, 32], "reversed_from": ["f" * 64, "e" * 64], "reversed_time": [4120.0]}
    record = migrated_training(RUN | {"data": [FILE, RUNS], "reversed_runs": 64, "origin": origin})
    assert record.reversed_runs == ReversedRuns(number=64, starts=("f" * 64, "e" * 64))
    assert [file.role for file in record.data] == ["configurations", "reversed runs"]
    assert record.origin == {"n_runs": (32,), "reversed_time": (4120.0,)}
    three = migrated_training(RUN | {"data": [FILE, FILE, RUNS], "reversed_runs": 64})
    assert [file.role for file in three.data] == ["configurations", None, "reversed runs"]


def test_an_accuracy() -> None:
    pearson = [
        {"species": "A", "time": 4120.0, "kind": "all", "value": 0.536, "error": 0.022},
        {"species": "B", "time": 4120.0, "kind": "mean", "value": 0.624},
    ]
    record = migrated_training(RUN | {"accuracy": {"protocol": "folds", "pearson": pearson}})
    assert record.accuracy is not None
    assert record.accuracy.protocol == "folds"
    first, second = record.accuracy.scores
    assert (first.species, first.time, first.kind, first.statistic) == ("A", 4120, "all", "pearson")
    assert (first.value, first.error, first.error_kind) == (0.536, 0.022, "unspecified")
    assert (second.value, second.error, second.error_kind) == (0.624, None, None)


def test_a_committee_gets_back_what_its_members_shared() -> None:
    own = ({"epoch": 3, "metrics": {"train/loss": 1.0}}, {"epoch": 4, "metrics": {}})
    shared = {key: RUN[key] for key in ("data", "train", "origin", "versions")}
    accuracy = {"protocol": "others", "pearson": []}
    record = migrated_training({**shared, "members": list(own), "accuracy": accuracy})
    assert record.members == tuple(migrated_training({**shared, **one}) for one in own)
    assert [member.epoch for member in record.members] == [3, 4]
    assert record.accuracy is not None
    assert record == TrainingRecord(members=record.members, accuracy=record.accuracy)
    assert record.temperatures == (0.44,)


def test_a_refit() -> None:
    metrics = {"cross-validated/pearson_all/A/t=3": 0.5, "cross-validated/pearson_mean/A/t=3": 0.4}
    recipe = {
        "decoders": "ridge regression on the descriptors",
        "penalties": [[1e-5], [1e-3]],
        "chosen_by": "each configuration left out in turn",
    }
    values = {
        "data": [FILE],
        "train_configurations": 3,
        "validation_configurations": 0,
        "train": ["c0", "c1", "c2"],
        "validation": [],
        "origin": {"n_runs": [8]},
        "recipe": recipe,
        "versions": {"glassml": "0.1.0"},
        "metrics": metrics,
        "network": {"file": "n.pt", "n_parameters": 7, "times": [1.0, 10.0], "training": RUN},
        "label_noise": 12.0,
        "reversed_data": RUNS,
    }
    record = migrated_training(values)
    assert record.ridge == RidgeFit(**recipe, label_noise=12.0)
    assert record.recipe == {}
    assert [file.file for file in record.data] == ["a.h5", "back.h5"]
    assert record.data[1].role == "reversed runs"
    assert record.reversed_runs == ReversedRuns(number=320)
    assert record.train.names == ("c0", "c1", "c2")
    assert record.validation.number == 0
    assert record.accuracy is not None
    assert "each configuration left out in turn" in record.accuracy.protocol
    assert [(s.kind, s.value) for s in record.accuracy.scores] == [("all", 0.5), ("mean", 0.4)]
    assert record.network is not None
    assert (record.network.file, record.network.n_parameters) == ("n.pt", 7)
    assert record.network.times == (1.0, 10.0)
    assert record.network.training == migrated_training(RUN)


@pytest.mark.parametrize(
    ("values", "field", "text"),
    [
        ("none", "training", "expected a mapping"),
        ({"data": [{**FILE, "x": 1}]}, "training.data.0.x", "expected no such field"),
        (
            {"train": ["a"], "train_configurations": 2},
            "training.train_configurations",
            "expected the number of names in train (1); found 2",
        ),
        (
            {
                "network": {
                    "file": "n.pt",
                    "n_parameters": 1,
                    "times": [],
                    "training": {"epoch": "x"},
                }
            },
            "training.network.training.epoch",
            "expected a whole number",
        ),
    ],
)
def test_what_was_never_written_is_named(values: object, field: str, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        migrated_training(values)
    found, problem = first_problem(caught.value, "training")
    assert found == field
    assert problem.startswith(text)


def test_entries_of_the_users_own_become_notes() -> None:
    """Format 1 took any, and a file that holds some must not become useless."""
    own = {"colour": "red", "metrics": {"f1": 0.5, "validation/loss": 2.5}}
    record = migrated_training({"epoch": 3, **own})
    assert record.notes == {"colour": "red", "metrics": {"f1": 0.5}}
    assert (record.epoch, record.validation.loss) == (3, 2.5)
    network = {"file": "n.pt", "n_parameters": 1, "times": [], "training": {"x": 1}}
    behind = migrated_training({"network": network}).network
    assert behind is not None
    assert behind.training.notes == {"x": 1}


def test_accuracy_files_of_both_forms(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.json"
    entry = {"species": "A", "time": 1.0, "kind": "mean", "value": 0.5, "error": 0.01}
    path.write_text(json.dumps({"protocol": "x", "pearson": [entry]}))
    old = read_accuracy(path)
    path.write_text(
        json.dumps({"protocol": "x", "scores": [{**entry, "error_kind": "unspecified"}]})
    )
    assert read_accuracy(path) == old
    path.write_text(json.dumps({"protocol": "x", "scores": [entry]}))
    with pytest.raises(InputError, match=r"json: scores\.0\.error_kind: expected a kind if"):
        read_accuracy(path)
    path.write_text("not JSON")
    with pytest.raises(InputError, match=r"accuracy\.json: expected JSON"):
        read_accuracy(path)
