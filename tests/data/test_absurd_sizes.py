"""Sizes that files state and do not have: refused before memory is taken for them."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import ase.io
import gsd.hoomd
import h5py
import numpy as np
import pytest
from systems import liquid, moved

from glassml.data import Dataset, DatasetWriter, atoms_from_configuration, read_configurations
from glassml.data.readers import npz
from glassml.data.readers.labels import read_labels
from glassml.data.readers.npz import npz_entries
from glassml.errors import InputError

HUGE = 10**9


@pytest.mark.parametrize("name", ["positions", "species", "propensity"])
def test_datasets_without_their_numbers(tmp_path: Path, name: str) -> None:
    """HDF5 gives a fill value for every number that is not in the file."""
    bare = liquid(30, seed=1)
    labelled = moved(bare, times=np.array([1.0]), propensity=np.zeros((30, 1)), name="c0")
    with DatasetWriter(tmp_path / "d.h5") as writer:
        writer.add(labelled)
    with h5py.File(tmp_path / "d.h5", "a") as file:
        group = file["configurations/c0"]
        shape, dtype = group[name].shape, group[name].dtype
        del group[name]
        group.create_dataset(name, (HUGE, *shape[1:]), dtype, chunks=(1000, *shape[1:]))
    with (
        Dataset(tmp_path / "d.h5") as dataset,
        pytest.raises(
            InputError, match=rf"c0: .*found damage .*/{name} states \d+ bytes; the file holds"
        ),
    ):
        dataset["c0"]


def test_labels_without_their_numbers(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "labels.h5", "w") as file:
        file["id"] = np.arange(3)
        file.create_dataset("propensity", (HUGE, 1), "f8", chunks=(1000, 1))
    with pytest.raises(InputError, match=r"labels\.h5: .*/propensity states 8000000000 bytes"):
        read_labels(tmp_path / "labels.h5")


def test_npz_with_another_header(tmp_path: Path) -> None:
    np.savez(tmp_path / "good.npz", propensity=np.zeros(1000))
    with (
        zipfile.ZipFile(tmp_path / "good.npz") as good,
        zipfile.ZipFile(tmp_path / "bad.npz", "w") as bad,
    ):
        content = good.read("propensity.npy")
        bad.writestr("propensity.npy", content.replace(b"(1000,)", b"(9999,)"))
    with pytest.raises(InputError, match=r"bad\.npz: .*states 79992 bytes.*archive has 8000"):
        npz_entries(tmp_path / "bad.npz")


def test_npz_that_unpacks_to_much_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "zeros.npz", propensity=np.zeros(10**6))
    assert npz_entries(tmp_path / "zeros.npz")["propensity"].shape == (10**6,)  # a small one
    monkeypatch.setattr(npz, "_LARGE", 10**6)
    with pytest.raises(InputError, match=r"zeros\.npz: .*it would take 0 GB of memory"):
        npz_entries(tmp_path / "zeros.npz")


def test_gsd_with_more_particles_than_bytes(tmp_path: Path) -> None:
    with gsd.hoomd.open(tmp_path / "run.gsd", "w") as file:
        frame = gsd.hoomd.Frame()
        frame.configuration.box = [5, 5, 5, 0, 0, 0]
        frame.particles.N = 2
        frame.particles.position = np.ones((2, 3))
        file.append(frame)
        file.file.write_chunk("particles/N", np.array([HUGE], np.uint32))
        file.file.end_frame()
    with pytest.raises(InputError, match=rf"frame 1: expected positions of the {HUGE} particles"):
        list(read_configurations(tmp_path / "run.gsd"))


def test_data_file_with_more_types_than_memory(tmp_path: Path) -> None:
    path = tmp_path / "liquid.data"
    atoms = atoms_from_configuration(liquid(30, seed=1))
    ase.io.write(path, atoms, format="lammps-data", atom_style="atomic", masses=True)
    text, found = re.subn(r"2\s+atom types", "9999999999 atom types", path.read_text())
    assert found == 1
    path.write_text(text)
    with pytest.raises(InputError, match=r"Masses: .*each of the 9999999999 atom types.*found 2"):
        list(read_configurations(path))
