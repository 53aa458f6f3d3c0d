"""Run the benchmarks: ``python -m benchmarks.run``, or ``make bench``."""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import machine, report
from benchmarks.outcome import Size, SkippedError
from benchmarks.report import Entry
from glassml.errors import GlassMLError

__all__ = ["NAMES", "app", "main", "run_one"]

NAMES = (
    "neighbours",
    "prediction",
    "training",
    "interaction_network",
    "lammps_overhead",
    "lammps_shipped",
    "lammps_averages",
    "lammps_evaluation",
    "lammps_scaling",
    "lammps_ranks",
    "lammps_million",
    "memory",
    "many_evaluations",
    "cuda",
)
app = typer.Typer(add_completion=False)
HISTORY = Path(__file__).with_name("RESULTS.md")


class SizeOption(str, Enum):
    """``full`` measures the figures; ``tiny`` shows within a minute that everything works."""

    tiny = "tiny"
    full = "full"


def run_one(name: str, size: Size, folder: Path) -> Entry:
    """Measure and check one benchmark; a failure is reported, not raised.

    Args:
        name: one of `NAMES`.
        size: size of the systems.
        folder: for temporary files; benchmarks share what they prepare in it.
    """
    start = time.perf_counter()
    outcome, failure, skipped = None, None, None
    try:
        measured = importlib.import_module(f"benchmarks.{name}").measure(size, folder)
        measured.verify()
        outcome = measured
    except SkippedError as error:
        skipped = str(error)
    except GlassMLError as error:
        failure = str(error)
    return Entry(name, time.perf_counter() - start, outcome, failure, skipped)


@app.command()
def run(
    size: Annotated[
        SizeOption,
        typer.Option(help="full for the figures; tiny only shows that everything works."),
    ] = SizeOption.full,
    only: Annotated[
        list[str] | None, typer.Option(help="A benchmark to run. May be repeated.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for results.json and results.md.")
    ] = Path("bench-output"),
    record: Annotated[bool, typer.Option(help="Append the figures to RESULTS.md.")] = False,
) -> None:
    """Measure, check, and write results.json and results.md."""
    unknown = [name for name in only or () if name not in NAMES]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r}: expected one of {', '.join(NAMES)}")
    about = {"size": size.value, **machine.describe()}
    entries = []
    with tempfile.TemporaryDirectory(prefix="glassml-bench-") as folder:
        for name in only or NAMES:
            typer.echo(f"{name} ...", err=True)
            entries.append(run_one(name, size.value, Path(folder)))
            entry = entries[-1]
            skipped = f"skipped: {entry.skipped}" if entry.skipped else None
            state = entry.failure or skipped or "measured and checked"
            typer.echo(f"{name}: {state} ({entry.seconds:.0f} s)", err=True)
            report.write_picture(output, entry)
            report.write_json(output / "results.json", about, entries)
            report.write_markdown(output / "results.md", about, entries)
    if record:
        report.append_history(HISTORY, about, entries)
        for entry in entries:
            report.write_picture(HISTORY.parent, entry)
    typer.echo((output / "results.md").read_text(encoding="utf-8"))
    typer.echo("\n".join(report.verdicts(entries)))
    if any(entry.failure for entry in entries):
        raise typer.Exit(1)


def main() -> None:
    """Entry point."""
    try:
        app()
    except GlassMLError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
