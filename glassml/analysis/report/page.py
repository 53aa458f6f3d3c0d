"""The page of a report, from a template."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import glassml
from glassml.analysis.comparison import Comparison
from glassml.analysis.evaluation_table import label_noise, training_overlap
from glassml.analysis.published import PublishedCurves
from glassml.data import Dataset
from glassml.physics import same_time
from glassml.physics.units import measured_in
from glassml.scores import KINDS, STATISTICS, Score, error_kinds, find_score

__all__ = ["Picture", "Section", "page_environment", "render"]

_SHOWN_COMMAND = 2000  # characters


@dataclass(frozen=True)
class Picture:
    """A figure: name of its files, address of the image, and caption."""

    name: str
    address: str
    caption: str


@dataclass(frozen=True)
class Section:
    """Figures under a heading, then the table of predicted spreads if ``spreads`` is set, notes."""

    title: str
    pictures: list[Picture] = field(default_factory=list)
    spreads: bool = False
    notes: tuple[str, ...] = ()


def render(
    comparison: Comparison,
    dataset: Dataset,
    published: Sequence[PublishedCurves],
    sections: Sequence[Section],
    species: str,
    command: str,
    made: str,
) -> str:
    """The page as HTML, which needs no other file.

    Args:
        comparison: what was evaluated.
        dataset: the same dataset.
        published: published curves that are drawn.
        sections: figures.
        species: species of the figures.
        command: the command that made the report.
        made: date and time of the report, as text.
    """
    environment = page_environment()
    citations = list(dict.fromkeys(curves.citation for curves in published))
    return environment.get_template("report.html.j2").render(
        comparison=comparison,
        ceilings={(c.species, c.time): c for c in comparison.ceilings},
        corrected={
            (evaluation.model, c.species, c.time): c
            for evaluation in comparison.evaluations
            for c in evaluation.corrected
        },
        label_noise=label_noise(comparison),
        time=measured_in("time", comparison.units.time),
        has_ceiling=any(math.isfinite(c.all) for c in comparison.ceilings),
        warnings=[
            *dataset.description.get("warnings", []),
            *(
                f"{evaluation.model}: {training_overlap(comparison, evaluation)}."
                for evaluation in comparison.evaluations
                if evaluation.seen_in_training
            ),
        ],
        published=_published_table(published, comparison.times),
        sections=[section for section in sections if section.pictures or section.notes],
        species=species,
        command=command[:_SHOWN_COMMAND],
        made=made,
        version=glassml.__version__,
        citations=citations,
        coefficients=[(statistic, kind) for statistic in STATISTICS for kind in KINDS],
        find_score=find_score,
        error_kinds={e.model: error_kinds(e.scores) for e in comparison.evaluations},
    )


def page_environment(*packages: str) -> Environment:
    """Templates of pages, with the style ``page.css`` and the filters for numbers.

    Args:
        packages: where further templates are.
    """
    places = ("glassml.analysis.report", *packages)
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(place, ".") for place in places]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["score"] = _score
    environment.filters["with_error"] = _with_error
    return environment


def _score(score: Score) -> Markup:
    """A coefficient with its error bar; a dash if it is not defined."""
    return _with_error(score.value, math.nan if score.error is None else score.error)


def _with_error(value: float, error: float) -> Markup:
    """A number with its error bar, if it has one."""
    if math.isnan(error) or math.isnan(value):
        return Markup(_number(value))
    return Markup(f'{_number(value)} <span class="error">± {error:.3f}</span>')


def _number(value: float, digits: int = 3) -> str:
    """A number with a true minus sign, in powers of ten if it is too large for its column."""
    if math.isnan(value):
        return "\N{EN DASH}"
    text = f"{value:.{digits}f}" if abs(value) < 1000 else f"{value:.2g}"
    return text.replace("-", "\N{MINUS SIGN}")


def _published_table(
    published: Sequence[PublishedCurves], times: Sequence[float]
) -> list[dict[str, Any]]:
    """The published coefficients at times of the dataset."""
    rows = []
    for curves in published:
        for model in curves.models:
            for time in times:
                row: dict[str, Any] = {"curves": curves.name, "model": model, "time": time}
                for kind in KINDS:
                    known, values = curves.pearson.get((model, kind), ((), ()))
                    row[kind] = next(
                        (
                            value
                            for t, value in zip(known, values, strict=True)
                            if same_time(t, time)
                        ),
                        math.nan,
                    )
                if math.isfinite(row["all"]) or math.isfinite(row["mean"]):
                    rows.append(row)
    return rows
