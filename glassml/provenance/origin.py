"""The provenance that the configurations of a dataset have in common."""

from __future__ import annotations

from glassml.data import Configuration
from glassml.provenance.record import OriginValue

__all__ = ["Origins"]

# An entry that differs almost everywhere (a file name, a seed) describes no state point.
_MOST_VALUES = 8


class Origins:
    """Collects the distinct values of every entry of the provenance of configurations."""

    def __init__(self) -> None:
        self._values: dict[str, set[OriginValue]] = {}

    def add(self, configuration: Configuration) -> None:
        """Note the provenance and the number of runs of a configuration."""
        for key, value in {**configuration.provenance, "n_runs": configuration.n_runs}.items():
            if value is not None:
                self._values.setdefault(key, set()).add(value)

    def summary(self) -> dict[str, tuple[OriginValue, ...]]:
        """Entry -> its distinct values, for entries with few of them."""
        found = sorted(self._values.items())
        return {k: tuple(sorted(v, key=str)) for k, v in found if len(v) <= _MOST_VALUES}
