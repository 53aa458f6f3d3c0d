"""Costs of models in LAMMPS, and the page that shows them beside accuracies."""

from __future__ import annotations

import runpy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from benchmarks import frontier, lammps
from benchmarks.frontier import COMPUTES, costs
from benchmarks.lammps import Session
from benchmarks.outcome import CheckError
from glassml.errors import ConfigError
from glassml.studies.benchmark import Entry, load_entry

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "results" / "frontier.md"
MARKS = ("<!-- made by examples/frontier/frontier.py: do not edit -->\n", "<!-- end of what")


def entry_of(path: str) -> Entry:
    return load_entry(str(REPOSITORY / "examples" / f"{path}.yaml"))


def test_entries_and_computes_are_measured_in_one_process(tmp_path: Path) -> None:
    paths = ("frontier/ridge_xs", "frontier/ridge_xs_average", "benchmark/se3gnn")
    found = costs([entry_of(path) for path in paths], tmp_path, cells=6, rounds=2)
    assert found["particles"] == 216
    assert list(found["entries"]) == ["ridge_xs", "ridge_xs_average", "se3gnn"]
    assert list(found["computes"]) == list(COMPUTES)
    values = np.array([*found["entries"].values(), *found["computes"].values()])
    assert values.shape == (6, 2)
    assert (np.median(values[:3], axis=1) > 0).all()  # of models


def test_costs_are_differences_for_each_evaluation_and_particle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up times of a LAMMPS process: ten evaluations, for averages on twenty steps."""
    seconds = {
        "none": (1.0, 2.0), "none, twice the steps": (3.0, 4.0), "ridge_xs": (1.5, 2.75),
        "ridge_xs_average": (3.5, 4.75), **dict.fromkeys(COMPUTES, (2.0, 3.0)),
    }  # fmt: skip
    session = Session(seconds, None, np.zeros((0, 1)), 1000, 0.0)
    monkeypatch.setattr(frontier, "prepare_liquid", lambda *_: Path("data"))
    monkeypatch.setattr(frontier, "check_in_python", MagicMock())
    monkeypatch.setattr(frontier, "run_session", lambda *_, **__: session)
    found = costs([entry_of("frontier/ridge_xs"), entry_of("frontier/ridge_xs_average")], tmp_path)
    assert found["entries"] == {"ridge_xs": [50.0, 75.0], "ridge_xs_average": [50.0, 75.0]}
    assert found["computes"] == {name: [100.0, 100.0] for name in COMPUTES}


def test_a_wrong_value_of_a_model_stops_the_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = lammps.run_session

    def wrong(*arguments: Any, **options: Any) -> Session:
        session = true(*arguments, **options)
        return replace(session, values=session.values * 1.001)

    monkeypatch.setattr(lammps, "run_session", wrong)
    with pytest.raises(CheckError, match="ridge_xs: expected agreement"):
        costs([entry_of("frontier/ridge_xs")], tmp_path, cells=6, rounds=1)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("structural_inherent", "structural_inherent: expected a recipe that reads positions"),
        ("eignn", "eignn: expected a recipe that reads positions alone"),
        ("cage", "cage: expected a recipe that reads positions alone"),
        ("softness", "softness: expected a recipe that reads positions alone"),
        ("boattini_inherent", "positions: expected thermal or average; found inherent"),
    ],
)
def test_other_inputs_are_refused(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        costs([entry_of(f"benchmark/{entry}")], tmp_path)


def test_the_page_has_the_table_of_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = str(REPOSITORY / "examples" / "frontier" / "frontier.py")
    monkeypatch.setattr(sys, "argv", [script, "-o", str(tmp_path / "frontier.png")])
    runpy.run_path(script, run_name="__main__")
    table = PAGE.read_text(encoding="utf-8").split(MARKS[0])[1].split(MARKS[1])[0]
    assert capsys.readouterr().out.strip() == table.strip()
    assert (tmp_path / "frontier.png").stat().st_size > 10_000
