"""Running: known coefficients, leaks, what is done again, and what ends a training."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from recorded_progress import Recorded
from scoring import find
from studies.benchmark.tiny_recipe import TRAINING
from systems import moved
from training.tiny_dataset import labelled, write_dataset

from glassml.data import Dataset
from glassml.errors import ConfigError, ModelFileError
from glassml.export import read_manifest, save_model
from glassml.inference import Predictor
from glassml.models import registry
from glassml.studies.benchmark import (
    BenchmarkTask,
    Entry,
    FoldResult,
    OpenTask,
    RunOptions,
    entries_of,
    load_entry,
    open_task,
    read_results,
    run_benchmark,
)
from glassml.training import RunResult, TrainConfig, load_trained_model, parse_config, train
from glassml.training.history import History

pytestmark = pytest.mark.usefixtures("one_thread", "no_cost")

FIRST = RunOptions(folds=(1,))


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of trainings that begin."""
    begun: list[Path] = []

    def counted(config: TrainConfig) -> RunResult:
        begun.append(Path(str(config.output)))
        return train(config)

    monkeypatch.setattr("glassml.studies.benchmark.fitting.train", counted)
    return begun


def test_planted_predictions_give_their_coefficients(
    opened: OpenTask, write_predictions: Callable[..., Path], tmp_path: Path
) -> None:
    planted = {"sample_4": 0.3, "sample_5": 0.7, "sample_0": -0.2, "sample_1": 1.0}
    entry = load_entry(str(write_predictions("known.npz", planted)), "cage")
    assert run_benchmark(opened, [entry], tmp_path / "out") == {}
    results = read_results([tmp_path / "out"])
    first, second = results
    for species in ("A", "B"):
        for time in (0.5, 100.0):
            one = find(first.scores, "mean", species, time)
            other = find(second.scores, "mean", species, time)
            # They are made with this coefficient in double precision.
            assert one.value == pytest.approx(0.5, abs=1e-12)
            assert other.value == pytest.approx(0.4, abs=1e-12)
    (entry_result,) = entries_of(results, "tiny")
    mean = entry_result.score("A", 100.0, "mean")
    assert mean is not None
    assert mean.value == pytest.approx(0.45, abs=1e-12)
    assert mean.error == pytest.approx(np.std([0.5, 0.4], ddof=1), abs=1e-12)
    assert mean.error_kind == "standard deviation over folds"
    assert mean.configurations == 4
    assert str(entry_result.first.reads) == "cage"
    assert entry_result.first.cost is None
    assert entry_result.first.fit is None


def test_a_task_of_one_fold_has_errors_over_configurations(
    settings: dict, data: Path, write_predictions: Callable[..., Path], tmp_path: Path
) -> None:
    settings["folds"] = settings["folds"][:1]
    opened = open_task(BenchmarkTask.model_validate(settings), {"tiny": data})
    path = write_predictions("known.npz", {"sample_4": 0.3, "sample_5": 0.7})
    run_benchmark(opened, [load_entry(str(path), "thermal")], tmp_path / "out")
    (entry,) = entries_of(read_results([tmp_path / "out"]), "tiny")
    score = entry.score("A", 100.0, "mean")
    assert score is not None
    assert score.error_kind == "bootstrap over configurations"


def test_scores_are_those_of_the_model_that_was_trained_without_the_test(
    opened: OpenTask, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    progress = Recorded()
    out = tmp_path / "out"
    failures = run_benchmark(opened, [entry("net", train=TRAINING)], out, FIRST, progress)
    assert failures == {}
    (result,) = read_results([out])
    model = next(out.glob("work/*/model.pt"))
    predictor = Predictor(model, "cpu")
    seen = predictor.manifest.training.seen(opened.data)
    assert seen == ("sample_0", "sample_1", "sample_2", "sample_3")
    assert predictor.manifest.training.validation.names == ("sample_3",)
    each = []
    for name in ("sample_4", "sample_5"):
        configuration = opened.data[name]
        predicted = predictor.predict([configuration])[0]["propensity"][:, 1]
        mine = configuration.species == 0
        labels = np.asarray(configuration.propensity)[mine, 1]
        each.append(np.corrcoef(predicted[mine], labels)[0, 1])
    found = find(result.scores, "mean", "A", 100.0)
    assert found.value == pytest.approx(np.mean(each), abs=1e-6)  # single precision
    assert result.fit is not None
    assert (result.fit.ended_by, result.fit.epochs) == ("the last epoch", 2)
    assert result.fit.configurations == 3
    assert result.parameters == predictor.manifest.n_parameters
    assert result.citations == predictor.manifest.citations
    assert result.cost is not None
    assert progress.lines[0] == "1 results, 0 of them done"
    assert progress.lines[-1].startswith("net, fold 1: Pearson of A at t = 100: all ")


def test_transfer_is_scored_where_the_data_are(
    settings: dict, data: Path, colder: Path, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    both = open_task(BenchmarkTask.model_validate(settings), {"tiny": data, "colder": colder})
    run_benchmark(both, [entry("net", train=TRAINING)], tmp_path / "out", FIRST)
    (result,) = read_results([tmp_path / "out"])
    (moved,) = result.transfer
    assert (moved.dataset, moved.time) == ("colder", 100.0)
    predictor = Predictor(next((tmp_path / "out").glob("work/*/model.pt")), "cpu")
    each = []
    for configuration in Dataset(colder):
        predicted = predictor.predict([configuration])[0]["propensity"][:, 1]
        mine = configuration.species == 1
        labels = np.asarray(configuration.propensity)[mine, 1]
        each.append(np.corrcoef(predicted[mine], labels)[0, 1])
    found = find(moved.scores, "mean", "B", 100.0)
    assert found.value == pytest.approx(np.mean(each), abs=1e-6)


def test_a_model_that_reads_more_than_the_other_dataset_has_is_scored_without_it(
    settings: dict, colder: Path, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    quenched = []
    for seed in range(6):
        bare = labelled(seed)
        quenched.append(moved(bare, structures={"inherent": bare.positions + 0.01}))
    data = write_dataset(tmp_path / "quenched.h5", quenched)
    both = {"tiny": data, "colder": colder}
    opened = open_task(BenchmarkTask.model_validate(settings), both)
    net = entry("net", train=TRAINING | {"data": {"positions": "inherent", "graph_cache": None}})
    assert run_benchmark(opened, [net], tmp_path / "out", FIRST) == {}
    (result,) = read_results([tmp_path / "out"])
    assert result.reads.positions == "inherent"
    (problem,) = entries_of([result], "tiny")[0].problems
    assert "inherent" in problem
    assert str(tmp_path) not in problem
    assert entries_of([result], "tiny")[0].transferred("colder", "A", 100.0, "mean") is None


def exported(data: Path, folder: Path, validation: str, exclude: list[str]) -> Path:
    config = {**TRAINING, "output": str(folder / "run")}
    config["data"] = {"train": str(data), "validation": [validation], "exclude": exclude}
    trained = load_trained_model(train(parse_config(config)).folder)
    save_model(trained.model, folder / "model.pt", training=trained.record)
    return folder / "model.pt"


def test_a_model_that_has_seen_the_test_is_refused(
    opened: OpenTask, data: Path, tmp_path: Path
) -> None:
    # It has seen sample_1 and, in validation, sample_0: test configurations of the second fold.
    model = exported(data, tmp_path, "sample_0", ["sample_4", "sample_5", "sample_3"])
    failures = run_benchmark(opened, [load_entry(str(model))], tmp_path / "out")
    assert list(failures) == ["model, fold 2"]
    assert failures["model, fold 2"] == (
        "model.pt: expected a model that has not seen the test configurations of fold 2; found "
        "that it was trained or validated on sample_0, sample_1. Give a model for each fold "
        "({fold} in the name), or a recipe"
    )
    (result,) = read_results([tmp_path / "out"])
    assert (result.fold, result.way, result.fit) == (1, "model", None)


def test_a_file_for_each_fold(opened: OpenTask, data: Path, tmp_path: Path) -> None:
    model = exported(data, tmp_path, "sample_0", ["sample_4", "sample_5", "sample_3"])
    model.rename(tmp_path / "net_1.pt")
    failures = run_benchmark(
        opened, [load_entry(str(tmp_path / "net_{fold}.pt"))], tmp_path / "out"
    )
    assert list(failures) == ["net, fold 2"]
    assert (
        "net_2.pt: expected a model file for fold 2; found no such file" in failures["net, fold 2"]
    )


def test_what_is_done_is_not_done_again(
    opened: OpenTask, entry: Callable[..., Entry], trainings: list[Path], tmp_path: Path
) -> None:
    out, net = tmp_path / "out", entry("net", train=TRAINING)
    run_benchmark(opened, [net], out)
    assert len(trainings) == 2
    first = {path: path.read_bytes() for path in out.glob("results/*/*/*.json")}
    run_benchmark(opened, [net], out)
    assert len(trainings) == 2
    assert {path: path.read_bytes() for path in first} == first
    # Results alone are enough, such as those of another machine.
    shutil.rmtree(out / "work")
    run_benchmark(opened, [net], out)
    assert len(trainings) == 2
    # Other settings are another recipe; a note changes what is written, but not the training.
    run_benchmark(opened, [net], out, RunOptions(budget=60.0, folds=(2,)))
    assert len(trainings) == 3
    noted = net.model_copy(update={"note": "new"})
    run_benchmark(opened, [noted], out, RunOptions(budget=60.0, folds=(2,)))
    assert len(trainings) == 3
    assert {r.fold: r.note for r in read_results([out])} == {1: "", 2: "new"}


def test_results_that_were_removed_come_back_from_the_work(
    opened: OpenTask, entry: Callable[..., Entry], trainings: list[Path], tmp_path: Path
) -> None:
    out, net = tmp_path / "out", entry("net", train=TRAINING)
    run_benchmark(opened, [net], out, FIRST)
    shutil.rmtree(out / "results")
    run_benchmark(opened, [net], out, FIRST)
    assert len(trainings) == 1
    assert len(read_results([out])) == 1


def test_an_interrupted_training_continues(
    opened: OpenTask,
    entry: Callable[..., Entry],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    net = entry("net", train=TRAINING | {"training": TRAINING["training"] | {"epochs": 4}})
    finish = History.on_train_epoch_end

    def interrupt(self: History, trainer: object, module: object) -> None:
        if trainer.current_epoch == 2:
            raise KeyboardInterrupt
        finish(self, trainer, module)

    with monkeypatch.context() as patch:
        patch.setattr(History, "on_train_epoch_end", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_benchmark(opened, [net], out, FIRST)
    begun = []
    start = History.on_train_epoch_start
    monkeypatch.setattr(
        History,
        "on_train_epoch_start",
        lambda self, trainer, module: (
            begun.append(trainer.current_epoch), start(self, trainer, module),
        ),
    )  # fmt: skip
    run_benchmark(opened, [net], out, FIRST)
    assert begun == [2, 3]
    whole = tmp_path / "whole"
    monkeypatch.undo()
    run_benchmark(opened, [net], whole, FIRST)

    def values(folder: Path) -> list[float]:
        return [score.value for score in read_results([folder])[0].scores]

    assert values(out) == values(whole)  # with one thread, to the last bit


class _Ticks:
    """In place of the clock of trainings: each look is ten seconds later."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 10.0
        return self.now

    process_time = monotonic


def test_the_budget_ends_a_training(
    opened: OpenTask, entry: Callable[..., Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glassml.training.clock.time", _Ticks())
    net = entry("net", train=TRAINING | {"training": TRAINING["training"] | {"epochs": 30}})
    run_benchmark(opened, [net], tmp_path / "out", RunOptions(budget=70.0, folds=(1,)))
    (result,) = read_results([tmp_path / "out"])
    assert result.fit is not None
    # An epoch looks four times and takes 20 of these seconds on either clock.
    assert (result.fit.epochs, result.fit.processor_seconds) == (3, 60.0)
    assert (result.fit.ended_by, result.fit.budget) == ("the time limit", 70.0)
    assert result.fit.best_epoch in (1, 2, 3)


def test_stages_start_from_the_one_before(
    opened: OpenTask, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    net = entry("net", train=[TRAINING, TRAINING])
    run_benchmark(opened, [net], tmp_path / "out", FIRST)
    folders = sorted((tmp_path / "out").glob("work/*/stage-*"))
    assert [folder.name for folder in folders] == ["stage-1", "stage-2"]
    record = load_trained_model(folders[1]).record
    assert record.network is not None
    assert record.network.training.epoch == load_trained_model(folders[0]).record.epoch


def test_a_first_stage_that_takes_the_whole_budget_is_refused(
    opened: OpenTask, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    net = entry("net", train=[TRAINING, TRAINING])
    failures = run_benchmark(opened, [net], tmp_path / "out", RunOptions(budget=1e-3, folds=(1,)))
    assert "expected stage 1 of 2 to end before the budget of 0.001 s" in failures["net, fold 1"]


def test_descriptors_are_fitted_in_closed_form(
    opened: OpenTask, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    recipe = entry("descriptors", refit={"model": "structural"})
    assert run_benchmark(opened, [recipe], tmp_path / "out", FIRST) == {}
    (result,) = read_results([tmp_path / "out"])
    assert result.fit is not None
    assert (result.fit.ended_by, result.fit.epochs) == ("closed form", None)
    assert result.fit.configurations == 4
    assert (result.way, result.model) == ("refit", "structural")
    assert not list((tmp_path / "out").glob("work/*/fold.h5"))


def test_descriptors_with_settings(
    opened: OpenTask, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    recipe = entry("few", refit={"model": "structural", "settings": {"averages": 1, "l_max": 2}})
    assert run_benchmark(opened, [recipe], tmp_path / "out", FIRST) == {}
    (file,) = (tmp_path / "out").glob("work/*/model.pt")
    found = read_manifest(file).hyperparameters
    assert (found["averages"], found["l_max"], found["shells"]) == (1, 2, 25)


def test_descriptors_of_a_model_for_each_fold(
    opened: OpenTask, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    first = entry("first", train=TRAINING)
    for fold in (1, 2):
        folder = tmp_path / str(fold)
        assert run_benchmark(opened, [first], folder, RunOptions(folds=(fold,))) == {}
        shutil.copy(next(folder.glob("work/*/model.pt")), tmp_path / f"net_{fold}.pt")
    second = entry("second", refit={"model": str(tmp_path / "net_{fold}.pt")})
    assert run_benchmark(opened, [second], tmp_path / "out") == {}
    assert [result.fold for result in read_results([tmp_path / "out"])] == [1, 2]
    # The model of another fold has seen what this one is tested on.
    crossed = entry("crossed", refit={"model": str(tmp_path / "net_1.pt")})
    failures = run_benchmark(opened, [crossed], tmp_path / "out")
    assert list(failures) == ["crossed, fold 2"]
    assert "has not seen the test configurations" in failures["crossed, fold 2"]
    missing = entry("missing", refit={"model": str(tmp_path / "other_{fold}.pt")})
    with pytest.raises(ModelFileError, match=r"other_1\.pt: expected a model file"):
        run_benchmark(opened, [missing], tmp_path / "out", FIRST)


def test_one_entry_that_fails_does_not_stop_others(
    opened: OpenTask, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    wrong = entry("wrong", train=TRAINING | {"data": {"positions": "cage", "graph_cache": None}})
    net = entry("net", train=TRAINING)
    failures = run_benchmark(opened, [wrong, net], tmp_path / "out", FIRST)
    assert list(failures) == ["wrong, fold 1"]
    assert "cage" in failures["wrong, fold 1"]
    assert [result.entry for result in read_results([tmp_path / "out"])] == ["net"]


def test_a_changed_model_of_ones_own_is_trained_again(
    opened: OpenTask,
    entry: Callable[..., Entry],
    trainings: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = tmp_path / "mine.py"
    code.write_text(
        "from glassml.models import SE3GNN, register\n\n"
        "@register('benchmarked')\nclass Mine(SE3GNN):\n    pass\n"
    )
    monkeypatch.setenv("GLASSML_MODELS", str(code))
    for name in ("_REGISTRY", "_OWN_FILES"):  # what is registered is gone after the test
        monkeypatch.setattr(registry, name, type(getattr(registry, name))(getattr(registry, name)))
    net = entry("mine", train=TRAINING | {"model": {**TRAINING["model"], "name": "benchmarked"}})
    run_benchmark(opened, [net], tmp_path / "out", FIRST)
    run_benchmark(opened, [net], tmp_path / "out", FIRST)
    assert len(trainings) == 1
    code.write_text(code.read_text() + "\n# another version\n")
    run_benchmark(opened, [net], tmp_path / "out", FIRST)
    assert len(trainings) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (RunOptions(folds=(3,)), r"fold: expected a number from 1 to 2; found 3"),
        (RunOptions(budget=0.0), r"budget: expected a positive time; found 0 s"),
        (RunOptions(threads=0), r"threads: expected a positive number; found 0"),
    ],
)
def test_wrong_options_are_refused(
    opened: OpenTask, tmp_path: Path, options: RunOptions, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run_benchmark(opened, [load_entry("structural")], tmp_path, options)


def test_two_entries_of_one_name_are_refused(opened: OpenTask, tmp_path: Path) -> None:
    twice = [load_entry("structural"), load_entry("structural")]
    with pytest.raises(ConfigError, match=r"expected different names; found 'structural' twice"):
        run_benchmark(opened, twice, tmp_path)


def test_results_name_no_place_of_this_machine(
    opened: OpenTask, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    run_benchmark(opened, [entry("net", train=TRAINING)], tmp_path / "out", FIRST)
    (path,) = (tmp_path / "out").glob("results/*/*/*.json")
    text = path.read_text()
    assert str(tmp_path) not in text
    assert FoldResult.model_validate_json(text).machine.threads == 1
