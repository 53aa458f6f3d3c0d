"""LAMMPS as a program and as a library."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from glassml.errors import InputError, SimulationError
from glassml.simulation import find_lammps, read_thermo, run_lammps, wheel
from glassml.simulation.lammps import stop_programs_in
from glassml.simulation.wheel import direct_start

LIQUID = """\
units lj
lattice fcc 0.8
region box block 0 3 0 3 0 3
create_box 1 box
create_atoms 1 box
mass 1 1.0
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0
velocity all create ${temperature} 4928
fix 1 all nve
thermo 10
run 20
run 10
"""
ENDLESS = "variable i loop 1000000000\nlabel again\nnext i\njump SELF again\n"


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No LAMMPS or MPI in the environment; returns the folder that is on PATH."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))  # without folders where a LAMMPS may be installed
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    return folder


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def commands_with(text: str) -> list[str]:
    """The command lines of the running programs that contain a text."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended by now
            found.append(file.read_bytes().decode(errors="replace").replace("\0", " "))
    return [command for command in found if text in command]


def test_lammps_of_this_environment():
    found = find_lammps()
    assert found.lmp == Path(sys.prefix) / "bin" / "lmp"
    assert found.mpiexec == Path(sys.prefix) / "bin" / "mpiexec"
    assert found.version.startswith("22 Jul 2025")


def test_lammps_on_path_with_the_mpiexec_beside_it(bare_machine: Path):
    lmp = program(bare_machine, "lmp", "echo 'Massively Parallel Simulator - 29 Aug 2024'")
    mpiexec = program(bare_machine, "mpiexec", "")
    found = find_lammps()
    assert (found.lmp, found.mpiexec, found.version) == (lmp, mpiexec, "29 Aug 2024")


def test_no_lammps(bare_machine: Path, tmp_path: Path):
    with pytest.raises(SimulationError, match=r"expected `lmp` in .*`pip install lammps mpich`"):
        run_lammps("units lj", cwd=tmp_path)


def test_no_mpiexec(bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program(bare_machine, "lmp", "echo 'Massively Parallel Simulator - 29 Aug 2024'")
    monkeypatch.setenv("PATH", str(bare_machine))
    with pytest.raises(SimulationError, match=r"ranks: expected `mpiexec` beside .*, for 2 ranks"):
        run_lammps("units lj", cwd=tmp_path, ranks=2)


def test_lammps_that_does_not_start(bare_machine: Path, tmp_path: Path):
    program(bare_machine, "lmp", "echo 'libmpi.so.12: cannot open' >&2; exit 127")
    with pytest.raises(SimulationError, match=r"(?s)a LAMMPS that starts.*127.*libmpi\.so\.12"):
        find_lammps()


@pytest.mark.parametrize("ranks", [1, 2])
def test_run(tmp_path: Path, ranks: int):
    run = run_lammps(LIQUID, ranks=ranks, cwd=tmp_path / "run", variables={"temperature": 1.5})
    assert run.returncode == 0
    assert run.log == tmp_path / "run" / "log.lammps"
    assert re.search(rf"Loop time of .* on {ranks} procs", run.stdout)
    first, second = run.thermo()
    assert first["Step"] == [0, 10, 20]
    assert second["Step"] == [20, 30]
    assert first["Temp"][0] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("own", "expected"), [({}, "64m"), ({"UCX_RCACHE_MAX_UNRELEASED": "1g"}, "1g")]
)
def test_limit_of_ucx_is_set_unless_the_user_sets_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: dict[str, str], expected: str
):
    monkeypatch.delenv("UCX_RCACHE_MAX_UNRELEASED", raising=False)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    script = 'variable limit getenv UCX_RCACHE_MAX_UNRELEASED\nprint "the limit is ${limit}"'
    assert f"the limit is {expected}\n" in run_lammps(script, cwd=tmp_path).stdout


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("own", [{}, {"LAMMPS_PLUGIN_PATH": "/own", "LD_LIBRARY_PATH": "/lib"}])
def test_the_program_of_the_wheel_starts_as_by_its_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranks: int, own: dict[str, str]
):
    """Without the script, which is Python, the variables that it sets are the same."""
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    names = ("LD_LIBRARY_PATH", "LAMMPS_PLUGIN_PATH")
    script = "".join(f"variable {name} getenv {name}\nprint 'is ${{{name}}}'\n" for name in names)
    lines = {}
    for way in ("directly", "by the script"):
        if way == "by the script":
            monkeypatch.setattr(wheel, "_program", lambda lmp: None)
        printed = run_lammps(script, ranks=ranks, cwd=tmp_path).stdout.splitlines()
        lines[way] = [line for line in printed if line.startswith(("is ", "Loaded "))]
    assert lines["directly"] == lines["by the script"]
    assert len(lines["directly"]) >= 3  # the first names the folder with the plugin


def test_the_script_of_the_wheel_is_used_where_it_is_needed(monkeypatch: pytest.MonkeyPatch):
    lmp = str(find_lammps().lmp)
    direct, _ = direct_start([lmp, "-sf", "omp"], [], os.environ, plugin=True)
    assert Path(direct[0]).parent.name == "lammps"
    assert direct[1:] == ("-sf", "omp")
    elsewhere = {**os.environ, "GLASSML_NATIVE_DIR": "/elsewhere"}
    assert direct_start([lmp], [], elsewhere, plugin=True) == ((lmp,), elsewhere)
    assert direct_start([lmp], ["/usr/bin/srun", "-n", "2"], os.environ, plugin=False)[0] == (lmp,)
    assert direct_start([sys.executable], [], os.environ, plugin=False)[0] == (sys.executable,)
    monkeypatch.setattr(wheel, "_has_only_own_plugin", lambda: False)
    assert direct_start([lmp], [], os.environ, plugin=False)[0] == (lmp,)


@pytest.mark.parametrize(("plugin", "number"), [(True, 1), (False, 0)])
def test_fix_glassml_is_loaded_where_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plugin: bool, number: int
):
    monkeypatch.delenv("LAMMPS_PLUGIN_PATH", raising=False)
    printed = run_lammps("units lj", cwd=tmp_path, plugin=plugin).stdout
    assert sum("Loaded 1 plugins" in line for line in printed.splitlines()) == number


def test_script_file_is_run_in_the_given_folder(tmp_path: Path):
    script = tmp_path / "in.liquid"
    script.write_text("include other.in\nprint ${first}-${second} file out.txt\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "other.in").write_text("variable second index b\n")
    run_lammps(script, cwd=tmp_path / "run", variables={"first": ["a", "x"]})
    assert (tmp_path / "run" / "out.txt").read_text() == "a-b\n"


def test_environment_and_arguments_reach_lammps(tmp_path: Path):
    script = "variable seen getenv GLASSML_SEEN\nprint seen=${seen}\n"
    run = run_lammps(
        script, cwd=tmp_path, env={"GLASSML_SEEN": "yes"}, extra_args=["-echo", "none"]
    )
    assert "seen=yes" in run.stdout
    assert "variable seen" not in run.log.read_text()


@pytest.mark.parametrize("ranks", [1, 2])
def test_error_of_lammps_is_quoted(tmp_path: Path, ranks: int):
    with pytest.raises(SimulationError) as caught:
        run_lammps("units lj\npair_style nonsense 2.5\n", cwd=tmp_path, ranks=ranks)
    message = str(caught.value)
    assert "ERROR: Unrecognized pair style 'nonsense'" in message
    assert message.endswith("last command: pair_style nonsense 2.5")
    assert str(tmp_path) in message


def test_death_without_a_message(bare_machine: Path, tmp_path: Path):
    lines = "if [ $1 = -h ]; then echo 'Massively Parallel Simulator - 1 Jan 2025'; exit; fi"
    program(bare_machine, "lmp", f"{lines}\necho 'step 7'; kill -SEGV $$")
    with pytest.raises(SimulationError, match=r"(?s)killed by SIGSEGV.*step 7"):
        run_lammps("run 0", cwd=tmp_path)


@pytest.mark.parametrize("ranks", [1, 2])
def test_timeout_leaves_no_rank_behind(tmp_path: Path, ranks: int):
    with pytest.raises(SimulationError, match="stopped after the timeout of 3 s"):
        run_lammps(ENDLESS, cwd=tmp_path, ranks=ranks, timeout=3.0, variables={"mark": tmp_path})
    time.sleep(1.0)
    assert commands_with(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ranks": 0}, "ranks: expected at least 1; found 0"),
        ({"script": Path("/none/in.lammps")}, "found no file /none/in.lammps"),
        ({"variables": {"a b": 1}}, "expected names of letters, digits and _; found 'a b'"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: dict[str, object], message: str):
    with pytest.raises(InputError, match=message):
        run_lammps(**{"script": "units lj", "cwd": tmp_path, **arguments})  # type: ignore[arg-type]


def test_thermo_of_a_missing_log(tmp_path: Path):
    with pytest.raises(InputError, match=r"no\.log: expected a log file of LAMMPS; found no file"):
        read_thermo(tmp_path / "no.log")


def test_reading_thermo_leaves_the_environment_alone(tmp_path: Path):
    (tmp_path / "log").write_text("Step Temp\n0 1.0\nLoop time of 1\n")
    code = (
        "import os, sys; before = dict(os.environ)\n"
        "from glassml.simulation import read_thermo\n"
        "assert read_thermo(sys.argv[1]) == [{'Step': [0.0], 'Temp': [1.0]}]\n"
        "assert dict(os.environ) == before"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "log")], check=True)


def test_only_lammps_is_stopped_in_a_folder(tmp_path: Path):
    """Someone may be watching the log of a killed run."""
    folder, other = tmp_path / "task", tmp_path / "other"
    (tmp_path / "endless.in").write_text(ENDLESS)
    lmp = [str(find_lammps().lmp), "-in", "../endless.in", "-log"]
    commands = [
        (folder, ["tail", "-f", str(folder / "log.lammps")]),
        (folder, [*lmp, "elsewhere.lammps"]),
        (other, [*lmp, str(other / "log.lammps")]),
        (folder, [*lmp, str(folder / "log.lammps")]),
    ]
    programs = []
    try:
        for where, command in commands:
            where.mkdir(exist_ok=True)
            (where / "log.lammps").touch()
            programs.append(
                subprocess.Popen(
                    command, cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
        deadline = time.monotonic() + 30
        while programs[-1].poll() is None and time.monotonic() < deadline:
            stop_programs_in(folder)  # a program that has just begun may have no arguments yet
        assert programs[-1].returncode == -signal.SIGKILL
        stop_programs_in(folder)
        assert [program.poll() for program in programs[:-1]] == [None] * 3
    finally:
        for program in programs:
            program.kill()
            program.wait()
