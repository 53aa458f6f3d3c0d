"""The options of `sanitizers.py` find errors, and what it runs exists."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from native.sanitizers import FLAGS, REPOSITORY, TESTS, environment

from glassml.native.toolchain import find_compiler

# Errors of a library, as of ours, in a program without the sanitizers.
LIBRARY = """
#include <cstdlib>
#include <vector>
extern "C" int error(const char *kind, int n)
{
  switch (kind[0]) {
    case 'n': return 0;                                        // none
    case 'h': {                                                // heap: one behind the end
      volatile double *x = new double[n];
      return static_cast<int>(x[n]);
    }
    case 's': return n * 1000000000;                            // signed overflow
    case 'v': return std::vector<int>(n)[n + 1];               // vector: index out of range
  }
  return 1;
}
"""
PROGRAM = """
#include <dlfcn.h>
int main(int, char **arguments)
{
  auto *library = dlopen(arguments[1], RTLD_NOW);
  auto error = reinterpret_cast<int (*)(const char *, int)>(dlsym(library, "error"));
  return error(arguments[2], 7) == 1 ? 3 : 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A program that is compiled without the sanitizers and loads a library that has them."""
    folder = tmp_path_factory.mktemp("sanitizers")
    compiler = find_compiler().path
    for name, code, options in (
        ("library", LIBRARY, [*FLAGS, "-shared", "-fPIC"]),
        ("program", PROGRAM, ["-ldl"]),
    ):
        (folder / f"{name}.cpp").write_text(code)
        command = [compiler, folder / f"{name}.cpp", "-o", folder / name, *options]
        subprocess.run(command, check=True, capture_output=True)
    return [folder / "program", folder / "library"]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("heap", "AddressSanitizer: heap-buffer-overflow"),
        ("signed", "runtime error: signed integer overflow"),
        ("vector", "Assertion '__n < this->size()' failed"),
    ],
)
def test_an_error_ends_the_process(program: list[Path], kind: str, found: str) -> None:
    done = subprocess.run(
        [*program, kind], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert found in done.stderr


def test_code_without_errors_runs(program: list[Path]) -> None:
    done = subprocess.run(
        [*program, "none"], env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_tests_that_it_runs_exist() -> None:
    assert [name for name in TESTS if not (REPOSITORY / name).is_file()] == []
