"""GSD files, written by the package itself."""

from __future__ import annotations

import sys

import gsd.hoomd
import numpy as np
import pytest
from systems import liquid

from glassml.data import convert, open_frames, read_configurations
from glassml.data.dataset import Dataset
from glassml.errors import InputError


def frame(seed: int, **replaced) -> tuple[gsd.hoomd.Frame, object]:
    system = liquid(40, triclinic=True, seed=seed)
    found = gsd.hoomd.Frame()
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = system.cell
    found.configuration.box = [lx, ly, lz, xy / ly, xz / lz, yz / lz]
    found.configuration.step = 100 * seed
    found.particles.N = 40
    found.particles.types = ["A", "B"]
    found.particles.typeid = system.species
    found.particles.position = system.positions
    found.log = {"particles/energy": np.arange(40.0), "particles/velocity": np.zeros((40, 3))}
    for name, value in replaced.items():
        setattr(found.configuration, name, value)
    return found, system


def write(path, frames):
    with gsd.hoomd.open(path, "w") as file:
        file.extend(frames)
    return path


def test_frames(tmp_path):
    made = [frame(seed) for seed in (1, 2, 3)]
    path = write(tmp_path / "run.gsd", [one for one, _ in made])
    found = list(read_configurations(path))
    assert [c.name for c in found] == ["run-0", "run-1", "run-2"]
    for configuration, (_, system) in zip(found, made, strict=True):
        # GSD holds float32.
        np.testing.assert_allclose(configuration.positions, system.positions, atol=1e-6)
        np.testing.assert_allclose(configuration.cell, system.cell, atol=1e-6)
        assert configuration.species.tolist() == system.species.tolist()
        assert configuration.species_names == ("A", "B")
        assert configuration.provenance["format"] == "gsd"
    chosen = open_frames(path, index="::-2")
    assert chosen.total == 2
    atoms = [atoms for _, atoms in chosen.frames]
    np.testing.assert_allclose(atoms[0].positions, made[2][1].positions, atol=1e-6)
    assert set(atoms[0].arrays) == {"numbers", "positions", "type", "energy"}
    assert [one.info["timestep"] for one in atoms] == [300, 100]


def test_two_dimensions(tmp_path):
    one, _ = frame(1, dimensions=2, box=[9.0, 8.0, 0.0, 0.0, 0.0, 0.0])
    one.particles.position = np.pad(np.random.default_rng(0).random((40, 2)) * 8, [(0, 0), (0, 1)])
    assert convert([write(tmp_path / "flat.gsd", [one])], tmp_path / "flat.h5") == 1
    configuration = Dataset(tmp_path / "flat.h5")[0]
    assert configuration.plane == 2
    assert configuration.number_density == pytest.approx(40 / 72, rel=1e-12)


def test_damaged_files_and_none(tmp_path):
    (tmp_path / "broken.gsd").write_text("not GSD at all")
    with pytest.raises(InputError, match=r"broken\.gsd: expected a GSD file; found another"):
        open_frames(tmp_path / "broken.gsd")
    with pytest.raises(InputError, match=r"empty\.gsd: expected frames in this file"):
        open_frames(write(tmp_path / "empty.gsd", []))


def test_the_package_is_optional(tmp_path, monkeypatch):
    path = write(tmp_path / "run.gsd", [frame(1)[0]])
    monkeypatch.setitem(sys.modules, "gsd.hoomd", None)
    with pytest.raises(InputError, match=r'pip install "glassml\[gsd\]"'):
        open_frames(path)
