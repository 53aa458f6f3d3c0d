"""Readers of published data sets and of structure files.

A new format is one module with a reader, and one entry in the table `FORMATS` of
`glassml.data.readers.registry`.
"""

from __future__ import annotations

from glassml.data.readers.base import Format, ReadOptions
from glassml.data.readers.frames import Frames, open_frames
from glassml.data.readers.registry import FORMATS, read_configurations
from glassml.data.readers.stated import periodic_directions

__all__ = [
    "FORMATS",
    "Format",
    "Frames",
    "ReadOptions",
    "open_frames",
    "periodic_directions",
    "read_configurations",
]
