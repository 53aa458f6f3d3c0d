"""Map the species labels of a file or a simulation engine to species names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from glassml.errors import InputError

__all__ = ["SpeciesMap"]


class SpeciesMap:
    """Maps each chemical symbol, or each LAMMPS type, to a species.

    Args:
        mapping: chemical symbol -> species name, such as ``{"H": "A", "He": "B"}``; or one
            species name for each of the LAMMPS types 1, 2, ..., such as ``("A", "B")``.
            Several symbols or types may map to the same species. Some may not occur in any
            configuration.
        names: all species names in the model's order. Default: those of ``mapping``, each once.

    Attributes:
        names: the species names; the index of a species is its position in this tuple.
        by_type: whether the labels are LAMMPS types; else they are chemical symbols.

    Raises:
        InputError: the mapping is empty, or contains a name that is not in ``names``.
    """

    def __init__(
        self, mapping: Mapping[str, str] | Sequence[str], names: Sequence[str] | None = None
    ) -> None:
        self.by_type = not isinstance(mapping, Mapping)
        self._targets: dict[str | int, str]
        if isinstance(mapping, Mapping):
            self._targets = dict(mapping.items())
        elif isinstance(mapping, str):
            raise InputError(
                f"species map: expected a mapping or a sequence of names; found the string "
                f"{mapping!r} (SpeciesMap.parse reads strings)"
            )
        else:
            self._targets = dict(enumerate(mapping, start=1))
        self.names = tuple(dict.fromkeys(self._targets.values()) if names is None else names)
        self._met: set[str | int] = set()
        if not self._targets:
            raise InputError("species map: expected at least one species; found none")
        for label, name in self._targets.items():
            if name not in self.names:
                raise InputError(
                    f"species map: {self._kind} {label}: expected one of the model's species "
                    f"{list(self.names)}; found {name!r}"
                )

    @classmethod
    def of(
        cls,
        species: SpeciesMap | Mapping[str, str] | Sequence[str],
        names: Sequence[str] | None = None,
    ) -> SpeciesMap:
        """Make a map from ``species``, or pass a map on; checked against ``names`` if given.

        Raises:
            InputError: see `SpeciesMap`.
        """
        if not isinstance(species, SpeciesMap):
            return cls(species, names)
        if names is None or species.names == tuple(names):
            return species
        if species.by_type:
            return cls(list(species._targets.values()), names)
        return cls({str(symbol): name for symbol, name in species._targets.items()}, names)

    @classmethod
    def parse(cls, text: str, names: Sequence[str] | None = None) -> SpeciesMap:
        """Read ``"A,B"`` (names of types 1, 2) or ``"H=A,He=B"`` (by chemical symbol).

        Raises:
            InputError: the text has neither form, or contains a symbol twice.
        """
        items = [item.strip() for item in text.split(",")]
        pairs = [item.partition("=") for item in items]
        if all(items) and not any("=" in item for item in items):
            return cls(items, names)
        if all(key.strip() and name.strip() for key, _, name in pairs):
            symbols = [key.strip() for key, _, _ in pairs]
            for symbol in symbols:
                if symbols.count(symbol) > 1:
                    raise InputError(f"species: expected each symbol once; found {text!r}")
            return cls({key.strip(): name.strip() for key, _, name in pairs}, names)
        raise InputError(
            f'species: expected names of the types 1, 2, ... such as "A,B", or symbol=name pairs '
            f'such as "H=A,He=B"; found {text!r}'
        )

    def indices(self, labels: Sequence | np.ndarray, where: str = "atoms") -> np.ndarray:
        """The species index of every label.

        Args:
            labels: [N] LAMMPS types (if ``by_type``) or chemical symbols.
            where: the name of their owner in messages.

        Returns:
            int64 [N], indices into ``names``.

        Raises:
            InputError: a label is not in the map.
        """
        unique, first, inverse = np.unique(
            np.asarray(labels), return_index=True, return_inverse=True
        )
        lookup = []
        for label, index in zip(unique.tolist(), first, strict=True):
            if label not in self._targets:
                raise InputError(
                    f"{where}: species: expected one for {self._kind} {label} (first at particle "
                    f"{index}); found those of {self}. Add it (--species)"
                )
            lookup.append(self.names.index(self._targets[label]))
        self._met.update(unique.tolist())
        return np.asarray(lookup, np.int64)[inverse]

    @property
    def labels(self) -> tuple[str | int, ...]:
        """The chemical symbols or LAMMPS types of the map."""
        return tuple(self._targets)

    @property
    def items(self) -> tuple[tuple[str | int, str], ...]:
        """Each symbol or type with the name of its species."""
        return tuple(self._targets.items())

    @property
    def unused(self) -> tuple[str, ...]:
        """The entries that `indices` has not yet found, such as "type 3 -> B"."""
        return tuple(
            f"{self._kind} {label} -> {name}"
            for label, name in self._targets.items()
            if label not in self._met
        )

    @property
    def _kind(self) -> str:
        return "type" if self.by_type else "symbol"

    def __str__(self) -> str:
        pairs = ", ".join(f"{label} -> {name}" for label, name in self._targets.items())
        return f"{self._kind}s {pairs}"

    def __repr__(self) -> str:
        return f"SpeciesMap({self}; names={list(self.names)})"
