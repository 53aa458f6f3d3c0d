"""Correct files of every kind, from which fuzzing makes damaged and hostile ones."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import ase.io
import gsd.hoomd
import numpy as np
from systems import deepmind_pickle, liquid, moved, write_dump
from weight_files import write_bapst, write_botan

from glassml.data import Configuration, DatasetWriter, atoms_from_configuration
from glassml.export import save_model
from glassml.models import build

__all__ = ["SEEDS"]

_TRAIN = """\
data: {train: train.h5, validation: 0.25}
model: {name: se3gnn-v2, l_max: 1, channels: 2, n_layers: 2, dropout: 0.3}
training:
  epochs: 4
  optimiser: {lr: 1e-2, betas: [0.99, 0.999]}
  schedule: {milestones: [2]}
output: run
"""
_SIMULATE = """\
system: {name: kob-andersen}
particles: 200
temperatures: [0.8, 0.64]
configurations: 3
ensemble: {runs: 8, times: [0.1, 1 tau_alpha]}
output: made
"""


def _labelled() -> Configuration:
    bare = liquid(30, seed=1)
    labels = np.random.default_rng(2).random((30, 2))
    return moved(bare, times=np.array([1.0, 2.0]), propensity=labels, n_runs=8, name="c0")


def _model(path: Path) -> None:
    save_model(build("analytic"), path, dtype="float64")


def _network(path: Path) -> None:
    save_model(build("se3gnn-v2", times=(1.0,), channels=2, l_max=1, n_layers=2), path)


def _dataset(path: Path) -> None:
    with DatasetWriter(path) as writer:
        writer.add(_labelled())


def _npz(path: Path) -> None:
    c = _labelled()
    np.savez(path, id=np.arange(30), propensity=np.asarray(c.propensity), times=c.times)


def _predictions(path: Path) -> None:
    others = path.parent / "of-predictions"  # the dataset that they are for
    others.mkdir(exist_ok=True)
    _dataset(others / "dataset.h5")
    names = np.array(["c0"] * 30)
    values = np.random.default_rng(3).random((30, 2))
    np.savez(path, configuration=names, particle=np.arange(30), times=[1.0, 2.0], propensity=values)


def _pickle(path: Path) -> None:
    content = deepmind_pickle(np.random.default_rng(4))
    path.write_bytes(pickle.dumps(content, protocol=3))


def _dump(path: Path) -> None:
    write_dump(path, [liquid(30, seed=k) for k in range(2)])


def _data(path: Path) -> None:
    atoms = atoms_from_configuration(liquid(30, seed=1))
    ase.io.write(path, atoms, format="lammps-data", atom_style="atomic", masses=True)


def _extxyz(path: Path) -> None:
    frames = [atoms_from_configuration(liquid(30, seed=k)) for k in range(2)]
    ase.io.write(path, frames, format="extxyz")


def _gsd(path: Path) -> None:
    with gsd.hoomd.open(path, "w") as file:
        for seed in range(2):
            system, frame = liquid(30, seed=seed), gsd.hoomd.Frame()
            frame.configuration.box = [*np.diag(system.cell), 0, 0, 0]
            frame.particles.N = 30
            frame.particles.types = ["A", "B"]
            frame.particles.typeid = system.species
            frame.particles.position = system.positions
            file.append(frame)


def _checkpoint(path: Path) -> None:
    others = path.parent / "of-checkpoint"  # with the numbers, which are in another file
    others.mkdir(exist_ok=True)
    path.write_bytes(write_bapst(others / "net.ckpt.index").read_bytes())


def _table(path: Path) -> None:
    rows = [f"{k + 1},{k / 30},{k / 20}" for k in range(30)]
    path.write_text("\n".join(["id,1.0,2.0", *rows]) + "\n")


# Kind -> name of the file, and what writes it.
SEEDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "model": ("model.pt", _model),
    "network": ("network.pt", _network),
    "dataset": ("dataset.h5", _dataset),
    "labels npz": ("labels.npz", _npz),
    "labels table": ("labels.csv", _table),
    "predictions": ("predictions.npz", _predictions),
    "pickle": ("sample.pickle", _pickle),
    "dump": ("run.lammpstrj", _dump),
    "data file": ("liquid.data", _data),
    "extxyz": ("run.extxyz", _extxyz),
    "gsd": ("run.gsd", _gsd),
    "tensorflow weights": ("net.ckpt.index", _checkpoint),
    "torch weights": ("net.pth", write_botan),
    "train yaml": ("train.yaml", lambda path: path.write_text(_TRAIN)),
    "simulate yaml": ("simulate.yaml", lambda path: path.write_text(_SIMULATE)),
}
