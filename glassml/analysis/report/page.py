"""The page of a report, from a template."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import glassml
from glassml.analysis.comparison import Comparison
from glassml.analysis.evaluation import no_test
from glassml.analysis.metrics import Score
from glassml.analysis.published import PublishedCurves
from glassml.data import Dataset
from glassml.physics import same_time

__all__ = ["Picture", "Section", "render"]

_SHOWN_COMMAND = 2000  # characters


@dataclass(frozen=True)
class Picture:
    """A figure: name of its files, address of the image, and caption."""

    name: str
    address: str
    caption: str


@dataclass(frozen=True)
class Section:
    """Figures under a heading; the one on predicted spreads has a table too."""

    title: str
    pictures: list[Picture] = field(default_factory=list)
    spreads: bool = False


def render(
    comparison: Comparison,
    dataset: Dataset,
    published: Sequence[PublishedCurves],
    sections: Sequence[Section],
    species: str,
    command: str,
    made: str,
) -> str:
    """The page as HTML; it holds everything that it shows.

    Args:
        comparison: what was evaluated.
        dataset: the same dataset.
        published: curves of others that are drawn.
        sections: figures.
        species: species of the figures.
        command: how the report was made.
        made: when, as text.
    """
    environment = Environment(
        loader=PackageLoader("glassml.analysis.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    citations = list(dict.fromkeys(curves.citation for curves in published))
    return environment.get_template("report.html.j2").render(
        comparison=comparison,
        ceilings={(c.species, c.time): c for c in comparison.ceilings},
        has_ceiling=any(math.isfinite(c.all) for c in comparison.ceilings),
        warnings=[
            *dataset.description.get("warnings", []),
            *(f"{e.model}: {no_test(e)}." for e in comparison.evaluations if e.seen),
        ],
        published=_published_table(published, comparison.times),
        sections=[section for section in sections if section.pictures],
        species=species,
        command=command[:_SHOWN_COMMAND],
        made=made,
        version=glassml.__version__,
        citations=citations,
        coefficient=_coefficient,
    )


def _coefficient(score: Score, name: str) -> Mapping[str, str]:
    """A coefficient and its error bar as texts; empty if there is none."""
    value, error = getattr(score, name), getattr(score, f"{name}_error", math.nan)
    return {
        "value": "" if math.isnan(value) else _number(value),
        "error": "" if math.isnan(value) or math.isnan(error) else f"{error:.3f}",
    }


def _number(value: float, digits: int = 3) -> str:
    """A number with a true minus sign; one too large for its column in powers of ten."""
    if math.isnan(value):
        return "\N{EN DASH}"
    text = f"{value:.{digits}f}" if abs(value) < 1000 else f"{value:.2g}"
    return text.replace("-", "\N{MINUS SIGN}")


def _published_table(
    published: Sequence[PublishedCurves], times: Sequence[float]
) -> list[dict[str, Any]]:
    """Published coefficients at the times of the dataset, those that there are."""
    rows = []
    for curves in published:
        for model in curves.models:
            for time in times:
                row: dict[str, Any] = {"curves": curves.name, "model": model, "time": time}
                for kind in ("all", "mean"):
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
