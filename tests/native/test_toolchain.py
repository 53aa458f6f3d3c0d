"""What is missing for a build is named, with the command that installs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from glassml.errors import BuildError
from glassml.native import toolchain


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine and an environment without any program; returns the folder on PATH."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    return folder


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("finder", "message"),
    [
        (toolchain.find_compiler, r"a C\+\+ compiler .*g\+\+, clang\+\+.*`apt install g\+\+`"),
        (toolchain.find_cmake, r"cmake in .*at least 3\.24.*`pip install cmake`"),
        (toolchain.find_generator, r"ninja or make; found neither.*`pip install ninja`"),
        (toolchain.find_mpicxx, r"mpicxx in .*`pip install mpich`"),
    ],
)
def test_missing_program(bare_machine: Path, finder: Callable[[], object], message: str):
    with pytest.raises(BuildError, match=message):
        finder()


def test_all_that_is_missing_is_said_at_once(bare_machine: Path):
    with pytest.raises(BuildError, match="2 things are missing") as caught:
        toolchain.gather(toolchain.find_compiler, toolchain.find_cmake, lambda: "found")
    assert "expected a C++ compiler" in str(caught.value)
    assert "expected cmake" in str(caught.value)


def test_gather_returns_what_was_found_in_order():
    assert toolchain.gather(lambda: 1, lambda: "two") == [1, "two"]


def test_named_compiler_is_missing(bare_machine: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CXX", "g++-99")
    with pytest.raises(BuildError, match=r"PATH \(\$CXX = g\+\+-99"):
        toolchain.find_compiler()


def test_compiler_without_cxx20(bare_machine: Path):
    version = 'if [ "$1" = --version ]; then echo "g++ 7.5.0"; exit 0; fi'
    program(bare_machine, "g++", f"{version}\necho 'error: unknown option -std=c++20' >&2; exit 1")
    with pytest.raises(
        BuildError, match=r"a compiler of C\+\+20.*found g\+\+ 7\.5\.0.*CXX=g\+\+-12"
    ):
        toolchain.find_compiler()


def test_compiler_of_this_machine_is_named():
    assert toolchain.find_compiler().version != ""


def test_cmake_is_too_old(bare_machine: Path):
    program(bare_machine, "cmake", "echo 'cmake version 3.18.4'")
    with pytest.raises(BuildError, match=r"at least 3\.24; found cmake version 3\.18\.4"):
        toolchain.find_cmake()


def test_program_of_the_environment_comes_first(bare_machine: Path):
    program(bare_machine, "ninja", "")
    here = Path(sys.prefix) / "bin"
    here.mkdir(parents=True)
    program(here, "ninja", "")
    assert toolchain.find_generator() == ("Ninja", here / "ninja")


def test_make_serves_where_there_is_no_ninja(bare_machine: Path):
    program(bare_machine, "make", "")
    assert toolchain.find_generator() == ("Unix Makefiles", bare_machine / "make")


def test_mpicxx_given_by_name_must_exist(bare_machine: Path):
    with pytest.raises(BuildError, match=r"--mpicxx /none/mpicxx: .*found no such program"):
        toolchain.find_mpicxx("/none/mpicxx")


def test_torch_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(toolchain, "torch_root", lambda: None)
    with pytest.raises(BuildError, match=r"expected torch .*`pip install torch`"):
        toolchain.find_torch()


def test_torch_has_no_headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(toolchain, "torch_root", lambda: tmp_path)
    with pytest.raises(BuildError, match=r"expected C\+\+ headers .*script\.h"):
        toolchain.find_torch()


def test_torch_of_the_old_abi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for file in ("include/torch/script.h", "lib/libc10.so"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_bytes(b"_ZN3c105ErrorC2ESs")
    monkeypatch.setattr(toolchain, "torch_root", lambda: tmp_path)
    with pytest.raises(BuildError, match=r"found the old one in torch .*torch>=2\.7"):
        toolchain.find_torch()


def test_torch_of_this_environment():
    assert (toolchain.find_torch() / "lib" / "libtorch_cpu.so").is_file()
