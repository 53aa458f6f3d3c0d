"""Potential files: beside the include file, in LAMMPS' own folder, or named when there are none."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from simulation.simulations import write_config

from glassml.data import Dataset
from glassml.errors import InputError
from glassml.simulation import find_lammps, from_include
from glassml.simulation.pipeline import load_simulate_config, simulate
from glassml.simulation.potentials import VARIABLE, potential_folders

COPPER_ZIRCONIUM = """\
mass 1 63.546
mass 2 91.224
pair_style eam/fs
pair_coeff * * {file} Cu Zr
"""
PUBLISHED = "CuZr_mm.eam.fs"  # comes with LAMMPS


@pytest.fixture(autouse=True)
def no_folders_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def include(folder: Path, file: str) -> Path:
    path = folder / "cuzr.in"
    path.write_text(COPPER_ZIRCONIUM.format(file=file))
    return path


def shipped() -> Path:
    """The potential file that comes with LAMMPS."""
    (found,) = (f / PUBLISHED for f in potential_folders(find_lammps().lmp))
    return found


def test_a_potential_of_lammps_is_found_by_its_name(tmp_path: Path):
    system = from_include(include(tmp_path, PUBLISHED), ("Cu", "Zr"), units="metal")
    assert system.masses == (63.546, 91.224)
    # By its name, so that the dataset's commands mean the same on another machine.
    assert f"pair_coeff * * {PUBLISHED} Cu Zr\n" in system.commands


def test_a_potential_beside_the_include_file_comes_first(tmp_path: Path):
    (tmp_path / PUBLISHED).write_text("not a potential\n")
    with pytest.raises(Exception, match="expected commands that LAMMPS accepts"):
        from_include(include(tmp_path, PUBLISHED), ("Cu", "Zr"), units="metal")
    shutil.copy(shipped(), tmp_path / PUBLISHED)
    system = from_include(include(tmp_path, PUBLISHED), ("Cu", "Zr"), units="metal")
    assert str(tmp_path / PUBLISHED) in system.commands


def test_a_folder_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "potentials"
    folder.mkdir()
    shutil.copy(shipped(), folder / "mine.eam.fs")
    path = include(tmp_path, "mine.eam.fs")
    with pytest.raises(InputError, match=r"expected the file mine\.eam\.fs"):
        from_include(path, ("Cu", "Zr"), units="metal")
    monkeypatch.setenv(VARIABLE, f"{tmp_path}:{folder}")
    assert from_include(path, ("Cu", "Zr"), units="metal").masses == (63.546, 91.224)
    # LAMMPS' own are still found.
    from_include(include(tmp_path, PUBLISHED), ("Cu", "Zr"), units="metal")


def test_a_missing_potential_is_named_with_the_folders(tmp_path: Path):
    path = include(tmp_path, "CuZr_nn.eam.fs")
    with pytest.raises(InputError) as caught:
        from_include(path, ("Cu", "Zr"), units="metal")
    text = str(caught.value)
    assert text.startswith(f"{path}: expected the file CuZr_nn.eam.fs in the folder of the include")
    assert f"found none in {tmp_path}, {shipped().parent} " in text
    assert f"(did you mean '{PUBLISHED}'?)" in text
    assert f"or name its folder in {VARIABLE}" in text


def test_a_metallic_glass_former_with_default_settings(tmp_path: Path):
    """Every default that has a unit: wave number, quench, cage and averages, in metal units."""
    include(tmp_path, PUBLISHED)
    config = write_config(
        tmp_path / "cuzr.yaml",
        "system.name=null",
        "system.include=cuzr.in",
        "system.options={species: [Cu, Zr], composition: [64, 36], units: metal}",
        *("particles=210", "number_density=0.058", "temperatures=[1800]", "timestep=0.002"),
        *("replicas=1", "configurations=1", "separation=0.1", "quench={}", "average={samples: 4}"),
        "cooling={melt_temperature: 2500, melt_time: 1, time: 0.5}",
        "equilibration={budget: 20, length: 4 tau_alpha, energy_tolerance: 20}",
        "ensemble={runs: 2, times: [0.1, 1 tau_alpha]}",
        f"output={tmp_path / 'run'}",
    )
    result = simulate(load_simulate_config(config))
    dataset = Dataset(result.datasets[0])
    settings = dataset.description["settings"]
    assert settings["equilibration"]["wave_number"] == 2.64
    assert settings["cage"]["radius"] == 1.1
    assert settings["average"]["interval"] == 0.04
    assert settings["quench"]["force_tolerance"] == 4e-10
    assert settings["number_density"] == 0.058
    # The liquid relaxes in tenths of a picosecond at this temperature: the wave number fits it.
    assert 0.05 < dataset.description["equilibration"]["tau_alpha"] < 2
    for configuration in dataset:
        assert configuration.length_unit == "angstrom"
        assert configuration.provenance["quench_largest_force"] <= 4e-10
        shift = configuration.structures["cage"] - configuration.positions
        # Cages of atoms that are 2.6 angstrom apart.
        assert 0.1 < np.sqrt((shift**2).sum(axis=1).mean()) < 1.1
        assert configuration.structures["inherent"].shape == (210, 3)
    assert not any("quench" in text for text in result.warnings)
