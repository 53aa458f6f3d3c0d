"""Labels from one long trajectory in equilibrium, without an isoconfigurational ensemble.

A run of a molecular dynamics simulation passes through many configurations. From each of them, the
rest of the run is one run of its isoconfigurational ensemble. By time reversal, the part of the run
before it, seen backwards, is another one (see `glassml.data.reversal` for the conditions). Each
label is therefore an average over R = 2 runs: the displacement forward in time, and that backward.

Displacements are measured in fractional coordinates, without the mean over all particles, and in
the cell of the labelled configuration.

Frames are read one after the other. What is kept of them is what labelled configurations still
need: at most the frames of twice the longest time of the labels or of the windows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from glassml.data.atoms import configuration_from_atoms
from glassml.data.configuration import Configuration
from glassml.data.dataset import DatasetWriter
from glassml.data.labelling.options import LabelOptions
from glassml.data.labelling.plan import LabelledFrame, Plan, make_plan
from glassml.data.labelling.reading import Followed, TrajectoryReader
from glassml.data.labelling.schedule import Schedule, read_schedule
from glassml.data.labelling.stationarity import drift_warnings
from glassml.data.readers.structure import species_of_atoms
from glassml.data.windows import Window, with_windows
from glassml.errors import InputError
from glassml.files import sha256_of
from glassml.physics import (
    AveragedPositions,
    PositionAverage,
    isoconfigurational_averages,
    self_intermediate_scattering,
)
from glassml.physics.times import TOLERANCE
from glassml.progress import SILENT, Progress

__all__ = ["LabelledTrajectory", "label_trajectory"]

ENERGY = "potential_energy"
_ENERGY_COLUMNS = ("c_pe", ENERGY)  # read without being named
_COPIES = 0.5  # F_s between labelled configurations; above, most of the structure is still the same
_APART = 10  # shortest label time in lengths of a window: a window is then a tenth of a run or less


@dataclass(frozen=True)
class LabelledTrajectory:
    """What was done.

    Attributes:
        configurations: number of labelled configurations.
        frames: number of frames of the trajectory.
        length: time from the first to the last of them [time].
        spacing: least time between labelled configurations [time].
        unwrapping: how periodic wrapping was undone, for people.
        energy: the array of the potential energies, None if there was none.
        similarity: F_s between one labelled configuration and the next, at the wave number 2 pi per
            mean distance of particles [-]; None if there is only one.
        warnings: about the trajectory.
    """

    configurations: int
    frames: int
    length: float
    spacing: float
    unwrapping: str
    energy: str | None
    similarity: float | None
    warnings: tuple[str, ...]


def label_trajectory(
    paths: Sequence[str | Path],
    output: str | Path,
    options: LabelOptions,
    progress: Progress = SILENT,
) -> LabelledTrajectory:
    """Write a dataset of frames of a trajectory with labels from the same trajectory.

    Args:
        paths: files of one trajectory, in order.
        output: the HDF5 file; written whole or not at all.
        options: what to do.
        progress: of the files and of the frames.

    Raises:
        InputError: a file cannot be read, frames are missing for the labels, or they cannot be
            followed (see `read_schedule`, `make_plan` and `Follower`).
    """
    files = [Path(path) for path in paths]
    schedule = read_schedule(files, options.clock, options.kind, progress, options.pbc)
    window = None
    if options.samples is not None:
        window = Window(options.sample_interval or schedule.spacing, options.samples)
    plan = make_plan(
        schedule.times_of_different,
        sorted(options.times),
        spacing=options.spacing,
        one_sided=options.one_sided,
        window=window,
        windows=options.windows,
    )
    labeller = _Labeller(schedule, plan, options, window)
    with DatasetWriter(output) as writer:
        for configuration in labeller.configurations(progress):
            writer.add(configuration)
        result = labeller.result()
        writer.describe(_description(files, schedule, options, result))
    return result


@dataclass
class _Kept:
    """A frame that is still needed: where its particles are, and their energies."""

    fractional: np.ndarray
    energy: np.ndarray | None
    configuration: Configuration | None = None


@dataclass
class _Labeller:
    """Reads the frames of a schedule and labels those of a plan."""

    schedule: Schedule
    plan: Plan
    options: LabelOptions
    window: Window | None
    reader: TrajectoryReader = field(init=False)
    energy: str | None = None
    decided: bool = False
    kept: dict[int, _Kept] = field(default_factory=dict)
    previous: tuple[np.ndarray, np.ndarray] | None = None
    similar: list[float] = field(default_factory=list)
    drifting: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reader = TrajectoryReader(self.schedule, self.options.unwrap, self.options.pbc)

    def configurations(self, progress: Progress) -> Iterator[Configuration]:
        """The labelled configurations, each as soon as all its frames have been read."""
        uses = Counter(k for labelled in self.plan.labelled for k in labelled.needs)
        own = {labelled.frame for labelled in self.plan.labelled}
        due: dict[int, list[LabelledFrame]] = {}
        last = 0
        for labelled in self.plan.labelled:
            last = max(last, *labelled.needs)  # not before those before it, to keep their order
            due.setdefault(last, []).append(labelled)
        for frame in self.reader.read(uses.keys(), progress):
            k = frame.number
            if k not in uses:
                continue
            energy = self._energy(frame)
            self.kept[k] = _Kept(frame.path.fractional, energy)
            if k in own:
                self.kept[k].configuration = self._configuration(frame)
            for labelled in due.get(k, ()):
                yield self._labelled(labelled)
                for needed in labelled.needs:
                    uses[needed] -= 1
                    if not uses[needed]:
                        del self.kept[needed]

    def result(self) -> LabelledTrajectory:
        """What was done, after all configurations."""
        times = self.schedule.times_of_different
        similarity = float(np.mean(self.similar)) if self.similar else None
        warnings = [*drift_warnings(self.drifting), *_shared(self.options.times, self.window)]
        if similarity is not None and similarity > _COPIES:
            warnings.append(
                f"Labelled configurations resemble each other: F_s is {similarity:.2f} between one "
                "and the next. They teach a model less than independent ones, and a split into "
                f"training and test data does not separate them: raise --spacing above "
                f"{self.plan.spacing:g}"
            )
        return LabelledTrajectory(
            len(self.plan.labelled),
            len(times),
            float(times[-1] - times[0]),
            self.plan.spacing,
            self.reader.unwrapping,
            self.energy,
            similarity,
            tuple(warnings),
        )

    def _energy(self, frame: Followed) -> np.ndarray | None:
        """Potential energies [N] [energy] of a frame; all frames have them or none."""
        asked, arrays = self.options.energy, frame.atoms.arrays
        if not self.decided:  # by the first frame that is needed
            known = (column for column in _ENERGY_COLUMNS if column in arrays)
            self.energy, self.decided = asked or next(known, None), True
        if self.energy is None:
            return None
        if self.energy not in arrays:
            hint = "(--energy names the column)" if asked else "as in the frames before"
            raise InputError(
                f"{frame.name}: energy: expected a column {self.energy!r} {hint}; found "
                f"{sorted(arrays)}"
            )
        return np.asarray(arrays[self.energy], np.float64)

    def _configuration(self, frame: Followed) -> Configuration:
        """A frame as a configuration without labels."""
        frame.atoms.set_cell(frame.path.cell)
        digits = len(str(len(self.schedule.entries) - 1))
        return configuration_from_atoms(
            frame.atoms,
            species_of_atoms(frame.atoms, self.options.species, frame.name),
            {} if self.energy is None else {ENERGY: self.energy},
            length_unit=self.options.length_unit,
            name=f"frame{frame.number:0{digits}d}",
            provenance={
                "source": self.schedule.files[frame.entry.file].path.name,
                "frame": frame.entry.number,
                "frame_time": float(self.schedule.times_of_different[frame.number]),
            },
        )

    def _labelled(self, labelled: LabelledFrame) -> Configuration:
        """The configuration of a frame, all of whose frames are kept."""
        here = self.kept[labelled.frame]
        configuration = here.configuration
        assert configuration is not None, "it is kept with the frame"
        ways = np.array(
            [[self.kept[k].fractional - here.fractional for k in side] for side in labelled.sides]
        )  # [R, T, N, 3]
        averages = [
            isoconfigurational_averages(ways[:, t] @ configuration.cell)
            for t in range(ways.shape[1])
        ]
        by_name = {name: np.stack([a[name] for a in averages], axis=1) for name in averages[0]}
        propensity = by_name.pop("propensity")
        result = replace(
            configuration,
            times=np.array(sorted(self.options.times)),
            propensity=propensity,
            n_runs=len(ways),
            statistics=by_name,
        )
        self._collect(result, here)
        if self.window is None:
            return result
        found = [self._averaged(configuration, here, samples) for samples in labelled.windows]
        return with_windows(result, found, self.window)

    def _averaged(
        self, configuration: Configuration, here: _Kept, samples: Sequence[int]
    ) -> AveragedPositions:
        """The average over a window, seen from the present positions of the configuration."""
        average = PositionAverage(configuration.pbc)
        for k in samples:
            sample = self.kept[k]
            average.add(sample.fractional @ configuration.cell, configuration.cell, sample.energy)
        path = (self.kept[samples[-1]].fractional - here.fractional) @ configuration.cell
        return average.result()._replace(path=path)

    def _collect(self, configuration: Configuration, here: _Kept) -> None:
        """Note what tells whether the trajectory is stationary, and its samples independent."""
        assert configuration.propensity is not None
        assert configuration.times is not None
        longest = f"the mean displacement after {configuration.times[-1]:g}"
        quantities = {longest: float(configuration.propensity[:, -1].mean())}
        if here.energy is not None:
            quantities["the potential energy per particle"] = float(here.energy.mean())
        for name, value in quantities.items():
            self.drifting.setdefault(name, []).append(value)
        if self.previous is not None:
            way = (here.fractional - self.previous[0]) @ configuration.cell
            wave_number = 2 * np.pi / configuration.spacing
            f_s = self_intermediate_scattering(way, wave_number, configuration.dimension)
            self.similar.append(float(f_s))
        self.previous = (here.fractional, configuration.cell)


def _shared(times: Sequence[float], window: Window | None) -> list[str]:
    """A warning if a window is a large part of the shortest run that a label [T] is taken from."""
    length = 0.0 if window is None else window.interval * (window.samples - 1)
    if not min(times) < _APART * length * (1 - TOLERANCE):
        return []
    return [
        f"Labels at {min(times):g} and windows of {length:g} share a stretch of the trajectory. "
        "Models learn from it what single runs do, and coefficients with such labels are too high. "
        f"Give times of {_APART * length:g} or more (--time), or shorter windows (--average, "
        "--sample-interval); or label without --average and add windows of runs with new "
        "velocities (`glassml average`), which share nothing with the labels"
    ]


def _description(
    files: Sequence[Path], schedule: Schedule, options: LabelOptions, result: LabelledTrajectory
) -> dict[str, Any]:
    labelled = {
        "files": [{"file": file.name, "sha256": sha256_of(file)} for file in files],
        "frames": result.frames,
        "first_frame": float(schedule.times[0]),
        "last_frame": float(schedule.times[-1]),
        "times": sorted(options.times),
        "spacing": result.spacing,
        "spacing_rule": "the longest time of the labels" if options.spacing is None else "given",
        "directions": "both, or one where the other is too short" if options.one_sided else "both",
        "unwrapping": result.unwrapping,
        "energy": result.energy,
        "similarity": result.similarity,
    }
    warnings = {"warnings": list(result.warnings)} if result.warnings else {}
    return {"labelled": labelled, **warnings}
