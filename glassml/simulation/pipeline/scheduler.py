"""Tasks on all cores or on a cluster: what is ready runs, up to the number of workers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glassml.errors import ConfigError
from glassml.simulation.lammps import stop_running
from glassml.simulation.pipeline.simulate_config import ClusterConfig
from glassml.simulation.pipeline.tasks import Task, execute

__all__ = ["needed_tasks", "open_executor", "run_tasks"]

_INSTALL = 'install it with `pip install "glassml[cluster]"`'


@contextmanager
def open_executor(workers: int | None, cluster: ClusterConfig | None) -> Iterator[Executor]:
    """What runs the tasks: threads that wait for LAMMPS, or Dask.

    Args:
        workers: LAMMPS programs at a time; None: one a core (with SLURM: as many as its jobs hold).
        cluster: None for this machine without Dask.

    Raises:
        ConfigError: Dask is not installed, or refuses the cluster's options.
    """
    if cluster is None:
        # Threads suffice: the work is done by LAMMPS, in processes of its own.
        with ThreadPoolExecutor(workers or available_cores()) as pool:
            yield pool
        return
    with _dask_client(workers, cluster) as client, client.get_executor() as executor:
        yield executor


def available_cores() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def needed_tasks(wanted: Iterable[Task], known: Mapping[str, Task], work: Path) -> dict[str, Task]:
    """The tasks that are still to be done for the wanted ones, by key.

    Args:
        wanted: tasks whose outputs are to be there.
        known: all tasks by key, among them those that the wanted ones depend on.
        work: folder of all tasks.
    """
    needed: dict[str, Task] = {}
    stack = [task for task in wanted if not task.is_done(work)]
    while stack:
        task = stack.pop()
        if task.key not in needed:
            needed[task.key] = task
            missing = {k for name, k in task.inputs.items() if not (work / k / name).is_file()}
            stack += [known[key] for key in missing]
    return needed


def run_tasks(
    tasks: Mapping[str, Task], work: Path, executor: Executor, done: Callable[[Task], None]
) -> None:
    """Run tasks, each after those among them whose outputs it reads.

    After a mistake nothing new is started, and what runs already is brought to its end, so that
    it is not lost.

    Args:
        tasks: by key, as `needed_tasks` gives them.
        work: folder of all tasks.
        executor: see `open_executor`.
        done: called after each task.

    Raises:
        GlassMLError: of the first task that failed.
    """
    waiting = dict(tasks)
    running: dict[Future[str], Task] = {}
    failed: BaseException | None = None
    try:
        while running or (waiting and failed is None):
            unfinished = {*waiting, *(task.key for task in running.values())}
            for key in [key for key in waiting if failed is None]:
                if unfinished.isdisjoint(waiting[key].inputs.values()):
                    task = waiting.pop(key)
                    running[executor.submit(execute, task, work)] = task
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                task = running.pop(future)
                if future.cancelled():
                    continue
                failed = failed or future.exception()
                if future.exception() is None:
                    done(task)
            if failed is not None:
                for future in running:
                    future.cancel()
    except BaseException:
        _abandon(running, executor)
        raise
    if failed is not None:
        raise failed


def _abandon(running: Iterable[Future[str]], executor: Executor) -> None:
    """Stop at once what runs: Ctrl-C does not reach LAMMPS by itself."""
    for future in running:
        future.cancel()
    while isinstance(executor, ThreadPoolExecutor) and wait(running, timeout=0.2).not_done:
        stop_running()


@contextmanager
def _dask_client(workers: int | None, cluster: ClusterConfig) -> Iterator[Any]:
    try:
        from dask.distributed import Client, LocalCluster

        if cluster.kind == "slurm":
            from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise ConfigError(f"cluster: Dask is missing ({error}); {_INSTALL}") from None
    try:
        if cluster.kind == "slurm":
            opened: Any = SLURMCluster(**cluster.options)
            opened.scale(jobs=cluster.jobs)
        else:
            # One task at a time in each worker, as LAMMPS keeps a core busy.
            defaults = {"n_workers": workers or available_cores(), "threads_per_worker": 1}
            opened = LocalCluster(**{"dashboard_address": None, **defaults, **cluster.options})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"cluster.options: Dask refuses them: {error}") from None
    with opened, Client(opened) as client:
        yield client
