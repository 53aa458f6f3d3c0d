"""Accuracy against cost: the picture and the table of docs/results/frontier.md.

    python examples/frontier/frontier.py -o docs/_static/frontier.png

Accuracies are results of `glassml benchmark` on botan_T0.44, costs those that
`python -m benchmarks.frontier` wrote into costs.json. The table is printed.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from glassml.plotting import MARKERS, legend_below, log_x_axis, save_figure, series_colour, styled
from glassml.scores import Score
from glassml.studies.benchmark import EntryResult, entries_of, load_task, read_results

HERE = Path(__file__).resolve().parent
COSTS = HERE / "costs.json"
RESULTS = (HERE / "results", HERE.parent / "benchmark" / "results")
TASK = load_task("botan_T0.44")
UNIT = "orientorder/atom"
FAMILIES = (
    "descriptors, averaged positions",
    "descriptors, thermal positions",
    "networks, thermal positions",
)


class Point(NamedTuple):
    """An entry on the picture; cost: median, least and most [microseconds a particle]."""

    entry: EntryResult
    score: Score
    cost: tuple[float, float, float]

    @property
    def family(self) -> str:
        """One of `FAMILIES`."""
        if self.entry.first.reads.positions == "average":
            return FAMILIES[0]
        return FAMILIES[1 if self.entry.first.way == "refit" else 2]


def spread(values: list[float]) -> tuple[float, float, float]:
    """Median, least and most."""
    return float(np.median(values)), min(values), max(values)


def points(costs: Mapping[str, Any]) -> list[Point]:
    """The entries whose cost is known and whose folds are all done, cheapest first."""
    found = []
    for entry in entries_of(read_results(RESULTS), TASK.name):
        score = entry.score(TASK.species[0], TASK.time, "mean")
        if entry.name in costs["entries"] and entry.is_complete and score is not None:
            found.append(Point(entry, score, spread(costs["entries"][entry.name])))
    return sorted(found, key=lambda point: point.cost)


def has_one_above(point: Point, others: list[Point]) -> bool:
    """Whether another point is more accurate at nearly the same cost, so that names would meet."""
    return any(
        other.score.value > point.score.value
        and abs(math.log(other.cost[0] / point.cost[0])) < math.log(1.5)
        for other in others
    )


@styled
def picture(found: list[Point], costs: Mapping[str, Any]) -> Figure:
    """Pearson coefficients against costs, with LAMMPS' computes as vertical lines."""
    figure = Figure(figsize=(7.2, 5.0), layout="constrained")
    axes = figure.subplots()
    for k, family in enumerate(FAMILIES):
        chosen = [point for point in found if point.family == family]
        axes.errorbar(
            [point.cost[0] for point in chosen],
            [point.score.value for point in chosen],
            [point.score.error or 0.0 for point in chosen],
            ls="", marker=MARKERS[k], ms=6, color=series_colour(k), label=family,
        )  # fmt: skip
        for point in chosen:
            name = point.entry.name.removesuffix("_average")
            below = has_one_above(point, chosen)
            axes.annotate(
                name, (point.cost[0], point.score.value), xytext=(5, -12 if below else 5),
                textcoords="offset points", fontsize=8,
            )  # fmt: skip
    for name, values in costs["computes"].items():
        cost = spread(values)[0]
        axes.axvline(cost, color="0.5", lw=1, ls="--", zorder=0)
        axes.annotate(
            name, (cost, 0.02), xycoords=("data", "axes fraction"), rotation=90, fontsize=8,
            xytext=(-3, 0), textcoords="offset points", ha="right", color="0.4",
        )  # fmt: skip
    axes.set(
        xlabel="one evaluation in LAMMPS on one core [µs for each particle]",
        ylabel=f"Pearson coefficient of {TASK.species[0]}, mean",
    )
    axes.grid()
    log_x_axis(axes)
    legend_below(figure, [axes])
    return figure


def table(found: list[Point], costs: Mapping[str, Any]) -> str:
    """The same numbers for a page in Markdown, with costs in units of a compute's."""
    head = (
        "entry",
        "reads",
        "parameters",
        "µs for each particle",
        f"of `{UNIT}`",
        "Pearson `mean`",
    )
    lines = [f"| {' | '.join(head)} |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    for point in found:
        first, name = point.entry.first, point.entry.name
        cost = priced(costs["entries"][name], costs)
        lines.append(f"| {name} | {first.reads} | {first.parameters} | {cost} | {point.score} |")
    for name, values in costs["computes"].items():
        lines.append(f"| `compute {name}` |  |  | {priced(values, costs)} |  |")
    return "\n".join(lines)


def priced(values: list[float], costs: Mapping[str, Any]) -> str:
    """Two cells: a cost with its spread, and the median of its ratios to `UNIT`, round by round."""
    ratio = np.median(np.divide(values, costs["computes"][UNIT]))
    rounded = [round(value, 1) + 0.0 for value in spread(values)]  # no -0.0
    return "{:.1f} ({:.1f} .. {:.1f}) | {:.2g}".format(*rounded, ratio)


def main() -> None:
    """Draw the picture and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="picture to write")
    options = parser.parse_args()
    costs = json.loads(COSTS.read_text(encoding="utf-8"))
    found = points(costs)
    save_figure(picture(found, costs), options.output)
    print(table(found, costs))


if __name__ == "__main__":
    main()
