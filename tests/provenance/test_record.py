"""The training record: what the model has seen, and how accurate it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from systems import liquid, moved

from glassml.data import REVERSED_FROM, Configuration, Dataset, DatasetWriter
from glassml.provenance import (
    Accuracy,
    DataFile,
    KnownConfiguration,
    NetworkRecord,
    ReversedRuns,
    Side,
    TrainingRecord,
    first_problem,
)
from glassml.scores import Score

MakeDataset = Callable[[str, Sequence[Configuration]], Dataset]


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    def make(name: str, configurations: Sequence[Configuration]) -> Dataset:
        with DatasetWriter(tmp_path / name) as writer:
            for configuration in configurations:
                writer.add(configuration)
        return Dataset(tmp_path / name)

    return make


def configurations(seeds: range = range(6)) -> list[Configuration]:
    return [moved(liquid(20, seed=seed), name=f"c{seed}") for seed in seeds]


def run_of(start: Configuration, number: int = 0) -> Configuration:
    """The end of a run from a configuration, as a dataset of reversed runs holds it."""
    return replace(
        start,
        positions=start.positions + (1 + number) * np.array([0.1, 0.0, 0.0]),
        name=f"{start.name}_run{number}",
        provenance={REVERSED_FROM: start.positions_sha256},
    )


def side(*chosen: Configuration) -> Side:
    return Side.of(map(KnownConfiguration.of, chosen))


def named(*names: str) -> Side:
    """As records of format 1 know them."""
    return Side.of(KnownConfiguration(name=name) for name in names)


def file_of(dataset: Dataset) -> DataFile:
    return DataFile(file=dataset.path.name, sha256=dataset.sha256, configurations=len(dataset))


def test_configurations_are_recognised_by_their_positions(make_dataset: MakeDataset) -> None:
    """In parts of their dataset, under other names, with other labels; others of a name are not."""
    c = configurations()
    record = TrainingRecord(train=side(c[0], c[3]), validation=side(c[4]))
    assert record.seen(make_dataset("all.h5", c)) == ("c0", "c3", "c4")
    assert record.seen(make_dataset("part.h5", c[3:])) == ("c3", "c4")
    elsewhere = [
        replace(c[3], name="renamed", scalars={"charge": np.ones(20)}),
        replace(c[5], name="c0"),
    ]
    assert record.seen(make_dataset("elsewhere.h5", elsewhere)) == ("renamed",)


def test_reversed_runs_are_seen_with_their_start(make_dataset: MakeDataset) -> None:
    c = configurations()
    runs = make_dataset("back.h5", [run_of(start, k) for start in c for k in (0, 1)])
    record = TrainingRecord(train=side(c[0], c[3]), validation=side(c[4]))
    assert record.seen(runs) == tuple(f"c{k}_run{n}" for k in (0, 3, 4) for n in (0, 1))
    # Labels of a run tell of its start, and those of the start of every run.
    of_runs = TrainingRecord(train=side(run_of(c[1])))
    assert of_runs.seen(runs) == ("c1_run0", "c1_run1")
    assert of_runs.seen(make_dataset("starts.h5", c)) == ("c1",)
    begun = ReversedRuns(number=2, starts=(c[5].positions_sha256,))
    assert TrainingRecord(reversed_runs=begun).seen(runs) == ("c5_run0", "c5_run1")


def test_names_count_in_the_dataset_that_was_trained_on_alone(make_dataset: MakeDataset) -> None:
    c = configurations()
    here, other = make_dataset("here.h5", c), make_dataset("other.h5", c[:5])
    record = TrainingRecord(data=(file_of(here),), train=named("c0"), validation=named("c2"))
    assert record.seen(here) == ("c0", "c2")
    assert record.seen(other) == ()
    back = make_dataset("back.h5", [run_of(start) for start in c])
    with_runs = record.model_copy(update={"data": (file_of(here), file_of(back))})
    assert with_runs.seen(back) == back.names  # it does not record their starts
    nameless = TrainingRecord(data=(file_of(here),), train=Side(number=4))
    assert nameless.seen(here) == here.names
    assert nameless.seen(other) == ()


def test_a_committee_has_seen_what_its_members_have(make_dataset: MakeDataset) -> None:
    c = configurations()
    here, other = make_dataset("here.h5", c[:3]), make_dataset("other.h5", c[3:])
    members = (
        TrainingRecord(data=(file_of(here),), train=named("c0"), validation=named("c1")),
        TrainingRecord(data=(file_of(other),), train=named("c3")),
        TrainingRecord(train=side(c[5])),
        TrainingRecord(train=named("c4")),  # of a dataset that it does not name
    )
    committee = TrainingRecord(members=members)
    assert committee.seen(here) == ("c0", "c1")
    assert committee.seen(other) == ("c3", "c5")
    assert [file.file for file in committee.data_files] == ["here.h5", "other.h5"]


def test_decoders_have_seen_what_the_network_behind_them_has(make_dataset: MakeDataset) -> None:
    c = configurations()
    dataset = make_dataset("all.h5", c)

    def refit(training: TrainingRecord, *chosen: Configuration) -> TrainingRecord:
        network = NetworkRecord(file="n.pt", n_parameters=1, times=(1.0,), training=training)
        return TrainingRecord(train=side(*chosen), network=network)

    committee = TrainingRecord(
        members=(TrainingRecord(train=side(c[1])), TrainingRecord(train=side(c[2])))
    )
    twice = refit(refit(committee, c[4]), c[5])
    assert twice.seen(dataset) == ("c1", "c2", "c4", "c5")
    assert TrainingRecord(members=(twice,)).seen(dataset) == ("c1", "c2", "c4", "c5")


def test_an_untrained_model_has_seen_nothing(make_dataset: MakeDataset) -> None:
    record = TrainingRecord()
    assert record.seen(make_dataset("all.h5", configurations())) == ()
    assert record.coefficients() is None
    assert record.tau_alpha is None
    assert (record.data_files, record.systems, record.n_runs) == ((), (), ())
    assert record.model_dump_json() == "{}"


def score(value: float, kind: str = "mean", **further: object) -> Score:
    return Score(species="A", time=1.65, kind=kind, value=value, **further)


def test_what_was_measured_comes_before_the_validation_of_the_run() -> None:
    validation = Side(number=2, scores=(score(0.5), score(0.4, "all")))
    record = TrainingRecord(train=Side(number=8, scores=(score(0.9),)), validation=validation)
    of_run = record.coefficients()
    assert of_run is not None
    assert of_run.scores == validation.scores
    assert "also chose the epoch: slightly optimistic" in of_run.protocol
    error = {"error": 0.02, "error_kind": "standard error over configurations"}
    measured = Accuracy(protocol="two other configurations", scores=(score(0.45, **error),))
    assert record.model_copy(update={"accuracy": measured}).coefficients() == measured
    # The validation of a member is none of the committee.
    assert TrainingRecord(members=(record, record)).coefficients() is None


def test_a_score_is_found_by_its_time() -> None:
    accuracy = Accuracy(protocol="x", scores=(score(0.5), score(0.4, "all")))
    found = accuracy.find("A", 1.6500000000000001, "all")
    assert found is not None
    assert found.value == 0.4
    assert accuracy.find("A", 1.66, "all") is None
    assert accuracy.find("B", 1.65, "all") is None
    assert accuracy.find("A", 1.65, "all", "spearman") is None


def test_origin_of_a_committee() -> None:
    cold = {"temperature": (0.44,), "system": ("KA",), "n_runs": (32,), "tau_alpha": (4120.0,)}
    hot = {**cold, "temperature": (0.44, 0.64), "tau_alpha": (9.0,)}
    one = TrainingRecord(members=(TrainingRecord(origin=cold), TrainingRecord(origin=cold)))
    two = TrainingRecord(members=(TrainingRecord(origin=cold), TrainingRecord(origin=hot)))
    assert (one.temperatures, one.systems, one.n_runs) == ((0.44,), ("KA",), (32,))
    assert one.tau_alpha == 4120.0
    assert two.temperatures == (0.44, 0.64)
    assert two.tau_alpha is None  # there are two


def test_a_record_is_read_back_as_it_was_and_says_only_what_it_knows() -> None:
    c = configurations()
    accuracy = Accuracy(protocol="x", scores=(score(0.5), score(float("nan"), "all")))
    record = TrainingRecord(
        train=side(c[0], run_of(c[1])),
        origin={"n_runs": (32,), "temperature": (1.0,), "system": ("KA",)},
        recipe={"seed": 0, "species_weight": None},
        members=(TrainingRecord(epoch=3),),
        accuracy=accuracy,
    )
    text = record.model_dump_json()
    again = TrainingRecord.model_validate_json(text)
    assert again.model_dump_json() == text
    assert again.model_copy(update={"accuracy": None}) == record.model_copy(
        update={"accuracy": None}
    )
    assert [s.value for s in again.accuracy.scores] == [0.5, pytest.approx(np.nan, nan_ok=True)]
    assert {type(v) for v in again.origin["n_runs"]} == {int}
    assert {type(v) for v in again.origin["temperature"]} == {float}
    assert set(record.model_dump()) == {"train", "origin", "recipe", "members", "accuracy"}
    assert set(record.model_dump()["train"]) == {"number", "configurations"}
    assert '"error"' not in text


@pytest.mark.parametrize(
    ("values", "field", "text"),
    [
        ({"train": {"number": -1}}, "train.number", "expected a number greater than or equal to 0"),
        ({"colour": "red"}, "colour", "expected no such field; found 'red'"),
        ({"accuracy": {"scores": []}}, "accuracy.protocol", "expected a value; found nothing"),
        (
            {"validation": {"number": 2, "configurations": [{"name": "c0"}]}},
            "validation.number",
            "expected that of the configurations (1); found 2",
        ),
        (
            {"members": [{"epoch": "x"}, {"epoch": "y"}]},
            "members.0.epoch",
            "expected a whole number; found 'x' (and 1 more)",
        ),
    ],
)
def test_a_wrong_field_is_named(values: dict, field: str, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TrainingRecord.model_validate(values)
    found, problem = first_problem(caught.value, "training")
    assert found == f"training.{field}"
    assert problem.startswith(text)


def test_what_earlier_versions_minimised_is_not_called_the_loss_of_training() -> None:
    """They had one loss of training, with the weights of the labels, in this format too."""
    sides = {"train": {"number": 2, "loss": 1.5}, "validation": {"number": 1, "loss": 2.5}}
    record = TrainingRecord.model_validate(sides)
    assert record.train == Side(number=2, weighted_loss=1.5)
    assert record.validation == Side(number=1, loss=2.5)
    now = TrainingRecord(train=Side(number=2, loss=3.0, weighted_loss=1.5))
    assert TrainingRecord.model_validate_json(now.model_dump_json()) == now
    assert TrainingRecord.model_validate(sides) == TrainingRecord.model_validate_json(
        record.model_dump_json()
    )
