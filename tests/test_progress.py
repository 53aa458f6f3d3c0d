"""Progress: silent by default, lines and bars on a terminal."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from recorded_progress import Recorded
from rich.console import Console
from rich.progress import Progress as RichProgress

from glassml.progress import SILENT, Clock, TerminalProgress, duration


@pytest.fixture(autouse=True)
def colours_are_not_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """As some CI does, which takes the bars away where there is no terminal."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def terminal() -> TerminalProgress:
    """A terminal of 100 columns whose text is kept."""
    return TerminalProgress(Console(file=io.StringIO(), force_terminal=True, width=100))


def shown(progress: TerminalProgress) -> str:
    """What was written, without colours and movements of the cursor."""
    assert isinstance(progress.console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", progress.console.file.getvalue())


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float | None, float]]:
    """What each bar has come to when it is taken away: description, total, completed."""
    ended: list[tuple[str, float | None, float]] = []
    stop = RichProgress.stop

    def stopped(self: RichProgress) -> None:
        ended.extend((task.description, task.total, task.completed) for task in self.tasks)
        stop(self)

    monkeypatch.setattr(RichProgress, "stop", stopped)
    return ended


def test_silent_progress_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with SILENT.stage("counting", 3) as advance:
        advance()
        advance(2.0, note="done")
    assert list(SILENT.watch("abc", "letters", 3)) == ["a", "b", "c"]
    SILENT.say("a line")
    assert capfd.readouterr() == ("", "")


def test_without_a_terminal_there_are_lines_but_no_bars() -> None:
    text = io.StringIO()
    progress = TerminalProgress(Console(file=text, force_terminal=False))
    with progress.stage("counting", 2) as advance:
        advance(note="half")
        progress.say("half of it [is] done: 1/2")
        advance()
    assert text.getvalue() == "half of it [is] done: 1/2\n"


def test_a_pipe_that_asks_for_colours_gets_no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    # As cells of the shell in Jupyter.
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = io.StringIO()
    console = Console(file=text)
    assert console.is_terminal
    with TerminalProgress(console).stage("counting", 2) as advance:
        advance()
    assert text.getvalue() == ""


def test_lines_are_not_wrapped() -> None:
    text = io.StringIO()
    TerminalProgress(Console(file=text, width=20)).say("word " * 30)
    assert text.getvalue().count("\n") == 1


def test_the_default_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    TerminalProgress().say("a line")
    assert capsys.readouterr() == ("", "a line\n")


def test_a_bar_shows_what_is_done_and_the_note() -> None:
    progress = terminal()
    with progress.stage("counting", 4) as advance:
        advance(3.0, note="loss 0.25")
        advance(0.0)  # a report without a note leaves the one before
        progress.say("a line above the bar")
    text = shown(progress)
    assert "counting" in text
    assert "75%" in text
    assert "loss 0.25" in text
    assert "a line above the bar" in text


def test_counts_reach_the_total(counts: list[tuple[str, float | None, float]]) -> None:
    progress = terminal()
    with progress.stage("amounts", 10) as advance:
        advance(2.5)
        advance(7.5)
    with progress.stage("unknown") as advance:
        advance()
    assert list(progress.watch(range(5), "items", 5)) == [0, 1, 2, 3, 4]
    assert counts == [("amounts", 10, 10), ("unknown", None, 1), ("items", 5, 5)]


def test_an_item_counts_when_the_next_one_is_asked_for() -> None:
    progress = Recorded()
    items = progress.watch("ab", "letters", 2)
    next(items)
    assert progress.stages[0].done == 0
    next(items)
    assert progress.stages[0].done == 1
    assert list(items) == []
    assert (progress.stages[0].done, progress.stages[0].ended) == (2, True)


def test_the_bar_is_taken_away_after_an_error(
    counts: list[tuple[str, float | None, float]],
) -> None:
    progress = terminal()

    def broken() -> None:
        with progress.stage("counting", 4) as advance:
            advance()
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        broken()
    assert counts == [("counting", 4, 1)]
    with progress.stage("again", 1) as advance:  # rich allows one bar at a time on a console
        advance()
    assert counts[1:] == [("again", 1, 1)]


def test_watching_ends_with_an_error_in_the_items(
    counts: list[tuple[str, float | None, float]],
) -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise RuntimeError("broken")

    items = terminal().watch(broken(), "items", 3)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(RuntimeError, match="broken"):
        next(items)
    assert counts == [("items", 3, 2)]


def test_watching_ends_when_the_loop_is_left() -> None:
    progress = Recorded()
    items = progress.watch([1, 2, 3], "items", 3)
    assert next(items) == 1
    assert not progress.stages[0].ended
    items.close()  # type: ignore[attr-defined]  # what leaving a loop comes to
    assert progress.stages[0].ended


class FakeClock(Clock):
    """Time passes only when the test lets it; `pass_time` returns when all that is due is done."""

    def __init__(self) -> None:
        self._time = 0.0
        self._changed = threading.Condition()
        self._due: float | None = None  # what the thread of a stage waits for

    def now(self) -> float:
        return self._time

    def wait(self, ended: threading.Event, seconds: float) -> bool:
        with self._changed:
            self._due = due = self._time + seconds
            self._changed.notify_all()
            while self._time < due and not ended.is_set():
                self._changed.wait(0.01)  # the end of a stage does not notify
            self._due = None
        return ended.is_set()

    def pass_time(self, seconds: float) -> None:
        end = self._time + seconds
        with self._changed:
            while self._time < end:
                assert self._changed.wait_for(lambda: self._due is not None, timeout=10.0)
                assert self._due is not None
                self._time = min(end, self._due)
                if self._time >= self._due:
                    self._due = None
                self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._due is not None, timeout=10.0)


def in_a_file() -> tuple[TerminalProgress, FakeClock, io.StringIO]:
    """What is written to a file, and a clock that the test moves."""
    text, clock = io.StringIO(), FakeClock()
    console = Console(file=text, force_terminal=False)
    return TerminalProgress(console, clock=clock), clock, text


def test_a_file_gets_a_line_every_minute_with_the_time_left() -> None:
    progress, clock, text = in_a_file()
    with progress.stage("frames", 10) as advance:
        clock.pass_time(59.0)
        assert text.getvalue() == ""
        advance(2.0, note="loss 0.25")
        clock.pass_time(1.0)
        clock.pass_time(70.0)
        advance(3.0)
        clock.pass_time(50.0)
    # 2 of 10 in 60 s leave 8 for 240 s; 2 in 120 s leave 480 s; 5 in 180 s leave 180 s.
    assert text.getvalue().splitlines() == [
        "frames: 20.0 %, 0:01:00 so far, about 0:04:00 left; loss 0.25",
        "frames: 20.0 %, 0:02:00 so far, about 0:08:00 left; loss 0.25",
        "frames: 50.0 %, 0:03:00 so far, about 0:03:00 left; loss 0.25",
    ]


def test_without_speed_or_total_no_time_left_is_made_up() -> None:
    progress, clock, text = in_a_file()
    with progress.stage("runs", 4):
        clock.pass_time(60.0)
    with progress.stage("frames") as advance:
        advance(3.0)
        clock.pass_time(60.0)
    assert text.getvalue().splitlines() == [
        "runs: 0.0 %, 0:01:00 so far",
        "frames: 3 done, 0:01:00 so far",
    ]


def test_what_was_done_by_an_earlier_run_does_not_count_for_the_speed() -> None:
    progress, clock, text = in_a_file()
    with progress.stage("runs", 10) as advance:
        advance(6.0)
        clock.pass_time(40.0)
        advance()
        clock.pass_time(20.0)
    # One in 60 s, so three more take 180 s.
    assert text.getvalue() == "runs: 70.0 %, 0:01:00 so far, about 0:03:00 left\n"


def test_other_lines_and_short_stages_put_the_line_off() -> None:
    """A minute without any line brings one, however many stages it was divided among."""
    progress, clock, text = in_a_file()
    for number in range(3):
        with progress.stage(f"epoch {number}", 10):
            clock.pass_time(25.0)
    with progress.stage("epoch 3", 10):
        clock.pass_time(30.0)
        progress.say("a line")
        clock.pass_time(59.0)
    assert text.getvalue().splitlines() == ["epoch 2: 0.0 %, 0:00:10 so far", "a line"]


def test_a_terminal_that_cannot_redraw_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    text, clock = io.StringIO(), FakeClock()
    progress = TerminalProgress(Console(file=text, force_terminal=True), clock=clock)
    with progress.stage("frames", 2) as advance:
        advance()
        clock.pass_time(60.0)
    assert text.getvalue() == "frames: 50.0 %, 0:01:00 so far\n"


def test_no_thread_is_left_after_an_error() -> None:
    progress, _, text = in_a_file()
    before = threading.active_count()

    def broken() -> None:
        with progress.stage("frames", 2):
            assert threading.active_count() == before + 1
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        broken()
    assert threading.active_count() == before
    assert text.getvalue() == ""


def test_lines_reach_a_pipe_while_the_work_is_going_on() -> None:
    """One step without any report in between, as a long task of LAMMPS is."""
    script = (
        "import sys\n"
        "from glassml.progress import TerminalProgress\n"
        "with TerminalProgress(interval=0.4).stage('one long task', 2) as advance:\n"
        "    sys.stdin.readline()\n"
        "    advance()\n"
        "    sys.stdin.readline()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )
    assert process.stdin is not None
    assert process.stderr is not None
    with process:
        # The process waits for its input, so these lines are written during the task.
        lines = [process.stderr.readline() for _ in range(2)]
        process.stdin.write("\n")
        process.stdin.flush()
        for line in process.stderr:
            lines.append(line)
            if "50.0 %" in line:
                break
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdin.close()
        process.stderr.read()
    assert process.returncode == 0
    assert all(
        re.fullmatch(r"one long task: 0\.0 %, 0:00:0\d so far\n", line) for line in lines[:2]
    )
    assert re.fullmatch(r"one long task: 50\.0 %, 0:00:\d\d so far, about .* left\n", lines[-1])


@pytest.mark.parametrize(
    ("seconds", "text"), [(90.4, "0:01:30"), (-1.0, "0:00:00"), (180000.0, "2 days, 2:00:00")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_an_interrupt_at_the_start_of_a_stage_leaves_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        started.append(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    progress = TerminalProgress(Console(file=io.StringIO()))
    with pytest.raises(KeyboardInterrupt), progress.stage("frames"):
        raise AssertionError("the stage began")  # pragma: no cover
    (thread,) = started
    thread.join(timeout=60)
    assert not thread.is_alive()
