"""A whole simulation: the physics of the datasets, and their descriptions."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from simulation.simulations import LIQUID, liquid_config

from glassml.analysis import simulation_figure
from glassml.data import Configuration, Dataset
from glassml.physics import ballistic_displacement, voronoi_surface
from glassml.plotting import save_figure
from glassml.simulation import find_lammps, kob_andersen
from glassml.simulation.exchange import read_snapshot
from glassml.simulation.pipeline import SimulationResult, simulate, write_inputs

RUNS = LIQUID["ensemble"]["runs"]
N = LIQUID["particles"]


@pytest.fixture(scope="module")
def hot(simulated: SimulationResult) -> Dataset:
    return Dataset(simulated.datasets[0])


@pytest.fixture(scope="module")
def configurations(simulated: SimulationResult) -> list[Configuration]:
    datasets = [Dataset(path) for path in simulated.datasets]
    return [d.read(name, final_positions=True) for d in datasets for name in d.names]


def test_there_is_a_dataset_for_each_temperature(simulated):
    assert [path.name for path in simulated.datasets] == ["T2.5.h5", "T2.h5"]
    for path, temperature in zip(simulated.datasets, LIQUID["temperatures"], strict=True):
        dataset = Dataset(path)
        assert len(dataset) == LIQUID["configurations"]
        assert dataset.description["temperature"] == temperature
        assert {c.provenance["temperature"] for c in dataset} == {temperature}


def test_composition_and_density_are_those_of_the_system(configurations):
    for configuration in configurations:
        assert np.bincount(configuration.species).tolist() == [128, 32]
        assert configuration.number_density == pytest.approx(1.2, rel=1e-12)


def test_motion_begins_ballistically(configurations):
    """<|dr|> = sqrt(8 T / (pi m)) t; the relative scatter of |v| is sqrt(3 pi / 8 - 1) = 0.42."""
    for temperature in LIQUID["temperatures"]:
        chosen = [c for c in configurations if c.provenance["temperature"] == temperature]
        measured = np.mean([c.propensity[:, 0].mean() for c in chosen])
        expected = ballistic_displacement(0.01, temperature)
        error = 0.42 / np.sqrt(len(chosen) * N * RUNS)
        assert measured == pytest.approx(expected, rel=4 * error)


def test_velocities_are_drawn_anew_for_every_run_and_have_no_total_momentum(configurations):
    for c in configurations:
        first = c.final_positions[:, 0] - c.positions.astype(np.float32)
        correlation = np.corrcoef(first.reshape(RUNS, -1))
        # of 480 components each, so the standard error is 0.046
        assert np.abs(correlation - np.eye(RUNS)).max() < 0.2
        assert c.statistics["mean_displacement"].mean(axis=0) == pytest.approx(0, abs=1e-10)


def test_averages_are_those_of_the_final_positions(configurations):
    for c in configurations:
        displacement = np.moveaxis(c.final_positions.astype(float), 2, 1) - c.positions[:, None]
        distance = np.linalg.norm(displacement, axis=3)  # [R, N, T]
        # final positions are float32: 1e-6 for coordinates of up to 10
        near = {"abs": 4e-6}
        assert distance.mean(axis=0) == pytest.approx(c.propensity, **near)
        assert (distance**2).mean(axis=0) == pytest.approx(
            c.statistics["square_displacement"], abs=4e-5
        )
        assert displacement.mean(axis=0) == pytest.approx(c.statistics["mean_displacement"], **near)
        halves = c.statistics["propensity_halves"]
        assert distance[: RUNS // 2].mean(axis=0) == pytest.approx(halves[..., 0], **near)
        assert halves.mean(axis=2) == pytest.approx(c.propensity, rel=1e-12)


def test_times_are_those_asked_for(simulated):
    for path in simulated.datasets:
        dataset = Dataset(path)
        tau = dataset.description["equilibration"]["tau_alpha"]
        times = dataset.common_times()
        assert times[:2] == pytest.approx([0.01, 0.1], rel=1e-12)
        assert times[2] == pytest.approx(tau, abs=0.0025)  # half a time step


def test_energies_and_inherent_structures(simulated, configurations):
    for c in configurations:
        record = Dataset(simulated.folder / f"T{c.provenance['temperature']:g}.h5").description
        thermal, inherent = c.scalars["potential_energy"], c.scalars["inherent_energy"]
        # energy fluctuates by about sqrt(3 T^2 / (2 N)) per particle: 0.24 at T = 2.5
        mean = record["equilibration"]["windows"][-1]["energy"]
        assert thermal.mean() == pytest.approx(mean, abs=1.0)
        assert inherent.mean() < thermal.mean() - 1.5  # 3 T / 2 per particle if it were harmonic
        assert c.provenance["quench_largest_force"] <= 1e-8
        moved = np.linalg.norm(c.structures["inherent"] - c.positions, axis=1)
        assert 0.05 < moved.mean() < 0.5
        radii = np.where(c.species == 0, 0.5, 0.44)
        surface = voronoi_surface(c.structures["inherent"], c.cell, c.pbc, radii)
        np.testing.assert_array_equal(c.scalars["inherent_voronoi_surface"], surface)


def test_cage_centres_are_near_the_positions(configurations):
    for c in configurations:
        moved = np.linalg.norm(c.structures["cage"] - c.positions, axis=1)
        assert 0.02 < moved.mean() < 0.4  # the radius of the cage
        assert 0 < c.provenance["cage_error"] < 0.2


def test_cooling_lowers_energy_and_slows_down(simulated):
    hot, cold = (Dataset(path).description["equilibration"] for path in simulated.datasets)
    assert hot["tau_alpha"] < cold["tau_alpha"]
    assert hot["windows"][-1]["energy"] > cold["windows"][-1]["energy"]
    for found in (hot, cold):
        assert found["equilibrated"]
        last = found["windows"][-1]
        # kinetic temperature: mean over a window of many damping times
        assert last["temperature"] == pytest.approx(found["temperature"], rel=0.05)
        assert last["length"] >= 0.9 * 10 * last["tau_alpha"]


def test_the_dataset_describes_itself(hot):
    about = hot.description
    assert about["lammps"] == find_lammps().version
    assert about["system"]["units"] == "lj"
    assert about["system"]["commands"] == kob_andersen().commands
    assert about["settings"]["seed"] == LIQUID["seed"]
    assert about["settings"]["ensemble"]["times"] == [0.01, 0.1, "1 tau_alpha"]
    assert about["timestep"] == 0.005
    assert about["warnings"] == []
    assert not {"output", "workers"} & set(about["settings"])  # which say nothing about the data


def test_progress_is_quiet_but_for_results(simulated, printed: io.StringIO):
    lines = printed.getvalue().splitlines()
    assert lines[0].startswith("kob-andersen, 160 particles; results in ")
    numbers = "number density 1.2, time step 0.005, wave number 7.25, force tolerance 1e-08"
    assert " ".join(lines[1:3]).startswith(numbers)
    results = [line for line in lines if line.startswith("T = ")]
    assert [line.split(":")[0] for line in results] == ["T = 2.5", "T = 2"]
    assert "tau_alpha 0." in results[0]
    assert results[0].endswith(": equilibrated")
    assert len(lines) <= 7  # the numbers may take two lines


def test_the_same_command_again_does_nothing_and_says_the_same(simulated):
    work = simulated.folder / "work"
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*") if path.is_file()}
    files = [path.read_bytes() for path in simulated.datasets]
    again = simulate(liquid_config(simulated.folder))
    assert again == simulated
    assert [path.read_bytes() for path in simulated.datasets] == files
    after = {path: path.stat().st_mtime_ns for path in work.rglob("*") if path.is_file()}
    assert after.pop(work / ".lock")
    assert before.pop(work / ".lock")
    assert after == before


def test_what_only_an_average_needed_is_removed(simulated):
    work = simulated.folder / "work"
    assert not list(work.rglob("*-run*.npy"))
    assert not list(work.rglob("*-window*.npz"))
    assert not list(work.glob(".partial-*"))


def test_picture(simulated, tmp_path: Path):
    save_figure(simulation_figure(simulated.datasets), tmp_path / "summary.png")
    with Image.open(tmp_path / "summary.png") as image:
        assert image.size == (1500, 1170)
        colours = image.convert("RGB").getcolors(1 << 24)
    assert len(colours) > 1000  # it is drawn upon


def test_written_scripts_repeat_the_simulation_by_hand(simulated, tmp_path: Path):
    config = liquid_config(simulated.folder)
    count, missing = write_inputs(config, tmp_path / "scripts")
    assert missing is None
    scripts = sorted((tmp_path / "scripts").glob("*.in"))
    assert len(scripts) == count
    lmp = find_lammps().lmp
    environment = {"OMP_NUM_THREADS": "1", "GLASSML_NATIVE_DIR": str(tmp_path), "PATH": "/bin"}
    wanted = [path for path in scripts if "T2-" not in path.name]  # the first temperature is enough
    for script in wanted:
        subprocess.run(
            [lmp, "-in", script.name], cwd=script.parent, env=environment,
            check=True, capture_output=True,
        )  # fmt: skip
    configuration = Dataset(simulated.datasets[0])["T2.5-0003"]
    thermal = read_snapshot(tmp_path / "scripts" / "T2.5-0003-structure.thermal.dump")
    assert thermal["xu"].tolist() == configuration.positions[:, 0].tolist()
    assert thermal["c_energy"].tolist() == configuration.scalars["potential_energy"].tolist()
    ends = []
    for run in range(1, RUNS + 1):
        text = (tmp_path / "scripts" / f"T2.5-0003-run{run}.dump").read_text()
        last = text.split("ITEM: ATOMS id xu yu zu\n")[-1]
        ends.append(np.array(last.split(), float).reshape(N, 4)[:, 1:])
    distance = np.linalg.norm(np.array(ends) - configuration.positions, axis=2).mean(axis=0)
    assert distance == pytest.approx(configuration.propensity[:, -1], rel=1e-9)


def test_scripts_before_the_simulation_go_as_far_as_is_known(tmp_path: Path):
    config = liquid_config(tmp_path / "run")
    count, missing = write_inputs(config, tmp_path / "scripts")
    assert missing == "T = 2.5: window 1, 5 long"
    assert count == len(list((tmp_path / "scripts").glob("*.in"))) == 8
    readme = (tmp_path / "scripts" / "README.txt").read_text()
    assert "lmp -in $script" in readme
    assert missing in readme
    assert not (tmp_path / "run").exists()


def test_windows_are_recorded_for_checking(simulated):
    files = list((simulated.folder / "work").rglob("*-measured.json"))
    window = json.loads(files[0].read_text())
    assert window["times"][0] == 0.005
    assert window["times"][-1] == pytest.approx(window["length"] / 2)
    assert window["f_s"][0] > 0.99


def test_constant_pressure_and_unequal_masses(tmp_path: Path):
    """Wahnstrom's particles A weigh 2, B 1; the thermostat acts in the ensemble too."""
    config = liquid_config(
        tmp_path,
        "system.name=wahnstrom",
        "particles=200",
        "temperatures=[2.0]",
        "replicas=1",
        "configurations=2",
        "quench=null",
        "cage=null",
        "dynamics=npt",
        "pressure=10",
        "equilibration={length: 2, budget: 4}",
        "separation=0.2",
        "ensemble={runs: 4, times: [0.01], dynamics: nvt}",
    )
    dataset = Dataset(simulate(config).datasets[0])
    volumes = [c.volume for c in dataset]
    mean = np.mean([c.number_density for c in dataset])
    assert dataset.description["number_density"] == pytest.approx(mean, rel=1e-12)
    assert dataset.description["initial_number_density"] == pytest.approx(0.75 * 1.2**3, rel=1e-12)
    assert volumes[0] != volumes[1]
    assert 0.8 < dataset[0].number_density < 1.25  # begun at 1.296
    for kind, mass in enumerate((2.0, 1.0)):
        measured = np.concatenate([c.propensity[c.species == kind, 0] for c in dataset])
        expected = ballistic_displacement(0.01, 2.0, mass)
        assert measured.mean() == pytest.approx(expected, rel=4 * 0.42 / np.sqrt(800))
    for c in dataset:
        momentum = np.where(c.species == 0, 2.0, 1.0) @ c.statistics["mean_displacement"][:, 0]
        assert momentum == pytest.approx(0, abs=1e-9)
