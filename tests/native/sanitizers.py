"""The C++ of glassml under the sanitizers of the compiler: ``make sanitize``.

It compiles operators, plugin and test programs once more, in a folder of its own, with
``-fsanitize=address,undefined``, and runs the tests of the kernels, of the model runner and of
`fix glassml` on that build. The first error ends the process that made it, and so fails its test.

What is not looked at: torch, LAMMPS, MPI and Python, which are not compiled with the sanitizers;
memory that is never freed, because those keep much of theirs until the end (how memory grows with
the number of evaluations is measured in ``benchmarks/many_evaluations.py``); kernels for vector
extensions that this processor lacks.

It takes too long for the test suite. `test_sanitizers.py` checks that its options find errors.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from glassml.native import location
from glassml.native.build_plan import find_tools, make_project, record_of
from glassml.native.cmake import compile_project, configure
from glassml.progress import TerminalProgress

__all__ = ["FLAGS", "TESTS", "build", "environment"]

REPOSITORY = Path(__file__).resolve().parents[2]
FLAGS = (
    "-fsanitize=address,undefined",
    # An error of the second kind would else only be printed, and no test would fail.
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
    # Optimised and with checks of the standard library, so that indices of vectors are checked.
    "-O1",
    "-g1",
    "-D_GLIBCXX_ASSERTIONS",
    # With the sanitizers GCC takes members of std::function in std::regex for uninitialised.
    "-Wno-maybe-uninitialized",
)
# A mismatch of new and free is reported for memory that torch hands over; leaks: see above.
_ADDRESS = "detect_leaks=0:alloc_dealloc_mismatch=0:detect_stack_use_after_return=1"
_UNDEFINED = "print_stacktrace=1"
TESTS = (
    "tests/nn/ops/test_ops_native.py",
    "tests/nn/ops/test_ops_table.py",
    "tests/physics/test_neighbours.py",
    "tests/nn/ops/test_ops_edge_update.py",
    "tests/nn/ops/test_ops_shell_sums.py",
    "tests/nn/ops/test_ops_weighted_sums.py",
    "tests/lammps/test_model_runner.py",
    "tests/lammps/test_near_order.py",
    "tests/lammps/test_position_window.py",
    "tests/lammps/test_halo.py",
    "tests/lammps/test_fix_trust.py",
    "tests/lammps/test_fix_smooth.py",
    "tests/lammps/test_fix_statistics.py",
    "tests/lammps/test_fix_average.py",
    "tests/lammps/test_fix_inherent.py",
    "tests/lammps/test_fix_scalars.py",
    "tests/lammps/test_fix_misuse.py",
    "tests/lammps/test_fix_domains.py",
)


def build(directory: Path) -> None:
    """Compile operators, plugin and test programs with the sanitizers, as `glassml build` does."""
    tools = find_tools()
    directory.mkdir(parents=True, exist_ok=True)
    project = make_project(directory, tools, tests=True)
    variables = {
        **project.variables,
        "CMAKE_BUILD_TYPE": "None",
        "CMAKE_CXX_FLAGS": " ".join(FLAGS),
    }
    project, progress = replace(project, variables=variables), TerminalProgress()
    configure(project, progress)
    compile_project(project, progress)
    for name in (location.OPERATORS_FILE, location.NEIGHBOURS_FILE, location.PLUGIN_FILE):
        shutil.copy2(next(project.tree.rglob(name)), directory / name)
    (directory / location.MODELS_LINK).unlink(missing_ok=True)
    (directory / location.MODELS_LINK).symlink_to(location.shipped_models())
    location.write_record(directory, record_of(tools))


def environment(compiler: str = "g++") -> Mapping[str, str]:
    """Variables with which a program that is not compiled so loads what is.

    The sanitizer must be the first library of a process. Without the C++ library it would not see
    the exceptions of libraries that a program loads later.
    """
    libraries = [
        subprocess.run(
            [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so", "libstdc++.so.6")
    ]
    return {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": _ADDRESS,
        "UBSAN_OPTIONS": _UNDEFINED,
        "OMP_NUM_THREADS": "2",
    }


def _main() -> int:
    parser = argparse.ArgumentParser(description="Run tests of the C++ code with sanitizers.")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "build" / "sanitizers")
    parser.add_argument("tests", nargs="*", default=TESTS, help="arguments of pytest")
    given = parser.parse_args()
    folder = given.folder.absolute()
    build(folder)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *given.tests]
    variables = {**environment(), "GLASSML_NATIVE_DIR": str(folder)}
    return subprocess.run(command, cwd=REPOSITORY, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(_main())
