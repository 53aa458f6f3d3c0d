"""A place to make mistakes in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mistakes.place import Place


@pytest.fixture
def place(
    tmp_path: Path,
    glassml: Callable[..., Any],
    analytic: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    one_thread: None,
) -> Place:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "400")
    return Place(tmp_path, glassml, analytic, monkeypatch)
