"""The scores of a comparison as tables for the terminal."""

from __future__ import annotations

import math

from rich.box import SIMPLE_HEAD
from rich.table import Table

from glassml.analysis.comparison import Comparison, Evaluation
from glassml.analysis.metrics import Corrected
from glassml.physics.units import measured_in
from glassml.scores import KINDS, Statistic, concise, error_kinds, find_score

__all__ = ["evaluation_table", "label_noise", "training_overlap"]

_SCORE_WIDTH = 9  # of "0.512(15)"; all columns together fit into a terminal of 80
_SHOWN: tuple[Statistic, ...] = ("pearson", "spearman")


def evaluation_table(comparison: Comparison, evaluation: Evaluation) -> Table:
    """The Pearson and Spearman coefficients of one set of predictions.

    If the noise of the labels is known, the Pearson coefficients are also given without it. Error
    bars stand in brackets, in units of the last digit (`glassml.scores.concise`).

    Args:
        comparison: what was evaluated.
        evaluation: one of its evaluations.
    """
    corrected = {
        (c.species, c.time): c
        for c in evaluation.corrected
        if math.isfinite(c.all) or math.isfinite(c.mean)
    }
    notes = _notes(comparison, evaluation, bool(corrected))
    result = Table(
        title=f"{evaluation.model} on {comparison.dataset} "
        f"({comparison.configurations} configurations)",
        caption=". ".join(notes),
        box=SIMPLE_HEAD,  # lines between columns would leave no room for error bars
        padding=0,
        pad_edge=False,
    )
    time = measured_in("time", comparison.units.time).replace(" ", "\n")
    for heading in ("species", time, "N"):
        result.add_column(heading, justify="right")
    scores = [f"{statistic.capitalize()} {kind}" for statistic in _SHOWN for kind in KINDS]
    for heading in (*scores, *(f"corrected {kind}" for kind in KINDS if corrected)):
        result.add_column(heading, justify="right", min_width=_SCORE_WIDTH)
    shown = [sample for sample in evaluation.samples if sample.configurations]
    for sample in shown:
        found = (
            find_score(evaluation.scores, sample.species, sample.time, statistic, kind)
            for statistic in _SHOWN
            for kind in KINDS
        )
        result.add_row(
            sample.species,
            f"{sample.time:g}",
            str(sample.particles),
            *("-" if score is None else score.concise() for score in found),
            *(_shown(corrected.get((sample.species, sample.time))) if corrected else ()),
            end_section=sample.time == shown[-1].time,
        )
    return result


def _notes(comparison: Comparison, evaluation: Evaluation, corrected: bool) -> list[str]:
    """The caption of a table, sentence by sentence."""
    notes = [
        "N: number of particles. all: particles of all configurations pooled; mean: within each "
        "configuration, then averaged"
    ]
    kinds = error_kinds(evaluation.scores)
    if kinds:
        notes.append(f"Error bars in brackets: {kinds}")
    if corrected:
        notes.append(f"corrected: {label_noise(comparison)}")
    elif 1 in comparison.collected.runs:
        notes.append(
            "Some labels are displacements in single runs, whose noise is unknown and lowers the "
            "coefficients"
        )
    if evaluation.seen_in_training:
        notes.append(training_overlap(comparison, evaluation))
    return notes


def label_noise(comparison: Comparison) -> str:
    """What the corrected coefficients are, with the number of runs behind each label."""
    known = sorted({runs for runs in comparison.collected.runs if runs is not None})
    number = "a few" if not known else " to ".join(map(str, dict.fromkeys((known[0], known[-1]))))
    return (
        f"Pearson without the noise of the labels, which average over {number} runs (divided by "
        "the noise ceiling)"
    )


def _shown(corrected: Corrected | None) -> tuple[str, str]:
    if corrected is None:
        return "-", "-"
    return (
        concise(corrected.all, corrected.all_error),
        concise(corrected.mean, corrected.mean_error),
    )


def training_overlap(comparison: Comparison, evaluation: Evaluation) -> str:
    """A warning that a model was trained on configurations that it is evaluated on."""
    which = "one of its seeds" if evaluation.source_kind == "seeds" else "the model"
    return (
        f"No test: {which} was trained or validated on {evaluation.seen_in_training} of the "
        f"{comparison.configurations} configurations"
    )
