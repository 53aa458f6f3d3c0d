"""Mistakes and bad luck: reported with stage and cause; finished tasks are not lost."""

from __future__ import annotations

import fcntl
import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from simulation.simulations import liquid_config, plain, write_config
from typer.testing import CliRunner

from glassml.cli import app
from glassml.data import Dataset
from glassml.errors import ConfigError, GlassMLError, InputError, SimulationError
from glassml.progress import TerminalProgress
from glassml.simulation import find_lammps
from glassml.simulation.pipeline import load_simulate_config, simulate, write_inputs
from glassml.simulation.pipeline.lammps_task import lammps_task
from glassml.simulation.pipeline.measurements import collect_frames
from glassml.work import Store, Task, evaluator

GLASS = (  # far from equilibrium, which it never reaches
    "temperatures=[0.3]",
    "replicas=1",
    "configurations=1",
    "quench=null",
    "cage=null",
    "cooling={melt_time: 0.5, time: 0.5}",
    "equilibration={length: 2, budget: 3}",
    "separation=1",
    "ensemble={runs: 2, times: [0.01, 0.05]}",
)


def message(output: Path, *overrides: str, **options: str) -> str:
    with pytest.raises(GlassMLError) as caught:
        simulate(liquid_config(output, *overrides), **options)
    return plain(str(caught.value))


def test_box_too_small_for_the_cutoff(tmp_path):
    text = message(tmp_path, "particles=100")
    assert text.startswith("stage melt, melt-replica")
    assert "twice the cutoff 2.5, which takes 150 particles; found 100" in text


def test_liquid_that_does_not_equilibrate_is_used_with_a_warning(tmp_path):
    printed = io.StringIO()
    result = simulate(
        liquid_config(tmp_path, *GLASS), progress=TerminalProgress(Console(file=printed))
    )
    (warning,) = result.warnings
    assert warning.startswith("T = 0.3: not equilibrated: F_s(k = 7.25, t) has not decayed")
    assert "warning: not equilibrated: F_s(k" in plain(printed.getvalue())
    dataset = Dataset(result.datasets[0])
    assert dataset.description["warnings"] == [warning]
    assert not dataset.description["equilibration"]["equilibrated"]
    assert "tau_alpha" not in dataset[0].provenance
    assert "inherent_energy" not in dataset[0].scalars
    assert dataset[0].propensity.shape == (160, 2)


def test_units_of_tau_alpha_need_a_tau_alpha(tmp_path):
    text = message(tmp_path, *GLASS, "separation=1 tau_alpha")
    assert text.startswith("T = 0.3: separation: expected a time, as tau_alpha was not reached")
    assert "Raise equilibration.budget" in text
    # what was done is there for the corrected configuration
    before = {path.name for path in (tmp_path / "work").glob("[0-9a-f]*")}
    simulate(liquid_config(tmp_path, *GLASS), until="equilibrate")
    assert {path.name for path in (tmp_path / "work").glob("[0-9a-f]*")} == before


def test_lammps_own_message_is_passed_on(tmp_path):
    """A time step of 0.5 makes particles fly apart."""
    text = message(tmp_path, "timestep=0.5", "cooling.melt_time=50")
    assert text.startswith("stage melt, melt-replica")
    assert "LAMMPS stopped in" in text
    assert "ERROR: Lost atoms" in text or "ERROR: Non-numeric" in text


@pytest.fixture
def include(tmp_path: Path) -> Path:
    path = tmp_path / "soft.lammps"
    path.write_text("mass * 1.0\npair_style soft 1.2\npair_coeff * * 20.0\n")
    return path


def test_a_system_of_ones_own(include, tmp_path):
    config = write_config(
        tmp_path / "own.yaml",
        *GLASS,
        "system={include: soft.lammps, options: {species: [X, Y], composition: [3, 1]}}",
        "density=1.0",
        "timestep=0.005",
        "equilibration.wave_number=6",
        f"output={tmp_path / 'run'}",
    )
    result = simulate(load_simulate_config(config))
    dataset = Dataset(result.datasets[0])
    assert dataset.species_names == ("X", "Y")
    assert (dataset[0].species == 1).sum() == 40
    about = dataset.description
    assert about["system"]["commands"] == include.read_text()
    assert about["settings"]["system"]["include"] == "soft.lammps"
    assert about["settings"]["equilibration"]["wave_number"] == 6


def test_a_system_of_ones_own_needs_a_density(include, tmp_path):
    system = f"system={{include: {include}, options: {{species: [X, Y]}}}}"
    text = message(tmp_path / "run", system)
    assert "number_density: expected a value" in text
    assert not (tmp_path / "run").exists()


def test_include_file_that_lammps_refuses(include, tmp_path):
    include.write_text("mass * 1.0\npair_style lj/cute 2.5\n")
    system = f"system={{include: {include}, options: {{species: [X, Y]}}}}"
    text = message(tmp_path, system, "density=1.0")
    assert "soft.lammps" in text
    assert "Unrecognized pair style 'lj/cute'" in text


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("system.name=kob-anderson", "expected one of ['kob-andersen', 'kob-andersen-2d', 'wah"),
        ("system.name=kob-anderson", "did you mean 'kob-andersen'"),
        ("system.options={truncation: shift}", "truncation: expected one of 'shifted'"),
        ("equilibration.species=C", "equilibration.species: expected one of ['A', 'B']"),
        ("particles=2", "particles: expected enough for at least one of each species"),
        ("density=1200", "density: expected a number density (particles per volume), from 0.0001"),
        ("number_density=1e-6", "number_density: expected a number density (particles per volume"),
        ("ensemble.times=[0.01, 0.011]", "at least a time step of 0.005 apart"),
        ("ensemble.times=[0.001]", "ensemble.times: expected increasing times"),
        ("ensemble.times=[1, 0.5]", "ensemble.times: expected increasing times"),
    ],
)
def test_setting_that_does_not_fit_the_system(override: str, expected: str, tmp_path):
    text = message(tmp_path / "run", override)
    assert expected in text
    assert not (tmp_path / "run").exists()


def test_stage_that_does_not_exist(tmp_path):
    assert "expected one of melt, equilibrate" in message(tmp_path, until="quench")


def test_two_processes_in_one_folder(tmp_path):
    (tmp_path / "work").mkdir()
    with (tmp_path / "work" / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert "another `glassml simulate` is writing it (another process)" in message(tmp_path)


def test_work_of_another_lammps_is_not_continued(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "lammps.txt").write_text("29 Sep 2021\n")
    text = message(tmp_path)
    assert "expected LAMMPS 29 Sep 2021, with which" in text
    assert find_lammps().version in text


def test_output_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    assert "file/run: cannot write here" in message(tmp_path / "file" / "run")


def test_scripts_go_into_an_empty_folder_only(tmp_path):
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(InputError, match="expected a new or empty folder"):
        write_inputs(liquid_config(tmp_path / "run"), tmp_path)


def full_disk_task(script: str, output: str) -> Task:
    """`/dev/full` refuses every write as a full disk does."""
    head = "units lj\nregion box block 0 9 0 9 0 9\ncreate_box 1 box\n"
    head += f"shell ln -s /dev/full {output}\n"
    atoms = "create_atoms 1 random 50 1 box\nmass 1 1\npair_style zero 1\npair_coeff * *\n"
    return lammps_task(stage="melt", name="full", script=head + atoms + script, outputs=(output,))


def test_disk_that_is_full_when_lammps_writes_its_state(tmp_path):
    task = full_disk_task("write_restart a.restart\n", "a.restart")
    with pytest.raises(SimulationError) as caught:
        Store(tmp_path).do(task)
    assert "stage melt, full: " in str(caught.value)
    assert "a.restart" in str(caught.value)
    assert not Store(tmp_path).is_done(task)


def test_disk_that_is_full_when_results_are_written(tmp_path):
    @evaluator(version=1)
    def evaluate(task: Task, folder: Path) -> None:
        (folder / "b.txt").symlink_to("/dev/full")
        (folder / "b.txt").write_text("result\n" * 10000)

    task = lammps_task(stage="structure", name="full", outputs=("b.txt",), evaluate=evaluate)
    with pytest.raises(InputError) as caught:
        Store(tmp_path).do(task)
    text = plain(str(caught.value))
    assert text.startswith(f"stage structure, full: {tmp_path}: cannot write here")
    assert "(No space left on device). Finished work is kept. Make room" in text


def test_file_that_cannot_be_read_is_named(tmp_path):
    @evaluator(version=1)
    def evaluate(task: Task, folder: Path) -> None:
        (folder / "missing" / "c.txt").read_text()

    task = lammps_task(stage="structure", name="lost", outputs=("c.txt",), evaluate=evaluate)
    with pytest.raises(InputError) as caught:
        Store(tmp_path).do(task)
    text = plain(str(caught.value))
    assert text.startswith("stage structure, lost: ")
    assert "missing/c.txt: cannot read or write here (No such file or directory)" in text
    assert "Make room" not in text


def test_log_that_is_cut_off_is_named(tmp_path):
    """What a full disk leaves of a log: nothing of it, or a run without its last lines."""
    dump = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n"
    dump += "0 1\n0 1\n0 1\nITEM: ATOMS id xu yu zu\n1 0.5 0.5 0.5\n"
    whole = "Step PotEng Temp\n0 -6.5 0.5\n10 -6.4 0.6\nLoop time of 1 on 1 procs\n"

    def task(log: str) -> Task:
        @evaluator(version=1)
        def write(task: Task, folder: Path) -> None:
            (folder / "a.dump").write_text(dump)
            (folder / "log.lammps").write_text(log)

        collect = lammps_task(
            stage="equilibrate",
            name="a",
            outputs=("a.npz",),
            evaluate=collect_frames,
            parameters={"frames": [0], "log": log},
        )
        return replace(collect, evaluators=(write, *collect.evaluators))

    Store(tmp_path).do(task(whole))
    for cut in ("", whole[:30]):
        with pytest.raises(SimulationError) as caught:
            Store(tmp_path).do(task(cut))
        text = plain(str(caught.value))
        assert text.startswith("stage equilibrate, a: ")
        assert "log.lammps: expected the thermo output of a whole run" in text


def test_what_lammps_logged_is_kept_with_the_results(tmp_path):
    script = "units lj\nregion box block 0 9 0 9 0 9\ncreate_box 1 box\nshell touch a.txt b.txt\n"
    task = lammps_task(stage="melt", name="a", script=script, outputs=("a.txt",))
    Store(tmp_path).do(task)
    folder = tmp_path / task.key
    assert {path.name for path in folder.iterdir()} == {"a.txt", "log.lammps"}
    assert "create_box 1 box" in (folder / "log.lammps").read_text()


def test_command_prints_mistakes_without_a_traceback(tmp_path):
    result = CliRunner().invoke(app, ["simulate", str(tmp_path / "none.yaml")])
    assert isinstance(result.exception, ConfigError)
    assert "cannot read this configuration file" in str(result.exception)


def test_command_wants_a_configuration_first():
    result = CliRunner().invoke(app, ["simulate", "ensemble.runs=8"])
    assert isinstance(result.exception, ConfigError)
    assert "expected a configuration file" in str(result.exception)
