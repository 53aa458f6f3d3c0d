"""`glassml sweep`."""

from __future__ import annotations

from typing import Annotated

import typer

from glassml.cli.output import say_written
from glassml.errors import ConfigError

__all__ = ["sweep"]


def sweep(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="SWEEP.yaml [FIELD=VALUE ...]",
            help="Sweep file, then fields that overrule it, such as base.training.epochs=5.",
            show_default=False,
        ),
    ],
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Runs at once.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(
            help="CPU threads a run; an interrupted run repeats to the last bit with the same.",
            show_default="all cores, shared out among the jobs",
        ),
    ] = None,
    list_runs: Annotated[
        bool, typer.Option("--list", help="List the runs and train nothing.")
    ] = False,
) -> None:
    """Train many models that differ in some settings and compare them: ablations, learning curves.

    Every run has a folder of its own, named by a hash of its settings and data. The same command
    again does what is left: finished runs are skipped, an interrupted one goes on. Tables
    (`results.csv`, `results.json`, `runs.csv`) and `results.png` are of all that is done.

    A small sweep file, which compares three values by 5-fold cross-validation:

        base: examples/train/quick.yaml
        axes: {model.l_max: [0, 1, 2]}
        folds: 5
    """
    if "=" in arguments[0]:
        raise ConfigError("expected a sweep file before fields that overrule it")
    from rich.console import Console

    import glassml.studies.sweep as sweeping
    from glassml.progress import TerminalProgress

    config = sweeping.load_sweep_config(arguments[0], arguments[1:])
    planned = sweeping.plan(config, arguments[0])
    if list_runs:
        for point in planned.points:
            typer.echo(f"{point.key}  {point}")
        return
    try:
        results = sweeping.sweep(
            config, jobs=jobs, threads=threads, progress=TerminalProgress(Console())
        )
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on where it was", err=True)
        raise typer.Exit(130) from None
    Console().print(sweeping.sweep_table(config, planned, results))
    say_written(config.output)
    for key, why in results.failed.items():
        typer.echo(f"failed: {config.output}/runs/{key}: {why}", err=True)
    if results.missing:
        raise typer.Exit(1)
