"""The frames of a file with what a map shows of them: labels, predictions, or named columns."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from ase import Atoms

from glassml.analysis.correlation import pearson_all
from glassml.analysis.maps.particle_data import (
    TimedValues,
    column_values,
    labels_in,
    predictions_in,
    read_atoms,
)
from glassml.analysis.maps.scene import Panel
from glassml.analysis.predictions import predict_windows
from glassml.data import Configuration, Dataset, Frames, dataset_path, open_frames, units_of
from glassml.errors import InputError
from glassml.inference import ModelInputs, Predictor
from glassml.physics import column_of
from glassml.physics.units import UNIT_STYLES, Units, with_unit

__all__ = ["MapFrame", "MapFrames", "MapInput"]

_DATASET = "glassml-dataset"
_MINUS = "\N{MINUS SIGN}"

# Columns that `fix glassml` gives in dumps: f_ID or f_ID[k].
_FIX_COLUMN = re.compile(r"f_\w+(\[\d+\])?$")


@dataclass(frozen=True, kw_only=True)
class MapInput:
    """What is read, and what of it is shown.

    Attributes:
        path: any file that `glassml.data.open_frames` reads, or the name of a shipped dataset.
        index: which frames, as in ASE.
        file_format: ASE's name of the format; None: recognised from the file.
        predictor: a model that predicts on the frames; None: predictions are those in the file.
        inputs: how frames that are not of a dataset are translated for the model.
        columns: per-particle columns to show; none: labels and predictions.
        time: time of labels and predictions [time]; None: the one nearest to tau_alpha if this is
            known, else the one at which the particles differ most.
        species: names of the species (see `SpeciesMap.parse`), for files without a model.
        length_unit: unit of lengths, if the file does not state it.
        pbc: which directions are periodic, if the file does not state it.
        style: LAMMPS' name of the unit style of the file, if it does not state it.
    """

    path: str | Path
    index: str = ":"
    file_format: str | None = None
    predictor: Predictor | None = None
    inputs: ModelInputs | None = None
    columns: Sequence[str] = ()
    time: float | None = None
    species: str | None = None
    length_unit: str | None = None
    pbc: tuple[bool, bool, bool] | None = None
    style: str | None = None


@dataclass(frozen=True)
class MapFrame:
    """A frame with the values of its maps.

    Attributes:
        configuration: N particles.
        panels: the maps.
        title: heading.
    """

    configuration: Configuration
    panels: tuple[Panel, ...]
    title: str


@dataclass
class MapFrames:
    """The chosen frames of a file, to be iterated over once.

    Args:
        source: what is read and shown.

    Attributes:
        total: number of frames; None if they can only be counted by reading them all.
        units: of the file, as far as they are known; complete after the first frame.
        notes: what the user should know about the choice of what is shown.

    Raises:
        InputError: the file cannot be read, or an option does not fit it. While iterating: a frame
            lacks what is to be shown.
    """

    source: MapInput
    total: int | None = field(init=False)
    units: Units = field(init=False, default=Units())
    notes: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        source = self.source
        if source.style is not None and source.style not in UNIT_STYLES:
            raise InputError(
                f"--units: expected one of {', '.join(UNIT_STYLES)}; found {source.style!r}"
            )
        self._frames = open_frames(
            dataset_path(source.path), source.index, source.file_format, pbc=source.pbc
        )
        self.total = self._frames.total
        self._time = source.time
        self._columns = tuple(source.columns)
        self._tau = math.nan
        if self._frames.format == _DATASET:
            self._read_description(self._frames)
        elif source.predictor is not None and source.predictor.manifest.window is not None:
            raise InputError(
                f"{source.predictor.path.name}: expected a dataset, as this model reads averages "
                f"over a window of frames; found {self._frames.path}. `glassml predict` writes a "
                "file with its predictions, which can be drawn"
            )

    def __iter__(self) -> Iterator[MapFrame]:
        for name, frame in self._frames.frames:
            if isinstance(frame, Configuration):
                yield self._of_configuration(frame)
            else:
                yield self._of_atoms(name, frame)

    def only(self) -> MapFrame:
        """The one chosen frame.

        Raises:
            InputError: there is none, or there are more.
        """
        found = list(itertools.islice(self, 2))
        if len(found) != 1:
            raise InputError(
                f"{self._frames.path}: expected one frame for a picture; found "
                f"{'several' if found else 'none'}. Choose one (--index), or a movie (.mp4, .gif)"
            )
        return found[0]

    def _read_description(self, frames: Frames) -> None:
        with Dataset(frames.path) as dataset:
            self.units = units_of(dataset)
            tau = dataset.description.get("equilibration", {}).get("tau_alpha")
            self._tau = tau if isinstance(tau, float) else math.nan

    def _of_configuration(self, configuration: Configuration) -> MapFrame:
        where = f"{self._frames.path.name}, {configuration.name}"
        if self._columns:
            panels = tuple(
                _column_panel(name, configuration.scalars.get(name), configuration.scalars, where)
                for name in self._columns
            )
            return MapFrame(configuration, panels, where)
        labels = None
        if configuration.propensity is not None and configuration.times is not None:
            labels = TimedValues("true", configuration.times, configuration.propensity)
        predicted = None
        if self.source.predictor is not None:
            predicted = self._predicted(configuration, dataset=True)
        elif configuration.predictions and configuration.times is not None:
            name, values = next(iter(configuration.predictions.items()))
            predicted = TimedValues(f"predicted by {name}", configuration.times, values)
        return self._compared(configuration, labels, predicted, where)

    def _of_atoms(self, name: str, atoms: Atoms) -> MapFrame:
        source = self.source
        where = f"{self._frames.path.name}, {name.rpartition(': ')[2]}"
        style = source.style or atoms.info.get("unit_style")
        unit = source.length_unit or (UNIT_STYLES[style].length if style else None)
        scale = 1.0
        if source.predictor is not None:
            inputs = source.inputs or ModelInputs(source.predictor.manifest)
            configuration = inputs.configuration(atoms, name)
            scale = inputs.length_scale(atoms)
        else:
            configuration = read_atoms(atoms, source.species, unit, name)
        self.units = Units.of(configuration.length_unit, style)
        if "time" in atoms.info:
            where += f", {with_unit(float(atoms.info['time']), self.units.time)}"
        elif "timestep" in atoms.info:
            where += f", step {atoms.info['timestep']}"
        labels = predicted = None
        if not self._columns:
            labels = labels_in(atoms)
            if labels is not None:
                labels = replace(labels, values=labels.values * scale)
            predicted = predictions_in(atoms, configuration.length_unit)
            if source.predictor is not None:
                predicted = self._predicted(configuration, dataset=False)
            if labels is None and predicted is None:
                self._columns = self._chosen_columns(atoms, name)
        if self._columns:
            panels = tuple(
                _column_panel(c, column_values(atoms, c), atoms.arrays, name) for c in self._columns
            )
            return MapFrame(configuration, panels, where)
        return self._compared(configuration, labels, predicted, where)

    def _predicted(self, configuration: Configuration, *, dataset: bool) -> TimedValues:
        predictor = self.source.predictor
        assert predictor is not None, "only asked for with a model"
        if dataset:
            found = predict_windows(predictor, configuration, ["propensity"], 1)[0]
        else:
            found = predictor.predict([configuration], ["propensity"])[0]
        times = np.array(predictor.manifest.times)
        return TimedValues(f"predicted by {predictor.path.stem}", times, found["propensity"])

    def _compared(
        self,
        configuration: Configuration,
        labels: TimedValues | None,
        predicted: TimedValues | None,
        where: str,
    ) -> MapFrame:
        """Labels, predictions and their difference, as far as they are there."""
        known = [values for values in (labels, predicted) if values is not None]
        if not known:
            raise InputError(
                f"{where}: expected labels or predictions to draw; found positions alone. Give a "
                "model (-m MODEL), or a column (--column NAME)"
            )
        if self._time is None:
            self._time = _default_time(known, self._tau)
        at_time = {v.name: x for v in known if (x := v.at(self._time)) is not None}
        if not at_time:
            times = sorted({float(t) for values in known for t in values.times})
            raise InputError(
                f"--time: {where}: expected one of {', '.join(f'{t:g}' for t in times)}; found "
                f"{self._time:g}"
            )
        unit = self.units.length
        panels = [Panel(name, values, unit=unit) for name, values in at_time.items()]
        title = f"{where}: propensity at $t$ = {with_unit(self._time, self.units.time)}"
        if len(panels) == 2:
            true, other = (panel.values for panel in panels)
            panels.append(
                Panel(f"predicted {_MINUS} true", other - true, "error", signed=True, unit=unit)
            )
            title += f"\n{_agreement(configuration, true, other)}"
        return MapFrame(configuration, tuple(panels), title)

    def _chosen_columns(self, atoms: Atoms, where: str) -> tuple[str, ...]:
        """The first column of a fix."""
        found = [name for name in atoms.arrays if _FIX_COLUMN.match(name)]
        if not found:
            known = [n for n in atoms.arrays if n not in ("numbers", "positions", "type", "id")]
            raise InputError(
                f"{where}: expected labels, predictions or a column of fix glassml to draw; found "
                f"the columns {', '.join(known) or 'of positions alone'}. Choose one (--column "
                "NAME), or give a model that predicts (-m MODEL)"
            )
        if len(found) > 1:
            self.notes.append(
                f"drawn: {found[0]}; the file also has {', '.join(found[1:])} (--column NAME)"
            )
        return (found[0],)


def _agreement(configuration: Configuration, true: np.ndarray, predicted: np.ndarray) -> str:
    """The Pearson coefficient of each species, over all particles of the configuration."""
    known = np.isfinite(true) & np.isfinite(predicted)
    names, species = configuration.species_names, configuration.species[known]
    found = pearson_all([predicted[known, None]], [true[known, None]], [species], len(names))[:, 0]
    values = (
        f"{name} {value:.2f}".replace("-", _MINUS)
        for name, value in zip(names, found, strict=True)
        if np.isfinite(value)
    )
    return f"Pearson coefficient in the whole configuration: {', '.join(values)}"


def _column_panel(name: str, values: np.ndarray | None, known: Iterable[str], where: str) -> Panel:
    if values is None:
        names = [k for k in known if k not in ("numbers", "positions")]
        raise InputError(
            f"--column: {where}: expected one of {', '.join(names) or 'no column'}; found {name!r}"
        )
    return Panel(name, values, name)


def _default_time(known: Sequence[TimedValues], tau: float) -> float:
    """The time nearest to tau_alpha, else that at which the particles differ most."""
    times = [float(t) for t in known[0].times]
    for other in known[1:]:
        both = [t for t in times if column_of(t, other.times) is not None]
        if not both:
            raise InputError(
                f"--time: expected a time that is both among those of {known[0].name} "
                f"({', '.join(f'{t:g}' for t in times)}) and of {other.name} "
                f"({', '.join(f'{t:g}' for t in other.times)}); found none in common. Choose one "
                "of them, to draw it alone"
            )
        times = both
    if math.isfinite(tau):
        return min(times, key=lambda t: abs(math.log(t / tau)))
    variation = []
    for time in times:
        values = known[0].at(time)
        assert values is not None, "a time of these values"
        variation.append(float(np.nanstd(values) / (np.nanmean(values) or 1.0)))
    return times[int(np.argmax(variation))]
