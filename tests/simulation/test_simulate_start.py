"""`start`: simulations from given configurations, in every form in which users have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
import pytest
from simulation.simulations import plain
from systems import liquid as disordered
from systems import moved, rotation, write_dump

from glassml.analysis import simulation_figure
from glassml.data import Configuration, Dataset, DatasetWriter, atoms_from_configuration
from glassml.errors import ConfigError, GlassMLError
from glassml.settings import apply_overrides, validated
from glassml.simulation import kob_andersen, quench
from glassml.simulation.exchange import write_data
from glassml.simulation.pipeline import SimulateConfig, SimulationResult, simulate
from glassml.simulation.pipeline.given import read_given
from glassml.simulation.pipeline.simulate import load_simulate_config, write_inputs

QUICK = {
    "system": {"name": "kob-andersen"},
    "temperatures": [2.0],
    "ensemble": {"runs": 2, "times": [0.01, 0.05]},
    "seed": 3,
    "workers": 2,
}


def config(files: object, output: Path, *overrides: str) -> SimulateConfig:
    """`QUICK` from these files."""
    names = [str(files)] if isinstance(files, Path) else files
    values = apply_overrides({**QUICK, "start": {"files": names}}, [*overrides, f"output={output}"])
    return validated(SimulateConfig, values)


def run(files: object, output: Path, *overrides: str) -> Dataset:
    (path,) = simulate(config(files, output, *overrides)).datasets
    return Dataset(path)


@pytest.fixture(scope="session")
def equilibrium(simulated: SimulationResult) -> Path:
    """A dataset of the liquid in equilibrium at T = 2."""
    return simulated.datasets[1]


def test_a_dataset_gives_positions_labels_and_tau(equilibrium: Path, tmp_path: Path):
    given = Dataset(equilibrium)
    tau = given[0].provenance["tau_alpha"]
    found = run(
        equilibrium,
        tmp_path / "run",
        "ensemble={runs: 4, times: [0.05, 1 tau_alpha], keep_final_positions: true}",
        *("cage={steps: 200}", "average={interval: 0.02, samples: 5}"),
    )
    assert len(found) == len(given) == 3
    for before, after in zip(given, found, strict=True):
        # The same configuration: models recognise it by this checksum.
        assert after.positions_sha256 == before.positions_sha256
        np.testing.assert_array_equal(after.species, before.species)
        np.testing.assert_array_equal(after.cell, before.cell)
        for energy in ("potential_energy", "inherent_energy"):
            # The dataset was quenched from a state that differs by the rounding of a data file.
            np.testing.assert_allclose(after.scalars[energy], before.scalars[energy], atol=1e-6)
        shift = after.structures["inherent"] - after.positions
        np.testing.assert_allclose(
            shift, before.structures["inherent"] - before.positions, atol=1e-5
        )
        assert after.times == pytest.approx([0.05, round(tau / 0.005) * 0.005])
        # Other velocities: single particles differ, the means of all agree.
        assert after.propensity[:, 1].mean() == pytest.approx(
            before.propensity[:, 2].mean(), rel=0.1
        )
        assert np.abs(after.propensity[:, 1] - before.propensity[:, 2]).max() > 0.05
        assert after.provenance["source"] == equilibrium.name
        assert after.provenance["source_frame"] == before.name
        assert {"cage", "average", "inherent"} <= set(after.structures)
    axes = simulation_figure([found.path]).axes[0]
    assert axes.texts[0].get_text() == "not measured, as configurations were given"
    about = found.description
    assert about["equilibration"] == {"temperature": 2.0, "checked": False, "tau_alpha": tau}
    assert about["start"]["files"][0]["name"] == equilibrium.name
    assert about["warnings"] == []
    assert about["settings"]["particles"] == 160
    tasks = [path.name for path in (tmp_path / "run" / "work").glob("*/log.lammps")]
    # 3 read, 3 structures, 3 cages, 3 averages, 3 times 4 runs: nothing was melted or cooled.
    assert len(tasks) == 24


def energies(dataset: Dataset) -> list[float]:
    return [float(c.scalars["inherent_energy"].sum()) for c in dataset]


def expected(configurations: Sequence[Configuration]) -> list[float]:
    done = (quench(c, kob_andersen()) for c in configurations)
    return [float(c.scalars["inherent_energy"].sum()) for c in done]


def test_dumps_data_files_and_extxyz(equilibrium: Path, tmp_path: Path):
    frames = list(Dataset(equilibrium))
    write_dump(tmp_path / "run.lammpstrj", frames)
    write_data(tmp_path / "one.data", frames[1], kob_andersen())
    atoms = atoms_from_configuration(frames[2])
    del atoms.info["species_names"], atoms.arrays["type"]
    atoms.set_chemical_symbols(np.where(frames[2].species == 0, "Ni", "P"))
    ase.io.write(tmp_path / "symbols.extxyz", atoms)
    files = [str(tmp_path / name) for name in ("run.lammpstrj", "one.data")]
    quick = ("ensemble=null", "start.index='::2'")
    found = run(files, tmp_path / "types", *quick)
    assert energies(found) == pytest.approx(
        expected([frames[0], frames[2], frames[1]]),
        rel=1e-7,  # dumps and data files hold all digits
    )
    assert found[1].provenance["source_frame"] == "frame 2"
    assert found[0].propensity is None
    symbols = run(
        tmp_path / "symbols.extxyz", tmp_path / "symbols", *quick, "start.species={Ni: A, P: B}"
    )
    # extxyz files have eight decimals; the minimum forgets them unless it is at a saddle.
    assert energies(symbols) == pytest.approx(expected(frames[2:]), abs=1e-3)
    assert symbols[0].species_names == ("A", "B")


def test_periodic_directions_that_a_file_does_not_state(tmp_path: Path):
    old = write_dump(tmp_path / "old.dump", [disordered(160)], flags="")
    with pytest.raises(GlassMLError, match=r"old\.dump: .*periodicity: expected .*start\.pbc"):
        simulate(config(old, tmp_path / "run"))
    start = config(old, tmp_path / "run", "start.pbc=T,T,T").start
    assert start is not None
    (found,) = read_given(start, kob_andersen())
    assert found.pbc == (True, True, True)
    np.testing.assert_array_equal(found.positions, disordered(160).positions)


def test_a_rotated_cell_gives_rotated_vectors(tmp_path: Path):
    """LAMMPS rotates a triclinic cell; all vectors of the dataset are in the frame of the file."""
    start = disordered(400, triclinic=True, seed=2)
    turn = rotation(1)
    turned = moved(start, positions=start.positions @ turn.T, cell=start.cell @ turn.T)
    found = []
    for name, given in (("straight", start), ("turned", turned)):
        with DatasetWriter(tmp_path / f"{name}.h5") as writer:
            writer.add(given)
        found += run(
            tmp_path / f"{name}.h5",
            tmp_path / name,
            "ensemble={runs: 2, times: [0.02], keep_final_positions: true}",
            *(
                "timestep=0.001",
                "average={interval: 0.002, samples: 3}",
                "quench.force_tolerance=0.01",
            ),
        )
    straight, other = found
    np.testing.assert_array_equal(other.cell, turned.cell)
    # Rounding errors of 1e-16 grow little in 20 steps.
    np.testing.assert_allclose(other.propensity, straight.propensity, atol=1e-9)
    for name in ("inherent", "average"):
        np.testing.assert_allclose(
            other.structures[name] - other.positions,
            (straight.structures[name] - straight.positions) @ turn.T,
            atol=1e-6,
        )
    np.testing.assert_allclose(
        other.statistics["mean_displacement"],
        straight.statistics["mean_displacement"] @ turn.T,
        atol=1e-9,
    )
    largest = np.abs(straight.statistics["mean_displacement"]).max()
    assert largest > 1e-3  # there is something to rotate


def test_equilibrium_is_checked_if_asked_for(equilibrium: Path, tmp_path: Path):
    check = (
        "start.check_equilibration=true",
        "equilibration={budget: 200}",
        "replicas=2",
        "quench=null",
        "ensemble={runs: 2, times: [0.2 tau_alpha]}",
    )
    result = simulate(config(equilibrium, tmp_path / "good", *check))
    assert result.warnings == ()
    about = Dataset(result.datasets[0]).description["equilibration"]
    assert about["equilibrated"]
    given = Dataset(equilibrium).description["equilibration"]
    # Both from short windows: each is known to some ten per cent.
    assert about["tau_alpha"] == pytest.approx(given["tau_alpha"], rel=0.35)
    # Inherent structures: the run reaches equilibrium, but they were not in it.
    cold = tmp_path / "cold.h5"
    with DatasetWriter(cold) as writer:
        for configuration in Dataset(equilibrium):
            writer.add(
                moved(
                    configuration,
                    positions=configuration.structures["inherent"],
                    structures={},
                    final_positions=None,
                )
            )
    result = simulate(config(cold, tmp_path / "bad", *check))
    (warning,) = result.warnings
    assert warning.startswith(
        "T = 2: not equilibrated: the given configurations have a mean energy"
    )
    assert "standard deviations away" in warning
    assert Dataset(result.datasets[0]).description["warnings"] == [warning]


def test_another_temperature_is_used_with_a_warning(equilibrium: Path, tmp_path: Path):
    result = simulate(
        config(equilibrium, tmp_path / "run", "temperatures=1.5", "quench=null", "configurations=1")
    )
    (warning,) = result.warnings
    assert "T = 1.5: given configurations state the temperature 2, so they are not" in warning


def test_scripts_by_hand(equilibrium: Path, tmp_path: Path):
    count, missing = write_inputs(config(equilibrium, tmp_path / "run"), tmp_path / "scripts")
    assert missing is None
    assert count == 3 * (1 + 1 + 2)  # read, structure, runs
    assert len(list((tmp_path / "scripts").glob("*.data"))) == 3


def test_paths_are_relative_to_the_configuration_file(equilibrium: Path, tmp_path: Path):
    for name in ("a.data", "b.data"):
        (tmp_path / name).write_text("")
    file = tmp_path / "c.yaml"
    text = "system: {name: kob-andersen}\ntemperatures: [0.64]\nensemble: null\n"
    for start, found in (
        ("start: a.data", [str(tmp_path / "a.data")]),
        ("start: ['*.data']", [str(tmp_path / "a.data"), str(tmp_path / "b.data")]),
        ("start: kob_andersen_T0.64", ["kob_andersen_T0.64"]),
    ):
        file.write_text(f"{text}{start}\n")
        assert list(load_simulate_config(file).start.files) == found
    file.write_text(f"{text}start: '*.dump'\n")
    with pytest.raises(ConfigError, match=r"start\.files: expected files .*\*\.dump; found none"):
        load_simulate_config(file)


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["particles=100"], ["particles: expected 160, as in the given", "found 100"]),
        (["number_density=1.1"], ["number_density: expected 1.2", "no value; found 1.1"]),
        (["temperatures=[2.5, 2]"], ["temperatures: expected one", "found [2.5, 2.0]"]),
        (["separation=3"], ["separation: expected no value, as configurations are given"]),
        (["cooling.time=3"], ["cooling: expected no value, as configurations are given"]),
        (["configurations=9"], ["configurations: expected at most 3", "found 9"]),
        (["replicas=2"], ["replicas: expected 1, as configurations are given", "found 2"]),
        (
            ["replicas=4", "start.check_equilibration=true"],
            ["replicas: expected at most 3", "found 4"],
        ),
        (
            ["temperatures=1", "ensemble.times=[1 tau_alpha]"],
            ["ensemble.times: expected times, as tau_alpha of the given", "Give start.tau_alpha"],
        ),
        (["start.index=7"], ["T2.h5: index: expected frames; found none for '7'"]),
        (["start.index=x"], ["index: expected a number or a slice"]),
        (["start.files=none.data"], ["none.data: expected a file of configurations"]),
        (["system.name=kob-andersen-2d"], ["pbc: expected particles in one plane"]),
        (["start.species={A: X}"], ["species: expected names of the system kob-andersen", "'X'"]),
        (["start.pbc='T,T,T'"], ["T2.h5: --pbc: expected none, as a dataset states which"]),
        (["start.species=[A]"], ["start.species: expected names for ['A', 'B']; found ['A']"]),
    ],
)
def test_mistakes(equilibrium: Path, tmp_path: Path, overrides: list[str], parts: list[str]):
    with pytest.raises(GlassMLError) as caught:
        simulate(config(equilibrium, tmp_path / "run", *overrides))
    text = plain(str(caught.value))
    assert [part for part in parts if part not in text] == [], text
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("given", ["'T,T'", "'x,y,z'", "periodic", "3", "[T, T, F]"])
def test_periodic_directions_in_another_form(tmp_path: Path, given: str):
    with pytest.raises(ConfigError, match=r"start\.pbc: expected .*; found"):
        config(tmp_path / "any.dump", tmp_path / "run", f"start.pbc={given}")


def test_files_that_do_not_fit(tmp_path: Path):
    small, large = disordered(160), disordered(170)
    for name, given in (("small", small), ("large", large)):
        write_dump(tmp_path / f"{name}.dump", [given])
    files = [str(tmp_path / "small.dump"), str(tmp_path / "large.dump")]
    with pytest.raises(GlassMLError, match=r"large\.dump: frame 0: species: expected as many"):
        simulate(config(files, tmp_path / "run"))
    write_dump(tmp_path / "tiny.dump", [disordered(60)])
    with pytest.raises(GlassMLError, match=r"twice the cutoff 2\.5, which takes 15[01] particles"):
        simulate(config(tmp_path / "tiny.dump", tmp_path / "run"))
    kinds = np.where(np.arange(160) == 5, 2, small.species)
    three = moved(small, species=kinds, species_names=tuple("ABC"))
    write_dump(tmp_path / "three.dump", [three])
    with pytest.raises(GlassMLError, match=r"or types 1 to 2; found types up to 3\. Map them"):
        simulate(config(tmp_path / "three.dump", tmp_path / "run"))
