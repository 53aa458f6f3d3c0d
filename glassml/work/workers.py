"""Where tasks run: in threads, in processes, or on a cluster through Dask."""

from __future__ import annotations

import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.process import BaseProcess
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from glassml.errors import ConfigError, GlassMLError

__all__ = ["ClusterConfig", "Workers", "available_cores", "open_workers"]

_INSTALL = 'install it with `pip install "glassml[cluster]"`'


class ClusterConfig(BaseModel):
    """Where tasks run with Dask (`pip install "glassml[cluster]"`)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["local", "slurm"] = Field(default="local")
    jobs: PositiveInt = Field(default=1, description="number of SLURM jobs")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="arguments of dask's LocalCluster, or of dask_jobqueue's SLURMCluster: queue, "
        "cores, processes, memory, walltime, ...",
    )


@dataclass(frozen=True)
class Workers:
    """What runs tasks.

    Attributes:
        executor: takes calls.
        count: how many calls run at a time.
        stop: makes calls that run end soon; None where closing the executor ends them.
    """

    executor: Executor
    count: int
    stop: Callable[[], None] | None = None

    def abandon(self, running: Iterable[Future[None]]) -> None:
        """Stop at once what runs, and wait until it has ended."""
        futures = list(running)
        for future in futures:
            future.cancel()
        while self.stop is not None and wait(futures, timeout=0.2).not_done:
            self.stop()


@contextmanager
def open_workers(
    kind: Literal["threads", "processes"],
    count: int | None = None,
    cluster: ClusterConfig | None = None,
    stop: Callable[[], None] | None = None,
) -> Iterator[Workers]:
    """Workers, for as long as the block runs.

    Args:
        kind: ``threads`` for tasks that wait for programs; ``processes`` for tasks that compute in
            Python. One process is this one; if there are more, each task gets a new process.
        count: tasks at a time; None: one per core. With SLURM the jobs decide.
        cluster: Dask instead; None for this machine without Dask.
        stop: for threads: makes running tasks end soon, for instance by stopping their programs.
            Called again and again until they have ended.

    Raises:
        ConfigError: Dask is not installed, or refuses the cluster's options.
    """
    count = count or available_cores()
    if cluster is not None:
        with _dask_workers(count, cluster) as workers:
            yield workers
    elif kind == "threads":
        with ThreadPoolExecutor(count) as threads:
            yield Workers(threads, count, stop or (lambda: None))
    elif count == 1:
        with _ThisProcess() as here:
            yield Workers(here, 1)
    else:
        with _NewProcesses(count) as processes:
            yield Workers(processes, count, processes.terminate)


def available_cores() -> int:
    """The number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


class _ThisProcess(Executor):
    """Runs each call at once, in the thread that submits it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _NewProcesses(ThreadPoolExecutor):
    """Runs each call in a new process, for which a thread waits.

    The death of a process then fails one call, where `ProcessPoolExecutor` would lose them all.
    """

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self._context = multiprocessing.get_context("spawn")  # torch does not survive a fork
        self._running: set[BaseProcess] = set()
        self._lock = threading.Lock()  # multiprocessing reaps children in any thread

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(self._call, fn, *args, **kwargs)

    def terminate(self) -> None:
        """End all processes."""
        with self._lock:
            for process in self._running:
                process.terminate()

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_report, args=(sender, function, args))
        with self._lock:
            process.start()
            self._running.add(process)
        sender.close()
        try:
            error = receiver.recv()
        except EOFError:
            error = None
        wait_for([process.sentinel])
        with self._lock:
            process.join()
            self._running.discard(process)
        receiver.close()
        if error is not None:
            raise error
        if process.exitcode:
            raise GlassMLError(
                f"the process of this task ended with exit status {process.exitcode}; a negative "
                "one is a signal, and -9 is often a lack of memory"
            )


def _report(sender: Connection, function: Callable[..., None], args: tuple[Any, ...]) -> None:
    """Call a function in a new process and send its error, or None."""
    try:
        function(*args)
        sender.send(None)
    except GlassMLError as error:
        sender.send(error)
    except KeyboardInterrupt:  # the parent says so
        raise SystemExit(130) from None
    except Exception:  # as text, since not every exception can be sent
        sender.send(RuntimeError(traceback.format_exc()))


@contextmanager
def _dask_workers(count: int, cluster: ClusterConfig) -> Iterator[Workers]:
    try:
        import dask
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
            # One task at a time in each worker, as every task keeps a core busy.
            defaults = {"n_workers": count, "threads_per_worker": 1}
            opened = LocalCluster(**{"dashboard_address": None, **defaults, **cluster.options})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"cluster.options: Dask refuses them: {error}") from None
    with opened, Client(opened) as client, client.get_executor(pure=False) as executor:
        if cluster.kind == "slurm":  # its workers appear when SLURM starts the jobs
            cores = cluster.options.get("cores") or dask.config.get("jobqueue.slurm.cores")
            yield Workers(executor, cluster.jobs * int(cores))
        else:
            yield Workers(executor, sum(client.nthreads().values()))
