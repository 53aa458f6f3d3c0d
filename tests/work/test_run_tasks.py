"""Order, failures and interruptions, in threads, in processes and with Dask."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from work.evaluators import die, fail, join_inputs, task, text_of, write_process

from glassml.errors import ConfigError, GlassMLError, InputError
from glassml.work import ClusterConfig, Store, Task, Workers, evaluator, open_workers, run_tasks

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture(params=["threads", "this process", "processes", "dask"])
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    """Two of each kind, but for this process, which is one."""
    path = [str(REPOSITORY), str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    if request.param == "threads":
        opened = open_workers("threads", 2)
    elif request.param == "dask":
        pytest.importorskip("distributed", reason='needs pip install "glassml[cluster]"')
        opened = open_workers("threads", 2, ClusterConfig(kind="local"))
    else:
        opened = open_workers("processes", 1 if request.param == "this process" else 2)
    with opened as workers:
        yield workers


@pytest.fixture
def own_interrupts() -> Iterator[None]:
    """What Ctrl-C does by itself: dask_jobqueue, which other tests import, replaces it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def chain(*texts: str) -> list[Task]:
    """Tasks that append their text to what the one before has written."""
    tasks = [task(texts[0])]
    for number, text in enumerate(texts[1:], start=1):
        alone = task(text, outputs=(f"{number}.txt",))
        inputs = {tasks[-1].outputs[0]: tasks[-1].key, f"{number}.txt": alone.key}
        tasks += [alone, task("", join_inputs, inputs=inputs, outputs=(f"joined{number}.txt",))]
    return tasks


def test_each_task_comes_after_those_it_depends_on(store: Store, workers: Workers):
    tasks = [*chain("a", "b", "c"), *chain("x", "y")]
    ended: list[str] = []
    run_tasks([*tasks, *tasks], store, workers, on_end=lambda task: ended.append(task.key))
    assert sorted(ended) == sorted(task.key for task in tasks)  # each once
    assert store.path(tasks[4], "joined2.txt").read_text() == "abc"
    assert store.path(tasks[-1], "joined1.txt").read_text() == "xy"
    for work in tasks:
        assert all(ended.index(key) < ended.index(work.key) for key in work.inputs.values())
    run_tasks(tasks, store, workers, on_end=lambda task: pytest.fail("it was done"))


def test_the_first_failure_stops_new_work_and_is_raised(store: Store, workers: Workers):
    bad = task("bad", fail, label="stage melt, bad")
    after = task("", join_inputs, inputs={"out.txt": bad.key}, outputs=("joined.txt",))
    later = [task(f"later {number}") for number in range(2000)]
    with pytest.raises(GlassMLError, match="stage melt, bad: text: expected another") as caught:
        run_tasks([bad, after, *later], store, workers)
    assert type(caught.value).__name__ == "InputError"
    assert not store.is_done(after)
    assert not store.is_done(later[-1])
    assert store.failure(bad.key) is None


def test_a_noted_failure_does_not_stop_the_others(store: Store, workers: Workers):
    bad = task("bad", fail)
    after = task("", join_inputs, inputs={"out.txt": bad.key}, outputs=("joined.txt",))
    others = [task(f"other {number}") for number in range(3)]
    ended: list[str] = []
    run_tasks(
        [bad, after, *others],
        store,
        workers,
        on_failure="note",
        on_end=lambda task: ended.append(task.key),
    )
    assert [text_of(store.folder, work) for work in others] == ["other 0", "other 1", "other 2"]
    assert sorted(ended) == sorted(task.key for task in (bad, *others))
    assert store.failure(bad.key) == "text: expected another one; found bad"
    assert not store.is_done(after)
    again: list[str] = []
    run_tasks([bad], store, workers, on_failure="note", on_end=lambda task: again.append(task.key))
    assert again == [bad.key]  # it is tried again


def test_what_runs_when_a_task_fails_is_brought_to_its_end(store: Store):
    started, failing = threading.Event(), threading.Event()

    @evaluator(version=1)
    def write(task: Task, folder: Path) -> None:
        started.set()
        assert failing.wait(60)
        (folder / "out.txt").write_text("result")

    @evaluator(version=1)
    def explode(task: Task, folder: Path) -> None:
        assert started.wait(60)
        failing.set()
        raise InputError("it exploded")

    good, bad, late = task("good", write), task("bad", explode), task("late")
    with open_workers("threads", 2) as workers, pytest.raises(InputError, match="it exploded"):
        run_tasks([good, bad, late], store, workers)
    assert store.is_done(good)
    assert not store.is_done(late)


def test_of_several_failures_that_of_the_earliest_task_is_raised(store: Store):
    second_failed = threading.Event()

    @evaluator(version=1)
    def fail_late(task: Task, folder: Path) -> None:
        assert second_failed.wait(60)
        raise InputError("the first task")

    @evaluator(version=1)
    def fail_early(task: Task, folder: Path) -> None:
        second_failed.set()
        raise InputError("the second task")

    tasks = [task("1", fail_late), task("2", fail_early)]
    with open_workers("threads", 2) as workers, pytest.raises(InputError, match="the first task"):
        run_tasks(tasks, store, workers)


def test_tasks_are_taken_as_workers_become_free(store: Store):
    taken: list[int] = []
    ended: list[str] = []

    def tasks() -> Iterator[Task]:
        for number in range(10):
            assert number - len(ended) <= 2
            taken.append(number)
            yield task(str(number))

    with open_workers("threads", 2) as workers:
        run_tasks(tasks(), store, workers, on_end=lambda task: ended.append(task.key))
    assert taken == list(range(10))


def test_an_error_of_the_program_is_noted_with_its_traceback(store: Store):
    @evaluator(version=1)
    def divide(task: Task, folder: Path) -> None:
        _ = 1 / 0

    work = task("a", divide)
    with open_workers("threads", 1) as workers:
        run_tasks([work], store, workers, on_failure="note")
        note = str(store.failure(work.key))
        with pytest.raises(ZeroDivisionError):
            run_tasks([work], store, workers)
    assert note.startswith("Traceback")
    assert note.endswith("ZeroDivisionError: division by zero")


def test_processes_are_new_ones_and_the_death_of_one_is_noted(store: Store, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "tests"))))
    others = [task(str(number), write_process) for number in range(2)]
    dead = task("dead", die)
    with open_workers("processes", 2) as workers:
        run_tasks([dead, *others], store, workers, on_failure="note")
    assert "found exit status -9" in str(store.failure(dead.key))
    processes = {text_of(store.folder, work) for work in others}
    assert len({str(os.getpid()), *processes}) == 3


def test_one_process_is_this_one(store: Store):
    work = task("a", write_process)
    with open_workers("processes", 1) as workers:
        run_tasks([work], store, workers)
    assert text_of(store.folder, work) == str(os.getpid())


def test_an_interruption_stops_what_runs(store: Store, own_interrupts: None):
    """As Ctrl-C in the main thread, while a task waits for a program."""
    started, stopped = threading.Event(), threading.Event()

    @evaluator(version=1)
    def wait(task: Task, folder: Path) -> None:
        started.set()
        assert stopped.wait(60)
        raise InputError("the program was stopped")

    def interrupt() -> None:
        started.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    after = task("after")
    with pytest.raises(KeyboardInterrupt), open_workers("threads", 1, stop=stopped.set) as workers:
        run_tasks([task("a", wait), after], store, workers)
    interrupter.join()
    assert stopped.is_set()
    assert not store.is_done(after)


def test_an_interruption_ends_the_processes(tmp_path: Path):
    code = (
        f"import sys; sys.path[:0] = [{str(REPOSITORY)!r}, {str(REPOSITORY / 'tests')!r}]\n"
        "import signal\n"
        "from pathlib import Path\n"
        "from work.evaluators import slow_parts, slow_parts_with_lightning, task\n"
        "from glassml.work import Store, open_workers, run_tasks\n"
        # Shells start programs in the background with this signal ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "if __name__ == '__main__':\n"
        f"    fields = dict(outputs=('1.txt', '2.txt'), payload={str(tmp_path)!r})\n"
        "    kinds = (slow_parts, slow_parts_with_lightning)\n"
        "    tasks = [task('a', kind, **fields) for kind in kinds]\n"
        "    with open_workers('processes', 2) as workers:\n"
        f"        run_tasks(tasks, Store(Path({str(tmp_path)!r})), workers)\n"
    )
    (tmp_path / "script.py").write_text(code)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "script.py"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while len(list(tmp_path.glob(".partial-*/1.txt"))) < 2:
        assert parent.poll() is None, parent.communicate()
        time.sleep(0.01)
    children = workers_of(parent.pid)
    assert len(children) == 2
    os.killpg(parent.pid, signal.SIGINT)  # as from a terminal, where all processes receive it
    _, said = parent.communicate(timeout=60)
    assert parent.returncode != 0
    assert said.count("Traceback") == 1  # that of the script; the processes say nothing
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    assert not list(tmp_path.glob("*/2.txt"))


def workers_of(pid: int) -> list[int]:
    """Child processes that run tasks, from Linux' /proc."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for file in found for child in file.read_text().split()]
    return [child for child in children if b"spawn_main" in command(child)]


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_options_that_dask_refuses():
    pytest.importorskip("distributed", reason='needs pip install "glassml[cluster]"')
    cluster = ClusterConfig(options={"n_wrkers": 1})
    with (
        pytest.raises(ConfigError, match=r"cluster\.options: expected those that Dask accepts"),
        open_workers("threads", 1, cluster),
    ):
        pass


def test_a_slurm_cluster_leaves_ctrl_c_alone(own_interrupts: None, monkeypatch: pytest.MonkeyPatch):
    """The first import of dask_jobqueue would make it a silent exit."""
    pytest.importorskip("dask_jobqueue", reason='needs pip install "glassml[cluster]"')
    for name in [name for name in sys.modules if name.split(".")[0] == "dask_jobqueue"]:
        monkeypatch.delitem(sys.modules, name)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    cluster = ClusterConfig(kind="slurm", jobs=1)
    with (
        pytest.raises(ConfigError, match="expected those that Dask accepts"),
        open_workers("threads", 1, cluster),
    ):
        pass
    assert "dask_jobqueue.runner" in sys.modules
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
