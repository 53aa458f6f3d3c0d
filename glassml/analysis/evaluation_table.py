"""The scores of a comparison as tables for the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from glassml.analysis.comparison import Comparison, Evaluation
from glassml.scores import KINDS, Statistic, error_kinds, find_score

__all__ = ["evaluation_table", "training_overlap"]

_SHOWN: tuple[Statistic, ...] = ("pearson", "spearman")


def evaluation_table(comparison: Comparison, evaluation: Evaluation) -> Table:
    """The Pearson and Spearman coefficients of one set of predictions.

    Error bars stand in brackets, in units of the last digit (`Score.concise`).

    Args:
        comparison: what was evaluated.
        evaluation: one of its evaluations.
    """
    notes = [
        "all: particles of all configurations pooled; mean: within each configuration, then "
        "averaged"
    ]
    kinds = error_kinds(evaluation.scores)
    if kinds:
        notes.append(f"Error bars in brackets: {kinds}")
    if evaluation.seen_in_training:
        notes.append(training_overlap(comparison, evaluation))
    result = Table(
        title=f"{evaluation.model} on {comparison.dataset} "
        f"({comparison.configurations} configurations)",
        caption=". ".join(notes),
        box=SIMPLE_HEAD,  # lines between columns would leave no room for error bars
        pad_edge=False,
        collapse_padding=True,
    )
    for heading in ("species", "time", "particles"):
        result.add_column(heading, justify="right")
    for statistic in _SHOWN:
        for kind in KINDS:
            result.add_column(f"{statistic.capitalize()} {kind}", justify="right")
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
            end_section=sample.time == shown[-1].time,
        )
    return result


def training_overlap(comparison: Comparison, evaluation: Evaluation) -> str:
    """A warning that a model was trained on configurations that it is evaluated on."""
    which = "one of its seeds" if evaluation.source_kind == "seeds" else "the model"
    return (
        f"No test: {which} was trained or validated on {evaluation.seen_in_training} of the "
        f"{comparison.configurations} configurations"
    )
