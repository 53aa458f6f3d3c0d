"""Progress: silent by default, lines and bars on a terminal."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from recorded_progress import Recorded
from rich.console import Console
from rich.progress import Progress as RichProgress

from glassml.progress import SILENT, TerminalProgress


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
