"""Model files of descriptors that need no training, such as `structural`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ase import Atoms

from glassml.data import (
    POSITIONS,
    THERMAL,
    Configuration,
    Frames,
    SpeciesMap,
    Window,
    configuration_from_atoms,
    shift_names,
)
from glassml.data.stated_species import species_by_symbol, species_in_file
from glassml.domain import mean_spacing
from glassml.errors import ConfigError, InputError, not_one_of
from glassml.export import save_model
from glassml.models import REFERENCE_SPACING, build, material_lengths, parameters_of

__all__ = ["check_settings", "descriptors_for_frames", "save_untrained", "usual_spacing"]

_DECIDED = ("species", "times", "scalar_inputs", "length_unit")
_SHIFTS = {shift for structure in POSITIONS for shift in shift_names(structure)}


def save_untrained(
    path: str | Path,
    *,
    name: str,
    species: Sequence[str],
    length_unit: str,
    spacing: float,
    times: Sequence[float] = (1.0,),
    scalars: Sequence[str] = (),
    positions: str = THERMAL,
    window: Window | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write the file of a model whose descriptors need no training; it predicts a propensity of 0.

    Args:
        path: the file to write.
        name: one of `glassml.models.untrained_models`.
        species: names of the species.
        length_unit: unit of length.
        spacing: mean spacing of the particles [length], to which the model's lengths are scaled.
        times: times of the propensity [time], for `glassml.studies.refit`.
        scalars: per-particle scalars that the model reads besides those that it always reads.
        positions: one of `glassml.data.POSITIONS`.
        window: of averages that the model reads.
        settings: other hyperparameters of the model; lengths are in the unit of length.

    Raises:
        InputError: the model always reads thermal positions, and others are given.
        ConfigError: a setting that the model lacks, a wrong value, or one that the data decide.
    """
    check_settings(name, settings or {})
    always = parameters_of(name)["scalar_inputs"]
    if positions != THERMAL and set(always) & _SHIFTS:
        raise InputError(
            f"positions: expected {THERMAL} for {name}, which reads the vectors from there to its "
            f"other structure; found {positions!r}"
        )
    model = build(
        name,
        **{**material_lengths(name, spacing), **(settings or {})},
        species=species,
        times=times,
        scalar_inputs=(*always, *scalars),
        length_unit=length_unit,
    )
    model.positions = positions
    model.window = window
    with torch.no_grad():  # random weights would look like an accuracy
        for parameter in model.parameters():
            parameter.zero_()
    save_model(model, path)


def check_settings(name: str, settings: Iterable[str]) -> None:
    """Refuse settings that the model lacks, and those that are not for the user to choose.

    Args:
        name: one of `glassml.models.untrained_models`.
        settings: names of hyperparameters.

    Raises:
        ConfigError: one of them is another one; the message names those that there are.
    """
    free = [known for known in parameters_of(name) if known not in _DECIDED]
    for setting in settings:
        if setting in _DECIDED:
            raise ConfigError(
                f"settings: expected some of {', '.join(free)}; found {setting}, which the data "
                "and other options decide"
            )
        if setting not in free:
            raise ConfigError(f"settings: {not_one_of(setting, free)}")


def usual_spacing(configurations: Iterable[Configuration], length_unit: str) -> float:
    """Mean spacing of the particles [length]; in LJ units, that of a liquid if it is unknown.

    Args:
        configurations: some of the system.
        length_unit: of their positions.

    Raises:
        InputError: in other units, configurations that are not periodic in every direction.
    """
    try:
        return mean_spacing(configurations)
    except InputError:
        if length_unit != "lj":
            raise
    return REFERENCE_SPACING


def descriptors_for_frames(
    frames: Frames,
    path: str | Path,
    name: str,
    species: SpeciesMap | None,
    length_unit: str | None,
) -> None:
    """Write a model of descriptors for the material in a file.

    Args:
        frames: the file; its first frame is read.
        path: the model file to write.
        name: one of `glassml.models.untrained_models`.
        species: which species the particles are. Default: those that the file names, else the
            chemical symbols that occur.
        length_unit: unit of the positions. Default: that of the file, else "lj", which the density
            must agree with.

    Raises:
        InputError: the file has no frame, or see `glassml.data.configuration_from_atoms` and
            `glassml.domain.mean_spacing`.
    """
    place, frame = next(frames.frames, (str(frames.path), None))
    if frame is None:
        raise InputError(f"{place}: expected one or more frames; found none chosen")
    if isinstance(frame, Atoms):
        names = species or species_in_file(frame, place) or species_by_symbol(frame)
        frame = configuration_from_atoms(frame, names, length_unit=length_unit, name=place)
    save_untrained(
        path,
        name=name,
        species=frame.species_names,
        length_unit=frame.length_unit,
        spacing=usual_spacing([frame], frame.length_unit),
    )
