"""examples/slurm: every script is correct bash and does its work, small, without SLURM.

bash runs the scripts as SLURM would: in the folder in which they were submitted, with SLURM's
variables. Only SLURM itself, which hands out nodes, is absent.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from systems import liquid, moved, write_dump
from typer.main import get_command

from glassml.cli import app
from glassml.data import Dataset, DatasetWriter
from glassml.simulation import kob_andersen
from glassml.simulation.exchange import write_data

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "examples" / "slurm"
SCRIPTS = sorted(FOLDER.glob("*.sbatch"))
each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)

SIMULATION = """\
system: {name: kob-andersen}
start: start.lammpstrj
temperatures: [2.0]
timestep: 0.002
quench: {force_tolerance: 0.01}
ensemble: {runs: 2, times: [0.01]}
"""
TRAINING = """\
data: {train: train.h5, graph_cache: null}
model: {name: se3gnn-v2, l_max: 0, channels: 2, n_layers: 1}
training: {epochs: 1, accelerator: cpu, schedule: {name: steps}}
"""
LAMMPS = """\
units lj
atom_style atomic
read_data start.data
mass * 1
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0 2.5
pair_coeff 1 2 1.5 0.8 2.0
pair_coeff 2 2 0.5 0.88 2.2
fix ml all glassml 5 ${model} A B
fix 1 all nve
timestep 0.001
dump 1 all custom 5 out.lammpstrj id type x y z f_ml[1]
run 5
"""


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder with small inputs, and an environment to be activated."""
    start = liquid(200, seed=3)
    write_dump(tmp_path / "start.lammpstrj", [start])
    write_dump(tmp_path / "run0.lammpstrj", [start, start])
    write_dump(tmp_path / "run1.lammpstrj", [start])
    write_data(tmp_path / "start.data", start, kob_andersen())
    with DatasetWriter(tmp_path / "train.h5") as writer:
        for seed in range(5):
            labels = np.random.default_rng(seed).uniform(0.1, 0.5, (200, 1))
            bare = liquid(200, seed=seed, name=f"liquid-{seed}")
            writer.add(moved(bare, times=np.array([1.0]), propensity=labels))
    (tmp_path / "liquid.yaml").write_text(SIMULATION)
    (tmp_path / "first.yaml").write_text(TRAINING)
    (tmp_path / "in.liquid").write_text(LAMMPS)
    activate = tmp_path / "environment" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(f'export PATH="{Path(sys.prefix) / "bin"}:$PATH"\n')
    return tmp_path


def submit(script: str, folder: Path, *arguments: str, **variables: str) -> str:
    """Run a script as SLURM does, and return what it printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "calculators")]),
        "GLASSML_ENV": str(folder / "environment"),
        "SLURM_CPUS_PER_TASK": "1",
        **variables,
    }
    done = subprocess.run(
        ["bash", str(FOLDER / script), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commands(script: Path) -> list[list[str]]:
    """The words of the lines that run glassml, also in comments."""
    text = script.read_text().replace("\\\n", " ")
    return [
        shlex.split(line)
        for line in re.findall(r"^[#\s]*(glassml .*)$", text, re.MULTILINE)
        if not line.startswith(("glassml simulate on", "glassml train on", "glassml predict for"))
    ]


def test_there_is_a_script_for_each_part_of_the_work():
    assert [path.stem for path in SCRIPTS] == ["lammps", "predict", "simulate", "train"]
    page = (REPOSITORY / "docs" / "howto" / "slurm.md").read_text()
    for path in SCRIPTS:
        assert f"`{path.name}`" in page


@each_script
def test_bash_accepts_it(script: Path):
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text()
    assert text.startswith("#!/bin/bash\n")
    assert f"#   sbatch {script.name} " in text or f"#   sbatch --array=0-9 {script.name} " in text
    assert "set -euo pipefail" in text


@each_script
def test_slurm_knows_the_options(script: Path):
    options = re.findall(r"^##?SBATCH (--[a-z-]+)=\S+$", script.read_text(), re.MULTILINE)
    known = {
        *("--job-name", "--nodes", "--ntasks", "--cpus-per-task", "--mem", "--mem-per-cpu"),
        *("--time", "--output", "--gres"),
    }
    assert set(options) <= known
    assert {"--job-name", "--ntasks", "--cpus-per-task", "--time", "--output"} <= set(options)
    assert len(options) == script.read_text().count("SBATCH --")


@pytest.mark.parametrize("name", ["predict", "simulate", "train"])
def test_every_command_is_one_of_glassml(name: str):
    found = commands(FOLDER / f"{name}.sbatch")
    assert found
    for words in found:
        command = get_command(app).commands[words[1]]  # type: ignore[attr-defined]
        assert words[1] == name
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options


def test_simulate(workplace: Path):
    submit("simulate.sbatch", workplace, "liquid.yaml", "ensemble.runs=3", SLURM_CPUS_PER_TASK="2")
    dataset = Dataset(workplace / "runs" / "liquid" / "T2.h5")
    assert dataset[0].n_runs == 3


def test_simulate_with_ranks(workplace: Path):
    """The line in the comment; mpiexec takes the place of srun."""
    (line,) = [words for words in commands(FOLDER / "simulate.sbatch") if "workers=4" in words]
    arguments = [word.replace("srun --exact", "mpiexec") for word in line[3:]]
    assert line[2] == "$@"
    arguments = [word.replace("ranks: 4", "ranks: 2") for word in arguments]
    submit("simulate.sbatch", workplace, "liquid.yaml", *arguments)
    assert Dataset(workplace / "runs" / "liquid" / "T2.h5").description["ranks"] == 2


def test_train_and_continue(workplace: Path):
    submit("train.sbatch", workplace, "first.yaml")
    assert (workplace / "runs" / "first" / "checkpoints" / "best.ckpt").is_file()
    more = ("training.epochs=2",)
    submit("train.sbatch", workplace, "--resume", "runs/first", *more)
    lines = (workplace / "runs" / "first" / "metrics.csv").read_text().splitlines()
    assert len(lines) == 3  # the names, and two epochs


def test_predict_one_file_of_a_job_array(workplace: Path):
    arguments = ("kob_andersen_T0.44", "A,B", "run0.lammpstrj", "run1.lammpstrj")
    submit("predict.sbatch", workplace, *arguments, SLURM_ARRAY_TASK_ID="1")
    assert [path.name for path in (workplace / "predicted").iterdir()] == ["run1.extxyz"]
    submit("predict.sbatch", workplace, *arguments)
    frames = ase.io.read(workplace / "predicted" / "run0.extxyz", ":")
    assert len(frames) == 2
    assert frames[0].arrays["propensity"].shape[0] == 200


def test_predict_files_of_the_same_name_in_two_folders(workplace: Path):
    for name in ("a", "b"):
        (workplace / name).mkdir()
        shutil.copy(workplace / "run1.lammpstrj", workplace / name / "run.lammpstrj")
    model = ("kob_andersen_T0.44", "A,B")
    submit("predict.sbatch", workplace, *model, "a/run.lammpstrj", "./b/run.lammpstrj")
    found = sorted(path.name for path in (workplace / "predicted").iterdir())
    assert found == ["a_run.extxyz", "b_run.extxyz"]
    with pytest.raises(AssertionError, match=r"found several for predicted/a_run\.extxyz"):
        submit("predict.sbatch", workplace, *model, "a/run.lammpstrj", "a/run.data")


def test_lammps_on_two_ranks(workplace: Path, models):
    printed = submit(
        "lammps.sbatch", workplace, "in.liquid", "-var", "model", str(models()), SLURM_NTASKS="2"
    )
    assert re.search(r"(1 by 1 by 2|2 by 1 by 1|1 by 2 by 1) MPI processor grid", printed)
    assert (workplace / "out.lammpstrj").read_text().count("ITEM: TIMESTEP") == 2
