"""A committee in ASE and on files: mean and spread of its members."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from systems import liquid

from glassml.calculators import GlassMLCalculator
from glassml.data import atoms_from_configuration, open_frames
from glassml.export import save_model
from glassml.inference import Predictor, predict_file
from glassml.models import Committee, build

TIMES = (0.5, 3.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three members of different cutoffs, depths and scalars, and last their committee."""
    torch.manual_seed(5)
    members = [
        build("se3gnn-v2", n_layers=2, channels=3, l_max=2, times=TIMES),
        build("se3gnn-v1", n_layers=1, l_max=1, times=TIMES, cutoff=1.5),
        build("analytic", times=TIMES, scalar_inputs=("potential_energy",)),
    ]
    folder = tmp_path_factory.mktemp("files")
    for k, model in enumerate([*members, Committee(members)]):
        save_model(model, folder / f"{k}.pt", dtype="float64")
    return [folder / f"{k}.pt" for k in range(4)]


@pytest.fixture
def atoms() -> Atoms:
    energies = np.random.default_rng(6).normal(size=60)
    return atoms_from_configuration(liquid(60, scalars={"potential_energy": energies}))


def alone(files: list[Path], atoms: Atoms) -> np.ndarray:
    """Propensities of the members by themselves: [3, N, T]."""
    return np.stack(
        [GlassMLCalculator(f, species=("A", "B")).get_propensity(atoms) for f in files[:3]]
    )


def test_mean_and_spread_are_those_of_the_members(files: list[Path], atoms: Atoms) -> None:
    values = alone(files, atoms)
    mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
    assert spread.min() > 1e-3
    calculator = GlassMLCalculator(files[3], species=("A", "B"))
    # 1e-12: float64, the same operations but for the order of sums
    exact = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(calculator.get_propensity(atoms), mean, **exact)
    np.testing.assert_allclose(calculator.get_propensity_std(atoms), spread, **exact)
    np.testing.assert_allclose(calculator.get_property("propensity_std", atoms), spread, **exact)
    annotated = calculator.annotate(atoms, ["propensity", "propensity_std"])
    np.testing.assert_allclose(annotated.arrays["propensity_std"], spread, **exact)


def test_predicted_files_hold_mean_and_spread(
    files: list[Path], atoms: Atoms, tmp_path: Path
) -> None:
    ase.io.write(tmp_path / "in.extxyz", atoms)
    read = ase.io.read(tmp_path / "in.extxyz")
    predict_file(
        Predictor(files[3], device="cpu"),
        open_frames(tmp_path / "in.extxyz"),
        tmp_path / "out.extxyz",
        outputs=("propensity", "propensity_std"),
    )
    written = ase.io.read(tmp_path / "out.extxyz").arrays
    values = alone(files, read)
    np.testing.assert_allclose(written["propensity"], values.mean(axis=0), rtol=1e-12)
    # The spread is a difference: its rounding is that of the values, not of itself.
    np.testing.assert_allclose(
        written["propensity_std"], values.std(axis=0, ddof=1), rtol=1e-12, atol=1e-12
    )


def test_a_model_that_is_no_committee_has_no_spread(files: list[Path], atoms: Atoms) -> None:
    calculator = GlassMLCalculator(files[0], species=("A", "B"))
    with pytest.raises(
        PropertyNotImplementedError, match=r"propensity_std: expected one of propensity, .*; found"
    ):
        calculator.get_propensity_std(atoms)
