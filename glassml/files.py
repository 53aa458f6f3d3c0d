"""Files that are either complete or absent, locks, and checksums of files."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from glassml.errors import InputError

__all__ = ["atomic_write", "exclusive", "sha256_of"]


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Write a file under a temporary name and give it its own name once it is complete.

    Args:
        path: final name. Missing parent folders are created.

    Yields:
        A path in the same folder with the same suffix, for the caller to write. It is renamed to
        ``path`` when the block ends, and removed if the block raises.

    Raises:
        InputError: the path is a folder, or cannot be written.
    """
    target = Path(path)
    if target.is_dir():
        raise InputError(f"{target}: expected a file to write; found a folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{target.stem}.", suffix=".partial" + target.suffix, dir=target.parent
        )
    except OSError as error:
        raise _unwritable(target, error) from None
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o666 & ~umask)  # mkstemp makes files private; results are not
        partial.replace(target)
    except OSError as error:  # such as a full disk
        raise _unwritable(target, error) from error
    finally:
        partial.unlink(missing_ok=True)


def _unwritable(target: Path, error: OSError) -> InputError:
    return InputError(
        f"{target}: cannot write here ({error.strerror or error}); make room or choose another path"
    )


@contextmanager
def exclusive(lock: Path, when_taken: Callable[[], None]) -> Iterator[None]:
    """Keep other processes out; the lock is released when the process ends, even if it is killed.

    Args:
        lock: a file in an existing folder. It stays there, and is empty.
        when_taken: called if another process holds the lock. It raises to give up; if it returns,
            this waits.

    Raises:
        OSError: the file cannot be written.
    """
    import filelock  # here, as LAMMPS imports this module at every start but takes no lock

    file_lock = filelock.FileLock(lock)
    try:
        file_lock.acquire(timeout=0)
    except filelock.Timeout:
        when_taken()
        file_lock.acquire()
    try:
        yield
    finally:
        file_lock.release()


def sha256_of(path: str | Path) -> str:
    """The SHA-256 checksum of a file, as a hexadecimal string."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
