"""The table of units: complete, and with the numbers of ASE.

`tests/simulation/test_cage.py` and `tests/lammps/test_fix_misuse.py` compare it with LAMMPS.
"""

from __future__ import annotations

import ase.units
import pytest

from glassml.physics.units import LENGTH_UNITS, METRES, UNIT_STYLES


def test_every_unit_of_length_is_that_of_a_unit_style():
    assert {style.length for style in UNIT_STYLES.values()} == set(LENGTH_UNITS)
    assert set(LENGTH_UNITS) == {"lj", *METRES}


@pytest.mark.parametrize(
    ("name", "in_angstrom"),
    [
        ("angstrom", ase.units.Angstrom),
        ("nm", ase.units.nm),
        ("bohr", ase.units.Bohr),
        ("m", ase.units.m),
    ],
)
def test_lengths_are_those_of_ase(name: str, in_angstrom: float):
    # 1e-15: one rounding
    assert METRES[name] / METRES["angstrom"] == pytest.approx(in_angstrom, rel=1e-15)


def test_small_and_large_units_of_length():
    assert (METRES["um"], METRES["cm"]) == (1e-6, 1e-2)


def test_consistent_unit_styles_need_no_factor():
    assert {name for name, style in UNIT_STYLES.items() if style.kinetic == 1.0} == {
        "lj",
        "si",
        "cgs",
        "micro",
        "nano",
    }


def test_a_proton_at_the_speed_of_light_has_its_rest_energy():
    """The kinetic factor of `metal`: m c^2 of one amu is 931.494 MeV."""
    light = 2_997_924.58  # angstrom / ps
    assert UNIT_STYLES["metal"].kinetic * light**2 == pytest.approx(931.494e6, rel=1e-6)
