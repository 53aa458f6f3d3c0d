"""A sweep from its configuration to its tables and its picture."""

from __future__ import annotations

import math
import time

from rich.table import Table

from glassml.errors import ConfigError, FullDiskError
from glassml.files import first_sentence
from glassml.plotting import save_figure
from glassml.progress import SILENT, Progress
from glassml.settings import write_yaml
from glassml.studies.sweep.sweep_config import SweepConfig
from glassml.studies.sweep.sweep_picture import shown, sweep_figure
from glassml.studies.sweep.sweep_plan import Plan, plan
from glassml.studies.sweep.sweep_results import SweepResults, sweep_results
from glassml.studies.sweep.sweep_runs import with_threads
from glassml.work import Store, Task, available_cores, open_workers, run_tasks

__all__ = ["sweep", "sweep_table"]

# Tables and picture are renewed after a run only if they are older than this [s], since it takes
# long to read many runs.
_SECONDS_BETWEEN_TABLES = 60.0


def sweep(
    config: SweepConfig,
    planned: Plan | None = None,
    *,
    jobs: int = 1,
    threads: int | None = None,
    progress: Progress = SILENT,
) -> SweepResults:
    """Do the runs of a sweep that are not done yet, and write the tables and the picture.

    The folder gets ``sweep.yaml``, ``runs/<key>`` for each run, ``runs.csv``, ``results.csv``,
    ``results.json`` and ``results.png``. A run that fails, for instance because its loss diverges,
    does not stop the others: it leaves ``runs/<key>.failed.txt`` and is tried again the next time.

    Args:
        config: the sweep; its ``output`` is the folder, which may hold earlier runs.
        planned: its runs, as `plan` gives them; None: they are planned here.
        jobs: runs at a time, each in a process of its own if there are several. Ignored with a
            SLURM cluster, whose jobs set the number.
        threads: CPU threads per run; None: all cores, shared among the jobs. With a SLURM cluster
            None keeps torch's setting.
        progress: shows how many runs have ended, and how.

    Raises:
        ConfigError: a setting is wrong; no run has started.
        InputError: the data cannot be read, the output cannot be written, or another process
            writes it.
        FullDiskError: the disk is full. Finished runs are kept.
    """
    if config.output is None:
        raise ConfigError("output: expected a folder for the sweep")
    for name, value in (("jobs", jobs), ("threads", threads)):
        if value is not None and value < 1:
            raise ConfigError(f"{name}: expected a positive number; found {value}")
    planned = planned or plan(config)
    store = Store((config.output / "runs").absolute())
    with store.locked(config.output, "glassml sweep"):
        try:
            return _run(config, planned, store, jobs, threads, progress)
        except FullDiskError as error:
            raise FullDiskError(
                f"{first_sentence(error)}. Finished runs and epochs are kept in "
                f"{config.output}. Make room, then run the same command again"
            ) from error


def _run(
    config: SweepConfig,
    planned: Plan,
    store: Store,
    jobs: int,
    threads: int | None,
    progress: Progress,
) -> SweepResults:
    """Do the runs, in a folder that is locked."""
    assert config.output is not None, "checked by the caller"
    write_yaml(config, config.output / "sweep.yaml")
    report = _Report(config, planned, store, progress)
    with (
        progress.stage("runs", len(report.keys)) as advance,
        open_workers("processes", jobs, config.cluster) as workers,
    ):
        advance(len(report.done))
        on_slurm = config.cluster is not None and config.cluster.kind == "slurm"
        if threads is None and not on_slurm and (workers.count > 1 or config.cluster is not None):
            threads = max(1, available_cores() // workers.count)
        tasks = [with_threads(point.task, threads) for point in planned.points]

        def on_end(task: Task) -> None:
            report.after(task)
            advance()

        try:
            run_tasks(tasks, store, workers, on_failure="note", on_end=on_end)
        except KeyboardInterrupt:
            report.write()
            raise
    return report.write()


class _Report:
    """Reports which runs have ended, and renews the tables from time to time."""

    def __init__(
        self, config: SweepConfig, planned: Plan, store: Store, progress: Progress
    ) -> None:
        assert config.output is not None, "checked by the caller"
        self.config, self.planned, self.store, self.progress = config, planned, store, progress
        self.folder = config.output
        self.points = {point.key: point for point in reversed(planned.points)}  # the first of each
        self.keys = set(self.points)
        self.done = {key for key, point in self.points.items() if store.is_done(point.task)}
        self.written = time.monotonic()
        progress.say(
            f"{len(self.keys)} runs of {len(planned.points)} points, {len(self.done)} of them done"
        )

    def after(self, task: Task) -> None:
        """Report that one more run has ended."""
        reason = self.store.failure(task.key)
        if reason is None and not self.store.is_done(task):
            return  # the disk is full, which ends the sweep
        if reason is None:
            self.done.add(task.key)
        text = f"[{len(self.done)}/{len(self.keys)}] {self.points[task.key]}"
        self.progress.say(text if reason is None else f"{text}: failed: {reason}")
        if time.monotonic() - self.written > _SECONDS_BETWEEN_TABLES:
            self.write()

    def write(self) -> SweepResults:
        """Write the tables and the picture of the runs that are done."""
        results = sweep_results(self.planned, self.store)
        results.write(self.folder)
        figure = sweep_figure(self.config, self.planned, results)
        if figure is not None:
            save_figure(figure, self.folder / "results.png")
        self.written = time.monotonic()
        return results


def sweep_table(config: SweepConfig, planned: Plan, results: SweepResults) -> Table:
    """The coefficients that the picture shows, for the terminal.

    Args:
        config: of the sweep.
        planned: its runs.
        results: their coefficients.
    """
    species = config.species or planned.species[0]
    at = "averaged over times" if config.time is None else f"t = {config.time:g}"
    best = " (chosen on the held-out configurations: too good)" if config.epoch == "best" else ""
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
