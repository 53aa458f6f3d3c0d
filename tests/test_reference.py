"""The reference is that of the code: tables of fields, file formats and pages of Python."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
REFERENCE = REPOSITORY / "docs" / "reference"
MADE = runpy.run_path(str(REPOSITORY / "docs" / "make_reference.py"))


@pytest.mark.parametrize("page", sorted(MADE["PAGES"]))
def test_tables_are_those_of_the_fields(page: str):
    text = (REFERENCE / page).read_text(encoding="utf-8")
    assert text == MADE["page_with_table"](page), "run: python docs/make_reference.py"
