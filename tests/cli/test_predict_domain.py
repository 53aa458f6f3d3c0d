"""Commands say what a model sees, and warn where it must not be trusted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from systems import liquid, moved, write_dump

from glassml.data import Configuration, Dataset, DatasetWriter
from glassml.export import read_manifest
from glassml.physics import find_neighbours
from glassml.pretrained import pretrained_names

Run = Callable[..., Any]
SHIPPED = "kob_andersen_T0.64_multitime"


@pytest.fixture(scope="module")
def kob_andersen() -> list[Configuration]:
    with Dataset("kob_andersen_T0.64") as dataset:
        return [dataset[0], dataset[1]]


def predict(glassml: Run, source: object, model: object, folder: Path, *options: str) -> Any:
    return glassml("predict", source, "-m", model, "-o", folder / "out.extxyz", *options)


@pytest.mark.parametrize("name", pretrained_names())
def test_every_shipped_model_knows_its_domain(name: str) -> None:
    """The name of a model says at which temperature it has learnt."""
    material, temperature = re.fullmatch(r"(\w+)_T?([\d.]+)K?(?:_\w+)?", name).groups()
    density = {"kob_andersen": 1.2, "cu_zr": 0.0597}[material]
    domain = read_manifest(name).domain
    assert domain is not None
    assert domain.temperature == (float(temperature),) * 2
    assert domain.number_density == pytest.approx((density,) * 2, rel=1e-4)


def test_its_own_liquid_is_inside(glassml: Run, tmp_path: Path) -> None:
    done = predict(glassml, "kob_andersen_T0.64", SHIPPED, tmp_path)
    assert done.err == ""
    assert "neighbours per particle within 2 (training data: 40.27 to 40.66)" in done.out


def test_a_liquid_at_another_temperature(glassml: Run, tmp_path: Path) -> None:
    done = predict(glassml, "kob_andersen_T0.64", "kob_andersen_T0.44", tmp_path)
    assert done.err.count("unlike the training data of kob_andersen_T0.44.pt") == 1
    assert "temperature: expected 0.44; found 0.64" in done.err


def test_a_dump_with_another_local_structure(
    glassml: Run, kob_andersen: list[Configuration], tmp_path: Path
) -> None:
    """A dump states no temperature; particles moved at random are as near as those of a hot liquid.

    tests/lammps/test_fix_domain.py does the same with a liquid that is simulated at T = 2.
    """
    random = np.random.default_rng(0)
    hot = [
        moved(one, positions=one.positions + random.normal(0, 0.08, one.positions.shape))
        for one in kob_andersen
    ]
    write_dump(tmp_path / "hot.dump", hot)
    done = predict(glassml, tmp_path / "hot.dump", SHIPPED, tmp_path, "--species", "A,B")
    assert done.err.count("local structure: expected ") == 1
    write_dump(tmp_path / "own.dump", kob_andersen)
    done = predict(glassml, tmp_path / "own.dump", SHIPPED, tmp_path, "--species", "A,B")
    assert done.err == ""


def test_a_metal_that_is_read_as_lj(
    glassml: Run, kob_andersen: list[Configuration], tmp_path: Path
) -> None:
    one = kob_andersen[0]
    metal = moved(one, positions=one.positions * 2.7, cell=one.cell * 2.7)
    dump = write_dump(tmp_path / "metal.dump", [metal])
    done = predict(glassml, dump, SHIPPED, tmp_path, "--species", "A,B")
    assert done.code != 0
    assert "length unit: expected one, as the input states none" in done.err
    assert "(0.6 to 1.7); found 2.54. State it (--length-unit angstrom, nm" in done.err
    insists = ("--species", "A,B", "--length-unit", "lj")
    done = predict(glassml, dump, SHIPPED, tmp_path, *insists)
    assert "number density: expected 1.2; found 0.06097" in done.err
    assert "neighbours within the cutoff: expected 40.27 to 40.66; found 0" in done.err
    assert "0 neighbours per particle within 2" in done.out
    # Nor does it become a dataset in LJ units without a word.
    convert = glassml("data", "convert", dump, "-o", tmp_path / "m.h5", "--species", "A,B")
    assert convert.code != 0
    assert "length unit: expected one" in convert.err


def test_an_xyz_file_without_a_cell(
    glassml: Run, kob_andersen: list[Configuration], tmp_path: Path
) -> None:
    one = kob_andersen[0]
    symbols = np.array(["H", "He"])[one.species]
    ase.io.write(tmp_path / "lost.xyz", Atoms(symbols, positions=one.positions), format="xyz")
    common = (glassml, tmp_path / "lost.xyz", SHIPPED, tmp_path, "--species", "H=A,He=B")
    assert "periodicity: expected a cell" in predict(*common).err
    done = predict(*common, "--pbc", "F,F,F")  # as the user says; it is still unlike the training
    assert done.code == 0
    assert "boundaries: expected periodic ones; found others (is the cell missing?)" in done.err


@pytest.mark.parametrize("unit", ["lj", "angstrom"])
def test_descriptors_of_any_file_without_a_model(glassml: Run, tmp_path: Path, unit: str) -> None:
    here = liquid(200, seed=3)
    scale = {"lj": 1.0, "angstrom": 2.7}[unit]
    larger = moved(here, positions=here.positions * scale, cell=here.cell * scale)
    dump = write_dump(tmp_path / "run.dump", [larger])
    options = ("--species", "A,B", "--length-unit", unit)
    done = predict(glassml, dump, "structural", tmp_path, *options)
    assert done.code == 0, done.err
    atoms = ase.io.read(tmp_path / "out.extxyz")
    assert "propensity" not in atoms.arrays
    assert "propensity_times" not in atoms.info
    found = atoms.arrays["descriptors"]
    # The densities of A in all 25 shells are the number of neighbours A within the cutoff, each
    # weighted by the part of a shell that it has not left at the cutoff.
    cutoff = 2.6 * scale
    pairs = find_neighbours(larger.positions, larger.cell, larger.pbc, cutoff)
    r = np.linalg.norm(pairs.vector, axis=1)
    width = (cutoff - 0.8 * scale) / 25
    inside = np.clip((cutoff - r) / width, 0, 1) * (here.species[pairs.sender] == 0)
    expected = np.bincount(pairs.receiver, inside, minlength=200)
    np.testing.assert_allclose(found[:, :25].sum(axis=1), expected, rtol=1e-4)


def test_descriptors_are_all_that_there_is_without_training(glassml: Run, tmp_path: Path) -> None:
    done = predict(glassml, "kob_andersen_T0.64", "structural", tmp_path, "--quantity", "x")
    assert "--quantity: expected descriptors, which is all that a model gives" in done.err


def test_a_domain_is_added_to_a_file_that_has_none(
    glassml: Run, analytic: Callable[..., Path], tmp_path: Path
) -> None:
    assert read_manifest(analytic()).domain is None
    new = tmp_path / "new.pt"
    done = glassml("models", "domain", analytic(), "kob_andersen_T0.64", "-o", new)
    assert "temperature: 0.64" in done.out
    domain = read_manifest(new).domain
    assert domain is not None
    assert domain.configurations == 10
    assert domain.facts("AB", "lj")["neighbours per particle"] == "40.27 to 40.66"
    assert domain.propensity == (None, None)  # the labels are for other times
    unchanged = read_manifest(new).model_copy(update={"domain": None})
    assert unchanged == read_manifest(analytic())
    assert "number density: 1.2" in " ".join(glassml("info", new).out.split())


def test_the_domain_holds_the_range_of_the_labels(glassml: Run, tmp_path: Path) -> None:
    glassml("models", "domain", "cu_zr_1200K", "cu_zr_1200K", "-o", tmp_path / "new.pt")
    with Dataset("cu_zr_1200K") as dataset:
        labels = np.concatenate([configuration.propensity for configuration in dataset])
    expected = tuple(zip(labels.min(axis=0), labels.max(axis=0), strict=True))
    for file in ("cu_zr_1200K", tmp_path / "new.pt"):
        domain = read_manifest(file).domain
        assert domain is not None
        assert domain.propensity == expected


def test_almost_no_neighbours_are_no_domain(
    glassml: Run, analytic: Callable[..., Path], tmp_path: Path
) -> None:
    here = liquid(100, seed=1)
    with DatasetWriter(tmp_path / "metal.h5") as writer:
        writer.add(moved(here, positions=here.positions * 2.7, cell=here.cell * 2.7))
    done = glassml("models", "domain", analytic(), tmp_path / "metal.h5", "-o", tmp_path / "m.pt")
    assert "cutoff: expected a distance within which particles have neighbours" in done.err
