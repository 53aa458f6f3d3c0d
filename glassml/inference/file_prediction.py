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

from glassml.data import (
    Configuration,
    Frames,
    Window,
    atoms_from_configuration,
    name_species,
)
from glassml.errors import InputError
from glassml.export.manifest import Manifest
from glassml.files import atomic_write
from glassml.inference.extxyz import write_frame
from glassml.inference.frame_averages import Evaluation, FrameAverages, evaluations
from glassml.inference.model_inputs import ModelInputs
from glassml.inference.predictor import Predictor
from glassml.inference.smoothing import Smoothing
from glassml.progress import SILENT, Progress

__all__ = ["PredictionReport", "annotate_atoms", "predict_file"]

T = TypeVar("T")

AS_THEY_ARE = FrameAverages(samples=0)


@dataclass(frozen=True)
class PredictionReport:
    """The result of a prediction on a file.

    Attributes:
        output: the file that was written.
        frames: number of frames that were evaluated and written.
        particles: number of particles, summed over the frames.
        seconds: wall time of reading, prediction and writing.
        unused_species: entries of the species map that no frame needed, such as "type 3 -> B"
            (for a dataset, which names the species itself, all entries).
        frames_read: number of frames that were read.
        window: how positions were averaged; None if they were not.
    """

    output: Path
    frames: int
    particles: int
    seconds: float
    unused_species: tuple[str, ...] = ()
    frames_read: int = 0
    window: Window | None = None


def predict_file(
    predictor: Predictor,
    frames: Frames,
    output: str | Path,
    *,
    inputs: ModelInputs | None = None,
    outputs: Sequence[str] = ("propensity",),
    batch: int = 1,
    averages: FrameAverages = AS_THEY_ARE,
    progress: Progress = SILENT,
) -> PredictionReport:
    """Predict on the frames of a file and write the frames with the predictions.

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
        averages: which frames of a trajectory are evaluated, and over what is averaged. Default:
            each frame, with its positions as they are.
        progress: shows how many frames have been read.

    Raises:
        InputError: there are no frames, a frame cannot be read or does not fit the model or the
            averages, an output is unknown, or the file cannot be written. No file is left behind
            in these cases.

    Warns:
        UserWarning: see `glassml.inference.frame_averages.evaluations`.
    """
    target = _output_path(output, frames.path)
    if batch < 1:
        raise InputError(f"batch: expected a positive number of frames; found {batch}")
    inputs = inputs or ModelInputs(predictor.manifest)
    smoothing = None if averages.smooth is None else Smoothing(averages.smooth)
    start = time.perf_counter()
    n_frames = n_particles = n_read = 0
    window = None
    with (
        atomic_write(target) as partial,
        partial.open("w", encoding="utf-8") as stream,
        progress.stage("frames", frames.total) as advance,
    ):

        def passed() -> None:
            nonlocal n_read
            n_read += 1
            advance()

        chosen = evaluations(frames, inputs, averages, passed, predictor.path.name)
        for group in _groups(chosen, batch):
            for atoms in _predicted(predictor, outputs, group, smoothing):
                write_frame(stream, atoms)
                n_frames += 1
                n_particles += len(atoms)
                passed()
            window = group[-1].window
        if n_frames == 0:
            raise InputError(f"{frames.path}: expected one or more frames; found none chosen")
    unused = () if inputs.species is None else inputs.species.unused
    seconds = time.perf_counter() - start
    return PredictionReport(target, n_frames, n_particles, seconds, unused, n_read, window)


def annotate_atoms(atoms: Atoms, values: Mapping[str, np.ndarray], manifest: Manifest) -> None:
    """Write a model's outputs for these atoms into ``atoms.arrays``, which extxyz files keep.

    Each output becomes an array of its name, [N] if it has one column, else [N, columns];
    with propensities, ``info`` gets ``propensity_times``, ``propensity_model`` and
    ``propensity_unit``. An array
    ``propensity`` that is not an earlier prediction is kept as ``propensity_label``.

    Args:
        atoms: N particles.
        values: output name -> array [N, columns], as `Predictor.predict` gives them.
        manifest: the model's.
    """
    predicts = any(name.startswith("propensity") for name in values)
    if predicts and "propensity" in atoms.arrays and "propensity_model" not in atoms.info:
        atoms.arrays["propensity_label"] = atoms.arrays["propensity"]
    for name, columns in values.items():
        atoms.arrays[name] = columns[:, 0].copy() if columns.shape[1] == 1 else columns
    if not predicts:
        return
    atoms.info["propensity_times"] = np.array(manifest.times)
    atoms.info["propensity_model"] = manifest.model
    atoms.info["propensity_unit"] = manifest.length_unit


def _predicted(
    predictor: Predictor,
    outputs: Sequence[str],
    group: Sequence[Evaluation],
    smoothing: Smoothing | None,
) -> Iterator[Atoms]:
    configurations = [evaluation.configuration for evaluation in group]
    predictions = predictor.predict(configurations, outputs, as_given=group[0].as_given)
    for evaluation, values in zip(group, predictions, strict=True):
        frame = evaluation.frame
        if isinstance(frame, Configuration):
            atoms = atoms_from_configuration(frame)
        else:
            atoms = frame
            name_species(atoms, evaluation.configuration)
        smooth = values if smoothing is None else smoothing.add(values)
        annotate_atoms(atoms, smooth, predictor.manifest)
        yield atoms


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
