"""The tasks: fixed and disjoint splits, and data that are recognised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systems import moved
from training.tiny_dataset import labelled, write_dataset

from glassml.data import Dataset
from glassml.errors import ConfigError, InputError
from glassml.physics import same_times
from glassml.settings import validated
from glassml.studies.benchmark import BenchmarkTask, OpenTask, load_task, open_task, shipped_tasks


def checked(settings: dict[str, Any]) -> BenchmarkTask:
    return validated(BenchmarkTask, settings, "task")


@pytest.mark.parametrize("name", ["botan_T0.44", "own_temperatures", "shipped_T0.64"])
def test_every_configuration_is_tested_once_and_on_one_side(name: str) -> None:
    task = load_task(name)
    tested = [c for fold in task.folds for c in fold.test]
    assert len(tested) == len(set(tested))
    everything = set(tested)
    for fold in task.folds:
        sides = (fold.train, fold.validation, fold.test)
        assert sum(map(len, sides)) == len(everything)
        assert set().union(*sides) == everything


def test_the_shipped_task_is_about_the_shipped_data() -> None:
    task = open_task(load_task("shipped_T0.64"))
    dataset = Dataset("kob_andersen_T0.64")
    assert task.task.datasets["kob_andersen_T0.64"].positions == dataset.positions_sha256
    assert same_times(task.task.times, dataset.common_times().tolist())
    assert sorted(c for split in task.splits for c in split.test) == sorted(dataset.names)


def test_tasks_are_listed() -> None:
    assert shipped_tasks() == (
        "botan_T0.44", "glassbench_T0.44", "own_temperatures", "shipped_T0.64",
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"task: expected one of botan_T0.44, .*did you mean"):
        load_task("botan_T0.45")


@pytest.mark.shared_data
def test_botans_own_files_are_converted_once_and_recognised(
    shared_data: Path, tmp_path: Path
) -> None:
    task, files = load_task("botan_T0.44"), shared_data / "botan_T0.44" / "train"
    opened = open_task(task, {"botan_T0.44": files}, tmp_path)
    made = tmp_path / "data" / "botan_T0.44.h5"
    assert opened.data.path == made
    assert opened.data.has_final_positions(opened.splits[0].train[0])
    assert [len(s.train) for s in opened.splits] == [7] * 5
    before = made.stat().st_mtime_ns
    open_task(task, {"botan_T0.44": files}, tmp_path)
    assert made.stat().st_mtime_ns == before


def test_a_pattern_leaves_out_what_is_for_the_test(settings: dict[str, Any], data: Path) -> None:
    settings["folds"] = [
        {"train": ["sample_*"], "validation": ["sample_?"], "test": ["sample_[13]"]}
    ]
    with pytest.raises(InputError, match=r"train: expected configurations; found all of them on"):
        open_task(checked(settings), {"tiny": data})
    settings["folds"][0]["validation"] = ["sample_[35]"]
    (split,) = open_task(checked(settings), {"tiny": data}).splits
    assert split.test == ("sample_1", "sample_3")
    assert split.validation == ("sample_5",)
    assert split.train == ("sample_0", "sample_2", "sample_4")


def test_a_configuration_on_two_sides_is_refused(settings: dict[str, Any]) -> None:
    settings["folds"][0]["test"] = ["sample_4", "sample_0"]
    with pytest.raises(ConfigError, match=r"one side only; found 'sample_0' on two"):
        checked(settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "tini"}, r"data: expected one of tiny, colder; found tini"),
        ({"time": 3.0}, r"time: expected one of 0.5, 100.0; found 3.0"),
        ({"transfer": [{"dataset": "x", "times": [[1.0, 1.0]]}]}, r"transfer.dataset: expected"),
        ({"datasets": {"tiny": {"about": "six"}}, "transfer": []}, r"datasets.tiny.make: expected"),
        ({"seed": 3}, r"seed: unknown field; accepted: name, asks"),
    ],
)
def test_wrong_fields_are_named(settings: dict[str, Any], changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked(settings | changes)


def test_missing_data_say_how_to_get_them(opened: OpenTask) -> None:
    with pytest.raises(InputError, match=r"six configurations\); found none. Run write_dataset"):
        open_task(opened.task)
    with pytest.raises(InputError, match=r"--data: tiny: expected one of tiny, colder; found 'a'"):
        open_task(opened.task, {"a": "b.h5"})
    with pytest.raises(InputError, match=r"b.h5: expected data of tiny; found no such file"):
        open_task(opened.task, {"tiny": "b.h5"})


def test_other_data_are_refused(opened: OpenTask, tmp_path: Path) -> None:
    six = [labelled(seed) for seed in range(6)]
    six[2] = moved(six[2], positions=six[2].positions + 1e-6)
    changed = write_dataset(tmp_path / "changed.h5", six)
    with pytest.raises(InputError, match=r"sample_2: expected the positions that the task tiny"):
        open_task(opened.task, {"tiny": changed})
    fewer = write_dataset(tmp_path / "fewer.h5", [labelled(seed) for seed in range(5)])
    with pytest.raises(InputError, match=r"such as sample_5; found sample_0, .* Run write_dataset"):
        open_task(opened.task, {"tiny": fewer})
    later = [moved(labelled(seed), times=np.array([0.5, 50.0])) for seed in range(6)]
    times = write_dataset(tmp_path / "times.h5", later)
    with pytest.raises(InputError, match=r"times: expected labels at 0.5, 100, those of the task"):
        open_task(opened.task, {"tiny": times})
