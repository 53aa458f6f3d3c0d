"""`glassml average` on real files: its messages, and a run that is killed and started again."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from systems import liquid, moved, write_dump

from glassml.cli.average import average as command
from glassml.data import Dataset, DatasetWriter, Window, number_of_windows, window_of
from glassml.simulation import average_file, kob_andersen, quench

Run = Callable[..., object]
QUICK = ("--system", "kob-andersen", "--interval", "0.05", "--samples", "4")


def write(path: Path, number: int = 3, n: int = 180) -> Path:
    """Liquids without overlaps, which last for a short run."""
    with DatasetWriter(path, {"made": "for a test"}) as writer:
        for k in range(number):
            cold = quench(liquid(n, seed=k), kob_andersen(), force_tolerance=1.0)
            writer.add(
                moved(
                    liquid(n, seed=k),
                    positions=cold.structures["inherent"],
                    name=f"liquid-{k}",
                    provenance={"temperature": 1.0},
                )
            )
    return path


def test_it_does_what_the_library_does(glassml: Run, tmp_path: Path):
    source = write(tmp_path / "in.h5")
    out = tmp_path / "out.h5"
    run = glassml("average", source, "-o", out, *QUICK, "--windows", 2, "--seed", 3, "-j", 1)
    assert run.code == 0, run.err
    assert "out.h5: 3 configurations, 2 windows of 4 samples every 0.05, vibration 0." in run.out
    average_file(
        source, tmp_path / "lib.h5", kob_andersen(), window=Window(0.05, 4), n_windows=2, seed=3
    )
    assert out.read_bytes() == (tmp_path / "lib.h5").read_bytes()
    with Dataset(out) as dataset:
        assert dataset.description["made"] == "for a test"
        assert dataset.description["average"]["commands"] == kob_andersen().commands
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_other_interactions_time_step_and_temperature(glassml: Run, tmp_path: Path):
    source = write(tmp_path / "in.h5", 1)
    (tmp_path / "own.in").write_text(kob_andersen().commands)
    run = glassml(
        *("average", source, "-o", tmp_path / "out.h5", "--include", tmp_path / "own.in"),
        *("--timestep", "0.002", "--temperature", "0.5", "--interval", "0.01", "--samples", "3"),
    )
    assert run.code == 0, run.err
    with Dataset(tmp_path / "out.h5") as dataset:
        done = dataset[0]
    assert window_of(done) == Window(0.01, 3)
    assert (done.provenance["average_system"], done.provenance["average_timestep"]) == (
        "own",
        0.002,
    )
    # Ballistic: (3 T)^(1/2) times the standard deviation of 0, 0.01 and 0.02.
    expected = np.sqrt(3 * 0.5) * 0.01 * np.sqrt(2 / 3)
    found = np.sqrt(np.square(done.scalars["vibration"]).mean())
    assert abs(found / expected - 1) < 0.1  # error of the drawn temperature 6 per cent; forces


def test_a_file_that_does_not_state_which_directions_are_periodic(glassml: Run, tmp_path: Path):
    source = write(tmp_path / "in.h5", 1)
    old = write_dump(tmp_path / "old.dump", list(Dataset(source)), flags="")
    options = (*QUICK, "--temperature", "1", "--species", "A,B", "-j1")
    assert "periodicity: expected " in glassml("average", old, "-o", "out.h5", *options).err
    run = glassml("average", old, "-o", tmp_path / "old.h5", *options, "--pbc", "T,T,T")
    assert run.code == 0, run.err
    assert glassml("average", source, "-o", tmp_path / "new.h5", *options[:-3], "-j1").code == 0
    ((one,), (other,)) = (Dataset(tmp_path / f"{name}.h5") for name in ("old", "new"))
    assert one.pbc == (True, True, True)
    # The same positions and velocities. LAMMPS orders the particles as they are sorted in its box.
    np.testing.assert_allclose(
        one.structures["average"], other.structures["average"], rtol=0, atol=1e-6
    )


def test_a_warning_is_shown(glassml: Run, tmp_path: Path):
    source = write(tmp_path / "in.h5", 5)
    run = glassml("average", source, "-o", source, "--overwrite", *QUICK)
    assert run.code == 0
    assert "warning: the mean potential energy per particle changed by" in run.err
    with Dataset(source) as dataset:
        assert {number_of_windows(c) for c in dataset} == {1}


def test_killed_and_started_again_it_ends_with_the_same_bytes(glassml: Run, tmp_path: Path):
    source = write(tmp_path / "in.h5", 4, n=400)
    killed, parts = tmp_path / "killed.h5", tmp_path / ".killed.h5.average"
    arguments = ("average", source, "-o", killed, "--system", "kob-andersen")
    process = subprocess.Popen(
        [sys.executable, "-c", "from glassml.cli import main; main()", *arguments, "-j", "1"],
        env=os.environ,
    )
    deadline = time.monotonic() + 300
    while not list(parts.glob("[!.]*/result.h5")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    done = len(list(parts.glob("[!.]*/result.h5")))
    again = glassml(*arguments, "-j", 2)
    assert f"4 configurations ({done} from an earlier run)" in again.out
    assert not parts.exists()
    whole = tmp_path / "whole.h5"
    assert glassml("average", source, "-o", whole, "--system", "kob-andersen").code == 0
    assert killed.read_bytes() == whole.read_bytes()


def test_mistakes_are_named(glassml: Run, tmp_path: Path):
    source = write(tmp_path / "in.h5", 1)
    with Dataset(source) as dataset, DatasetWriter(tmp_path / "unknown.h5") as writer:
        writer.add(replace(dataset[0], provenance={}))
    kob = ("--system", "kob-andersen")
    for arguments, message in [
        ((source,), "--system, --include: expected one of them, for the interactions; found nei"),
        ((source, *kob, "--interval", "0.007"), "interval: expected a multiple of the timestep"),
        ((source, *kob, "--interval", "0"), "--interval: expected a positive time; found 0"),
        ((source, *kob, "--interval", "inf"), "--interval: expected a positive time; found inf"),
        ((source, *kob, "--temperature", "-1"), "temperature: expected a positive number"),
        ((source, *kob, "--timestep", "0"), "--timestep: expected a positive time; found 0"),
        ((tmp_path / "unknown.h5", *kob), "found None. Give it (--temperature)"),
        ((source, "--system", "wahnstrom", "--jobs", "0"), "jobs: expected at least 1"),
    ]:
        run = glassml("average", *arguments, "-o", tmp_path / "out.h5")
        assert run.code == 1, run.out
        assert message in run.err
        assert "Traceback" not in run.err
        assert not (tmp_path / "out.h5").exists()


def test_the_defaults_are_the_recipe_of_the_models():
    defaults = {
        name: parameter.default for name, parameter in inspect.signature(command).parameters.items()
    }
    assert (defaults["windows"], defaults["samples"], defaults["interval"]) == (1, 20, None)
