"""Fuzzing: damaged and hostile files, read by Python or by the runner of `fix glassml`.

    PYTHONPATH=tests python -m fuzzing.run --cases 10000
    PYTHONPATH=tests python -m fuzzing.run --cases 10000 --runner BUILD/bin/glassml_runner_driver

Every case must be read or refused with a message: no traceback, no crash, not more than 10 s or
2 GB, and no code from the file. Files that fail are kept in the folder --keep.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch

from fuzzing.cpp import run_in_cpp
from fuzzing.harness import Case, case_file, run_in_python
from fuzzing.seeds import SEEDS
from fuzzing.targets import TARGETS
from glassml.nn import ops

__all__ = ["cases_in_cpp", "cases_in_python"]

_GOOD = ("accepted", "refused")


def cases_in_python(
    kind: str, numbers: range, seed: int, folder: Path
) -> Iterator[tuple[Path, Case]]:
    """Each file of a kind, and what Python made of it."""
    name, write = SEEDS[kind]
    write(folder / name)
    content = (folder / name).read_bytes()
    for number in numbers:
        path = case_file(content, kind, number, seed, folder / f"{number}-{name}")
        yield path, run_in_python(TARGETS[kind], path)
        path.unlink()


def cases_in_cpp(
    kind: str, numbers: range, seed: int, folder: Path, runner: Path
) -> Iterator[tuple[Path, Case]]:
    """Each model file of a kind, and what the runner of `fix glassml` made of it."""
    name, write = SEEDS[kind]
    write(folder / name)
    content = (folder / name).read_bytes()
    for begin in range(numbers.start, numbers.stop, 100):
        files = [
            case_file(content, kind, number, seed, folder / f"{number}-{name}")
            for number in range(begin, min(begin + 100, numbers.stop))
        ]
        yield from zip(files, run_in_cpp(runner, files, folder), strict=True)
        for file in files:
            file.unlink()


def _main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=10000, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=sorted(SEEDS), help="default: all")
    parser.add_argument("--runner", type=Path, help="the C++ runner, which reads models alone")
    parser.add_argument("--keep", type=Path, default=Path("fuzzing-failures"))
    options = parser.parse_args()
    torch.manual_seed(0)  # weights of the models
    torch.set_num_threads(1)
    ops.load()
    kinds = options.kind or (["model", "network"] if options.runner else list(SEEDS))
    numbers = range(options.cases // len(kinds))
    failures = 0
    for kind in kinds:
        counts: Counter[str] = Counter()
        slowest = 0.0
        with tempfile.TemporaryDirectory() as scratch:
            arguments = (kind, numbers, options.seed, Path(scratch))
            found = (
                cases_in_cpp(*arguments, options.runner)
                if options.runner
                else cases_in_python(*arguments)
            )
            for path, case in found:
                counts[case.result] += 1
                slowest = max(slowest, case.seconds)
                if case.result not in _GOOD:
                    options.keep.mkdir(exist_ok=True)
                    kept = shutil.copy(path, options.keep / f"{case.result}-{path.name}")
                    last = case.text.strip().splitlines()[-1:] or [""]
                    print(f"  {kept}: {case.result}: {last[0]}", flush=True)
        failures += sum(n for result, n in counts.items() if result not in _GOOD)
        listed = ", ".join(f"{result} {n}" for result, n in sorted(counts.items()))
        print(f"{kind}: {len(numbers)} cases: {listed}; slowest {slowest:.1f} s", flush=True)
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    _main()
