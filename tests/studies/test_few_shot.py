"""Few-shot curves: how a refit to the drawn configurations predicts the others."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from scoring import find, scores_of
from typer.testing import CliRunner

from glassml.cli import app
from glassml.data import Configuration, Dataset
from glassml.errors import InputError, ModelFileError
from glassml.inference import Predictor
from glassml.scores import Score
from glassml.studies.few_shot import FewShot, FewShotPoint, _choices, few_shot
from glassml.studies.refit import refit
from glassml.studies.transfer_pictures import few_shot_figure


@pytest.fixture
def there(make_dataset, linear_labels) -> Path:
    return make_dataset("there.h5", linear_labels)


@pytest.fixture
def unseen(make_dataset, linear_labels) -> Path:
    return make_dataset("unseen.h5", linear_labels, seeds=range(20, 23))


@pytest.fixture
def network(small_network: Path) -> Predictor:
    return Predictor(small_network, device="cpu")


def test_all_configurations_give_what_a_refit_gives(
    network: Predictor, there: Path, unseen: Path, tmp_path: Path
) -> None:
    result = few_shot(network, Dataset(there), [6], test=Dataset(unseen), draws=3)
    refit(network, Dataset(there), tmp_path / "new.pt")
    direct = scores_of(Predictor(tmp_path / "new.pt", device="cpu"), Dataset(unseen))
    (point,) = result.points
    assert (point.size, point.draws) == (6, 1)  # there is one choice of six out of six
    assert len(point.scores) == 2 * 2 * 2
    for found in point.scores:
        expected = find(direct, found.kind, found.species, found.time)
        assert found.value == pytest.approx(expected.value, rel=1e-9)
        assert found.configurations == expected.configurations == 3
        assert found.error is None


def test_every_choice_is_tested_on_the_others(
    network: Predictor, make_dataset, linear_labels, tmp_path: Path
) -> None:
    dataset = Dataset(make_dataset("three.h5", linear_labels, seeds=range(3)))
    result = few_shot(network, dataset, [2], draws=40, seed=2)
    values = []
    for left_out in range(3):
        rest = [k for k in range(3) if k != left_out]
        train = make_dataset("train.h5", linear_labels, seeds=rest)
        test = make_dataset("test.h5", linear_labels, seeds=[left_out])
        refit(network, Dataset(train), tmp_path / "new.pt")
        scores = scores_of(Predictor(tmp_path / "new.pt", device="cpu"), Dataset(test))
        values.append([find(scores, "all", s, t).value for s in "AB" for t in (3.0, 30.0)])
    (point,) = result.points
    assert point.draws == 3  # three choices exist, and forty draws find all of them
    pooled = [score for score in point.scores if score.kind == "all"]
    found = [(score.value, score.error) for score in pooled]
    expected = np.stack([np.mean(values, axis=0), np.std(values, axis=0, ddof=1)], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    assert {score.error_kind for score in pooled} == {"standard deviation over draws"}


def test_choices_are_different_and_follow_the_seed() -> None:
    choices = _choices(10, 3, 20, seed=0)
    assert len({tuple(c) for c in choices}) == 20
    assert all(len(set(c)) == 3 and set(c) <= set(range(10)) for c in choices)
    assert choices == _choices(10, 3, 20, seed=0) != _choices(10, 3, 20, seed=1)
    assert sorted(_choices(4, 2, 50, seed=0)) == [
        list(c) for c in itertools.combinations(range(4), 2)
    ]


def test_the_model_as_it_is_stands_beside_them(
    network: Predictor, make_dataset, linear_labels
) -> None:
    path = make_dataset("here.h5", linear_labels, times=(1.0, 10.0))
    result = few_shot(network, Dataset(path), [1])
    as_it_is, _ = result.points
    assert (as_it_is.size, len(as_it_is.scores)) == (0, 2 * 2 * 2)
    direct = scores_of(network, Dataset(path))
    for score in as_it_is.scores:
        expected = find(direct, score.kind, score.species, score.time)
        assert score.value == pytest.approx(expected.value, rel=1e-9)


def _point(size: int, draws: int, pooled: float, mean: float) -> FewShotPoint:
    error = {"error": 0.05, "error_kind": "standard deviation over draws"} if draws > 1 else {}
    scores = (
        Score(species="A", time=3.0, kind=kind, value=value, **error)
        for kind, value in (("all", pooled), ("mean", mean))
    )
    return FewShotPoint(size, draws, tuple(scores))


def test_the_figure_shows_the_numbers() -> None:
    points = [_point(0, 1, 0.1, 0.2), *(_point(n, 5, 0.3 + n / 10, 0.4) for n in (1, 2, 5))]
    result = FewShot("m.pt", "d.h5", "", None, None, 0, 0, tuple(points))
    figure = few_shot_figure([result], "A", 3.0)
    left = figure.axes[0]
    curve, _, (bars,) = left.containers[0].lines
    np.testing.assert_allclose(curve.get_xydata(), [[1, 0.4], [2, 0.5], [5, 0.8]])
    np.testing.assert_allclose(bars.get_segments()[0], [[1, 0.35], [1, 0.45]])
    assert figure.get_suptitle().endswith("bars: standard deviation over draws")
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert sorted(labels) == ["m.pt, as it is", "m.pt, refitted"]
    with pytest.raises(InputError, match=r"\(A at 3\); found B at 3"):
        few_shot_figure([result], "B", 3.0)


def test_command(small_network: Path, there: Path, unseen: Path, tmp_path: Path) -> None:
    outputs = {k: tmp_path / f"few.{v}" for k, v in
               (("json", "json"), ("csv", "csv"), ("picture", "png"))}  # fmt: skip
    names = {"json": "--table", "csv": "--table", "picture": "--picture"}
    options = [word for k, path in outputs.items() for word in (names[k], str(path))]
    result = CliRunner().invoke(
        app,
        ["few-shot", str(small_network), str(there), "--test", str(unseen), "--draws", "3",
         "--sizes", "1,3", "--time", "30", *options],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    content = json.loads(outputs["json"].read_text())
    assert (content["test"], content["seen_in_training"]) == ("unseen.h5", 0)
    with outputs["csv"].open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["size"]) for row in rows] == [1] * 8 + [3] * 8
    assert {row["error_kind"] for row in rows} == {"standard deviation over draws"}
    assert len(content["scores"]) == len(rows)
    assert "±: standard deviation over draws" in " ".join(result.stdout.split())
    assert outputs["picture"].read_bytes().startswith(b"\x89PNG")


def test_usual_sizes_go_as_far_as_the_dataset(
    small_network: Path, there: Path, tmp_path: Path
) -> None:
    arguments = ["few-shot", str(small_network), str(there), "--draws", "2"]
    result = CliRunner().invoke(app, [*arguments, "--table", str(tmp_path / "f.csv")])
    assert result.exit_code == 0, result.output
    with (tmp_path / "f.csv").open() as stream:
        found = {int(row["size"]) for row in csv.DictReader(stream)}
    assert found == {1, 2, 5}  # six configurations, one of which is left to predict


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sizes", "6"], r"sizes: expected numbers from 1 to 5 .*one must be left.*; found 6"),
        (["--sizes", "0"], "sizes: expected numbers from 1 to 5 .*found 0"),
        (["--sizes", "1,two"], "--sizes: expected whole numbers joined by commas; found '1,two'"),
        (["--draws", "0"], "draws: expected a positive number; found 0"),
        (["--picture", "p.png"], r"time: .*there.h5: .*times 3, 30.*--time 30$"),
        (["--time", "4", "--picture", "p.png"], "time: .*expected one of 3, 30; found 4"),
        (["--species", "C"], "--species: expected one of A, B; found 'C'"),
        (["--time", "3", "--picture", "p"], "p: picture: .*found a name without ending"),
        (["--test", "there.h5"], "found c0 with the data of c0"),
    ],
)
def test_mistakes_are_explained(
    small_network: Path,
    there: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(there.parent)
    with pytest.raises(InputError, match=message):
        CliRunner().invoke(
            app, ["few-shot", str(small_network), "there.h5", *options], catch_exceptions=False
        )


def test_a_negative_seed_is_refused(network: Predictor, small_network: Path, there: Path) -> None:
    with pytest.raises(InputError, match="seed: expected a number of at least 0; found -1"):
        few_shot(network, Dataset(there), [1], seed=-1)
    arguments = ["few-shot", str(small_network), str(there), "--seed", "-1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Invalid value for '--seed'" in result.output


def test_one_configuration_cannot_be_tested_on_another(
    small_network: Path, make_dataset, linear_labels
) -> None:
    path = make_dataset("one.h5", linear_labels, seeds=range(1))
    with pytest.raises(InputError, match=r"one.h5: expected two or more.*\(--test\)"):
        CliRunner().invoke(app, ["few-shot", str(small_network), str(path)], catch_exceptions=False)


def test_only_shared_times_count(
    network: Predictor, there: Path, make_dataset, linear_labels
) -> None:
    """A time that only one of the two has, on either side of the shared one, changes nothing."""

    def three_times(configuration: Configuration, rng: np.random.Generator) -> np.ndarray:
        labels = linear_labels(configuration, rng)
        return np.stack([2 * labels[:, 1], labels[:, 0], 3 * labels[:, 1]], axis=1)

    same = make_dataset("same.h5", linear_labels, times=(3.0, 30.0), seeds=range(9, 11))
    other = make_dataset("other.h5", three_times, times=(1.0, 3.0, 31.0), seeds=range(9, 11))
    expected = few_shot(network, Dataset(there), [1], test=Dataset(same)).points[-1]
    found = few_shot(network, Dataset(there), [1], test=Dataset(other)).points[-1]
    assert {score.time for score in found.scores} == {3.0}
    for score in found.scores:
        same_score = find(expected.scores, score.kind, score.species, score.time)
        assert score.value == pytest.approx(same_score.value, rel=1e-9)


def test_a_test_without_shared_times_is_explained(
    network: Predictor, there: Path, make_dataset, linear_labels
) -> None:
    other = make_dataset("other.h5", linear_labels, times=(4.0, 31.0), seeds=range(9, 11))
    with pytest.raises(InputError, match=r"other.h5: times: expected one or more .*\(3, 30\); fo"):
        few_shot(network, Dataset(there), [1], test=Dataset(other))


def test_a_model_without_decoder_is_refused_at_once(analytic, there: Path) -> None:
    with pytest.raises(ModelFileError, match="linear decoder over its descriptors"):
        CliRunner().invoke(app, ["few-shot", str(analytic()), str(there)], catch_exceptions=False)
