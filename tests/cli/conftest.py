"""The `glassml` command run in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from glassml.cli import main


class Finished(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def glassml(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Finished]:
    """Runs the entry point of the command; faster than a process, which must import torch."""

    def run(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["glassml", *(str(a) for a in arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return Finished(int(stopped.value.code or 0), *capfd.readouterr())

    return run
