"""Cases of fuzzing for the C++ runner of `fix glassml`, which forks for each file."""

from __future__ import annotations

import subprocess
from pathlib import Path

from fuzzing.harness import Case
from fuzzing.mutations import CODE_WAS_RUN

__all__ = ["run_in_cpp"]


def run_in_cpp(runner: Path, files: list[Path], folder: Path) -> list[Case]:
    """Reads model files with the runner, one after the other.

    Its program gives a line for each: result, seconds, message.
    """
    listed = folder / "files.txt"
    listed.write_text("\n".join(map(str, files)) + "\n")
    done = subprocess.run(
        [runner, "--each", listed], cwd=folder, capture_output=True, text=True, errors="replace"
    )
    cases = []
    for line in done.stdout.split("\n")[:-1]:
        result, seconds, text = line.split("\t", 2)
        cases.append(Case(result, float(seconds), text))
    if done.returncode != 0 or len(cases) != len(files):
        raise RuntimeError(f"the runner stopped after {len(cases)} files: {done.stderr[-500:]}")
    if (folder / CODE_WAS_RUN).exists():
        raise RuntimeError("code from a file was run")
    return cases
