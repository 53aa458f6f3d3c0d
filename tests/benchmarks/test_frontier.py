"""Costs of models in LAMMPS, and the page that shows them beside accuracies."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.frontier import COMPUTES, costs
from glassml.errors import ConfigError
from glassml.studies.benchmark import load_entry

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "results" / "frontier.md"
MARKS = ("<!-- made by examples/frontier/frontier.py: do not edit -->\n", "<!-- end of what")


def test_entries_and_computes_are_measured_in_one_process(tmp_path: Path) -> None:
    paths = ("frontier/ridge_xs", "frontier/ridge_xs_average", "benchmark/se3gnn")
    entries = [load_entry(str(REPOSITORY / "examples" / f"{path}.yaml")) for path in paths]
    found = costs(entries, tmp_path, cells=6, rounds=2)
    assert found["particles"] == 216
    assert list(found["entries"]) == ["ridge_xs", "ridge_xs_average", "se3gnn"]
    assert list(found["computes"]) == list(COMPUTES)
    values = np.array([*found["entries"].values(), *found["computes"].values()])
    assert values.shape == (6, 2)
    assert np.isfinite(values).all()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("structural_inherent", "structural_inherent: expected a recipe that reads positions"),
        ("eignn", "eignn: expected a recipe that reads positions alone"),
        ("boattini_inherent", "positions: expected thermal or average; found inherent"),
    ],
)
def test_other_inputs_are_refused(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        costs([load_entry(str(REPOSITORY / f"examples/benchmark/{entry}.yaml"))], tmp_path)


def test_the_page_has_the_table_of_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = str(REPOSITORY / "examples" / "frontier" / "frontier.py")
    monkeypatch.setattr(sys, "argv", [script, "-o", str(tmp_path / "frontier.png")])
    runpy.run_path(script, run_name="__main__")
    table = PAGE.read_text(encoding="utf-8").split(MARKS[0])[1].split(MARKS[1])[0]
    assert capsys.readouterr().out.strip() == table.strip()
    assert (tmp_path / "frontier.png").stat().st_size > 10_000
