"""The folder of tasks: whole results or none, resumed attempts, other processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from work.evaluators import count_up, fail, join_inputs, slow_parts, task, text_of, write_text

from glassml.errors import GlassMLError, InputError
from glassml.work import Evaluator, Store, Task, evaluator

REPOSITORY = Path(__file__).resolve().parents[2]


def folders_in(store: Store) -> list[str]:
    return sorted(path.name for path in store.folder.iterdir())


def test_a_task_is_done_once_and_only_its_outputs_are_kept(tmp_path: Path):
    calls = []

    @evaluator(version=1)
    def write(task: Task, folder: Path) -> None:
        calls.append(task.key)
        (folder / "out.txt").write_text("result")
        (folder / "scratch").mkdir()
        (folder / "scratch" / "file.txt").write_text("")

    store, work = Store(tmp_path), task("a", write)
    assert not store.is_done(work)
    store.do(work)
    store.do(work)
    assert calls == [work.key]
    assert store.is_done(work)
    assert [path.name for path in store.folder_of(work).iterdir()] == ["out.txt"]
    assert folders_in(store) == [work.key]


def test_inputs_are_there_and_consumed_ones_are_removed(tmp_path: Path):
    store = Store(tmp_path)
    first, second = task("one "), task("two")
    inputs = {"out.txt": first.key}
    joined = task("", join_inputs, inputs=inputs, outputs=("joined.txt",), consumes=True)
    kept = replace(joined, facts={"text": "other"}, consumes=False)
    for work in (first, second, kept, joined):
        store.do(work)
    assert store.path(joined, "joined.txt").read_text() == "one "
    store.remove_consumed(kept)
    assert store.is_done(first)
    store.remove_consumed(joined)
    assert not store.is_done(first)
    assert store.is_done(second)
    assert store.is_done(joined)


def test_removed_outputs_are_made_again_where_they_are_needed(tmp_path: Path):
    store = Store(tmp_path)
    first = task("one", outputs=("out.txt",))
    second = task("", join_inputs, inputs={"out.txt": first.key}, outputs=("joined.txt",))
    store.do(first)
    (store.folder_of(first) / "log.txt").write_text("stays")
    store.path(first, "out.txt").unlink()
    known = {work.key: work for work in (first, second)}
    assert store.needed([second], known) == [first, second]
    for work in store.needed([second], known):
        store.do(work)
    assert store.path(second, "joined.txt").read_text() == "one"
    assert (store.folder_of(first) / "log.txt").read_text() == "stays"
    store.path(first, "out.txt").unlink()
    assert store.needed([second], known) == []


def test_an_edited_evaluator_is_done_anew_and_other_results_are_used_again(tmp_path: Path):
    def version(number: int) -> Evaluator:
        @evaluator(version=number)
        def shout(task: Task, folder: Path) -> None:
            (folder / "joined.txt").write_text((folder / "out.txt").read_text() + "!" * number)

        return shout

    store, source = Store(tmp_path), task("text")
    fields = {"inputs": {"out.txt": source.key}, "outputs": ("joined.txt",)}
    old, new = (task("", version(number), **fields) for number in (1, 2))
    known = {work.key: work for work in (source, old, new)}
    assert store.needed([old], known) == [source, old]
    for work in (source, old):
        store.do(work)
    assert store.needed([new], known) == [new]
    store.do(new)
    texts = [store.path(work, "joined.txt").read_text() for work in (old, new)]
    assert texts == ["text!", "text!!"]


def test_a_failed_task_leaves_no_result(tmp_path: Path):
    store, work = Store(tmp_path), task("a", fail, label="stage melt, a")
    with pytest.raises(InputError, match=r"^stage melt, a: text: expected another one; found a$"):
        store.do(work)
    with pytest.raises(InputError, match=r"^text: expected another one"):
        store.do(replace(work, label=""))
    assert not store.is_done(work)
    assert all(name.startswith(".partial-") for name in folders_in(store))
    store.clear_unfinished()
    assert store.is_empty()


def test_an_evaluator_that_writes_too_little_is_found_out(tmp_path: Path):
    work = task("a", outputs=("out.txt", "missing.npz"))
    with pytest.raises(GlassMLError, match=r"expected a file missing\.npz in "):
        Store(tmp_path).do(work)
    assert not Store(tmp_path).is_done(work)


def start(folder: Path, resumable: bool) -> tuple[Task, subprocess.Popen[bytes]]:
    """Another process that stops between the two outputs of a task."""
    work = task("a", slow_parts, outputs=("1.txt", "2.txt"), payload=str(folder))
    code = (
        "import sys; from pathlib import Path\n"
        "from work.evaluators import slow_parts, task\n"
        "from glassml.work import Store\n"
        f"work = task('a', slow_parts, outputs=('1.txt', '2.txt'), payload={str(folder)!r},\n"
        f"            resumable={resumable})\n"
        f"Store(Path({str(folder / 'store')!r})).do(work)\n"
    )
    path = [str(REPOSITORY), str(REPOSITORY / "tests")]
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path}\n{code}"],
        stderr=subprocess.PIPE,
    )
    while not list((folder / "store").glob("*/1.txt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return replace(work, resumable=resumable), process


def test_killed_in_the_middle_there_is_no_half_result(tmp_path: Path):
    (tmp_path / "store").mkdir()
    work, process = start(tmp_path, resumable=False)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    store = Store(tmp_path / "store")
    assert not store.folder_of(work).exists()
    assert len(folders_in(store)) == 1  # what it left
    stopped: list[Path] = []
    store.clear_unfinished(stopped.append)
    assert [folder.name[:9] for folder in stopped] == [".partial-"]
    assert folders_in(store) == []
    (tmp_path / "go").touch()
    store.do(work)
    assert [store.path(work, name).read_text() for name in work.outputs] == ["first", "second"]


def test_a_killed_resumable_task_keeps_its_folder_but_is_not_done(tmp_path: Path):
    (tmp_path / "store").mkdir()
    work, process = start(tmp_path, resumable=True)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    store = Store(tmp_path / "store")
    assert not store.is_done(work)
    store.clear_unfinished()
    assert store.path(work, "1.txt").read_text() == "first"
    (tmp_path / "go").touch()
    store.do(work)
    assert store.is_done(work)


def test_a_resumable_task_goes_on_from_what_the_last_attempt_left(tmp_path: Path):
    store, work = Store(tmp_path), task("a", count_up, resumable=True)
    for _ in range(2):
        with pytest.raises(InputError, match="not yet"):
            store.do(work)
        assert not store.is_done(work)
    store.do(work)
    assert store.is_done(work)
    store.do(work)
    assert len(store.path(work, "attempts.txt").read_text().splitlines()) == 3


def test_two_processes_do_not_share_the_folder_of_a_resumable_task(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    """The second one waits, says so, and finds the task done."""
    (tmp_path / "store").mkdir()
    work, process = start(tmp_path, resumable=True)
    store = Store(tmp_path / "store")
    second = threading.Thread(target=store.do, args=(work,))
    second.start()
    said = ""
    while f"waiting until process {process.pid} on " not in said:
        assert second.is_alive()
        said += capfd.readouterr().err
        time.sleep(0.01)
    assert not store.is_done(work)
    (tmp_path / "go").touch()
    second.join(60)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert store.is_done(work)


def test_one_process_at_a_time_in_a_locked_store(tmp_path: Path):
    store, output = Store(tmp_path / "work"), tmp_path / "out.h5"
    with store.locked(output, "glassml quench"):
        code = (
            "import sys; from pathlib import Path; from glassml.work import Store\n"
            f"with Store(Path({str(store.folder)!r})).locked(Path('out.h5'), 'glassml quench'): ..."
        )
        other = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n{code}"],
            capture_output=True,
            text=True,
        )
        assert other.returncode != 0
        assert f"out.h5: another `glassml quench` is writing it (process {os.getpid()} on " in (
            other.stderr
        )
    with store.locked(output, "glassml quench"):
        pass  # the lock went with the block


def test_a_lock_goes_with_the_process_that_held_it(tmp_path: Path):
    code = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "import time; from pathlib import Path; from glassml.work import Store\n"
        f"with Store(Path({str(tmp_path)!r})).locked(Path('a'), 'b'):\n"
        "    print('locked', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    holder.kill()
    holder.communicate()
    with Store(tmp_path).locked(tmp_path, "b"):
        assert (tmp_path / ".lock").exists()


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"out\.h5: cannot write here .*choose another path"),
        Store(tmp_path / "file" / "work").locked(Path("out.h5"), "glassml quench"),
    ):
        pass


def test_reasons_of_failures_are_kept_until_the_next_attempt(tmp_path: Path):
    store, work = Store(tmp_path), task("a", resumable=True)
    assert store.failure(work.key) is None
    store.note_failure(work, "it exploded\nbadly")
    assert store.failure(work.key) == "it exploded\nbadly"
    assert (tmp_path / f"{work.key}.failed.txt").is_file()
    store.do(work)
    assert store.failure(work.key) is None
    assert text_of(tmp_path, work) == "a"


def test_a_task_that_another_attempt_finished_meanwhile_changes_nothing_else(tmp_path: Path):
    store, work = Store(tmp_path), task("a")

    @evaluator(version=write_text.version)
    def overtaken(task: Task, folder: Path) -> None:
        with contextlib.suppress(FileExistsError):
            store.folder_of(task).mkdir()
        (store.folder_of(task) / "log.txt").write_text("of the other one")
        (folder / "out.txt").write_text("a")

    work = task("a", overtaken)
    store.do(work)
    assert {p.name for p in store.folder_of(work).iterdir()} == {"log.txt", "out.txt"}
    assert folders_in(store) == [work.key]
