"""Numbers of an earlier run in the same output folder, so that it is continued with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from glassml.physics import same_time
from glassml.settings import read_yaml
from glassml.simulation import scales
from glassml.simulation.pipeline.liquid import Liquid
from glassml.simulation.pipeline.simulate_config import SimulateConfig

__all__ = ["with_earlier_numbers"]

_DENSITY_TOLERANCE = 1e-6  # relative


class _Number(NamedTuple):
    """A setting whose default follows from the material."""

    section: str
    field: str
    resolved: str  # attribute of `Liquid`


_NUMBERS = (
    _Number("equilibration", "wave_number", "wave_number"),
    _Number("quench", "force_tolerance", "force_tolerance"),
    _Number("cage", "radius", "cage_radius"),
    _Number("average", "interval", "sampling_interval"),
)


def with_earlier_numbers(liquid: Liquid, output: Path) -> tuple[Liquid, str | None]:
    """Take numbers that the settings leave open from the earlier run in an output folder.

    Defaults differ between versions of glassml. Other numbers would repeat finished work, and mix
    results of two definitions. This holds for the same system, density and time step only: another
    material gets its own defaults.

    Args:
        liquid: what is simulated, with the settings of now.
        output: output folder, which need not exist; its ``config.yaml`` records the earlier run.

    Returns:
        The liquid with these numbers in its settings, and a line for the user; None if no number
        differs from the default of now.

    Raises:
        ConfigError: ``config.yaml`` cannot be read.
    """
    file = output / "config.yaml"
    if not file.exists():
        return liquid, None
    earlier = read_yaml(file, SimulateConfig)
    if not _same_material(earlier, liquid):
        return liquid, None
    sections, said = {}, []
    for number in _NUMBERS:
        section = getattr(liquid.config, number.section)
        value = _value(earlier, number)
        if section is None or getattr(section, number.field) is not None or value is None:
            continue
        now = getattr(liquid, number.resolved)
        if value == now or (number.field == "interval" and _other_timestep(earlier, liquid)):
            continue
        sections[number.section] = section.model_copy(update={number.field: value})
        said.append(f"{number.section}.{number.field} {value:g} (now {now:g} by default)")
    if not said:
        return liquid, None
    line = f"{file}: numbers of the earlier run are kept unless you give others: {', '.join(said)}"
    return replace(liquid, config=liquid.config.model_copy(update=sections)), line


def _same_material(earlier: dict[str, Any], liquid: Liquid) -> bool:
    """Whether the earlier run was of this system at this density."""
    system = _section(earlier, "system")
    if system.get("name") != liquid.config.system.name:
        return False
    # Before there was number_density, null stood for that of a built-in mixture.
    density = earlier.get("number_density") or earlier.get("density")
    density = _positive(density or liquid.system.number_density)
    return density is not None and abs(density / liquid.density - 1) < _DENSITY_TOLERANCE


def _other_timestep(earlier: dict[str, Any], liquid: Liquid) -> bool:
    timestep = _positive(earlier.get("timestep") or liquid.system.timestep)
    return timestep is None or not same_time(timestep, liquid.timestep)


def _value(earlier: dict[str, Any], number: _Number) -> float | None:
    """The number of the earlier run; None if it had none."""
    section = _section(earlier, number.section)
    value = section.get(number.field)
    if number.field == "wave_number" and number.field in section and value is None:
        return scales.WAVE_NUMBER  # what null meant, whatever the density, before it was recorded
    return _positive(value)


def _section(values: dict[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def _positive(value: Any) -> float | None:
    """A positive number; None for anything else that a file may hold."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and value > 0 else None
