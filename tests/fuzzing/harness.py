"""One case of fuzzing in a process of its own, which may crash, hang or take memory."""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fuzzing.mutations import mutated
from glassml.errors import GlassMLError

__all__ = ["LIMIT_MEMORY", "LIMIT_SECONDS", "Case", "case_file", "run_in_python"]

LIMIT_SECONDS = 10
LIMIT_MEMORY = 2 * 2**30  # bytes more than before

_TRACEBACK, _CODE = 3, 4  # exit codes; 0: accepted, 1: refused with a message
_NAMES = {0: "accepted", 1: "refused", _TRACEBACK: "traceback", _CODE: "code"}
_FORBIDDEN = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect")


@dataclass(frozen=True)
class Case:
    """What became of one file.

    Attributes:
        result: accepted, refused, traceback, code, memory, hang or crash.
        seconds: how long it took [s].
        text: the message or the traceback.
    """

    result: str
    seconds: float
    text: str


def case_file(content: bytes, kind: str, number: int, seed: int, path: Path) -> Path:
    """Writes case ``number`` of a kind: the same bytes for the same seed."""
    path.write_bytes(mutated(content, kind, random.Random(f"{seed} {kind} {number}")))
    return path


def run_in_python(target: Callable[[Path], object], path: Path) -> Case:
    """Reads a file in a forked process."""
    begin = time.perf_counter()
    report = path.with_suffix(".report")
    report.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        os._exit(_in_child(target, path, report))
    _, status = os.waitpid(child, 0)
    seconds = time.perf_counter() - begin
    text = report.read_text(errors="replace") if report.exists() else ""
    if not os.WIFSIGNALED(status):
        return Case(_NAMES[os.WEXITSTATUS(status)], seconds, text)
    number = os.WTERMSIG(status)
    if number == signal.SIGALRM:
        return Case("hang", seconds, f"more than {LIMIT_SECONDS} s")
    return Case("crash", seconds, signal.Signals(number).name)


def _in_child(target: Callable[[Path], object], path: Path, report: Path) -> int:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # Stops what even hangs in C; a process that takes more memory gets a MemoryError.
    signal.alarm(LIMIT_SECONDS)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT_MEMORY, used + LIMIT_MEMORY))
    ran: list[str] = []
    sys.addaudithook(lambda event, _: ran.append(event) if event in _FORBIDDEN else None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target(path)
        code, text = 0, ""
    except GlassMLError as error:
        code, text = 1, str(error)
    except BaseException:
        code, text = _TRACEBACK, traceback.format_exc()
    if ran:
        code, text = _CODE, ", ".join(ran)
    report.write_text(text, errors="replace")
    return code
