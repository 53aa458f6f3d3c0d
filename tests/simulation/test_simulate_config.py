"""Configurations of simulations: defaults, durations, and messages that name the field."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml
from simulation.simulations import LIQUID, liquid_config

from glassml.errors import ConfigError
from glassml.simulation.pipeline import load_simulate_config
from glassml.simulation.pipeline.liquid import ensemble_steps, liquid_of
from glassml.simulation.pipeline.simulate_config import Duration, EnsembleConfig, LogTimes

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "simulate"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda p: p.stem)
def test_examples_are_valid(path: Path):
    config = load_simulate_config(path)
    assert config.output == Path("runs") / path.stem
    assert liquid_of(config).system.name == "kob-andersen"


def test_there_are_examples():
    assert {p.stem for p in EXAMPLES.glob("*.yaml")} >= {"commented", "kob_andersen_T0.64"}


def test_commented_example_names_every_field_with_its_default():
    given = yaml.safe_load((EXAMPLES / "commented.yaml").read_text())
    smallest = {name: given[name] for name in ("system", "particles", "temperatures", "ensemble")}
    minimal = liquid_config(Path("x"), *(f"{k}={yaml.safe_dump(v)}" for k, v in smallest.items()))
    fields = set(type(minimal).model_fields)
    assert fields - set(given) == {"output"}
    for section in ("cooling", "equilibration", "quench", "cluster"):
        assert section in given


def test_written_configuration_reads_back_the_same(tmp_path):
    config = liquid_config(tmp_path, "equilibration.length=7 tau_alpha")
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    assert load_simulate_config(file) == config


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (3, Duration(3.0)),
        ("2.5", Duration(2.5)),
        ("1e-2 tau_alpha", Duration(0.01, True)),
        ("5*tau_alpha", Duration(5.0, True)),
    ],
)
def test_durations(text, expected, tmp_path):
    assert liquid_config(tmp_path, f"separation={text}").separation == expected


def test_times_evenly_spaced_in_their_logarithm():
    times = LogTimes(first=0.1, last="2 tau_alpha", count=4)
    ensemble = EnsembleConfig(times=times)
    assert ensemble_steps(ensemble, 0.005, 50.0) == (20, 200, 2000, 20000)


def test_wave_number_of_a_built_in_mixture(tmp_path):
    assert liquid_of(liquid_config(tmp_path)).wave_number == 7.25
    assert liquid_of(liquid_config(tmp_path, "equilibration.wave_number=6")).wave_number == 6


def test_numbers_of_particles_add_up(tmp_path):
    for n in (151, 152, 153, 154):
        counts = liquid_of(liquid_config(tmp_path, f"particles={n}")).counts
        assert sum(counts) == n
        assert abs(counts[0] - 0.8 * n) < 1


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("particle=5", ["particle: unknown field", "did you mean 'particles'"]),
        ("particles=many", ["particles: expected a whole number", "'many'"]),
        ("temperatures=[0.5, 0.6]", ["temperatures", "expected decreasing temperatures"]),
        ("temperatures=[]", ["temperatures", "expected at least one temperature"]),
        ("temperatures=[-1]", ["temperatures.0: expected a number greater than 0", "-1"]),
        ("ensemble.runs=1", ["ensemble.runs: expected a number greater than or equal to 2", "1"]),
        (
            "ensemble.times=soon",
            ['ensemble.times: expected a positive time, or a multiple such as "5 tau', "soon"],
        ),
        ("ensemble.times=[1 tau]", ["ensemble.times", '"5 tau_alpha"']),
        ("ensemble.times=[]", ["ensemble.times: expected a list of times, or first, last"]),
        ("ensemble.times={first: 1, last: 2}", ["ensemble.times.count: this field is needed"]),
        ("separation=0", ["separation: expected a positive time", "0"]),
        ("dynamics=nph", ["dynamics: expected 'nvt' or 'npt'", "'nph'"]),
        ("dynamics=npt", ["pressure: expected a number with dynamics npt"]),
        ("pressure=1", ["pressure: expected a number with dynamics npt, and null with nvt"]),
        ("system={}", ["system: expected either name or include"]),
        ("quench=true", ["quench: expected a section with fields force_tolerance", "True"]),
        ("cluster.kind=pbs", ["cluster.kind: expected 'local' or 'slurm'", "'pbs'"]),
    ],
)
def test_mistakes_are_reported(override: str, parts: list[str], tmp_path):
    with pytest.raises(ConfigError) as caught:
        liquid_config(tmp_path, override)
    text = str(caught.value)
    assert [part for part in parts if part not in text] == [], text
    assert len(text.splitlines()) == 1, text


@pytest.mark.parametrize("field", ["system", "particles", "temperatures", "ensemble"])
def test_what_is_needed_is_asked_for(field: str, tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump({k: v for k, v in LIQUID.items() if k != field}))
    with pytest.raises(ConfigError, match=f"c.yaml: {field}: this field is needed"):
        load_simulate_config(file)


def test_radii_are_those_of_the_species(tmp_path):
    assert liquid_of(liquid_config(tmp_path)).voronoi_radii == (0.5, 0.44)
    assert liquid_of(liquid_config(tmp_path, "quench.voronoi=false")).voronoi_radii is None
    assert liquid_of(liquid_config(tmp_path, "quench.radii=[1, 2]")).voronoi_radii == (1.0, 2.0)
    with pytest.raises(ConfigError, match=r"^quench\.radii: expected a radius .* found 0\.5$"):
        liquid_of(liquid_config(tmp_path, "quench.radii=[0.5]"))


def test_include_file_is_looked_for_beside_the_configuration(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump({**LIQUID, "system": {"include": "own.lammps"}}))
    assert load_simulate_config(file).system.include == tmp_path / "own.lammps"


def test_an_override_replaces_the_density_under_its_other_name(tmp_path):
    """As in `glassml simulate runs/liquid/config.yaml density=1.1`."""
    file = tmp_path / "config.yaml"
    for written, given in (("number_density", "density"), ("density", "number_density")):
        file.write_text(yaml.safe_dump({**LIQUID, written: 1.2}))
        config = load_simulate_config(file, [f"{given}=1.1"])
        assert getattr(config, given) == 1.1
        assert getattr(config, written) is None
        assert getattr(load_simulate_config(file), written) == 1.2
    with pytest.raises(ConfigError, match="number_density, density: expected one of them"):
        load_simulate_config(file, ["density=1.1", "number_density=1.1"])


def test_a_relative_program_is_beside_the_configuration(tmp_path):
    file = tmp_path / "config.yaml"
    lammps = {"command": "./lmp -sf 'o m p'", "launcher": "bin/start -n {ranks}", "ranks": 2}
    file.write_text(yaml.safe_dump({**LIQUID, "lammps": lammps}))
    found = load_simulate_config(file).lammps
    assert found is not None
    assert shlex.split(str(found.command)) == [str(tmp_path / "lmp"), "-sf", "o m p"]
    assert found.launcher == f"{tmp_path}/bin/start -n '{{ranks}}'"
    file.write_text(yaml.safe_dump({**LIQUID, "lammps": {"command": "lmp -sf omp"}}))
    found = load_simulate_config(file).lammps
    assert found is not None
    assert found.command == "lmp -sf omp"  # on PATH
