"""SIGKILL in every stage, then the same command again: the dataset is that of an unkilled run."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from simulation.simulations import plain, write_config

STAGES = {
    "melt": "melt-replica1-1:",
    "equilibrate": "-window2-1:",
    "sample": "-sample1-1:",
    "structure": "-structure:",
    "ensemble": "-run2:",
}


def start(config: Path, output: Path) -> subprocess.Popen[str]:
    code = "from glassml.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "simulate", str(config), f"output={output}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def running_scripts(work: Path) -> str:
    """First lines of the scripts that LAMMPS runs just now, from its logs."""
    texts = []
    for log in work.glob(".partial-*/log.lammps"):
        with contextlib.suppress(OSError):
            texts.append(log.read_text(errors="replace")[:400])
    return "".join(texts)


def wait_until_it_runs(process: subprocess.Popen[str], work: Path, script: str) -> None:
    while script not in running_scripts(work):
        assert process.poll() is None, f"it ended before {script}: {process.communicate()[0]}"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, simulated) -> tuple[Path, Path]:
    """A run killed in every stage, one after the other; its output and its configuration."""
    folder = tmp_path_factory.mktemp("killed")
    config = write_config(folder / "liquid.yaml")
    for script in STAGES.values():
        process = start(config, folder / "run")
        wait_until_it_runs(process, folder / "run" / "work", script)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.returncode == -signal.SIGKILL
        assert not list((folder / "run").glob("*.h5"))
    return folder / "run", config


def test_resumed_run_ends_with_the_identical_dataset(killed, simulated):
    output, config = killed
    process = start(config, output)
    text, _ = process.communicate()
    assert process.returncode == 0, text
    assert not list((output / "work").glob(".partial-*"))
    for expected in simulated.datasets:
        assert (output / expected.name).read_bytes() == expected.read_bytes()
    assert (output / "summary.png").is_file()
    assert "wrote" in plain(text)


def test_interruption_stops_lammps_and_keeps_what_is_done(tmp_path: Path):
    config = write_config(tmp_path / "liquid.yaml", "cooling.melt_time=10000")
    process = start(config, tmp_path / "run")
    work = tmp_path / "run" / "work"
    wait_until_it_runs(process, work, "melt-replica1-1:")
    folders = [folder.resolve() for folder in work.glob(".partial-*")]
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "interrupted: finished tasks are kept in" in plain(text)
    assert plain(text).rpartition("to continue: ")[2].startswith("glassml simulate")
    done = list(work.glob("[0-9a-f]*/melt-replica*-created.restart"))
    assert len(done) == 2
    assert programs_in(folders) == []


def programs_in(folders: list[Path]) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").resolve() in folders:
                found.append((entry / "cmdline").read_text())
    return found


def test_what_a_killed_run_left_running_is_stopped(tmp_path: Path):
    """A killed process cannot stop its LAMMPS; the next one does."""
    config = write_config(tmp_path / "liquid.yaml", "cooling.melt_time=10000")
    work = tmp_path / "run" / "work"
    first = start(config, tmp_path / "run")
    wait_until_it_runs(first, work, "melt-replica1-1:")
    folders = [folder.resolve() for folder in work.glob(".partial-*")]
    first.kill()
    first.wait()
    assert programs_in(folders) != []
    again = start(write_config(config, "cooling.melt_time=0.1"), tmp_path / "run")
    wait_until_it_runs(again, work, "melt-replica1-1:")
    try:
        deadline = time.monotonic() + 60
        while programs_in(folders) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert programs_in(folders) == []
    finally:
        again.kill()
        again.wait()
