"""Offline prediction: a file of configurations in, an extxyz file with predictions out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from ase import Atoms

from glassml.data import Configuration, Frames, atoms_from_configuration
from glassml.errors import InputError
from glassml.export.manifest import Manifest
from glassml.files import atomic_write
from glassml.inference.extxyz import write_frame
from glassml.inference.model_inputs import ModelInputs
from glassml.inference.predictor import Predictor
from glassml.progress import SILENT, Progress

__all__ = ["PredictionReport", "annotate_atoms", "predict_file"]

T = TypeVar("T")


@dataclass(frozen=True)
class PredictionReport:
    """The result of a prediction on a file.

    Attributes:
        output: the file that was written.
        frames: number of frames.
        particles: number of particles, summed over the frames.
        seconds: wall time of reading, prediction and writing.
        unused_species: entries of the species map that no frame needed, such as "type 3 -> B"
            (for a dataset, which names the species itself, all entries).
    """

    output: Path
    frames: int
    particles: int
    seconds: float
    unused_species: tuple[str, ...] = ()


def predict_file(
    predictor: Predictor,
    frames: Frames,
    output: str | Path,
    *,
    inputs: ModelInputs | None = None,
    outputs: Sequence[str] = ("propensity",),
    batch: int = 1,
    progress: Progress = SILENT,
) -> PredictionReport:
    """Predict on every frame and write the frames with the predictions.

    Frames are read, predicted and written a batch at a time, so memory does not grow with the
    length of a trajectory. The output appears under its name once it is complete.

    Args:
        predictor: the model.
        frames: see `glassml.data.open_frames`.
        output: extxyz file with the arrays of `annotate_atoms`, at full precision.
        inputs: how species, scalars and lengths of the frames are translated for this model; not
            needed for frames of a dataset. Default: what `ModelInputs` assumes.
        outputs: names of outputs in the manifest.
        batch: number of frames that the model sees at once.
        progress: shows how many frames have been written.

    Raises:
        InputError: there are no frames, a frame cannot be read or does not fit the model, an
            output is unknown, or the file cannot be written. No file is left behind in these cases.
    """
    target = _output_path(output, frames.path)
    if batch < 1:
        raise InputError(f"batch: expected a positive number of frames; found {batch}")
    inputs = inputs or ModelInputs(predictor.manifest)
    start = time.perf_counter()
    n_frames = n_particles = 0
    with (
        atomic_write(target) as partial,
        partial.open("w", encoding="utf-8") as stream,
        progress.stage("frames", frames.total) as advance,
    ):
        for group in _groups(frames.frames, batch):
            for atoms in _predicted(predictor, inputs, outputs, group):
                write_frame(stream, atoms)
                n_frames += 1
                n_particles += len(atoms)
                advance()
        if n_frames == 0:
            raise InputError(f"{frames.path}: expected one or more frames; found none chosen")
    unused = () if inputs.species is None else inputs.species.unused
    return PredictionReport(target, n_frames, n_particles, time.perf_counter() - start, unused)


def annotate_atoms(atoms: Atoms, values: Mapping[str, np.ndarray], manifest: Manifest) -> None:
    """Write a model's outputs for these atoms into ``atoms.arrays``, which extxyz files keep.

    Each output becomes an array of its name, [N] if it has one column, else [N, columns];
    ``info`` gets ``propensity_times``, ``propensity_model`` and ``propensity_unit``. An array
    ``propensity`` that is not an earlier prediction is kept as ``propensity_label``.

    Args:
        atoms: N particles.
        values: output name -> array [N, columns], as `Predictor.predict` gives them.
        manifest: the model's.
    """
    if "propensity" in atoms.arrays and "propensity_model" not in atoms.info:
        atoms.arrays["propensity_label"] = atoms.arrays["propensity"]
    for name, columns in values.items():
        atoms.arrays[name] = columns[:, 0].copy() if columns.shape[1] == 1 else columns
    atoms.info["propensity_times"] = np.array(manifest.times)
    atoms.info["propensity_model"] = manifest.model
    atoms.info["propensity_unit"] = manifest.length_unit


def _predicted(
    predictor: Predictor,
    inputs: ModelInputs,
    outputs: Sequence[str],
    group: Sequence[tuple[str, Atoms | Configuration]],
) -> list[Atoms]:
    configurations = [
        frame if isinstance(frame, Configuration) else inputs.configuration(frame, name)
        for name, frame in group
    ]
    # A dataset may hold several structures of a configuration; a file of frames holds one.
    as_given = not any(isinstance(frame, Configuration) for _, frame in group)
    predictions = predictor.predict(configurations, outputs, as_given=as_given)
    result = []
    for (_, frame), values in zip(group, predictions, strict=True):
        atoms = atoms_from_configuration(frame) if isinstance(frame, Configuration) else frame
        annotate_atoms(atoms, values, predictor.manifest)
        result.append(atoms)
    return result


def _groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while group := list(itertools.islice(iterator, size)):
        yield group


def _output_path(output: str | Path, source: Path) -> Path:
    target = Path(output)
    if target.suffix not in (".extxyz", ".xyz"):
        raise InputError(f"output: expected a name that ends in .extxyz; found {target}")
    if target.exists() and target.samefile(source):
        raise InputError(f"output: expected a file other than the input; found {target}")
    return target
