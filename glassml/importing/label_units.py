"""Lengths from networks that predict in units of the standard deviation of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch

from glassml.data import Configuration
from glassml.errors import ConfigError, InputError
from glassml.models import GlassModel
from glassml.models.standardised import StandardisedModel
from glassml.physics.times import column_of

__all__ = ["set_label_units"]


def set_label_units(model: GlassModel, labelled: Sequence[Configuration]) -> None:
    """Give a model mean and standard deviation of the labels, for each species and time.

    They are those within a configuration, averaged over configurations, as the authors of EIGNN
    standardised each configuration.

    Args:
        model: with the species and times of the labels.
        labelled: configurations with labels.

    Raises:
        ConfigError: there are none.
        InputError: one has no labels at these times, or not two particles of a species.
    """
    if not labelled:
        raise ConfigError(
            "labels: expected a dataset with labels at the times of the network, as it predicts in "
            "units of their standard deviation; found none. Give one (--data)"
        )
    means, scales = [], []
    for configuration in labelled:
        labels = _labels(configuration, model.times)
        parts = [labels[configuration.of_species(name)] for name in model.species]
        for name, part in zip(model.species, parts, strict=True):
            if len(part) < 2:
                raise InputError(
                    f"{configuration.name}: species {name}: expected two particles or more, for "
                    f"the standard deviation of their labels; found {len(part)}"
                )
        means.append([part.mean(axis=0) for part in parts])
        scales.append([part.std(axis=0, ddof=1) for part in parts])
    cast(StandardisedModel, model).set_label_scale(
        torch.from_numpy(np.mean(means, axis=0)), torch.from_numpy(np.mean(scales, axis=0))
    )


def _labels(configuration: Configuration, times: Sequence[float]) -> np.ndarray:
    """[N, T] [length]."""
    if configuration.propensity is None or configuration.times is None:
        raise InputError(f"{configuration.name}: labels: expected some; found none")
    columns = [column_of(time, configuration.times) for time in times]
    found = [column for column in columns if column is not None]
    if len(found) < len(columns):
        missing = times[columns.index(None)]
        known = ", ".join(f"{time:g}" for time in configuration.times)
        raise InputError(
            f"{configuration.name}: labels: expected some at t = {missing:g}; found t = {known}"
        )
    return configuration.propensity[:, found]
