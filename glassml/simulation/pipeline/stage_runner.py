"""The tasks of a simulation, stage by stage: run them, or only plan them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from glassml.progress import Progress
from glassml.simulation.lammps import LammpsProgram
from glassml.work import Store, Task, Workers, run_tasks

__all__ = ["NotYetKnownError", "StagePlanner", "StageRunner"]

_SMALLEST_COST = 1e5  # starting LAMMPS takes about as long as this many steps times particles


class NotYetKnownError(Exception):
    """The next tasks depend on results that do not exist yet."""


class StagePlanner:
    """Collects the tasks of a simulation, as far as the existing results determine them.

    Args:
        store: store of the simulation.

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
            what: description of the tasks, for people.
        """
        self.known.update((task.key, task) for task in tasks)

    def require(self, wanted: list[Task], tasks: Iterable[Task], what: str) -> None:
        """As `run`, for results that further planning needs.

        Raises:
            NotYetKnownError: they have not been run.
        """
        self.run(wanted, tasks, what)
        if not all(self.store.is_done(task) for task in wanted):
            raise NotYetKnownError(what)

    def say(self, text: str) -> None:
        """A line for the user; a planner shows nothing."""


class StageRunner(StagePlanner):
    """Runs the tasks that are not done yet.

    Args:
        store: store of the simulation.
        workers: run the tasks.
        progress: shows each stage.
        program: the LAMMPS that runs the scripts; None: that of the environment of the workers.
    """

    def __init__(
        self,
        store: Store,
        workers: Workers,
        progress: Progress,
        program: LammpsProgram | None = None,
    ) -> None:
        super().__init__(store)
        self.workers = workers
        self.progress = progress
        self.program = program

    def run(self, wanted: list[Task], tasks: Iterable[Task], what: str) -> None:
        """Run those of the wanted tasks, and of the tasks they need, that are not done yet.

        Raises:
            GlassMLError: a task failed; the message names it.
        """
        super().run(wanted, tasks, what)
        # Not a fact of the task: another launcher or number of ranks repeats no finished work.
        needed = [
            replace(task, payload=self.program) for task in self.store.needed(wanted, self.known)
        ]
        with self.progress.stage(what, sum(map(_cost, needed))) as advance:
            run_tasks(needed, self.store, self.workers, on_end=lambda task: advance(_cost(task)))
        for task in wanted:
            self.store.remove_consumed(task)  # a run may have been killed just before this

    def say(self, text: str) -> None:
        """A line for the user."""
        self.progress.say(text)


def _cost(task: Task) -> float:
    return max(task.cost, _SMALLEST_COST)
