"""A modifier function for OVITO: particles coloured by the propensity that `fix glassml` predicts.

In OVITO Pro, insert a "Python script" modifier and load this file. In Python:

    from ovito.io import import_file
    from colour_by_propensity import modify

    pipeline = import_file("run.lammpstrj")
    pipeline.modifiers.append(modify)
"""

from __future__ import annotations

import numpy as np
from ovito.data import DataCollection
from ovito.modifiers import ColorCodingModifier

COLUMN = "f_ml[1]"  # the column of the dump: the first time of the model


def modify(frame: int, data: DataCollection) -> None:
    """Colour every particle by its propensity, on a scale of the particles of its type.

    Small particles move further than large ones. One scale for all would show only the types.

    Args:
        frame: number of the frame in the trajectory.
        data: N particles with the column ``COLUMN`` [length]; they get the property Color.
    """
    types, values = np.asarray(data.particles.particle_types), np.asarray(data.particles[COLUMN])
    gradient = ColorCodingModifier.Viridis()
    table = np.array([gradient.value_to_color(k / 255) for k in range(256)])
    colours = data.particles_.create_property("Color")
    for kind in np.unique(types):
        of_type = types == kind
        low, high = np.percentile(values[of_type], [2, 98])
        scaled = np.clip((values[of_type] - low) / max(high - low, 1e-300), 0, 1)
        colours[of_type] = table[np.rint(255 * scaled).astype(int)]
