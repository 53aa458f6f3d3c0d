"""The report of a run: JSON with every value, Markdown for people, a line for the history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.outcome import Figure, Outcome, Series
from glassml.files import atomic_write
from glassml.plotting import save_figure

__all__ = [
    "Entry",
    "append_history",
    "verdicts",
    "write_json",
    "write_markdown",
    "write_picture",
]


_HISTORY = (
    *("date", "commit", "load", "command", "figure", "measured", "spread"),
    *("reach", "go for", "reached"),
)


@dataclass(frozen=True)
class Entry:
    """How one benchmark ended.

    Attributes:
        name: of the benchmark.
        seconds: that it took.
        outcome: its outcome if every check passed, else None: what is wrong has no speed.
        failure: why there is no outcome, if something is wrong.
        skipped: why there is none, if this machine lacks what is measured.
    """

    name: str
    seconds: float
    outcome: Outcome | None = None
    failure: str | None = None
    skipped: str | None = None


def write_json(path: Path, about: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    """Everything that was measured, value by value."""
    content = {
        "format": "glassml-benchmarks",
        "format_version": 1,
        **about,
        "benchmarks": {entry.name: _entry_record(entry) for entry in entries},
    }
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_markdown(path: Path, about: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    """Tables of medians and spreads, and the checks that were passed."""
    machine, versions = about["machine"], about["versions"]
    lines = [
        f"# Benchmarks, size {about['size']}",
        "",
        f"`{about['command']}` at {about['date']}, commit {about['commit']}",
        "",
        "- machine: " + _listed(machine),
        "- versions: " + _listed(versions),
        "",
        "Values are medians of repeated runs, with the smallest and the largest; ratios are those "
        "of runs made in turn.",
        "",
    ]
    for entry in entries:
        lines += _section(entry)
    with atomic_write(path) as partial:
        partial.write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")


def append_history(path: Path, about: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    """Append one row a figure to the table of this processor; no row is ever changed.

    Each processor has a section of its own, which is added at the end if it is new.
    """
    machine = about["machine"]
    heading = (
        f"## {machine['cpu']}, {machine['cpu_version']}, {machine['cores']} cores, "
        f"{machine['vector_level']}{'' if machine['gpu'] == 'none' else ', ' + machine['gpu']}\n"
    )
    start = [about["date"][:10], about["commit"], f"load {machine['load_at_start']}"]
    rows = "".join(
        _row([*start, f"`{about['command']}`", *_figure_cells(figure)])
        for entry in entries
        if entry.outcome is not None
        for figure in entry.outcome.figures
    )
    if not rows:
        return
    before = path.read_text(encoding="utf-8").rstrip("\n") + "\n"
    if f"\n{heading}" not in before:
        about_it = f"Caches {machine['caches']}; {machine['vector_units']}."
        table = "\n".join(_header(*_HISTORY))
        before += f"\n{heading}\n{about_it}\n\n{table}\n"
    earlier, section = before.split(f"\n{heading}")
    section, following, later = section.partition("\n## ")
    text = f"{earlier}\n{heading}{section.rstrip()}\n{rows}{following}{later}"
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


def verdicts(entries: Sequence[Entry]) -> list[str]:
    """One line for each figure, and for each benchmark that gave none: for the end of a run."""
    lines = []
    for entry in entries:
        if entry.outcome is None:
            state = "skipped" if entry.skipped is not None else "FAILED"
            lines.append(f"{state:<11} {entry.name}: {entry.skipped or entry.failure}")
            continue
        for figure in entry.outcome.figures:
            series = figure.series
            state = "reached" if figure.reached else "NOT REACHED"
            least = "at least" if figure.better == "higher" else "at most"
            lines.append(
                f"{state:<11} {series.name}: {_amount(series.median, series.unit)} "
                f"({least} {_amount(figure.reach, series.unit)})"
            )
    return lines


def write_picture(folder: Path, entry: Entry) -> None:
    """The picture of a benchmark that has one, under the name of the benchmark."""
    if entry.outcome is not None and entry.outcome.picture is not None:
        save_figure(entry.outcome.picture, folder / f"{entry.name}.png")


def _entry_record(entry: Entry) -> dict[str, Any]:
    record: dict[str, Any] = {"seconds": round(entry.seconds, 1)}
    if entry.skipped is not None:
        return {"status": "skipped", **record, "reason": entry.skipped}
    if entry.outcome is None:
        return {"status": "failed", **record, "failure": entry.failure}
    outcome = entry.outcome
    return {
        "status": "measured",
        **record,
        "title": outcome.title,
        "series": [_series_record(s) for s in outcome.series],
        "figures": [
            {
                **_series_record(f.series),
                "reach": f.reach,
                "go_for": f.go_for,
                "better": f.better,
                "reached": f.reached,
            }
            for f in outcome.figures
        ],
        "checks": [
            {"name": c.name, "error": c.error, "tolerance": c.tolerance}
            for c in outcome.comparisons
        ],
        "notes": list(outcome.notes),
    }


def _series_record(series: Series) -> dict[str, Any]:
    return {
        "name": series.name,
        "unit": series.unit,
        "median": series.median,
        "min": series.low,
        "max": series.high,
        "values": list(series.values),
    }


def _section(entry: Entry) -> list[str]:
    if entry.skipped is not None:
        return [f"## {entry.name}: skipped", "", f"    {entry.skipped}", ""]
    if entry.outcome is None:
        return [f"## {entry.name}: failed", "", f"    {entry.failure}", ""]
    outcome = entry.outcome
    lines = [f"## {outcome.title}", ""]
    if outcome.figures:
        lines += _header("figure", "measured", "spread", "reach", "go for", "reached")
        lines += [_row(_figure_cells(figure)).rstrip("\n") for figure in outcome.figures] + [""]
    lines += _header("measured", "median", "spread", "runs")
    for s in outcome.series:
        runs = str(len(s.values))
        lines.append(_row([s.name, _amount(s.median, s.unit), _spread(s), runs]).rstrip("\n"))
    lines += ["", *(f"- {note}" for note in outcome.notes)]
    lines += [
        f"- checked: {c.name}, difference {c.error:.1e}, allowed {c.tolerance:.1e}"
        for c in outcome.comparisons
    ]
    return [*lines, ""]


def _figure_cells(figure: Figure) -> list[str]:
    series = figure.series
    go_for = "" if figure.go_for is None else _amount(figure.go_for, series.unit)
    return [
        series.name,
        _amount(series.median, series.unit),
        _spread(series),
        _amount(figure.reach, series.unit),
        go_for,
        "yes" if figure.reached else "no",
    ]


def _spread(series: Series) -> str:
    return f"{_number(series.low)} .. {_number(series.high)}"


def _amount(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}"


def _number(value: float) -> str:
    """Three significant digits, more for large numbers."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _header(*names: str) -> list[str]:
    return [_row(list(names)).rstrip("\n"), _row(["---"] * len(names)).rstrip("\n")]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in values.items())
