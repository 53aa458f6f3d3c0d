"""Offline prediction: a file of configurations in, an extxyz file with predictions out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ase import Atoms
from ase.io.extxyz import write_extxyz

from glassml.data import Configuration, atoms_from_configuration
from glassml.errors import InputError
from glassml.files import atomic_write
from glassml_ase.calculator import GlassMLCalculator
from glassml_ase.frames import Frames

__all__ = ["PredictionReport", "predict_file"]

T = TypeVar("T")


@dataclass(frozen=True)
class PredictionReport:
    """What a prediction on a file did.

    Attributes:
        output: the file that was written.
        frames: number of frames.
        particles: number of particles, summed over the frames.
        seconds: wall time of reading, prediction and writing.
    """

    output: Path
    frames: int
    particles: int
    seconds: float


def predict_file(
    calculator: GlassMLCalculator,
    frames: Frames,
    output: str | Path,
    *,
    batch: int = 1,
    on_frame: Callable[[], None] = lambda: None,
) -> PredictionReport:
    """Predict on every frame and write the frames with the predictions.

    Frames are read, predicted and written a batch at a time, so memory does not grow with the
    length of a trajectory. The output appears under its name once it is complete.

    Args:
        calculator: its model, species map, scalars and outputs are used.
        frames: see `open_frames`.
        output: extxyz file; `GlassMLCalculator.annotate` says what it holds.
        batch: number of frames that the model sees at once.
        on_frame: called after each frame that was written.

    Raises:
        InputError: there are no frames, a frame cannot be read or does not fit the model, or the
            output cannot be written. No output is left behind then.
    """
    target = _output_path(output, frames.path)
    if batch < 1:
        raise InputError(f"batch: expected a positive number of frames; found {batch}")
    start = time.perf_counter()
    n_frames = n_particles = 0
    with atomic_write(target) as partial, partial.open("w", encoding="utf-8") as stream:
        for group in _groups(frames.frames, batch):
            for atoms in _predicted(calculator, group):
                write_extxyz(stream, atoms)
                n_frames += 1
                n_particles += len(atoms)
                on_frame()
        if n_frames == 0:
            raise InputError(f"{frames.path}: expected frames to predict on; found none chosen")
    return PredictionReport(target, n_frames, n_particles, time.perf_counter() - start)


def _predicted(
    calculator: GlassMLCalculator, group: Sequence[tuple[str, Atoms | Configuration]]
) -> list[Atoms]:
    configurations = [
        frame if isinstance(frame, Configuration) else calculator.configuration(frame, name)
        for name, frame in group
    ]
    predictions = calculator.predictor.predict(configurations, calculator.outputs)
    result = []
    for (_, frame), values in zip(group, predictions, strict=True):
        atoms = atoms_from_configuration(frame) if isinstance(frame, Configuration) else frame
        calculator.write_arrays(atoms, values)
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
        raise InputError(f"output: expected another file than the input; found {target}")
    return target
