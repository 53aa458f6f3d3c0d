"""Running the tasks of a stage with a progress bar, or only finding out what they are."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from glassml.simulation.pipeline.scheduler import needed_tasks, run_tasks
from glassml.simulation.pipeline.tasks import Task, remove_consumed

_SMALLEST_COST = 1e5  # starting LAMMPS takes about as long as so many steps times particles

__all__ = ["NotYetKnownError", "Planner", "Runner"]


class NotYetKnownError(Exception):
    """What comes next depends on results that are not there yet."""


class Planner:
    """Knows all tasks of a simulation, and goes as far as results that are there lead.

    Args:
        work: folder of all tasks.

    Attributes:
        known: the tasks so far, by key, in the order in which they can run.
    """

    def __init__(self, work: Path) -> None:
        self.work = work
        self.known: dict[str, Task] = {}

    def run(self, wanted: list[Task], tasks: Iterable[Task], what: str) -> None:
        """Have some tasks run; here only take note of them.

        Args:
            wanted: whose results are needed at the end.
            tasks: these and what they depend on, unless it is known already.
            what: what they do, for people.
        """
        self.known.update((task.key, task) for task in tasks)

    def require(self, wanted: list[Task], tasks: Iterable[Task], what: str) -> None:
        """As `run`, for results without which nothing more can be planned.

        Raises:
            NotYetKnownError: they have not been run.
        """
        self.run(wanted, tasks, what)
        if not all(task.is_done(self.work) for task in wanted):
            raise NotYetKnownError(what)

    def say(self, text: str) -> None:
        """Tell the user something; here nothing, as nothing happens."""


class Runner(Planner):
    """Runs what is not there yet.

    Args:
        work: folder of all tasks.
        executor: see `open_executor`.
        console: where progress is shown; a bar only if it can be redrawn.
    """

    def __init__(self, work: Path, executor: Executor, console: Console) -> None:
        super().__init__(work)
        self.executor = executor
        self.console = console

    def run(self, wanted: list[Task], tasks: Iterable[Task], what: str) -> None:
        """Run what is needed for the wanted tasks and not done yet.

        Raises:
            GlassMLError: a task failed; the message names it.
        """
        super().run(wanted, tasks, what)
        needed = needed_tasks(wanted, self.known, self.work)
        with self._bar() as bar:
            total = sum(_work(task) for task in needed.values())
            row = bar.add_task(what, total=total)

            def done(task: Task) -> None:
                remove_consumed(task, self.work)
                bar.advance(row, _work(task))

            run_tasks(needed, self.work, self.executor, done)
        for task in wanted:
            remove_consumed(task, self.work)  # where a run was killed just before it did

    def say(self, text: str) -> None:
        """A line for the user."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _bar(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )


def _work(task: Task) -> float:
    return max(task.cost, _SMALLEST_COST)
