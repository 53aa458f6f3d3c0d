"""The units of a dataset, as far as they are known."""

from __future__ import annotations

from glassml.data.dataset import Dataset
from glassml.physics.units import Units

__all__ = ["units_of"]


def units_of(dataset: Dataset) -> Units:
    """How the units of a dataset are written.

    The unit of length is always known. Those of time, energy and temperature are known if
    `glassml simulate` made the dataset, or a dataset that it was made from.
    """
    system = dataset.description.get("system")
    style = system.get("units") if isinstance(system, dict) else None
    return Units.of(dataset.length_unit, style if isinstance(style, str) else None)
