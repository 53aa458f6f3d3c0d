"""Polydisperse systems: many types that are one species, with the diameter of every particle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pages import command_lines, executed

from glassml.data import Configuration, Dataset, DatasetWriter, open_frames
from glassml.errors import GlassMLError, InputError
from glassml.settings import apply_overrides, validated
from glassml.simulation import System, from_include, quench, run_lammps
from glassml.simulation.exchange import types_of, write_data
from glassml.simulation.pipeline import SimulateConfig, load_simulate_config, simulate
from glassml.simulation.pipeline.liquid import liquid_of
from glassml.simulation.recorded import recorded_system

DIAMETERS = (0.8, 1.0, 1.2, 1.4)
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "polydisperse"


@pytest.fixture(scope="module")
def ideal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of particles without interactions, with masses of spheres: m = d^3."""
    folder = tmp_path_factory.mktemp("ideal")
    masses = "".join(f"mass {i} {d**3!r}\n" for i, d in enumerate(DIAMETERS, start=1))
    (folder / "ideal.lammps").write_text(f"{masses}pair_style zero 2.0\npair_coeff * *\n")
    (folder / "diameters.txt").write_text("\n".join(map(str, DIAMETERS)))
    values = {
        "system": {
            "include": "ideal.lammps",
            "options": {"species": ["P"], "diameters": "diameters.txt"},
        },
        "number_density": 1.0,
        "particles": 200,
        "temperatures": [1.5],
        "timestep": 0.005,
        "replicas": 2,
        "configurations": 2,
        "separation": 0.1,
        "cooling": {"melt_time": 0.1, "time": 0.1},
        "equilibration": {"length": 2},
        "quench": None,
        "ensemble": {"runs": 16, "times": [0.2, 0.5]},
        "seed": 1,
        "output": str(folder / "run"),
    }
    (folder / "ideal.yaml").write_text(yaml.safe_dump(values))
    (path,) = simulate(load_simulate_config(folder / "ideal.yaml")).datasets
    return path


def test_every_particle_has_the_motion_of_its_diameter(ideal: Path):
    """Without forces particles fly: <|dr|> = t sqrt(8 T / (pi m)), the mean Maxwell speed."""
    dataset = Dataset(ideal)
    assert dataset.species_names == ("P",)
    for diameter in DIAMETERS:
        found = []
        for configuration in dataset:
            chosen = configuration.scalars["diameter"] == diameter
            assert chosen.sum() == 50
            found.append(configuration.propensity[chosen] / configuration.times)
        expected = np.sqrt(8 * 1.5 / (np.pi * diameter**3))
        # 100 particles with 16 runs each; speeds scatter by 42 % of their mean: 1 %, and 4 sigma.
        np.testing.assert_allclose(np.concatenate(found).mean(axis=0), expected, rtol=0.042)
        # The next diameter is further away than that: its mass differs by 60 % or more.


def test_the_record_has_types_species_and_diameters(ideal: Path):
    about = Dataset(ideal).description["system"]
    assert (about["species"], about["particles"]) == (["P"], [200])
    assert about["diameters"] == list(DIAMETERS)
    assert about["particles_of_types"] == [50] * 4
    system = recorded_system(ideal)
    assert system is not None
    assert system.diameters == DIAMETERS
    assert system.species_of_types == (0, 0, 0, 0)
    for configuration in Dataset(ideal):
        types = types_of(configuration, system)
        np.testing.assert_array_equal(
            np.array(DIAMETERS)[types - 1], configuration.scalars["diameter"]
        )


def test_info_shows_it_and_training_reads_it(ideal: Path, tmp_path: Path, glassml: Any):
    run = glassml("data", "info", ideal)
    assert "diameter" in run.out
    settings = (
        f"data: {{train: {ideal}, scalars: [diameter], validation: 0.5, graph_cache: null}}\n"
        "model: {name: se3gnn-v2, l_max: 0, channels: 2, n_layers: 1}\n"
        f"training: {{epochs: 1, accelerator: cpu}}\noutput: {tmp_path / 'run'}\n"
    )
    (tmp_path / "c.yaml").write_text(settings)
    run = glassml("train", tmp_path / "c.yaml")
    assert run.code == 0, run.err
    assert glassml("export", tmp_path / "run", "-o", tmp_path / "model.pt").code == 0
    assert "diameter" in glassml("info", tmp_path / "model.pt").out


def test_it_starts_again_from_a_dataset_a_dump_and_a_data_file(ideal: Path, tmp_path: Path):
    """The frames have types alone; the dataset has diameters."""
    (first, *_) = Dataset(ideal)
    system = recorded_system(ideal)
    assert system is not None
    shuffled = np.random.default_rng(0).permutation(200)
    other = Configuration(
        positions=first.positions[shuffled],
        cell=first.cell,
        species=first.species,
        species_names=first.species_names,
        scalars={"diameter": first.scalars["diameter"][shuffled]},
    )
    with DatasetWriter(tmp_path / "shuffled.h5") as writer:
        writer.add(other)
    write_data(tmp_path / "shuffled.data", other, system)
    values = yaml.safe_load((ideal.parents[1] / "ideal.yaml").read_text())
    include = str(ideal.parents[1] / "ideal.lammps")
    for name in ("particles", "number_density", "replicas", "configurations", "separation"):
        del values[name]
    del values["cooling"]
    for name in ("shuffled.h5", "shuffled.data"):
        overrides = [f"start={tmp_path / name}", f"output={tmp_path / 'run'}-{name}"]
        config = validated(
            SimulateConfig,
            apply_overrides(values, [*overrides, f"system.include={include}"]),
        )
        again = Dataset(simulate(config).datasets[0])[0]
        np.testing.assert_array_equal(again.scalars["diameter"], other.scalars["diameter"])
        small = again.scalars["diameter"] == 0.8
        # Particles fly: their speed tells their mass, so no particle has that of another.
        assert again.propensity[small].mean() > 1.5 * again.propensity[~small].mean()


@pytest.fixture
def pair(tmp_path: Path) -> System:
    path = tmp_path / "pair.lammps"
    path.write_text(
        "mass * 1.0\npair_style lj/cut 3.0\npair_coeff 1 1 1.0 0.8\npair_coeff 2 2 1.0 1.2\n"
        "pair_coeff 3 3 1.0 2.0\npair_modify mix arithmetic\n"
    )
    return from_include(path, ("P", "P", "Q"), diameters=(0.8, 1.2, 2.0))


def two(diameters: tuple[float, float], species: tuple[int, int] = (0, 0)) -> Configuration:
    """Two particles at a distance of 1.5."""
    return Configuration(
        positions=np.array([[1.0, 1.0, 1.0], [2.5, 1.0, 1.0]]),
        cell=np.eye(3) * 9.0,
        species=np.array(species),
        species_names=("P", "Q"),
        scalars={"diameter": np.array(diameters)},
    )


def test_energies_are_those_of_the_diameters(pair: System):
    for diameters, species in [((0.8, 1.2), (0, 0)), ((1.2, 1.2), (0, 0)), ((1.2, 2.0), (0, 1))]:
        sigma = sum(diameters) / 2
        expected = 4 * ((sigma / 1.5) ** 12 - (sigma / 1.5) ** 6)
        found = quench(two(diameters, species), pair, force_tolerance=1e3)
        assert found.scalars["potential_energy"].sum() == pytest.approx(expected, rel=1e-12)


def test_diameters_of_six_digits_are_those_of_the_types(pair: System):
    exact = replace(pair, diameters=(1.2345649, 1.5678949, 2.0))
    np.testing.assert_array_equal(types_of(two((1.23456, 1.56789)), exact), [1, 2])
    with pytest.raises(InputError, match=r"1.23453 at particle 0.*type 1 \(P\) with 1.2345649"):
        types_of(two((1.23453, 1.56789)), exact)


def test_types_that_six_digits_do_not_tell_apart_are_refused(pair: System):
    with pytest.raises(InputError, match=r"diameters: expected those of types of P to differ by"):
        replace(pair, diameters=(1.2, 1.200005, 2.0))
    # Other species may have the same diameter.
    assert replace(pair, diameters=(0.8, 1.2, 1.2)).n_types == 3


def test_mistakes(pair: System, tmp_path: Path):
    with pytest.raises(InputError, match=r"diameter: expected those of the types of pair, from"):
        types_of(two((0.8, 1.0)), pair)
    with pytest.raises(InputError, match=r"found 2 at particle 1"):
        types_of(two((0.8, 2.0)), pair)  # that of another species
    bare = two((0.8, 1.2))
    with pytest.raises(InputError, match="scalars: expected 'diameter', as pair is polydisperse"):
        types_of(Configuration(**{**vars(bare), "scalars": {}}), pair)
    path = tmp_path / "pair.lammps"
    with pytest.raises(InputError, match="or diameters of the types where several are one"):
        from_include(path, ("P", "P", "Q"))
    with pytest.raises(InputError, match="type_species: expected types in the order of their"):
        from_include(path, ("P", "Q", "P"), diameters=(0.8, 1.2, 2.0))
    with pytest.raises(InputError, match=r"diameters: expected 3 positive numbers"):
        from_include(path, ("P", "P", "Q"), diameters=(0.8, 1.2))
    values = {
        "system": {"include": path, "options": {"species": ["P"], "diameters": "none.txt"}},
        "number_density": 1.0,
        "particles": 200,
        "temperatures": [1],
        "ensemble": None,
    }
    with pytest.raises(GlassMLError, match=r"system\.options\.diameters: expected a list of"):
        liquid_of(validated(SimulateConfig, values))


def test_the_page_from_the_simulation_to_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, glassml: Callable[..., Any]
):
    """Its commands, with a smaller liquid and one epoch of a smaller network."""
    smaller = {
        "simulate": [
            *("particles=330", "configurations=2", "separation=0.1"),
            *("cooling={melt_time: 1, time: 1}", "equilibration={length: 0.2, budget: 0.2}"),
            *("ensemble={runs: 2, times: [0.1]}", "quench.force_tolerance=0.01"),
        ],
        "train": [
            *("training.epochs=1", "model.l_max=0", "data.validation=0.5"),
            *("training.accelerator=cpu", "data.graph_cache=null"),
        ],
    }
    monkeypatch.chdir(tmp_path)
    Path("examples").symlink_to(EXAMPLES.parent)
    *learn, use = executed("docs/howto/polydisperse.md", "sh")
    for words in command_lines("".join(learn)):
        run = glassml(*words[1:], *smaller.get(words[1], []))
        assert run.code == 0, run.err
    assert "diameter [-]" in run.out
    with Dataset("runs/polydisperse/T1.h5") as dataset:
        diameters = dataset[0].scalars["diameter"]
        assert sorted(set(diameters)) == [round(0.8 + 0.04 * i, 2) for i in range(11)]
        energy = [dataset[0].scalars["inherent_energy"][diameters == d].mean() for d in (0.8, 1.2)]
        assert energy[1] < energy[0] < 0  # large particles have more neighbours
        system = recorded_system(Path("runs/polydisperse/T1.h5"))
        assert system is not None
        write_data(Path("poly.data"), dataset[0], system)
    (fix,) = executed("docs/howto/polydisperse.md", "lammps")
    start = "units lj\natom_style atomic\nread_data poly.data\n"
    interactions = (EXAMPLES / "polydisperse.lammps").read_text()
    run_lammps(f"{start}{interactions}fix 1 all nve\n{fix}run 100\n", cwd=tmp_path)
    for words in command_lines(use):
        run = glassml(*words[1:])
        assert run.code == 0, run.err
    predicted, dumped = (
        list(open_frames(f"run.{kind}").frames) for kind in ("extxyz", "lammpstrj")
    )
    assert len(predicted) == len(dumped) == 2
    for (_, frame), (_, by_lammps) in zip(predicted, dumped, strict=True):
        assert sorted(set(frame.arrays["diameter"])) == sorted(set(diameters))
        # 1e-4: six digits of positions in a dump
        found, expected = frame.arrays["propensity"], by_lammps.arrays["f_ml[1]"]
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert Path("map.png").is_file()


def test_the_page_shows_the_settings_of_the_example():
    data, training = map(yaml.safe_load, executed("docs/howto/polydisperse.md", "yaml"))
    example = yaml.safe_load((EXAMPLES / "simulate.yaml").read_text())
    assert data == {key: value for key, value in example.items() if key != "output"}
    assert training == {"data": yaml.safe_load((EXAMPLES / "train.yaml").read_text())["data"]}
