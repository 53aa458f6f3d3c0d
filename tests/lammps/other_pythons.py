"""Python in other processes: beside LAMMPS in one of ours, or inside a LAMMPS of the system."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

__all__ = ["environment_for", "run"]


def environment_for(factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables for processes that import torch.

    Where Python may not keep what it compiles, each of them would compile torch for a quarter of a
    minute. They keep it in the folder of this session, which all its workers share.
    """
    names = ("PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    if sys.dont_write_bytecode:
        base = factory.getbasetemp()
        shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
        kept["PYTHONPYCACHEPREFIX"] = str(shared / "pycache")
    root = Path(__file__).parents[2]
    paths = [str(root), str(root / "calculators"), os.environ.get("PYTHONPATH", "")]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "OMP_NUM_THREADS": "1",
    }


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], status: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder; its exit status must be the given one (None: any but 0)."""
    result = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    fits = result.returncode != 0 if status is None else result.returncode == status
    assert fits, result.stdout + result.stderr
    return result
