"""`imported`: a model of glassml with the parameters of a file of another program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glassml.data import Configuration
from glassml.errors import ConfigError, ModelFileError, not_one_of
from glassml.files import sha256_of
from glassml.importing.bapst import read_bapst
from glassml.importing.botan import read_botan
from glassml.importing.eignn import read_eignn
from glassml.importing.label_units import set_label_units
from glassml.importing.published import Published, published_with
from glassml.importing.weights import Weights
from glassml.models import GlassModel, build, shift_inputs
from glassml.provenance import ImportedWeights, TrainingRecord, WeightFile

__all__ = ["FORMATS", "Imported", "imported"]

#: Name of a model -> what reads its weights from a file of its authors' code.
FORMATS: dict[str, Callable[[Path], Weights]] = {
    "bapst": read_bapst,
    "botan": read_botan,
    "eignn": read_eignn,
}


@dataclass(frozen=True)
class Imported:
    """A model with parameters that another program trained.

    Attributes:
        model: in evaluation mode.
        training: its record, which names the files.
        notes: what a user should know of it, sentences.
    """

    model: GlassModel
    training: TrainingRecord
    notes: tuple[str, ...]


def imported(
    name: str,
    path: str | Path,
    *,
    species: Sequence[str] = ("A", "B"),
    times: Sequence[float] | None = None,
    as_start: bool = False,
    labelled: Sequence[Configuration] = (),
    structure: str = "cage",
) -> Imported:
    """A model with the parameters of a file that the code of its authors wrote.

    No code of the file is run. Published weights are recognised by their numbers; the record then
    states where they come from.

    Args:
        name: of the model, one of `FORMATS`.
        path: for "bapst" the table ``NAME.ckpt.index`` of a checkpoint, for "botan" a state dict,
            for "eignn" a checkpoint of PyTorch.
        species: names of the two species that the network calls 0 and 1.
        times: of the labels that it was trained on [time], one, for "eignn" one for each of its
            outputs; may be None for published weights whose time is known.
        as_start: also accept published weights that predict no propensity, as the start of a
            training.
        labelled: for "eignn", whose network predicts in units of the standard deviation of the
            labels: configurations with labels at these times, which give mean and deviation.
        structure: for "eignn", the structure that it was trained with, "cage" or "inherent".

    Raises:
        ModelFileError: a file is missing, damaged, or of another kind or network, or its weights
            predict no propensity.
        ConfigError: an unknown model or structure, not two species, no time or another number of
            them, or no labels where they are needed.
        InputError: a configuration has no labels at these times.
    """
    if name not in FORMATS:
        raise ConfigError(f"model: {not_one_of(name, FORMATS)}")
    if len(species) != 2:
        raise ConfigError(
            f"species: expected two names, as {name} tells two species apart; found "
            f"{tuple(species)}. Give them in the order in which the network was trained with them"
        )
    weights = FORMATS[name](Path(path))
    published = published_with(weights.parameters)
    if published is not None and published.untrained and not as_start:
        raise ModelFileError(
            f"{path}: expected weights that were trained to predict the propensity; found the "
            f"published ones that were trained on {published.trained_on}. Give --as-start to write "
            "them as the start of a training"
        )
    given = _times(Path(path), times, published)
    _check_number(Path(path), given, max(weights.n_standardised, 1))
    settings: dict[str, Any] = dict(weights.hyperparameters)
    if name == "eignn":
        settings["scalar_inputs"] = shift_inputs(_structure(structure))
    model = build(name, species=tuple(species), times=tuple(given), **settings)
    _fill(model, weights.parameters)
    if weights.n_standardised:
        set_label_units(model, labelled)
    record = TrainingRecord(
        origin={} if published is None else published.origin,
        imported=_entry(weights, published),
        untrained=() if published is None else published.untrained,
    )
    return Imported(model.eval(), record, tuple(_notes(published)))


def _times(
    path: Path, times: Sequence[float] | None, published: Published | None
) -> Sequence[float]:
    """Those that are given, or those of the published weights."""
    known = None if published is None else published.times
    if times is not None and known is not None and tuple(times) != known:
        raise ConfigError(
            f"{path}: time: expected {', '.join(f'{t:g}' for t in known)}, for which these weights "
            f"were published; found {', '.join(f'{t:g}' for t in times)}. Leave it out"
        )
    given = known if times is None else times
    if given is None:
        raise ConfigError(
            f"{path}: time: expected the time of the labels that the network was trained on, which "
            "the file does not state; found none. Give it (--time)"
        )
    return given


def _check_number(path: Path, times: Sequence[float], expected: int) -> None:
    if len(times) != expected:
        raise ConfigError(
            f"{path}: time: expected {expected}, one for each output of the network; found "
            f"{len(times)}"
        )


def _structure(name: str) -> str:
    if name not in ("cage", "inherent"):
        raise ConfigError(f"structure: {not_one_of(name, ('cage', 'inherent'))}")
    return name


def _fill(model: GlassModel, parameters: dict[str, Tensor]) -> None:
    """Put parameters into a model; scales of labels and inputs stay 1, as for lengths."""
    own = model.state_dict()
    needed = {name for name, _ in model.named_parameters()}
    assert needed <= parameters.keys() <= own.keys(), "a reader gives all parameters of its model"
    with torch.no_grad():
        for name, values in parameters.items():
            own[name].copy_(values)


def _entry(weights: Weights, published: Published | None) -> ImportedWeights:
    files = tuple(WeightFile(file=file.name, sha256=sha256_of(file)) for file in weights.files)
    if published is None:
        return ImportedWeights(files=files)
    return ImportedWeights(
        files=files,
        published=published.where,
        licence=published.licence,
        trained_on=published.trained_on,
    )


def _notes(published: Published | None) -> list[str]:
    if published is None:
        return ["no known published weights have these numbers: where they come from is unknown"]
    return [
        f"published weights of {published.where} ({published.licence})",
        f"trained on {published.trained_on}",
    ]
