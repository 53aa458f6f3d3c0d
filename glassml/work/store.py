"""The folder of tasks: finished, unfinished and failed ones."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from glassml.errors import FullDiskError, GlassMLError, InputError
from glassml.files import atomic_write, exclusive, is_disk_full, locked_folder
from glassml.work.task import Task

__all__ = ["Store"]

_PARTIAL = ".partial-"


@dataclass(frozen=True)
class Store:
    """A folder that holds one folder for each task, named by the task's key.

    Attributes:
        folder: absolute, or relative to the working folder of all processes that use it.
    """

    folder: Path

    def folder_of(self, task: Task) -> Path:
        """The folder of a task's outputs once it is done."""
        return self.folder / task.key

    def path(self, task: Task, output: str) -> Path:
        """One of the outputs of a task."""
        return self.folder_of(task) / output

    def is_done(self, task: Task) -> bool:
        """Whether all outputs of a task exist."""
        return all(self.path(task, name).is_file() for name in task.outputs)

    def is_empty(self) -> bool:
        """Whether no task has been done or begun."""
        return not any(path.is_dir() for path in self.folder.glob("*"))

    def remove(self) -> None:
        """Remove the folder with everything in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def failure(self, key: str) -> str | None:
        """Why the last attempt at a task failed; None if it did not."""
        note = self._note(key)
        return note.read_text(encoding="utf-8").strip() if note.is_file() else None

    def note_failure(self, task: Task, reason: str) -> None:
        """Keep the reason of a failure beside the folder of a task, until it is tried again."""
        with atomic_write(self._note(task.key)) as partial:
            partial.write_text(reason + "\n", encoding="utf-8")

    @contextmanager
    def locked(self, output: Path, command: str) -> Iterator[None]:
        """Make the folder, and keep other processes out of it for as long as the block runs.

        Args:
            output: the final output of the work, for messages.
            command: the command that does the work, for messages.

        Raises:
            InputError: another process is in the block, or the folder cannot be written.
        """
        with locked_folder(self.folder, output, command):
            yield

    def needed(self, wanted: Iterable[Task], known: Mapping[str, Task]) -> list[Task]:
        """The tasks that must still be done for the wanted ones, in the order of the known ones.

        Args:
            wanted: tasks whose outputs are needed at the end.
            known: the wanted tasks and those they depend on, by key.
        """
        needed: set[str] = set()
        stack = [task for task in wanted if not self.is_done(task)]
        while stack:
            task = stack.pop()
            if task.key not in needed:
                needed.add(task.key)
                # The other outputs of these tasks are not needed; they may have been removed.
                absent = {k for name, k in task.inputs.items() if not self._holds(k, name)}
                stack += [known[key] for key in absent]
        return [task for key, task in known.items() if key in needed]

    def do(self, task: Task) -> None:
        """Do a task, unless it is done already. May be called in any thread, process or machine.

        Args:
            task: the task; those whose outputs it reads must be done.

        Raises:
            GlassMLError: an evaluator failed, or a file cannot be read or written.
        """
        if self.is_done(task):
            return
        try:
            if task.resumable:
                self._resume(task)
            else:
                self._do_afresh(task)
        except GlassMLError as error:
            if not task.label:
                raise
            raise type(error)(f"{task.label}: {error}") from None
        except OSError as error:
            label = f"{task.label}: " if task.label else ""
            kind = FullDiskError if is_disk_full(error) else InputError
            raise kind(label + self._explanation(error)) from None

    def clear_unfinished(self, stop_programs_in: Callable[[Path], None] | None = None) -> None:
        """Remove the remains of killed tasks that are not resumable.

        Call it only while no other process uses the store.

        Args:
            stop_programs_in: stops programs that still run in a folder.
        """
        for folder in self.folder.glob(f"{_PARTIAL}*"):
            if stop_programs_in is not None:
                stop_programs_in(folder)
            shutil.rmtree(folder, ignore_errors=True)

    def remove_consumed(self, task: Task) -> None:
        """Remove the inputs of a task that is done, if it consumes them."""
        if task.consumes:
            for name, key in task.inputs.items():
                (self.folder / key / name).unlink(missing_ok=True)

    def _do_afresh(self, task: Task) -> None:
        """Do a task in a temporary folder, which is renamed when all outputs exist."""
        folder = Path(tempfile.mkdtemp(prefix=f"{_PARTIAL}{task.key}-", dir=self.folder))
        self._evaluate(task, folder)
        for path in folder.iterdir():
            if path.name in task.outputs:
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        _rename(folder, self.folder_of(task))

    def _resume(self, task: Task) -> None:
        """Do or continue a task in its own folder, which only one process may use at a time."""
        folder = self.folder_of(task)

        def say_waiting(holder: str) -> None:
            print(f"{folder}: waiting until {holder} leaves this folder", file=sys.stderr)

        with exclusive(folder.with_name(f"{folder.name}.lock"), say_waiting):
            if self.is_done(task):
                return
            folder.mkdir(exist_ok=True)
            self._evaluate(task, folder)

    def _evaluate(self, task: Task, folder: Path) -> None:
        self._note(task.key).unlink(missing_ok=True)
        for name, key in task.inputs.items():
            if not (folder / name).exists():
                (folder / name).symlink_to(Path("..") / key / name)
        for function in task.evaluators:
            function(task, folder)
        for name in task.outputs:
            if not (folder / name).is_file():
                raise GlassMLError(f"expected a file {name} in {folder}; found none")

    def _explanation(self, error: OSError) -> str:
        reason = error.strerror or str(error)
        if is_disk_full(error):
            return (
                f"{error.filename or self.folder}: cannot write here ({reason}). Finished work is "
                "kept. Make room and run the same command again"
            )
        return (
            f"{error.filename or self.folder}: cannot read or write here ({reason}). Finished work "
            "is kept. Correct this and run the same command again"
        )

    def _note(self, key: str) -> Path:
        return self.folder / f"{key}.failed.txt"

    def _holds(self, key: str, name: str) -> bool:
        return (self.folder / key / name).is_file()


def _rename(folder: Path, final: Path) -> None:
    try:
        folder.rename(final)
    except OSError:
        if not final.is_dir():
            raise
        # It was done before; since then, outputs that no task needed any more were removed.
        for path in folder.iterdir():
            path.replace(final / path.name)
        folder.rmdir()
