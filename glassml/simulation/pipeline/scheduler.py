"""Tasks on all cores, or on a cluster: whatever is ready runs, as many at a time as there are workers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glassml.errors import ConfigError
from glassml.simulation.lammps import stop_running
from glassml.simulation.pipeline.config import ClusterConfig
from glassml.simulation.pipeline.tasks import Task, execute

__all__ = ["open_executor", "run_tasks"]

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
        pool = ThreadPoolExecutor(workers or available_cores())
        try:
            yield pool
        except BaseException:
            stop_running()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        return
    with _dask_client(workers, cluster) as client, client.get_executor() as executor:
        yield executor


def available_cores() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def run_tasks(
    tasks: Iterable[Task],
    work: Path,
    executor: Executor,
    done: Callable[[Task], None] = lambda task: None,
) -> None:
    """Run tasks, each after those whose outputs it reads.

    After a mistake nothing new is started, and what runs already is brought to its end, so that
    it is not lost.

    Args:
        tasks: in any order; tasks that they depend on are run too, unless they are done.
        work: folder of all tasks.
        executor: see `open_executor`.
        done: called after each task.

    Raises:
        GlassMLError: of the first task that failed.
    """
    waiting = {task.key: task for task in tasks if not task.is_done(work)}
    running: dict[Future[str], Task] = {}
    failed: BaseException | None = None
    while (waiting and failed is None) or running:
        if failed is None:
            for task in [task for task in waiting.values() if _is_ready(task, work)]:
                del waiting[task.key]
                running[executor.submit(execute, task, work)] = task
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            task = running.pop(future)
            failed = failed or future.exception()
            if future.exception() is None:
                done(task)
        if failed is not None:
            for future in [future for future in running if future.cancel()]:
                del running[future]
    if failed is not None:
        raise failed


def _is_ready(task: Task, work: Path) -> bool:
    return all(source.is_done(work) for source in task.inputs.values())


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
            opened = SLURMCluster(**cluster.options)
            opened.scale(jobs=cluster.jobs)
        else:
            # One task at a time in each worker, as LAMMPS keeps a core busy.
            defaults = {"n_workers": workers or available_cores(), "threads_per_worker": 1}
            opened = LocalCluster(**{"dashboard_address": None, **defaults, **cluster.options})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"cluster.options: Dask refuses them: {error}") from None
    with opened, Client(opened) as client:
        yield client
