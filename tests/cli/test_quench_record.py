"""`glassml quench` knows the system and the units of a dataset that `glassml simulate` made."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from systems import liquid

from glassml.data import Dataset, DatasetWriter, atoms_from_configuration
from glassml.settings import validated
from glassml.simulation import find_lammps, kob_andersen, quench
from glassml.simulation.pipeline import SimulateConfig, simulate
from glassml.simulation.potentials import potential_folders
from glassml.simulation.recorded import recorded_system

Run = Callable[..., Any]
INCLUDE = """\
mass 1 63.546
mass 2 91.224
pair_style eam/fs
pair_coeff * * {file} Cu Zr
"""


@pytest.fixture(scope="module")
def metal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disordered configuration of copper and zirconium in a dataset of `glassml simulate`."""
    folder = tmp_path_factory.mktemp("metal")
    (folder / "cuzr.in").write_text(INCLUDE.format(file="CuZr_mm.eam.fs"))
    atoms = atoms_from_configuration(liquid(210, density=0.05, seed=4))
    atoms.info.clear()
    atoms.set_chemical_symbols(np.where(atoms.numbers == 1, "Cu", "Zr"))
    del atoms.arrays["type"]
    ase.io.write(folder / "start.extxyz", atoms)
    system = {"include": folder / "cuzr.in", "options": {"species": ["Cu", "Zr"], "units": "metal"}}
    settings = {
        "system": system,
        "start": str(folder / "start.extxyz"),
        "temperatures": [1100],
        "quench": None,
        "ensemble": None,
        "output": folder / "run",
    }
    (path,) = simulate(validated(SimulateConfig, settings)).datasets
    return path


def test_units_and_interactions_are_those_of_the_record(glassml: Run, metal: Path, tmp_path: Path):
    run = glassml("quench", metal, "-o", tmp_path / "out.h5")
    assert run.code == 0, run.err
    system = recorded_system(metal)
    assert system is not None
    assert (system.units, system.species_names, system.name) == ("metal", ("Cu", "Zr"), "cuzr")
    with Dataset(metal) as before, Dataset(tmp_path / "out.h5") as after:
        assert before[0].length_unit == after[0].length_unit == "angstrom"
        expected = quench(before[0], system)
        np.testing.assert_array_equal(
            after[0].structures["inherent"], expected.structures["inherent"]
        )
        # 1e-8 of 0.1 eV per 0.94 times the mean spacing: see `glassml.simulation.scales`.
        assert after[0].provenance["quench_force_tolerance"] == 3e-10
        assert after.description["quench"]["units"] == "metal"
        # Cohesive energies are 3.5 and 6.3 eV per atom.
        assert -6.3 < after[0].scalars["inherent_energy"].mean() < -3.5


def test_the_same_interactions_in_another_place_are_no_contradiction(
    glassml: Run, metal: Path, tmp_path: Path
):
    (folder,) = potential_folders(find_lammps().lmp)
    shutil.copy(folder / "CuZr_mm.eam.fs", tmp_path)
    text = "# my own copy\n" + INCLUDE.format(file="CuZr_mm.eam.fs  ")
    (tmp_path / "mine.in").write_text(text)
    run = glassml(
        *("quench", metal, "-o", tmp_path / "out.h5", "--include", tmp_path / "mine.in"),
        *("--force-tolerance", "0.1"),
    )
    assert run.code == 0, run.err
    with Dataset(tmp_path / "out.h5") as after:
        assert after.description["quench"]["units"] == "metal"


def test_contradictions_are_refused(glassml: Run, metal: Path, tmp_path: Path):
    (tmp_path / "other.in").write_text(
        "mass 1 63.546\nmass 2 91.224\npair_style lj/cut 7\npair_coeff * * 0.4 2.3\n"
    )
    for arguments, message in [
        ((metal, "--units", "real"), "--units: expected metal, which "),
        ((metal, "--system", "kob-andersen"), "units: expected metal, with which glassml simulate"),
        (
            (metal, "--include", tmp_path / "other.in"),
            "(pair_style eam/fs; pair_coeff * * CuZr_mm.eam.fs Cu Zr); found those of other",
        ),
        (
            ("kob_andersen_T0.64", "--system", "kob-andersen", "--truncation", "smooth"),
            "expected the interactions of kob-andersen, with which glassml simulate made",
        ),
    ]:
        run = glassml("quench", *arguments, "-o", tmp_path / "out.h5")
        assert run.code == 1
        assert message in run.err
        assert "Traceback" not in run.err
        assert not (tmp_path / "out.h5").exists()


def test_an_include_file_for_lengths_in_angstrom_needs_units(
    glassml: Run, metal: Path, tmp_path: Path
):
    with Dataset(metal) as dataset, DatasetWriter(tmp_path / "bare.h5") as writer:
        writer.add(dataset[0])
    path = tmp_path / "cuzr.in"
    path.write_text(INCLUDE.format(file="CuZr_mm.eam.fs"))
    arguments = ("quench", tmp_path / "bare.h5", "-o", tmp_path / "out.h5")
    run = glassml(*arguments, "--include", path)
    assert run.code == 1
    assert "one of real, metal, as lengths of T1100-0001 are in angstrom; found none" in run.err
    assert "expected one of them, for the interactions; found neither" in glassml(*arguments).err
    assert (
        glassml(*arguments, "--include", path, "--units", "metal", "--force-tolerance", "0.1").code
        == 0
    )


def test_a_shipped_dataset_is_quenched_by_its_name(tmp_path: Path, glassml: Run):
    with Dataset("kob_andersen_T0.64") as full:
        start, description = full[0], full.description
    with DatasetWriter(tmp_path / "one.h5", description) as writer:
        writer.add(start)
    assert recorded_system("kob_andersen_T0.64") is not None
    run = glassml("quench", tmp_path / "one.h5", "-o", tmp_path / "out.h5")
    assert run.code == 0, run.err
    with Dataset(tmp_path / "out.h5") as dataset:
        expected = quench(start, kob_andersen())
        np.testing.assert_array_equal(
            dataset[0].structures["inherent"], expected.structures["inherent"]
        )
        assert dataset[0].provenance["quench_force_tolerance"] == 1e-8
