"""A sweep from its configuration to its tables and its picture."""

from __future__ import annotations

import math
import time

from rich.console import Console
from rich.table import Table

from glassml.errors import ConfigError
from glassml.plotting import save_figure
from glassml.settings import write_yaml
from glassml.studies.sweep.sweep_config import SweepConfig
from glassml.studies.sweep.sweep_picture import shown, sweep_figure
from glassml.studies.sweep.sweep_plan import Plan, Point, plan
from glassml.studies.sweep.sweep_results import SweepResults, sweep_results
from glassml.studies.sweep.sweep_runs import failure, is_done, run_points

__all__ = ["sweep", "sweep_table"]

# Tables and picture are renewed after a run if they are older than this: reading all runs takes
# longer the more there are.
_SECONDS_BETWEEN_TABLES = 60.0


def sweep(
    config: SweepConfig,
    *,
    jobs: int = 1,
    threads: int | None = None,
    console: Console | None = None,
) -> SweepResults:
    """Do all runs of a sweep that are not done, and write tables and picture.

    The folder gets ``sweep.yaml``, ``runs/<key>`` for each run, ``runs.csv``, ``results.csv``,
    ``results.json`` and ``results.png``.

    Args:
        config: the sweep; its ``output`` is the folder, which may hold earlier runs.
        jobs: how many runs at once.
        threads: CPU threads a run; None: all cores, shared out among the jobs.
        console: where progress is shown; None: standard output.

    Raises:
        ConfigError: a setting is wrong; nothing has been run then.
        InputError: the data cannot be read.
    """
    console = console or Console()
    if config.output is None:
        raise ConfigError("output: expected a folder for the sweep")
    for name, value in (("jobs", jobs), ("threads", threads)):
        if value is not None and value < 1:
            raise ConfigError(f"{name}: expected a positive number; found {value}")
    planned = plan(config)
    folder, runs = config.output, config.output / "runs"
    write_yaml(config, folder / "sweep.yaml")
    progress = _Progress(config, planned, console)
    run_points(planned.points, runs, jobs=jobs, threads=threads, on_done=progress.after)
    return progress.write()


class _Progress:
    """Tells what is done, and renews the tables now and then."""

    def __init__(self, config: SweepConfig, planned: Plan, console: Console) -> None:
        assert config.output is not None
        self.config, self.planned, self.console = config, planned, console
        self.folder = config.output
        self.keys = {point.key for point in planned.points}
        self.done = {key for key in self.keys if is_done(self.folder / "runs" / key)}
        self.written = time.monotonic()
        self._say(
            f"{len(self.keys)} runs of {len(planned.points)} points, {len(self.done)} of them done"
        )

    def after(self, point: Point) -> None:
        """One more run has ended."""
        why = failure(self.folder / "runs" / point.key)
        if why is None:
            self.done.add(point.key)
        text = f"[{len(self.done)}/{len(self.keys)}] {point}"
        self._say(text if why is None else f"{text}: failed: {why}")
        if time.monotonic() - self.written > _SECONDS_BETWEEN_TABLES:
            self.write()

    def write(self) -> SweepResults:
        """Write tables and picture of what is known."""
        results = sweep_results(self.planned, self.folder / "runs")
        results.write(self.folder)
        figure = sweep_figure(self.config, self.planned, results)
        if figure is not None:
            save_figure(figure, self.folder / "results.png")
        self.written = time.monotonic()
        return results

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def sweep_table(config: SweepConfig, planned: Plan, results: SweepResults) -> Table:
    """The coefficients that the picture shows, for the terminal."""
    species = config.species or planned.species[0]
    at = "averaged over times" if config.time is None else f"t = {config.time:g}"
    best = " (chosen on what was held out: too good)" if config.epoch == "best" else ""
    table = Table(
        title=f"held-out configurations, species {species}, {at}, {config.epoch} epoch{best}",
        caption="± standard deviation over seeds, over folds if there is one seed",
    )
    table.add_column("setting")
    for heading in ("trained on", "seeds", "folds", "Pearson all", "Pearson mean"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in shown(config, planned, results):
        table.add_row(
            row.setting,
            f"{row.size:.3g}",
            str(row.seeds),
            str(planned.folds),
            *(_with_spread(row.values[kind], row.spreads[kind]) for kind in ("all", "mean")),
        )
    return table


def _with_spread(value: float, spread: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.3f}" if math.isnan(spread) else f"{value:.3f} ± {spread:.3f}"
