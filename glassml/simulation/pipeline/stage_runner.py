"""The tasks of a simulation, stage by stage: run them, or only find out what they are."""

from __future__ import annotations

from collections.abc import Iterable

from glassml.progress import Progress
from glassml.work import Store, Task, Workers, run_tasks

__all__ = ["NotYetKnownError", "StagePlanner", "StageRunner"]

_SMALLEST_COST = 1e5  # starting LAMMPS takes about as long as this many steps times particles


class NotYetKnownError(Exception):
    """What comes next depends on results that are not there yet."""


class StagePlanner:
    """Collects the tasks of a simulation, as far as they follow from the results that are there.

    Args:
        store: of the simulation.

    Attributes:
        known: the tasks so far, by key, in an order in which they can run.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.known: dict[str, Task] = {}

    def run(self, wanted: list[Task], tasks: Iterable[Task], what: str) -> None:
        """Have some tasks run; here they are only noted.

        Args:
            wanted: tasks whose results are needed at the end.
            tasks: these tasks and those they depend on, unless they are known already.
            what: what they do, for people.
        """
        self.known.update((task.key, task) for task in tasks)

    def require(self, wanted: list[Task], tasks: Iterable[Task], what: str) -> None:
        """As `run`, for results without which nothing more can be planned.

        Raises:
            NotYetKnownError: they have not been run.
        """
        self.run(wanted, tasks, what)
        if not all(self.store.is_done(task) for task in wanted):
            raise NotYetKnownError(what)

    def say(self, text: str) -> None:
        """A line for the user; here nothing, as nothing happens."""


class StageRunner(StagePlanner):
    """Runs the tasks that are not done yet.

    Args:
        store: of the simulation.
        workers: that run the tasks.
        progress: shows each stage.
    """

    def __init__(self, store: Store, workers: Workers, progress: Progress) -> None:
        super().__init__(store)
        self.workers = workers
        self.progress = progress

    def run(self, wanted: list[Task], tasks: Iterable[Task], what: str) -> None:
        """Run what the wanted tasks need and what is not done yet.

        Raises:
            GlassMLError: a task failed; the message names it.
        """
        super().run(wanted, tasks, what)
        needed = self.store.needed(wanted, self.known)
        with self.progress.stage(what, sum(map(_cost, needed))) as advance:
            run_tasks(needed, self.store, self.workers, on_end=lambda task: advance(_cost(task)))
        for task in wanted:
            self.store.remove_consumed(task)  # where a run was killed just before it did so

    def say(self, text: str) -> None:
        """A line for the user."""
        self.progress.say(text)


def _cost(task: Task) -> float:
    return max(task.cost, _SMALLEST_COST)
