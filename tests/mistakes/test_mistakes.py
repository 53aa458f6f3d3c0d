"""Every row of docs/reference/mistakes.md: the mistake is made, and the message compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mistakes import (
    commands_and_settings,
    files_and_data,
    in_lammps,
    installation,
    models,
    python_and_ase,
    training_and_export,
)
from mistakes.place import Place, Section, plain

from glassml.native import build_status

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "mistakes.md"
SECTIONS: tuple[Section, ...] = (
    files_and_data.mistake,
    commands_and_settings.mistake,
    training_and_export.mistake,
    models.mistake,
    in_lammps.mistake,
    python_and_ase.mistake,
    installation.mistake,
)
CASES = {mistake: case for section in SECTIONS for mistake, case in section.cases.items()}
_FEWEST_LETTERS = 15  # of a message, so that it says something whatever `...` stands for


def rows() -> dict[str, dict[str, str]]:
    """Section of the page -> mistake -> message, and every mistake has something to do."""
    found: dict[str, dict[str, str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = found.setdefault(line.removeprefix("## "), {})
        elif line.startswith("| ") and not line.startswith(("| mistake ", "| --- ")):
            mistake, message, advice = (part.strip() for part in line.strip("| ").split(" | "))
            assert advice
            assert mistake not in section
            section[mistake] = message.strip("`").strip()
    return found


ROWS = rows()
MESSAGES = {mistake: text for section in ROWS.values() for mistake, text in section.items()}


def matches(message: str, row: str) -> bool:
    """Whether a message is that of a row, in which ``...`` stands for anything."""
    pattern = re.escape(plain(row)).replace(r"\.\.\.", ".*?")
    return re.fullmatch(pattern, message) is not None


@pytest.fixture(scope="module", autouse=True)
def _plugin() -> None:
    status = build_status("plugin")
    if not status.is_fresh:
        pytest.fail(f"the LAMMPS plugin cannot be tested: {status.reason}", pytrace=False)


def test_rows_and_cases_are_the_same() -> None:
    assert {title: list(section) for title, section in ROWS.items()} == {
        section.title: list(section.cases) for section in SECTIONS
    }
    assert len(CASES) == sum(len(section.cases) for section in SECTIONS)  # all differ


@pytest.mark.parametrize("mistake", MESSAGES)
def test_mistake_has_the_message_of_the_page(mistake: str, place: Place) -> None:
    row = MESSAGES[mistake]
    assert len(re.findall(r"[a-z]", row)) >= _FEWEST_LETTERS
    message = CASES[mistake](place)
    assert "Traceback" not in message
    assert matches(message, row), f"the page says\n{row}\nbut the message is\n{message}"


@pytest.mark.parametrize(
    ("message", "row", "same"),
    [
        ("a.h5: expected one; found none", "...: expected one; found none", True),
        ("a.h5: expected one; found none", "a.h5: expected two; found none", False),
        ("a.h5: expected one; found none. Give one", "a.h5: expected one; found none", False),
        ("found (a) of 3", "found (a) of ...", True),
    ],
)
def test_messages_are_compared(message: str, row: str, same: bool) -> None:
    assert matches(message, row) == same
