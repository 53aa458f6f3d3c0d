"""Maps of configurations: a slab or a projection, with particles coloured by a value."""

from __future__ import annotations

from glassml.analysis.maps.drawing import MapPicture, map_figure
from glassml.analysis.maps.frames import MapFrame, MapFrames, MapInput
from glassml.analysis.maps.movie import check_movie, is_movie, write_movie
from glassml.analysis.maps.scene import Panel
from glassml.analysis.maps.view import View, particle_diameters

__all__ = [
    "MapFrame",
    "MapFrames",
    "MapInput",
    "MapPicture",
    "Panel",
    "View",
    "check_movie",
    "is_movie",
    "map_figure",
    "particle_diameters",
    "write_movie",
]
