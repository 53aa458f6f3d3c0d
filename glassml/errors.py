"""The errors that glassml raises for a user's mistake.

Every message names the file, field or argument, what was expected, what was found and, where
it is not obvious, what to do. The command line prints the message without a traceback.
"""

from __future__ import annotations

__all__ = [
    "BuildError",
    "ConfigError",
    "GlassMLError",
    "InputError",
    "ModelFileError",
    "SimulationError",
]


class GlassMLError(Exception):
    """Base class of every error that is the user's to mend."""


class InputError(GlassMLError, ValueError):
    """Data or an argument does not fit what was asked for."""


class ModelFileError(GlassMLError):
    """A model file is missing, damaged, of an unknown format or not a glassml model."""


class ConfigError(GlassMLError, ValueError):
    """A field of a configuration file or an override is unknown or has a wrong value."""


class BuildError(GlassMLError):
    """The native code cannot be built, or the build does not fit this environment."""


class SimulationError(GlassMLError):
    """LAMMPS could not be started, or stopped with an error of its own."""
