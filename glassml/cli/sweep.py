"""`glassml sweep`."""

from __future__ import annotations

from typing import Annotated

import typer

from glassml.cli.interruption import interruption_keeps
from glassml.cli.options import jobs_option
from glassml.cli.output import say_written
from glassml.errors import ConfigError

__all__ = ["sweep"]


def sweep(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="SWEEP.yaml [FIELD=VALUE ...]",
            help="Sweep file, then fields that override it, such as base.training.epochs=5.",
            show_default=False,
        ),
    ],
    jobs: Annotated[int, jobs_option("Runs")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="CPU threads of each run. If the number changes, the result of a resumed run is "
            "not identical to the last bit.",
            show_default="all cores, shared among the jobs",
        ),
    ] = None,
    list_runs: Annotated[
        bool, typer.Option("--list", help="List the runs and train nothing.")
    ] = False,
) -> None:
    """Train many models that differ in some settings and compare them: ablations, learning curves.

    Every run has its own folder, named by a hash of its settings and data. If you run the same
    command again, it skips finished runs and continues interrupted ones. The tables
    (`results.csv`, `results.json`, `runs.csv`) and `results.png` cover all finished runs.

    A small sweep file, which compares three values by 5-fold cross-validation:

        # l_max.yaml
        base:
          data: {train: kob_andersen_T0.64}
        axes: {model.l_max: [0, 1, 2]}
        folds: 5

    Examples: list the runs, then train them:

        glassml sweep l_max.yaml --list
        glassml sweep l_max.yaml --jobs 2
    """
    if "=" in arguments[0]:
        raise ConfigError(
            f"expected a sweep file, then fields that override it; found {arguments[0]!r} first"
        )
    from rich.console import Console

    import glassml.studies.sweep as sweeping
    from glassml.progress import TerminalProgress

    config = sweeping.load_sweep_config(arguments[0], arguments[1:])
    planned = sweeping.plan(config, arguments[0])
    if list_runs:
        for point in planned.points:
            typer.echo(f"{point.key}  {point}")
        return
    with interruption_keeps(f"finished runs and epochs are kept in {config.output}"):
        results = sweeping.sweep(
            config, planned, jobs=jobs, threads=threads, progress=TerminalProgress(Console())
        )
    Console().print(sweeping.sweep_table(config, planned, results))
    say_written(config.output)
    for key, why in results.failed.items():
        typer.echo(f"failed: {config.output}/runs/{key}: {why}", err=True)
    if results.missing:
        raise typer.Exit(1)
