"""Runs `fuzzing.run` for a test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

__all__ = ["fuzz"]


def fuzz(*arguments: str, keep: Path) -> Counter[str]:
    """How many files were accepted and how many refused.

    Raises:
        AssertionError: something else became of a file, which is in ``keep`` now.
    """
    done = subprocess.run(
        [sys.executable, "-m", "fuzzing.run", "--seed", "2", "--keep", keep, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts: Counter[str] = Counter()
    for result, number in re.findall(r"([a-z]+) (\d+)[,;]", done.stdout):
        counts[result] += int(number)
    assert counts.keys() == {"accepted", "refused"}
    return counts
