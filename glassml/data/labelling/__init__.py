"""Labels from a plain trajectory: each particle's displacement after and before a frame."""

from __future__ import annotations

from glassml.data.labelling.labelling import LabelledTrajectory, label_trajectory
from glassml.data.labelling.options import LabelOptions
from glassml.data.labelling.schedule import Clock

__all__ = ["Clock", "LabelOptions", "LabelledTrajectory", "label_trajectory"]
