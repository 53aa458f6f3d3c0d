"""A LAMMPS that runs Python and loads no plugin: Debian's own, which `.ci/run` installs."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from other_pythons import environment_for, run
from pages import command_lines, executed
from systems import liquid

from glassml.errors import BuildError
from glassml.inference import Predictor
from glassml.native import doctor
from glassml.native.build import build
from glassml.native.lammps_help import help_of, way_without_plugin
from glassml.native.verify import plugin_problem, python_of
from glassml.simulation import find_lammps

EXAMPLE = Path(__file__).parents[2] / "examples" / "python_lammps"
LMP, MPIRUN = Path("/usr/bin/lmp"), Path("/usr/bin/mpirun.openmpi")
HERE = "{}.{}".format(*sys.version_info[:2])
WITH_PACKAGES = [sys.executable, "-m", "glassml.lammps"]
MODEL = "kob_andersen_T0.44"  # of the example
SMALL = ["-var", "cells", "5", "-var", "t_melt", "20", "-var", "steps", "20", "-var", "every", "10"]


@pytest.fixture(scope="module")
def debian() -> Path:
    """Debian's LAMMPS; the one of this environment has the package PLUGIN and not PYTHON."""
    found = help_of(LMP) if LMP.is_file() and MPIRUN.is_file() else None
    if found is None or not (found.lacks_plugins and found.has_python):
        pytest.skip(
            f"needs a LAMMPS in {LMP} with the package PYTHON and without PLUGIN, and {MPIRUN}: "
            "apt install lammps (Debian 12)"
        )
    if python_of(LMP) != HERE:
        pytest.skip(f"{LMP} has Python {python_of(LMP)}, this environment {HERE}")
    return LMP


@pytest.fixture(scope="module")
def environment(debian, tmp_path_factory):
    """As in a shell where the environment of glassml is active."""
    found = environment_for(tmp_path_factory)
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    busy = {"OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_mpi_yield_when_idle": "1"}
    path = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]])
    return {**found, **root, **busy, "PATH": path}


@pytest.fixture(scope="module", params=[1, 2], ids=["one rank", "two ranks"])
def example(request, debian, environment, tmp_path_factory, bench_in):
    """The frames that the example writes, and all that it prints, by a command of the page.

    Its last lines are added: a mistake, which must stop LAMMPS.
    """
    folder = tmp_path_factory.mktemp("example")
    script = (EXAMPLE / "in.predict").read_text()
    assert script.count("dump_modify     1 sort id") == 1
    script = script.replace("sort id", "sort id format float %20.17g")
    script += "undump 1\nuncompute propensity\nunfix evaluate\nunfix values\n"
    script += "python predict invoke\n"
    (folder / "in.predict").write_text(script)
    (folder / "predict.py").write_text((EXAMPLE / "predict.py").read_text())
    (commands,) = executed("docs/howto/python_lammps.md", "sh")
    assert all(f"#   {line}\n" in script for line in commands.splitlines())
    words = command_lines(commands)[request.param - 1]
    assert words[-3:] == [str(debian), "-in", "in.predict"]
    result = run([*words, *SMALL], folder, environment, status=None)
    output = result.stdout + result.stderr
    assert (folder / "propensity.lammpstrj").is_file(), output
    return bench_in(folder).frames("propensity.lammpstrj"), output


def test_values_are_those_of_python(example):
    """All frames, also the first one, whose values are those of `python predict invoke`."""
    frames, _ = example
    assert [frame.step for frame in frames] == [0, 10, 20]
    box = liquid(125)  # of the same number and density
    predictor = Predictor(MODEL, device="cpu", threads=1, check_domain=False)
    for frame in frames:
        now = frame.configuration(box)
        expected = predictor.predict([now])[0]["propensity"][:, 0]
        # 1e-5: float32, and the order of sums depends on that of the edges.
        np.testing.assert_allclose(frame["d_propensity"], expected, rtol=1e-5)
        assert np.ptp(expected) > 0.1
    assert np.abs(frames[1]["d_propensity"] - frames[2]["d_propensity"]).max() > 1e-3


def test_thermo_has_the_means(example):
    frames, output = example
    table = output.rpartition("Step Temp PotEng c_mean")[2].splitlines()[1:4]
    found = {int(row.split()[0]): float(row.split()[3]) for row in table}
    # 1e-6: eight digits of thermodynamic output
    expected = {frame.step: pytest.approx(frame["d_propensity"].mean(), 1e-6) for frame in frames}
    assert found == expected


def test_the_system_is_compared_with_the_training_data_once(example):
    _, output = example
    assert output.count("step 0 of LAMMPS is unlike the training data of kob_andersen") == 1


def test_a_mistake_stops_lammps_without_lines_of_the_program(example):
    _, output = example
    assert "d_propensity: expected a property of this name; found none. Define it by" in output
    assert "ERROR" in output
    assert 'File "' not in output.rpartition("d_propensity: expected")[0].splitlines()[-1]
    assert "Traceback" not in output


CHECK = """
from glassml.lammps import attach
def check(pointer):
    system = attach(pointer)
    print(f"ranks {system.ranks} units {system.units} {system.length_unit}\\n", end="", flush=True)
"""


def test_mpiexec_of_another_mpi(debian, environment, tmp_path):
    """Each rank is then a simulation of its own, and all write the same files."""
    # Open MPI fails if two such programs make this folder at the same moment.
    sessions = f"ompi.{socket.gethostname().partition('.')[0]}.{os.getuid()}"
    Path(tempfile.gettempdir(), sessions).mkdir(mode=0o700, exist_ok=True)
    (tmp_path / "check.py").write_text(CHECK)
    script = "units metal\npython check input 1 SELF format p file check.py\npython check invoke\n"
    (tmp_path / "in.check").write_text(script)
    launcher = [*WITH_PACKAGES, str(find_lammps().mpiexec), "-n", "2"]
    command = [*launcher, str(debian), "-in", "in.check", "-log", "none"]
    result = run(command, tmp_path, environment)
    assert result.stdout.count("ranks 1 units metal angstrom") == 2
    words = (
        "expected 2 MPI ranks, as many as mpiexec has started; found one LAMMPS of a single rank"
    )
    assert result.stderr.count(words) == 2


def test_build_and_doctor_name_this_way(debian, monkeypatch, tmp_path):
    monkeypatch.setenv("GLASSML_NATIVE_DIR", str(tmp_path))
    way = way_without_plugin(debian)
    assert "without the package PLUGIN" in way
    assert "`fix python/invoke` evaluates models by glassml.lammps.LammpsPredictor" in way
    for path in ("/usr", debian):
        with pytest.raises(
            BuildError, match=r"without the package PLUGIN.*howto/python_lammps\.md"
        ):
            build(path)
    assert plugin_problem(debian, tmp_path / "none.so", by_itself=False) == way

    monkeypatch.setattr(doctor, "find_program", lambda name: debian if name == "lmp" else None)
    check = doctor._lammps()[0]
    assert check.state == "ok"
    assert "without the package PLUGIN: no fix glassml, but fix python/invoke" in check.found
    assert f"python -m glassml.lammps {debian} -in SCRIPT" in check.advice
    monkeypatch.setattr(doctor, "python_of", lambda lmp: "3.9")
    check = doctor._lammps()[0]
    assert check.state == "optional"
    assert f"its Python is 3.9, that of this environment is {HERE}" in check.found


def test_it_hides_neither_lammps_nor_mpi_of_this_environment(debian):
    """Debian's programs are on PATH, behind those with which everything else is tested."""
    found = find_lammps()
    assert found.lmp.parent == found.mpiexec.parent == Path(sys.prefix) / "bin"
    assert str(debian.parent) in os.environ["PATH"].split(os.pathsep)
