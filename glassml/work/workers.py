"""Where tasks run: in threads, in processes, or on a cluster through Dask."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.process import BaseProcess
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from glassml.errors import ConfigError, GlassMLError

__all__ = ["ClusterConfig", "Workers", "available_cores", "open_workers"]

_PATIENCE = 0.1  # [s]
_INSTALL = 'Install it with `pip install "glassml[cluster]"`'


class ClusterConfig(BaseModel):
    """Where tasks run with Dask (`pip install "glassml[cluster]"`)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["local", "slurm"] = Field(
        default="local", description="`local`: processes of this machine; `slurm`: jobs of SLURM"
    )
    jobs: PositiveInt = Field(default=1, description="number of SLURM jobs")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="arguments of dask's LocalCluster, or of dask_jobqueue's SLURMCluster: queue, "
        "cores, processes, memory, walltime, ...",
    )


@dataclass(frozen=True)
class Workers:
    """An executor that runs tasks.

    Attributes:
        executor: runs the calls that are submitted to it.
        count: number of calls that run at a time.
        abandon: stops all running calls at once; the executor accepts no calls after that.
    """

    executor: Executor
    count: int
    abandon: Callable[[], None]


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
        cluster: settings of a Dask cluster to use instead; None: this machine without Dask.
        stop: for threads: makes running tasks end soon, for instance by stopping their programs. It
            is called repeatedly until they have ended.

    Raises:
        ConfigError: Dask is not installed, or refuses the cluster's options.
    """
    count = count or available_cores()
    if cluster is not None:
        with _dask_workers(count, cluster) as workers:
            yield workers
    elif kind == "threads":
        with _Threads(count, stop or (lambda: None)) as threads:
            yield Workers(threads, count, threads.abandon)
    elif count == 1:
        with _ThisProcess() as here:
            yield Workers(here, 1, lambda: None)
    else:
        with _NewProcesses(count) as processes:
            yield Workers(processes, count, processes.abandon)


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


class _Threads(ThreadPoolExecutor):
    """Threads whose calls can be made to end soon."""

    def __init__(self, count: int, stop: Callable[[], None]) -> None:
        super().__init__(count)
        self._stop = stop
        self._calling: set[threading.Thread] = set()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(self._watched, fn, *args, **kwargs)

    def abandon(self) -> None:
        """Stop the running calls and wait until they have ended.

        An interruption may have prevented the caller from receiving a call's future, and even the
        executor from registering its new thread, so the calls themselves are counted.
        """
        self.shutdown(wait=False, cancel_futures=True)
        time.sleep(_PATIENCE)  # for a call that is just about to begin
        while self._calling:
            self._stop()
            time.sleep(_PATIENCE)

    def _watched(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._calling.add(threading.current_thread())
        try:
            return self._call(function, *args, **kwargs)
        finally:
            self._calling.discard(threading.current_thread())

    def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)


class _NewProcesses(_Threads):
    """Runs each call in a new process, for which a thread waits.

    If a process dies, only its call fails; `ProcessPoolExecutor` would lose all calls.
    """

    def __init__(self, count: int) -> None:
        super().__init__(count, self._terminate)
        self._context = multiprocessing.get_context("spawn")  # torch does not survive a fork
        self._running: set[BaseProcess] = set()
        self._lock = threading.Lock()  # multiprocessing reaps children in any thread

    def _terminate(self) -> None:
        with self._lock:
            for process in self._running:
                process.terminate()

    def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_report, args=(sender, function, args, kwargs))
        with self._lock, _without_interrupts():
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
                f"expected the process of this task to finish; found exit status "
                f"{process.exitcode}. A negative number is a signal, and -9 often means that "
                "memory ran out"
            )


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes that are started in the block never receive a Ctrl-C; their parent stops them.

    A terminal sends it to all processes, and each would report it while it is starting.
    """
    resource_tracker.ensure_running()  # the first start of a process would, and end the blocking
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _report(
    sender: Connection,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    """Call a function in a new process and send its error, or None."""
    try:
        function(*args, **kwargs)
        sender.send(None)
    except GlassMLError as error:
        sender.send(error)
    except KeyboardInterrupt:  # Lightning makes one of SIGTERM; the parent reports it
        raise SystemExit(130) from None
    except Exception:  # as text, since not every exception can be sent
        sender.send(RuntimeError(traceback.format_exc()))


@contextmanager
def _dask_workers(count: int, cluster: ClusterConfig) -> Iterator[Workers]:
    try:
        import dask
        from dask.distributed import Client, LocalCluster

        if cluster.kind == "slurm":
            with _own_interrupts():  # dask_jobqueue replaces what Ctrl-C does
                from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise ConfigError(f"cluster: expected Dask; found none ({error}). {_INSTALL}") from None
    try:
        if cluster.kind == "slurm":
            opened: Any = SLURMCluster(**cluster.options)
            opened.scale(jobs=cluster.jobs)
        else:
            # One task at a time in each worker, as every task keeps a core busy.
            defaults = {"n_workers": count, "threads_per_worker": 1}
            opened = LocalCluster(**{"dashboard_address": None, **defaults, **cluster.options})
    except (RuntimeError, TypeError, ValueError) as error:
        reason = error.__cause__ or error  # "failed to start" has the real error as its cause
        raise ConfigError(
            f"cluster.options: expected those that Dask accepts; found: {reason}"
        ) from None
    with opened, Client(opened) as client, client.get_executor(pure=False) as executor:
        if cluster.kind == "slurm":  # its workers appear when SLURM starts the jobs
            cores = cluster.options.get("cores") or dask.config.get("jobqueue.slurm.cores")
            threads = cluster.jobs * int(cores)
        else:
            threads = sum(client.nthreads().values())
        yield Workers(executor, threads, lambda: executor.shutdown(wait=False))


@contextmanager
def _own_interrupts() -> Iterator[None]:
    """Put back what Ctrl-C does after the block, where this thread may."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)
