"""Running tasks: each after those that it depends on, one per worker at a time."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Literal

from glassml.errors import FullDiskError, GlassMLError
from glassml.work.store import Store
from glassml.work.task import Task
from glassml.work.workers import Workers

__all__ = ["run_tasks"]

_LONGEST_WAIT = 1.0  # [s]


def run_tasks(
    tasks: Iterable[Task],
    store: Store,
    workers: Workers,
    *,
    on_failure: Literal["stop", "note"] = "stop",
    on_end: Callable[[Task], None] = lambda task: None,
) -> None:
    """Run the tasks that are not done yet, each key once.

    Tasks that are running when another one fails are still finished, so their work is not lost. An
    interruption (Ctrl-C) stops everything at once.

    Args:
        tasks: in an order in which each task comes after those whose outputs it reads. They are
            taken one by one as workers become free.
        store: where the outputs are kept.
        workers: see `open_workers`.
        on_failure: ``stop``: after the first failure no task is started, and the error is raised;
            ``note``: the reason is kept (see `Store.failure`), and other tasks continue, unless
            the disk is full.
        on_end: called in this thread after each task that was run, whether it failed or not.

    Raises:
        GlassMLError: with ``stop``, or if the disk is full: the error of the failed task that was
            started first.
    """
    queue = _Queue(tasks, store)
    running: dict[Future[None], Task] = {}
    started: list[str] = []
    failures: dict[str, BaseException] = {}
    try:
        while True:
            while not failures and len(running) < workers.count:
                task = queue.next()
                if task is None:
                    break
                started.append(task.key)
                running[workers.executor.submit(store.do, task)] = task
            if not running:
                break
            # A Ctrl-C just before a wait begins does not end it: no wait may be long.
            finished, _ = wait(running, timeout=_LONGEST_WAIT, return_when=FIRST_COMPLETED)
            for future in finished:
                task = running.pop(future)
                error = future.exception()
                if error is None:
                    queue.done(task)
                    store.remove_consumed(task)
                elif on_failure == "note" and not isinstance(error, FullDiskError):
                    store.note_failure(task, _reason(error))
                else:
                    failures[task.key] = error
                on_end(task)
    except BaseException:
        workers.abandon()
        raise
    if failures:
        raise failures[min(failures, key=started.index)]


class _Queue:
    """Gives out tasks whose inputs exist."""

    def __init__(self, tasks: Iterable[Task], store: Store) -> None:
        self._store = store
        self._tasks: Iterator[Task] = iter(tasks)
        self._seen: set[str] = set()
        self._unfinished: set[str] = set()
        self._held: dict[str, Task] = {}

    def next(self) -> Task | None:
        """A task that can run now; None if all others wait for unfinished ones, or none is left."""
        for key, task in self._held.items():
            if self._is_ready(task):
                return self._held.pop(key)
        for task in self._tasks:
            if task.key in self._seen or self._store.is_done(task):
                continue
            self._seen.add(task.key)
            ready = self._is_ready(task)
            self._unfinished.add(task.key)
            if ready:
                return task
            self._held[task.key] = task
        return None

    def done(self, task: Task) -> None:
        """Release the tasks that wait for this one."""
        self._unfinished.discard(task.key)

    def _is_ready(self, task: Task) -> bool:
        return self._unfinished.isdisjoint(task.inputs.values())


def _reason(error: BaseException) -> str:
    if isinstance(error, GlassMLError):
        return str(error)
    return "".join(traceback.format_exception(error)).strip()
