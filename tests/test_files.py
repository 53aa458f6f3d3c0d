"""Files and folders that are complete or absent, and what killed processes leave."""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from glassml.errors import InputError
from glassml.files import atomic_folder, atomic_write, locked_folder

# A process that is writing a picture, and says so, until it is killed or told to continue.
WRITE = """
import sys
from pathlib import Path
from glassml.files import atomic_write

with atomic_write(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    print(partial, flush=True)
    sys.stdin.read()
"""


WRITE_FOLDER = """
import sys
from pathlib import Path
from glassml.files import atomic_folder

with atomic_folder(Path(sys.argv[1])) as partial:
    (partial / "a.png").write_text("half")
    print(partial, flush=True)
    sys.stdin.read()
"""


def writing(path: Path, code: str = WRITE) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_killed_processes_left_is_removed_and_what_is_being_written_is_not(tmp_path: Path):
    killed, left = writing(tmp_path / "curves.png")
    killed.kill()
    killed.communicate()
    alive, in_use = writing(tmp_path / "curves.png")
    assert not left.exists()
    assert in_use.exists()
    # Files of others, with names that are nearly the same, stay.
    others = [tmp_path / name for name in (".curves.partial.png", "a.12345678.partial.png")]
    for path in others:
        path.write_text("")
    with atomic_write(tmp_path / "another.txt") as partial:
        partial.write_text("whole")
    assert in_use.exists()
    alive.communicate("")
    assert alive.returncode == 0
    assert (tmp_path / "curves.png").read_text() == "half"
    assert sorted(tmp_path.iterdir()) == sorted(
        [*others, tmp_path / "another.txt", tmp_path / "curves.png"]
    )


def test_what_killed_processes_left_of_a_folder_is_removed(tmp_path: Path):
    report = tmp_path / "report"
    killed, left = writing(report, WRITE_FOLDER)
    killed.kill()
    killed.communicate()
    assert (left / "a.png").exists()
    alive, in_use = writing(report, WRITE_FOLDER)
    assert not left.exists()
    with atomic_write(report / "another.txt") as partial:
        partial.write_text("whole")
    assert (in_use / "a.png").exists()
    alive.communicate("")
    assert sorted(path.name for path in report.iterdir()) == ["a.png", "another.txt"]


def test_files_of_a_folder_appear_together(tmp_path: Path):
    folder = tmp_path / "new" / "report"
    with atomic_folder(folder) as partial:
        (partial / "figures").mkdir()
        (partial / "figures" / "a.png").write_text("first")
        (partial / "page.html").write_text("first")
        assert [path.name for path in folder.iterdir()] == [partial.name]
    (folder / "mine.txt").write_text("of the user")

    def write_and_fail() -> None:
        with atomic_folder(folder) as partial:
            (partial / "page.html").write_text("second")
            with atomic_write(partial / "page.html" / "b.png"):
                pass

    # The message names the place that the user knows.
    with pytest.raises(InputError, match=rf"^{folder}/page\.html/b\.png: cannot write here"):
        write_and_fail()
    assert (folder / "page.html").read_text() == "first"
    assert sorted(path.name for path in folder.rglob("*")) == [
        "a.png",
        "figures",
        "mine.txt",
        "page.html",
    ]
    with atomic_folder(folder) as partial:
        (partial / "page.html").write_text("second")
    assert (folder / "page.html").read_text() == "second"
    assert (folder / "figures" / "a.png").read_text() == "first"


def test_a_new_folder_goes_with_what_failed(tmp_path: Path):
    def write_and_stop() -> None:
        with atomic_folder(tmp_path / "a" / "b") as partial:
            (partial / "page.html").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_stop()
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_gets_a_file_in_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A stand-in for such a file system: the call that locks fails as it does there."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    output = tmp_path / "out.h5"
    locked = functools.partial(locked_folder, tmp_path / "work", output, "glassml quench")
    with warnings.catch_warnings(record=True) as said, locked():
        assert (tmp_path / "work" / ".lock").exists()
        with pytest.raises(InputError, match=rf"another `.*` .*process {os.getpid()} on"), locked():
            pass
    assert {str(warning.message)[:19] for warning in said} == {"flock not supported"}
    assert not (tmp_path / "work" / ".lock").exists()
    with atomic_write(output) as partial:
        partial.write_text("whole")
    assert output.read_text() == "whole"
