"""`lammps`: a LAMMPS of one's own, its launcher, and several MPI ranks within a task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from simulation.simulations import plain
from systems import liquid as disordered

from glassml.data import Dataset, DatasetWriter
from glassml.errors import GlassMLError
from glassml.settings import apply_overrides, validated
from glassml.simulation import find_lammps
from glassml.simulation.lammps_program import own_program
from glassml.simulation.pipeline import SimulateConfig, simulate

QUICK = {
    "system": {"name": "kob-andersen"},
    "temperatures": [1.0],
    "timestep": 0.001,  # the start is no equilibrium
    "quench": {"force_tolerance": 0.01},
    "average": {"samples": 3, "interval": 0.002},
    "ensemble": {"runs": 2, "times": [0.02]},
}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("start") / "start.h5"
    with DatasetWriter(path) as writer:
        writer.add(disordered(200, seed=1))
    return path


def config(start: Path, output: Path, *overrides: str) -> SimulateConfig:
    values = {**QUICK, "start": str(start), "output": str(output)}
    return validated(SimulateConfig, apply_overrides(values, overrides))


def program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_version_and_packages_are_read():
    found = find_lammps()
    assert "MANYBODY" in found.packages
    assert len(found.packages) > 10
    own = own_program(str(found.lmp), None, 2)
    assert (own.version, own.packages) == (found.version, found.packages)
    assert own.launcher == (str(found.mpiexec), "-n", "2")
    assert own_program(None, None, 1).launcher == ()


def test_two_ranks_do_the_same_as_one(start: Path, tmp_path: Path):
    # With arguments, as for accelerators; a name for which tasks of a killed run are recognised.
    wrapper = program(tmp_path, "my_lammps", f'exec {find_lammps().lmp} "$@"')
    launcher = f"{find_lammps().mpiexec} -n {{ranks}}"
    found = {}
    for ranks in (1, 2):
        result = simulate(
            config(
                start,
                tmp_path / str(ranks),
                f"lammps.command={wrapper} -nocite",
                f"lammps.launcher={launcher}",
                f"lammps.ranks={ranks}",
            )
        )
        found[ranks] = Dataset(result.datasets[0])
    logs = [path.read_text() for path in (tmp_path / "2" / "work").glob("*/log.lammps")]
    assert len(logs) == 5  # read, structure, averages, two runs
    for log in logs:
        assert any(f"{grid} MPI processor grid" in log for grid in ("1 by 1 by 2", "2 by 1 by 1"))
    assert found[2].description["ranks"] == 2
    assert "ranks" not in found[1].description
    assert "lammps" not in found[2].description["settings"]
    one, two = found[1][0], found[2][0]
    # The same velocities; sums in another order differ by 1e-16, which grows little in 20 steps.
    np.testing.assert_allclose(two.propensity, one.propensity, atol=1e-9)
    for name in ("inherent", "average"):
        np.testing.assert_allclose(two.structures[name], one.structures[name], atol=1e-6)


def test_other_ranks_repeat_no_finished_work(start: Path, tmp_path: Path):
    output = tmp_path / "run"
    simulate(config(start, output))
    before = {path: path.stat().st_mtime_ns for path in (output / "work").glob("*/*")}
    simulate(config(start, output, "lammps.ranks=2"))
    assert {path: path.stat().st_mtime_ns for path in (output / "work").glob("*/*")} == before


def test_a_launcher_of_another_mpi_is_recognised(start: Path, tmp_path: Path):
    """It starts as many LAMMPS of one rank each, which would write the same files."""
    launcher = program(tmp_path, "other_mpi", 'for i in 1 2; do "$@" & done; wait')
    with pytest.raises(GlassMLError) as caught:
        simulate(
            config(
                start,
                tmp_path / "run",
                f"lammps.launcher=env RANKS={{ranks}} {launcher}",
                "lammps.ranks=2",
            )
        )
    text = plain(str(caught.value))
    assert "lammps: expected one LAMMPS of 2 ranks; found 2 of 1 each." in text
    assert "belongs to another MPI" in text
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["lammps.command=/no/lmp"], ["lammps.command: expected a program", "no such program"]),
        (["lammps.command=lmp_of_mine"], ["found no program lmp_of_mine on PATH"]),
        (["lammps.command='lmp \"x'"], ["lammps.command: expected a command", "No closing"]),
        (["lammps.command=echo"], ["echo: expected a LAMMPS that starts; found exit status 0"]),
        (
            ["lammps.command={folder}/broken"],
            ["broken: expected a LAMMPS that starts", "libmpi.so.99"],
        ),
        (["lammps.launcher=srun2 -n {ranks}"], ["lammps.launcher: expected a program"]),
        (
            ["lammps.launcher=env", "lammps.ranks=2"],
            ["lammps.launcher: expected {ranks} where the number of ranks belongs"],
        ),
        (
            ["lammps.launcher={folder}/broken -n {ranks}", "lammps.ranks=2"],
            ["lammps: expected `", "to run a small script; found: ", "libmpi.so.99"],
        ),
        (
            ["lammps.launcher=env RANKS={ranks}", "lammps.ranks=3"],
            ["lammps: expected a LAMMPS of 3 ranks; found 1 ranks with `"],
        ),
        (["lammps.ranks=0"], ["lammps.ranks: expected a number greater than 0"]),
    ],
)
def test_mistakes(start: Path, tmp_path: Path, overrides: list[str], parts: list[str]):
    program(tmp_path, "broken", "echo error while loading libmpi.so.99 >&2; exit 127")
    given = [text.replace("{folder}", str(tmp_path)) for text in overrides]
    with pytest.raises(GlassMLError) as caught:
        simulate(config(start, tmp_path / "run", *given))
    text = plain(str(caught.value))
    assert [part for part in parts if part not in text] == [], text
    assert not (tmp_path / "run").exists()


def test_no_launcher_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lmp = program(tmp_path, "lmp", f'exec {find_lammps().lmp} "$@"')
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GlassMLError, match="expected a launcher for 2 ranks; found no mpiexec"):
        own_program(str(lmp), None, 2)
