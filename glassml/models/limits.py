"""The largest sizes of a model, checked before memory is taken for it.

They are far above what any model needs, and far below what torch, MPI or memory cannot take. Model
files have the same limits (`glassml.export.manifest`, lammps_plugin/src/manifest.cpp).
"""

from __future__ import annotations

from glassml.errors import ConfigError

__all__ = [
    "LARGEST_CUTOFF",
    "MOST_COLUMNS",
    "MOST_KNOTS",
    "MOST_PARAMETERS",
    "MOST_SHELLS",
    "MOST_STEPS",
    "WIDEST",
    "check_at_most",
    "check_whole",
]

MOST_STEPS = 1000  # of message passing; each is a round of MPI messages
MOST_COLUMNS = 65536  # of a node's state and of an output: 256 kB per particle in float32
LARGEST_CUTOFF = 1e6  # [length], in any unit
MOST_KNOTS = 65536  # of a radial table; distances in float32 tell hardly more apart
MOST_SHELLS = 1000  # of a structural model; tables grow as the square of their number
WIDEST = 4096  # hidden layers and radial bases; those that were published have up to 16
MOST_PARAMETERS = 2**27  # 512 MB in float32, which is the largest model file


def check_whole(name: str, value: int, low: int, high: int) -> None:
    """Refuse what is no whole number, or one that is out of range.

    Raises:
        ConfigError: names the hyperparameter and its range.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name}: expected a whole number from {low} to {high}; found {value}")


def check_at_most(number: int, most: int, what: str, cause: str) -> None:
    """Refuse a model whose parts are each in range, and together too large.

    Args:
        number: how many there would be.
        most: how many there may be.
        what: what is counted, in the plural.
        cause: the hyperparameters that it follows from, with their values.

    Raises:
        ConfigError: it is larger.
    """
    if number > most:
        raise ConfigError(
            f"{cause.partition(' ')[0]}: expected a model of at most {most} {what}; found {number} "
            f"with {cause}. Choose smaller ones"
        )
