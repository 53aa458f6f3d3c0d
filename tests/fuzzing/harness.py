"""One case of fuzzing in a process of its own, which may crash, hang or take memory."""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fuzzing.mutations import CODE_WAS_RUN, mutated
from glassml.errors import GlassMLError

__all__ = ["LIMIT_MEMORY", "LIMIT_SECONDS", "Case", "case_file", "run_in_python"]

LIMIT_SECONDS = 10  # of a processor
PATIENCE = 120  # seconds of the clock: a process that waits uses no processor
LIMIT_MEMORY = 2 * 2**30  # bytes more than before

_RESULTS = ("accepted", "refused", "traceback", "code", "memory")  # by exit code
_WITHOUT_MEMORY = ("can't allocate memory", "Unable to allocate", "MemoryError", "bad_alloc")
_FORBIDDEN = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect")


@dataclass(frozen=True)
class Case:
    """What became of one file.

    Attributes:
        result: accepted, refused, traceback, code, memory, hang or crash.
        seconds: of a processor.
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
    report = path.with_suffix(".report")
    report.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        os._exit(_in_child(target, path, report))
    _, status, usage = os.wait4(child, 0)
    seconds = usage.ru_utime + usage.ru_stime
    text = report.read_text(errors="replace") if report.exists() else ""
    if not os.WIFSIGNALED(status):
        return Case(_RESULTS[os.WEXITSTATUS(status)], seconds, text)
    number = os.WTERMSIG(status)
    if number in (signal.SIGALRM, signal.SIGPROF):
        return Case("hang", seconds, f"more than {LIMIT_SECONDS} s")
    return Case("crash", seconds, signal.Signals(number).name)


def _in_child(target: Callable[[Path], object], path: Path, report: Path) -> int:
    # Both signals stop what even hangs in C; a process that takes more memory gets a MemoryError.
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
    signal.alarm(PATIENCE)
    os.chdir(path.parent)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT_MEMORY, used + LIMIT_MEMORY))
    ran: list[str] = []
    sys.addaudithook(lambda event, _: ran.append(event) if event in _FORBIDDEN else None)
    result, text = _attempt(target, path)
    if Path(CODE_WAS_RUN).exists():
        ran.append("wrote a file")
    if ran:
        result, text = "code", ", ".join(ran)
    report.write_text(text, errors="replace")
    return _RESULTS.index(result)


def _attempt(target: Callable[[Path], object], path: Path) -> tuple[str, str]:
    """The result, and the message or the traceback."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target(path)
    except GlassMLError as error:
        result, text = "refused", str(error)
    except BaseException:
        result, text = "traceback", traceback.format_exc()
    else:
        return "accepted", ""
    return ("memory" if any(sign in text for sign in _WITHOUT_MEMORY) else result), text
