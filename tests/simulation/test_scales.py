"""Defaults in proportion to the material: published for Kob-Andersen, no unit of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulation.simulations import LIQUID, liquid_config

from glassml.errors import ConfigError, InputError
from glassml.physics.units import UNIT_STYLES
from glassml.settings import validated
from glassml.simulation import System, kob_andersen, kob_andersen_2d, scales, wahnstrom
from glassml.simulation.pipeline import SimulateConfig
from glassml.simulation.pipeline.liquid import liquid_of

COPPER_ZIRCONIUM = 0.058  # atoms per cubic angstrom


def system(units: str, dimension: int = 3) -> System:
    """Cu64Zr36 in these units, without interactions."""
    mass = {"real": 1.0, "metal": 1.0, "electron": 1.0}.get(units)
    if mass is None:
        amu = 1.66053907e-27
        mass = amu / (UNIT_STYLES[units].mass or amu)
    return System(
        name="copper-zirconium",
        species_names=("Cu", "Zr"),
        composition=(0.64, 0.36),
        number_density=None,
        timestep=1.0,
        commands="",
        masses=(63.546 * mass, 91.224 * mass),
        units=units,
        dimension=dimension,
    )


@pytest.mark.parametrize("mixture", [kob_andersen(), kob_andersen_2d()], ids=lambda s: s.name)
def test_kob_andersen_has_the_published_values(mixture: System):
    density, dimension = mixture.number_density, mixture.dimension
    assert scales.wave_number(density, dimension) == 7.25
    assert scales.cage_radius(density, dimension) == 0.4
    assert scales.force_tolerance(mixture, density) == 1e-8
    assert scales.SAMPLE_STEPS * mixture.timestep == 0.1


def test_a_box_of_a_rounded_length_changes_nothing():
    """Published boxes of 4096 particles have an edge of 15.06, a density of 1.1992."""
    density = 4096 / 15.06**3
    assert scales.wave_number(density) == pytest.approx(7.25, rel=2e-3)
    assert scales.cage_radius(density) == 0.4


def test_a_metallic_glass_former():
    # S(k) of liquid and glassy Cu-Zr has its first peak between 2.6 and 2.8 per angstrom.
    assert scales.wave_number(COPPER_ZIRCONIUM) == pytest.approx(2.65, rel=0.01)
    # Below half of the 2.6 angstrom to a neighbour.
    assert 0.5 < scales.cage_radius(COPPER_ZIRCONIUM) < 1.3


@pytest.mark.parametrize("units", ["real", "electron", "si", "cgs", "micro", "nano"])
def test_the_same_liquid_in_other_units_has_the_same_defaults(units: str):
    reference, other = UNIT_STYLES["metal"], UNIT_STYLES[units]
    length = other.metres / reference.metres
    density = COPPER_ZIRCONIUM * length**3
    # Defaults are rounded to three digits, which is half a per cent at most; forces to one digit.
    assert scales.wave_number(density) / length == pytest.approx(
        scales.wave_number(COPPER_ZIRCONIUM), rel=0.01
    )
    assert scales.cage_radius(density) * length == pytest.approx(
        scales.cage_radius(COPPER_ZIRCONIUM), rel=0.01
    )
    force = scales.force_tolerance(system(units), density) * other.joules / other.metres
    expected = scales.force_tolerance(system("metal"), COPPER_ZIRCONIUM)
    assert force == pytest.approx(expected * reference.joules / reference.metres, rel=0.4)


@pytest.mark.parametrize(
    ("units", "value", "hint"),
    [
        # 7.2 g/cm^3 / (73.51 g/mol) * 0.60221 mol / angstrom^3
        ("metal", 7.2, "7.2 g/cm^3 would be number_density: 0.059"),
        ("real", 7.2, "in 1/angstrom^3, from 1e-06 to 0.5 for units real; found 7.2; 7.2 g/cm^3"),
        ("metal", 7200.0, "7200 kg/m^3 would be number_density: 0.059"),
        ("metal", 59.0, "59 1/nm^3 would be number_density: 0.059"),
        ("electron", 7.2, "7.2 g/cm^3 would be number_density: 0.00874"),
        ("si", 7200.0, "7200 kg/m^3 would be number_density: 5.9e+28"),
        ("cgs", 7.2, "7.2 g/cm^3 would be number_density: 5.9e+22"),
    ],
)
def test_a_mass_density_is_recognised(units: str, value: float, hint: str):
    with pytest.raises(InputError, match="expected a number density") as caught:
        scales.check_number_density(value, system(units))
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("units", "density"),
    [
        ("metal", 0.0085),  # liquid caesium
        ("metal", 0.176),  # diamond
        ("real", 0.0014),  # one bead for a molecule of C60
        ("nano", 59.0),
        ("si", 5.9e28),
        ("micro", 0.5),  # colloids
        ("lj", 1.2),
        ("lj", 0.5),
    ],
)
def test_densities_of_liquids_are_accepted(units: str, density: float):
    scales.check_number_density(density, system(units))


def test_a_plane_has_a_density_per_area():
    scales.check_number_density(0.15, system("metal", 2))  # close-packed metal: 0.17 per angstrom^2
    with pytest.raises(InputError, match=r"\(particles per area\) in 1/angstrom\^2") as caught:
        scales.check_number_density(7.2, system("metal", 2))
    assert "g/cm" not in str(caught.value)


def test_the_resolved_values_are_in_the_settings(tmp_path: Path):
    liquid = liquid_of(liquid_config(tmp_path, "cage={steps: 500}", "average={}"))
    resolved = liquid.resolved()
    assert resolved.number_density == 1.2
    assert resolved.timestep == 0.005
    assert resolved.equilibration.wave_number == 7.25
    assert resolved.cage is not None
    assert resolved.quench is not None
    assert resolved.average is not None
    assert (resolved.cage.radius, resolved.quench.force_tolerance) == (0.4, 1e-8)
    assert resolved.average.interval == 0.1
    again = liquid_of(validated(SimulateConfig, resolved.model_dump(mode="json")))
    assert again.resolved() == resolved


def test_given_values_are_taken_as_they_are(tmp_path: Path):
    config = liquid_config(
        tmp_path,
        *("density=1.3", "equilibration.wave_number=7", "quench.force_tolerance=1e-5"),
        *("cage={radius: 0.3}", "average={interval: 0.05}"),
    )
    liquid = liquid_of(config)
    assert liquid.density == 1.3
    assert (liquid.wave_number, liquid.force_tolerance) == (7, 1e-5)
    assert (liquid.cage_radius, liquid.sampling_interval) == (0.3, 0.05)


def test_defaults_follow_the_density(tmp_path: Path):
    for name, expected in (("wahnstrom", 7.25 * 1.08 ** (1 / 3)), ("kob-andersen", 7.25)):
        liquid = liquid_of(liquid_config(tmp_path, f"system.name={name}"))
        assert liquid.wave_number == pytest.approx(expected, rel=1e-3)
    assert wahnstrom().number_density == pytest.approx(1.2 * 1.08)
    half = liquid_of(liquid_config(tmp_path, "number_density=0.15"))  # twice the spacing
    assert (half.wave_number, half.cage_radius) == (pytest.approx(7.25 / 2, rel=2e-3), 0.8)


def test_a_density_is_given_once(tmp_path: Path):
    values = {**LIQUID, "output": str(tmp_path), "density": 1.1, "number_density": 1.2}
    with pytest.raises(ConfigError, match="number_density, density: expected one of them"):
        validated(SimulateConfig, values)
