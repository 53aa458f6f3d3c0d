"""What reads a file of each kind, as commands do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from systems import liquid

from glassml.analysis.prediction_files import PredictionFile
from glassml.data import Dataset, ReadOptions, SpeciesMap, open_frames, read_configurations
from glassml.data.readers.labels import read_labels
from glassml.graph import build_graph
from glassml.importing import imported
from glassml.importing.tensor_bundle import data_file_of
from glassml.inference import Predictor
from glassml.simulation.pipeline.simulate import load_simulate_config
from glassml.training import load_config

__all__ = ["TARGETS"]

_CUTOFF = 2.0


def _evaluate(path: Path) -> None:
    predictor = Predictor(path, "cpu")
    predictor.predict([liquid(30, seed=1)], [o.name for o in predictor.manifest.outputs])


def _dataset(path: Path) -> None:
    for configuration in Dataset(path):
        build_graph(configuration, _CUTOFF)


def _structures(path: Path) -> None:
    options = ReadOptions(species=SpeciesMap.parse("A,B", ("A", "B")))
    for configuration in read_configurations(path, options=options):
        build_graph(configuration, _CUTOFF)


def _frames(path: Path) -> None:
    for _ in open_frames(path, ":").frames:
        pass
    _structures(path)


def _predictions(path: Path) -> None:
    PredictionFile(path, Dataset(path.parent / "of-predictions" / "dataset.h5"))


def _pickle(path: Path) -> None:
    for configuration in read_configurations(path):
        build_graph(configuration, _CUTOFF)


def _checkpoint(path: Path) -> None:
    numbers = data_file_of(path)
    shutil.copy(path.parent / "of-checkpoint" / "net.ckpt.data-00000-of-00001", numbers)
    try:
        imported("bapst", path, times=[1.0])
    finally:
        numbers.unlink()


def _torch_weights(path: Path) -> None:
    imported("botan", path, times=[1.0])


TARGETS: dict[str, Callable[[Path], object]] = {
    "model": _evaluate,
    "network": _evaluate,
    "dataset": _dataset,
    "labels npz": read_labels,
    "labels table": read_labels,
    "predictions": _predictions,
    "pickle": _pickle,
    "dump": _frames,
    "data file": _frames,
    "extxyz": _frames,
    "gsd": _frames,
    "tensorflow weights": _checkpoint,
    "torch weights": _torch_weights,
    "train yaml": load_config,
    "simulate yaml": load_simulate_config,
}
