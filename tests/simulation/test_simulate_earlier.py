"""Output folders that were begun elsewhere, or by an earlier version with other defaults."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from recorded_progress import Recorded
from simulation.simulations import liquid_config
from systems import liquid as disordered

from glassml.data import DatasetWriter
from glassml.settings import validated, write_yaml
from glassml.simulation.pipeline import SimulateConfig, simulate
from glassml.simulation.pipeline.earlier import with_earlier_numbers
from glassml.simulation.pipeline.given_tasks import check_chains, given_sample
from glassml.simulation.pipeline.liquid import Liquid, liquid_of

# What an earlier version wrote: numbers where there are defaults now, and null for k = 7.25.
OLD = {
    "system": {"name": "wahnstrom", "include": None, "options": {}},
    "density": None,
    "timestep": None,
    "equilibration": {"wave_number": None},
    "quench": {"force_tolerance": 1e-8},
    "cage": {"radius": 0.4, "steps": 500},
    "average": {"interval": 0.1, "samples": 5},
}


def wahnstrom(output: Path, *overrides: str) -> Liquid:
    """A liquid whose defaults have changed."""
    config = liquid_config(
        output,
        "system={name: wahnstrom}",
        "particles=400",
        *("cage={steps: 500}", "average={samples: 5}"),
        *overrides,
    )
    return liquid_of(config)


def numbers(liquid: Liquid) -> tuple[float, float, float, float]:
    return (
        liquid.wave_number,
        liquid.force_tolerance,
        liquid.cage_radius,
        liquid.sampling_interval,
    )


def begun(folder: Path, **changes: object) -> Path:
    """A folder with the record of an earlier run."""
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump({**OLD, **changes}))
    return folder


def test_an_old_folder_is_continued_with_its_numbers(tmp_path: Path):
    output = begun(tmp_path / "run")
    now = wahnstrom(output)
    assert now.wave_number != 7.25
    assert now.cage_radius != 0.4
    kept, line = with_earlier_numbers(now, output)
    assert numbers(kept) == (7.25, 1e-8, 0.4, 0.1)
    assert line is not None
    assert "equilibration.wave_number 7.25 (now 7.44 by default)" in line
    assert f"cage.radius 0.4 (now {now.cage_radius:g} by default)" in line
    # The second time, the record is that of this version.
    write_yaml(kept.resolved(), output / "config.yaml")
    again, line = with_earlier_numbers(wahnstrom(output), output)
    assert numbers(again) == numbers(kept)
    assert line is not None


def test_values_of_the_settings_come_first(tmp_path: Path):
    output = begun(tmp_path / "run")
    given = wahnstrom(output, "equilibration.wave_number=6", "cage.radius=0.3", "quench=null")
    kept, line = with_earlier_numbers(given, output)
    assert (kept.wave_number, kept.cage_radius) == (6, 0.3)
    assert kept.config.quench is None
    assert line is None  # nothing was left open in which the defaults differ


def test_another_material_gets_its_own_defaults(tmp_path: Path):
    for name, changes in {
        "system": {"system": {"name": "kob-andersen"}},
        "density": {"density": 1.1},
        "new": {"number_density": 1.1},
    }.items():
        output = begun(tmp_path / name, **changes)
        now = wahnstrom(output)
        assert with_earlier_numbers(now, output) == (now, None)
    output = begun(tmp_path / "timestep", timestep=0.001)
    kept, _ = with_earlier_numbers(wahnstrom(output), output)
    assert kept.sampling_interval == wahnstrom(output).sampling_interval
    assert kept.wave_number == 7.25


def test_nothing_is_said_where_nothing_differs(tmp_path: Path):
    output = tmp_path / "run"
    now = wahnstrom(output)
    assert with_earlier_numbers(now, output) == (now, None)
    output.mkdir()
    write_yaml(now.resolved(), output / "config.yaml")
    assert with_earlier_numbers(now, output) == (now, None)


def test_glassml_simulate_repeats_nothing_in_an_old_folder(tmp_path: Path):
    """The record of an earlier version has another radius of the cage than the default of now."""
    quick = {
        "system": {"name": "wahnstrom"},
        "start": str(_start(tmp_path / "start.h5")),
        "temperatures": [1.0],
        "timestep": 0.001,
        "quench": {"force_tolerance": 0.01},
        "ensemble": None,
        "output": tmp_path / "run",
    }
    old = validated(SimulateConfig, {**quick, "cage": {"steps": 20, "radius": 0.4}})
    simulate(old)
    work = tmp_path / "run" / "work"
    before = sorted(path.name for path in work.iterdir())
    said = Recorded()
    simulate(validated(SimulateConfig, {**quick, "cage": {"steps": 20}}), progress=said)
    assert sorted(path.name for path in work.iterdir()) == before
    assert any("cage.radius 0.4 (now " in line for line in said.lines)
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["cage"]["radius"] == 0.4


@pytest.mark.parametrize("check", [False, True])
def test_keys_do_not_depend_on_where_the_input_lies(tmp_path: Path, check: bool):
    keys = []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        values = {
            "system": {"name": "kob-andersen"},
            "start": {
                "files": str(_start(tmp_path / place / "start.h5")),
                "check_equilibration": check,
            },
            "temperatures": [1.0],
            "ensemble": None,
            "output": tmp_path / "run",
        }
        liquid = liquid_of(validated(SimulateConfig, values))
        assert place in liquid.given[0].name  # for messages
        tasks = check_chains(liquid)[1] if check else [given_sample(liquid, 0)[1]]
        keys.append([task.key for task in tasks])
    assert keys[0] == keys[1]


def _start(path: Path) -> Path:
    """A disordered configuration as a dataset."""
    start = disordered(400, density=1.0, seed=1)
    with DatasetWriter(path) as writer:
        writer.add(start)
    return path
