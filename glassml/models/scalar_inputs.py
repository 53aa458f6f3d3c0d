"""The per-particle scalars that models read, and what those of known names mean."""

from __future__ import annotations

from dataclasses import dataclass

from glassml.data import shift_names

__all__ = ["KNOWN_SCALARS", "ScalarInput"]

# Scalars with a fixed meaning; a model may have others, which mean what they do in its data.
KNOWN_SCALARS = {
    "potential_energy": ("potential energy of the particle, sum over j of V(r_ij)/2", "[energy]"),
    "inherent_energy": ("its potential energy in the inherent structure", "[energy]"),
    "inherent_displacement": ("distance from its thermal to its inherent position", "[length]"),
    "inherent_voronoi_surface": (
        "surface of its radical Voronoi cell in the inherent structure (2D: perimeter, [length])",
        "[length^2]",
    ),
    "average_energy": ("mean of its potential energy over the window", "[energy]"),
    "average_displacement": ("distance from its thermal to its averaged position", "[length]"),
    "vibration": ("rms distance from its averaged position in the window", "[length]"),
    "cage_displacement": ("distance from its thermal position to its cage centre", "[length]"),
}
for _structure, _place in (("inherent", "inherent position"), ("cage", "cage centre")):
    for _axis, _name in zip("xyz", shift_names(_structure), strict=True):
        _meaning = f"{_axis} component of the vector from its thermal position to its {_place}"
        KNOWN_SCALARS[_name] = (_meaning, "[length]")


@dataclass(frozen=True)
class ScalarInput:
    """A per-particle scalar that a model needs: its name, meaning and dimension."""

    name: str
    meaning: str
    dimension: str

    @classmethod
    def named(cls, name: str) -> ScalarInput:
        """A scalar by its name; meaning and dimension are added if the name is known."""
        meaning, dimension = KNOWN_SCALARS.get(name, ("as in the training data", "[-]"))
        return cls(name, meaning, dimension)
