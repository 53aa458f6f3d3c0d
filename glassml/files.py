"""Files that are either complete or absent, locks, and checksums of files."""

from __future__ import annotations

import errno
import fcntl
import functools
import hashlib
import os
import re
import secrets
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from glassml.errors import FullDiskError, InputError

__all__ = [
    "atomic_folder",
    "atomic_write",
    "exclusive",
    "first_sentence",
    "is_disk_full",
    "locked_folder",
    "sha256_of",
    "uninterrupted",
]

# No room on the disk; the quota of a user; the largest file that a file system or `ulimit` allows.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8,16}\.partial(\.[^.]*)?")


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Write a file under a temporary name and give it its own name once it is complete.

    A killed process leaves its temporary file, ``.STEM.*.partial.SUFFIX``; the next process that
    writes a file in the same folder removes it.

    Args:
        path: final name. Missing parent folders are created.

    Yields:
        A path in the same folder with the same suffix, for the caller to write. It is renamed to
        ``path`` when the block ends, and removed if the block raises.

    Raises:
        FullDiskError: there is no room for the file.
        InputError: the path is a folder, or cannot be written.
    """
    target = Path(path)
    if target.is_dir():
        raise InputError(f"{target}: expected a file to write; found a folder")
    # Named before it exists: an interruption at any moment then removes it.
    token = secrets.token_hex(8)
    partial = target.with_name(f".{target.stem}.{token}.partial{target.suffix}")
    handle = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_over(target.parent.absolute())
        handle = _locked(lambda: os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        yield partial
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o666 & ~umask)  # private until now
        partial.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        with suppress(OSError):  # such as a folder that does not exist
            partial.unlink()
        if handle is not None:
            os.close(handle)


@contextmanager
def atomic_folder(folder: str | Path) -> Iterator[Path]:
    """Write files of a folder so that all of them appear at the end, or none.

    A killed process leaves its temporary folder; see `atomic_write`.

    Args:
        folder: made if it does not exist. Its other files stay.

    Yields:
        A temporary folder in ``folder``. Its files are moved to ``folder`` when the block ends,
        which takes no room on the disk; if the block raises, they are removed.

    Raises:
        FullDiskError: there is no room for the files.
        InputError: the folder cannot be written.
    """
    target = Path(folder)
    made = [path for path in (target, *target.parents) if not path.exists()]
    partial = target / f".{target.name}.{secrets.token_hex(8)}.partial"
    handle = None

    def make() -> int:
        partial.mkdir(mode=0o700)
        return os.open(partial, os.O_RDONLY)

    try:
        target.mkdir(parents=True, exist_ok=True)
        _remove_left_over(target.absolute())
        handle = _locked(make)
        yield partial
        with uninterrupted():
            for path in sorted(partial.rglob("*")):
                final = target / path.relative_to(partial)
                if path.is_dir():
                    final.mkdir(exist_ok=True)
                else:
                    path.replace(final)
        made = []
    except OSError as error:
        raise _unwritable(target, error) from error
    except InputError as error:  # of a file in it, which the user knows by its final name
        raise type(error)(str(error).replace(str(partial), str(target))) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if handle is not None:
            os.close(handle)
        with suppress(OSError):  # others may have put something there
            for path in made:
                path.rmdir()


def is_disk_full(error: BaseException | None) -> bool:
    """Whether there was no room: on the disk, in a quota, or for a file of this size."""
    return isinstance(error, OSError) and error.errno in _FULL


@contextmanager
def exclusive(lock: Path, when_taken: Callable[[str], None]) -> Iterator[None]:
    """Keep other processes out; the lock is released when the process ends, even if it is killed.

    It is a lock of the operating system (flock) on a file. On a network file system it holds
    between machines if the file system passes locks on; a file system that has none at all gets a
    file that names process and machine in its place.

    Args:
        lock: a file in an existing folder. It stays there; while the lock is held, it names the
            process.
        when_taken: called if another process holds the lock, with a description of that process. It
            raises to give up; if it returns, this waits.

    Raises:
        OSError: the file cannot be written, or the file system refuses to lock it.
    """
    import filelock  # here, as LAMMPS imports this module at every start but takes no lock

    file_lock = filelock.FileLock(lock)
    holder = _holder(lock)
    try:
        file_lock.acquire(timeout=0)
    except filelock.Timeout:
        when_taken(_holder(lock) or holder or "another process")
        file_lock.acquire()
    own_text = not isinstance(file_lock, filelock.SoftFileLock)  # that one has a text of its own
    try:
        if own_text:
            since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
            _note(lock, f"{os.getpid()}\n{socket.gethostname()}\n{since}\n")
        yield
    finally:
        if own_text:
            _note(lock, "")
        file_lock.release()


@contextmanager
def locked_folder(folder: Path, output: Path, command: str) -> Iterator[None]:
    """Make a folder, and keep other processes out of it for as long as the block runs.

    Args:
        folder: receives the file ``.lock`` (see `exclusive`).
        output: the final output of the work, for messages.
        command: the command that does the work, for messages.

    Raises:
        InputError: another process is in the block, or the folder cannot be written.
    """

    def refuse(holder: str) -> None:
        raise InputError(
            f"{output}: another `{command}` is writing it ({holder}). Wait until it ends, stop "
            "it, or choose another output"
        )

    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(exclusive(folder / ".lock", refuse))
        except OSError as error:
            raise _unwritable(output, error) from None
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the block, which takes a moment only, ends."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python handles signals in the main thread
        return
    held: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handled = {number: handler for number, handler in before.items() if callable(handler)}
    for number in handled:
        signal.signal(number, lambda received, frame: held.append(received))
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])


def sha256_of(path: str | Path) -> str:
    """The SHA-256 checksum of a file, as a hexadecimal string."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _locked(make: Callable[[], int]) -> int:
    """Make a temporary file or folder and lock it; returns what ``make`` has opened.

    The lock tells what belongs to a running process from what a killed one left.
    """
    while True:
        handle = make()
        with suppress(OSError):  # a file system without locks: then nothing is removed
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)  # another process removed it before it was locked


@functools.cache
def _remove_left_over(folder: Path) -> None:
    """Remove what killed processes left in a folder; once per process."""
    for path in folder.iterdir():
        if not _TEMPORARY.fullmatch(path.name):
            continue
        with suppress(OSError):  # in use, or removed by another process meanwhile
            is_folder = path.is_dir()
            flags = os.O_RDONLY if is_folder else os.O_RDWR
            handle = os.open(path, flags | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path) if is_folder else path.unlink()
            finally:
                os.close(handle)


def first_sentence(error: Exception) -> str:
    """What a message of this module says before "What to do": which file cannot be written."""
    return re.split(r"(?<=\))\. ", str(error), maxsplit=1)[0]


def _unwritable(target: Path, error: OSError) -> InputError:
    kind = FullDiskError if is_disk_full(error) else InputError
    return kind(
        f"{target}: cannot write here ({error.strerror or error}). Make room or choose another path"
    )


def _holder(lock: Path) -> str | None:
    """The process that the text of a lock names; None if it names none."""
    try:
        lines = lock.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return None
    if len(lines) < 2 or not lines[0].isdigit():
        return None
    since = f" since {lines[2]}" if len(lines) > 2 and "-" in lines[2] else ""
    return f"process {lines[0]} on {lines[1]}{since}"


def _note(lock: Path, text: str) -> None:
    with suppress(OSError):  # the lock holds without it, on a full disk for instance
        lock.write_text(text, encoding="utf-8")
