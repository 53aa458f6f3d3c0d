"""Models, one file each, built by name: ``glassml.models.build("se3gnn-v2", ...)``."""

from __future__ import annotations

from glassml.models.analytic import Analytic
from glassml.models.bapst import Bapst
from glassml.models.boattini import Boattini
from glassml.models.botan import Botan
from glassml.models.cage import Cage
from glassml.models.committee import Committee
from glassml.models.contract import GlassModel, Output, Redecoded
from glassml.models.eignn import Eignn, shift_inputs
from glassml.models.geo_gnn import GeoGNN
from glassml.models.glassmlp import GlassMLP
from glassml.models.lengths import REFERENCE_SPACING
from glassml.models.registry import (
    available,
    build,
    lengths_of,
    material_lengths,
    own_file,
    parameters_of,
    rebuild,
    register,
    trained_by,
    untrained_models,
)
from glassml.models.scalar_inputs import ScalarInput
from glassml.models.se3gnn import SE3GNN
from glassml.models.softness import Softness
from glassml.models.structural import Structural

__all__ = [
    "REFERENCE_SPACING",
    "SE3GNN",
    "Analytic",
    "Bapst",
    "Boattini",
    "Botan",
    "Cage",
    "Committee",
    "Eignn",
    "GeoGNN",
    "GlassMLP",
    "GlassModel",
    "Output",
    "Redecoded",
    "ScalarInput",
    "Softness",
    "Structural",
    "available",
    "build",
    "lengths_of",
    "material_lengths",
    "own_file",
    "parameters_of",
    "rebuild",
    "register",
    "shift_inputs",
    "trained_by",
    "untrained_models",
]
