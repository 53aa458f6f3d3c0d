"""Scores of a model on a dataset, shared by the tests of several rooms."""

from __future__ import annotations

from collections.abc import Iterable

from glassml.analysis import ModelPredictions, compare
from glassml.data import Dataset
from glassml.inference import Predictor
from glassml.scores import Kind, Score, Statistic, find_score

__all__ = ["find", "scores_of"]


def scores_of(predictor: Predictor, dataset: Dataset) -> tuple[Score, ...]:
    """What `glassml evaluate` finds for a model, without error bars."""
    sources = [ModelPredictions(predictor, dataset)]
    return compare(dataset, sources, resamples=0).evaluations[0].scores


def find(
    scores: Iterable[Score],
    kind: Kind,
    species: str = "A",
    time: float = 1.0,
    statistic: Statistic = "pearson",
) -> Score:
    """One of several scores."""
    found = find_score(scores, species, time, statistic, kind)
    assert found is not None, (species, time, statistic, kind)
    return found
