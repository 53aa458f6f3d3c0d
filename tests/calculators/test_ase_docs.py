"""The documentation page and the example run as they stand."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from pages import executed
from systems import liquid
from vibrating import averaged_model

from glassml.calculators import GlassMLCalculator
from glassml.data import atoms_from_configuration

MakeModel = Callable[..., Path]
ROOT = Path(__file__).parents[2]


def test_documentation_runs(
    analytic: MakeModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.pt").symlink_to(analytic())
    Path("with_energy.pt").symlink_to(analytic(scalar_inputs=("potential_energy",)))
    averaged_model(Path("average.pt"), ("average_energy", "vibration"))
    ase.io.write("liquid.extxyz", atoms_from_configuration(liquid()))
    names: dict[str, object] = {}
    snippets = executed("docs/howto/ase.md", "python")
    assert len(snippets) == 6
    for snippet in snippets:
        exec(compile(snippet, "docs/howto/ase.md", "exec"), names)
    frames = ase.io.read("annotated.extxyz", index=":")
    assert [sorted({"propensity", "descriptors"} & set(f.arrays)) for f in frames] == [
        ["descriptors", "propensity"]
    ] * 3
    for atoms, annotated in zip(ase.io.read("exact.extxyz", ":"), names["frames"], strict=True):
        for name in ("positions", "propensity", "descriptors"):
            np.testing.assert_array_equal(atoms.arrays[name], annotated.arrays[name])
    averaged = ase.io.read("averaged.extxyz", index=":")
    assert len(averaged) == 4
    # 1e-7: the eight decimals of an extxyz file
    last = names["observer"].results["propensity_spread"]
    np.testing.assert_allclose(averaged[-1].arrays["propensity_spread"], last, atol=1e-7)


def test_example_runs(
    analytic: MakeModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "md.extxyz"
    options = ["--steps", "6", "--every", "2", "--cells", "3", "--output", str(out)]
    monkeypatch.setattr(sys, "argv", ["md_with_observer.py", str(analytic()), *options])
    runpy.run_path(str(ROOT / "examples" / "ase" / "md_with_observer.py"), run_name="__main__")
    frames = ase.io.read(out, index=":")
    assert len(frames) == 4
    assert "step     6  mean propensity" in capsys.readouterr().out
    calculator = GlassMLCalculator(analytic(), species=("A", "B"))
    for atoms in frames:
        # 1e-7: the eight decimals of an extxyz file, of positions and of propensities
        values = calculator.get_propensity(atoms)
        np.testing.assert_allclose(atoms.arrays["propensity"], values, atol=1e-7)
    assert np.abs(frames[-1].get_forces()).max() > 0.1  # the base's, in the file
    assert not np.allclose(frames[0].positions, frames[-1].positions)


def test_example_of_averaged_positions_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = averaged_model(tmp_path / "average.pt"), tmp_path / "averaged.extxyz"
    options = ["--windows", "3", "--cells", "3", "--output", str(out)]
    monkeypatch.setattr(sys, "argv", ["average_positions.py", str(model), *options])
    path = ROOT / "examples" / "ase" / "average_positions.py"
    names = runpy.run_path(str(path), run_name="__main__")
    assert names["TIME_STEP"] == 0.005
    frames = ase.io.read(out, index=":")
    assert len(frames) == 3
    assert "step   300  mean propensity" in capsys.readouterr().out  # 3 windows of 5 samples
    assert np.all(frames[0].arrays["propensity_spread"] == 0)
    assert np.all(frames[2].arrays["propensity_spread"] > 0)


def test_example_of_averaged_positions_needs_such_a_model(
    analytic: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["average_positions.py", str(analytic())])
    with pytest.raises(SystemExit, match="reads no averages: see md_with_observer"):
        runpy.run_path(str(ROOT / "examples" / "ase" / "average_positions.py"), run_name="__main__")
