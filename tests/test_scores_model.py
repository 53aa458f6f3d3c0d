"""One score: what it holds, what it refuses, and its form in JSON."""

from __future__ import annotations

import json
import math

import pytest
from pydantic import ValidationError

from glassml.scores import Score

COEFFICIENT = {"species": "A", "time": 0.5, "kind": "mean", "value": 0.467}
WITH_ERROR = COEFFICIENT | {"error": 0.012, "error_kind": "bootstrap over configurations"}


def test_a_score_needs_no_error() -> None:
    score = Score(**COEFFICIENT)
    assert (score.statistic, score.error, score.error_kind) == ("pearson", None, None)
    assert score.configurations is None


@pytest.mark.parametrize("values", [COEFFICIENT, WITH_ERROR, WITH_ERROR | {"configurations": 8}])
def test_json_gives_the_same_score_back(values: dict) -> None:
    score = Score(**values)
    assert Score.model_validate_json(score.model_dump_json()) == score
    assert Score.model_validate(score.model_dump(mode="json")) == score


def test_an_undefined_value_is_null_in_json() -> None:
    score = Score(**COEFFICIENT | {"value": math.nan})
    text = score.model_dump_json()
    assert json.loads(text)["value"] is None
    assert "NaN" not in text
    back = Score.model_validate_json(text)
    assert math.isnan(back.value)
    assert back.model_dump(exclude={"value"}) == score.model_dump(exclude={"value"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"error_kind": None}, "error_kind: expected a kind if there is an error"),
        ({"error": None}, "error_kind: expected a kind if there is an error, and none otherwise"),
        ({"error_kind": "guess"}, "error_kind"),
        ({"error": -0.1}, "error"),
        ({"value": 1.2}, "value: expected at most 1; found 1.2"),
        ({"value": "high"}, "value"),
        ({"kind": "median"}, "kind"),
        ({"statistic": "kendall"}, "statistic"),
        ({"configurations": -1}, "configurations"),
        ({"time": None}, "time"),
        ({"comment": "good"}, "comment"),
    ],
)
def test_what_does_not_fit_together_is_refused(change: dict, message: str) -> None:
    Score(**WITH_ERROR)
    with pytest.raises(ValidationError, match=message):
        Score(**WITH_ERROR | change)


def test_a_coefficient_of_determination_may_be_negative() -> None:
    assert Score(**COEFFICIENT | {"statistic": "r2", "value": -7.5}).value == -7.5


def test_a_score_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Score(**COEFFICIENT).value = 0.9  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "0.467 ± 0.012"),
        ({"error": None, "error_kind": None}, "0.467"),
        ({"value": math.nan}, "-"),
    ],
)
def test_text_for_people(change: dict, text: str) -> None:
    assert str(Score(**WITH_ERROR | change)) == text
