"""Where a mistake is made: a folder, the command line, LAMMPS, and files to make mistakes with."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from systems import liquid, moved, write_dump
from training.tiny_dataset import labelled, write_dataset

from glassml.data import Configuration
from glassml.errors import GlassMLError, SimulationError
from glassml.simulation.lammps import run_lammps

__all__ = ["LIQUID", "Case", "Place", "Section", "plain"]

# A box of 108 atoms of types 1 and 2, as one makes it by hand.
LIQUID = """
lattice fcc 1.2
region box block 0 3 0 3 0 3
create_box 2 box
create_atoms 1 box
set type 1 type/fraction 2 0.2 4928
mass * 1.0
pair_style lj/cut 2.5
pair_coeff * * 1.0 1.0
"""
_CODES = re.compile(r"\x1b\[[0-9;]*m|[╭╮╰╯│─]")


def plain(text: str) -> str:
    """Text in one line, without colours and frames."""
    return " ".join(_CODES.sub(" ", text).split())


@dataclass
class Place:
    """An empty folder, in which the process is, and what can be used there."""

    folder: Path
    command: Callable[..., Any]
    models: Callable[..., Path]
    monkeypatch: pytest.MonkeyPatch

    def refused(self, *arguments: object) -> str:
        """What a command says that fails, without "error:"."""
        done = self.command(*arguments)
        assert done.code != 0, done
        text = plain(done.err)
        if done.code == 2:  # of the command line itself, which shows the usage first
            return text.partition(" Error ")[2]
        assert text.startswith("error: "), text
        return text.removeprefix("error: ")

    def warned(self, *arguments: object) -> str:
        """What a command says that works, without "warning:" or "note:"."""
        done = self.command(*arguments)
        assert done.code == 0, done
        text = plain(done.err)
        assert text.startswith(("warning: ", "note: ")), text
        return text.partition(": ")[2]

    def predict(self, source: object, *options: object, model: object = None) -> tuple[Any, ...]:
        """The arguments of `glassml predict` for a file and the analytic model."""
        return ("predict", source, "-m", model or self.models(), "-o", "out.extxyz", *options)

    def model(self, name: str = "model.pt", **hyperparameters: Any) -> Path:
        """A copy of the analytic model in this folder."""
        target = self.folder / name
        target.write_bytes(self.models(**hyperparameters).read_bytes())
        return target

    def dump(self, *configurations: Configuration, name: str = "run.dump") -> Path:
        """A dump of one or more configurations, or of a liquid of 60 particles."""
        return write_dump(self.folder / name, list(configurations) or [liquid(60, seed=1)])

    def dataset(self, *configurations: Configuration, name: str = "data.h5") -> str:
        """A dataset of these configurations, or of four labelled ones."""
        write_dataset(self.folder / name, list(configurations) or [labelled(k) for k in range(4)])
        return name

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return name

    def stopped(self, script: str, start: str = LIQUID, env: dict[str, str] | None = None) -> str:
        """The error with which LAMMPS stops a script, without "ERROR:" and the line of code."""
        with pytest.raises(SimulationError) as caught:
            run_lammps(start + script, cwd=self.folder, timeout=60.0, env=env)
        return _told(plain(str(caught.value)), "ERROR: ")

    def log_warns(self, script: str, start: str = LIQUID) -> str:
        """The warning of `fix glassml` in a run that works, without "WARNING:"."""
        run = run_lammps(start + script, cwd=self.folder, timeout=60.0)
        return _told(plain(run.log.read_text()), "WARNING: (?=fix )")

    @staticmethod
    def raised(call: Callable[[], Any]) -> str:
        """The text of the error that a call in Python raises."""
        with pytest.raises(GlassMLError) as caught:
            call()
        return plain(str(caught.value))

    @staticmethod
    def labelled(seed: int = 0, **changes: Any) -> Configuration:
        return moved(labelled(seed), **changes)


def _told(text: str, mark: str) -> str:
    """The text after a mark, up to the line of code that LAMMPS names."""
    found = re.search(rf"{mark}(.*?) (?:For more information see \S+ )?\(\S*\.cpp:\d+\)", text)
    assert found, text
    return found[1]


Case = Callable[[Place], str]


@dataclass
class Section:
    """The mistakes of one section of the page, each with the code that makes it."""

    title: str
    cases: dict[str, Case] = field(default_factory=dict)

    def __call__(self, mistake: str) -> Callable[[Case], Case]:
        """Declare the case of the row that describes the mistake with these words."""
        assert mistake not in self.cases, f"{mistake!r} is made twice"

        def declare(case: Case) -> Case:
            self.cases[mistake] = case
            return case

        return declare
