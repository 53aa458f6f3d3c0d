"""`glassml quench --voronoi`: surfaces of radical Voronoi cells in inherent structures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from systems import liquid
from typer.testing import CliRunner

from glassml.cli.app import app
from glassml.data import Dataset, DatasetWriter
from glassml.errors import InputError
from glassml.physics import voronoi_surface
from glassml.simulation import kob_andersen, kob_andersen_2d, quench, quench_file, wahnstrom
from glassml.simulation.cell_surfaces import SURFACE, species_radii, with_surface

LIQUID = liquid(60, seed=1)
LOOSE = {"force_tolerance": 1e-3}  # where the minimum is does not matter here


def test_surfaces_are_those_of_the_inherent_structure() -> None:
    done = quench(LIQUID, kob_andersen(), voronoi=True, **LOOSE)
    radii = np.where(LIQUID.species == 0, 0.5, 0.44)
    inherent = done.structures["inherent"]
    expected = voronoi_surface(inherent, LIQUID.cell, LIQUID.pbc, radii)
    np.testing.assert_array_equal(done.scalars[SURFACE], expected)
    assert SURFACE not in quench(LIQUID, kob_andersen(), **LOOSE).scalars
    equal = quench(LIQUID, kob_andersen(), voronoi=True, radii=(0.5, 0.5), **LOOSE)
    assert np.abs(equal.scalars[SURFACE] - expected).max() > 1e-3


def test_radii_of_systems() -> None:
    assert species_radii(kob_andersen("force-shifted")) == (0.5, 0.44)
    assert species_radii(kob_andersen_2d()) == (0.5, 0.44, 0.47)
    assert species_radii(wahnstrom()) == (0.5, 5 / 12)
    assert species_radii(replace(kob_andersen(), name="own")) == (0.0, 0.0)


def test_diameters_are_twice_the_radii() -> None:
    diameters = np.random.default_rng(0).uniform(0.8, 1.2, 60)
    system = replace(
        LIQUID, scalars={"diameter": diameters}, structures={"inherent": LIQUID.positions}
    )
    expected = voronoi_surface(LIQUID.positions, LIQUID.cell, LIQUID.pbc, diameters / 2)
    np.testing.assert_array_equal(with_surface(system, (0.5, 0.44)).scalars[SURFACE], expected)


def test_of_a_file(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "some.h5") as writer:
        writer.add(LIQUID)
    command = ["quench", str(tmp_path / "some.h5"), "-o", str(tmp_path / "done.h5")]
    command += ["--system", "kob-andersen", "--force-tolerance", "1e-3", "-j", "1"]
    plain = CliRunner().invoke(app, command)
    assert plain.exit_code == 0, plain.output
    with Dataset(tmp_path / "done.h5") as dataset:
        assert "voronoi_radii" not in dataset.description["quench"]
    command += ["--overwrite", "--voronoi"]
    for option, radii in (([], (0.5, 0.44)), (["--radii", "0.5,0.4"], (0.5, 0.4))):
        result = CliRunner().invoke(app, [*command, *option])
        assert result.exit_code == 0, result.output
        with Dataset(tmp_path / "done.h5") as dataset:
            assert dataset.description["quench"]["voronoi_radii"] == list(radii)
            (found,) = dataset
        expected = with_surface(found, radii).scalars[SURFACE]
        np.testing.assert_array_equal(found.scalars[SURFACE], expected)


def test_mistakes_with_radii(tmp_path: Path) -> None:
    for radii, found in (((0.5,), "0.5"), ((0.5, -0.1), "0.5, -0.1"), ((), "none")):
        message = rf"radii: expected a radius for each species \(A, B\), .* found {found}"
        with pytest.raises(InputError, match=message):
            quench_file("a.h5", "b.h5", kob_andersen(), voronoi=True, radii=radii)
    result = CliRunner().invoke(
        app,
        ["quench", "kob_andersen_T0.64", "-o", str(tmp_path / "x.h5"), "--radii", "0.5,0.4"],
    )
    assert result.exit_code != 0
    assert isinstance(result.exception, InputError | SystemExit)
    assert "--radii: expected --voronoi" in str(result.exception) + result.output
