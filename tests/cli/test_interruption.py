"""Ctrl-C and SIGTERM: what the line says, what is kept, and two commands on one output."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
import yaml
from systems import liquid, moved
from training.tiny_dataset import labelled, sweep_settings, write_dataset
from typer.testing import CliRunner, Result

from glassml import __main__
from glassml.cli.interruption import Interruptible, interrupts_survive, signals_interrupt
from glassml.data import Dataset
from glassml.simulation.each_configuration import kept

Run = Callable[..., Any]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def usual_handlers() -> Iterator[None]:
    """Python's own handlers: a shell may have signals ignored for tests in the background."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def interrupted(glassml: Run, usual_handlers: None) -> Run:
    """Runs a command in this process and sends it a signal as soon as a condition is met."""

    def run(number: int, when: Callable[[], bool], *arguments: object) -> Any:
        ended = threading.Event()

        def send() -> None:
            while not when():
                if ended.wait(0.002):
                    return
            os.kill(os.getpid(), number)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            return glassml(*arguments)
        finally:
            ended.set()
            sender.join()

    return run


def training(folder: Path, epochs: int) -> Path:
    """The configuration file of a training on a tiny dataset."""
    data = write_dataset(folder / "tiny.h5", [labelled(seed) for seed in range(4)])
    settings = sweep_settings(data, folder / "run")["base"]
    settings["training"]["epochs"] = epochs
    settings["output"] = str(folder / "run")
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    return folder / "config.yaml"


def test_training_says_how_to_resume_with_and_the_command_does(
    glassml: Run, interrupted: Run, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    last = run / "checkpoints" / "last.ckpt"
    done = interrupted(signal.SIGTERM, last.exists, "train", training(tmp_path, 500))
    line = done.err.splitlines()[-1]
    assert done.code == 143
    told = f"stopped by SIGTERM: finished epochs are kept in {run}; to continue: glassml train"
    assert line == f"{told} --resume {run}"
    assert not list(run.rglob("*.partial*"))
    epochs = torch.load(last, weights_only=True)["glassml"]["epoch"]
    command = shlex.split(line.partition("to continue: glassml ")[2])
    again = glassml(*command, f"training.epochs={epochs + 1}")
    assert again.code == 0
    assert f"resumed after epoch {epochs}" in again.out
    assert torch.load(last, weights_only=True)["glassml"]["epoch"] == epochs + 1


def test_prediction_keeps_what_was_there(interrupted: Run, tmp_path: Path) -> None:
    source, output = tmp_path / "in.h5", tmp_path / "out.extxyz"
    write_dataset(source, [moved(liquid(600, seed=k), name=str(k)) for k in range(40)])
    output.write_text("an earlier prediction")
    arguments = ("predict", source, "-m", "kob_andersen_T0.44", "-o", output, "--threads", "1")

    def writing() -> bool:
        return any(tmp_path.glob(".out.*.partial.extxyz"))

    done = interrupted(signal.SIGINT, writing, *arguments)
    command = shlex.join(["glassml", *map(str, arguments)])
    assert done.code == 130
    assert done.err.splitlines()[-1] == (
        f"interrupted: no file is half written; to start again: {command}"
    )
    assert output.read_text() == "an earlier prediction"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.h5", "out.extxyz"]


def test_quench_keeps_what_is_done(glassml: Run, interrupted: Run, tmp_path: Path) -> None:
    source, output = tmp_path / "in.h5", tmp_path / "out.h5"
    write_dataset(source, [moved(liquid(300, seed=k), name=str(k)) for k in range(4)])
    arguments = ("quench", source, "-o", output, "--system", "kob-andersen", "-j", "1")
    folder = tmp_path / ".out.h5.quench"

    def one_done() -> bool:
        return any(folder.glob("[!.]*/result.h5"))

    done = interrupted(signal.SIGTERM, one_done, *arguments)
    command = shlex.join(["glassml", *map(str, arguments)])
    assert done.code == 143
    assert done.err.splitlines()[-1] == (
        f"stopped by SIGTERM: finished configurations are kept in {folder}; to continue: {command}"
    )
    kept = len(list(folder.glob("[!.]*/result.h5")))
    assert 0 < kept < 4
    again = glassml(*arguments)
    assert f"4 configurations ({kept} from an earlier run)" in again.out
    assert len(Dataset(output)) == 4


def test_sweep_keeps_what_is_done(interrupted: Run, tmp_path: Path) -> None:
    """In this process; that several say nothing is in ``work/test_run_tasks.py``."""
    data = write_dataset(tmp_path / "tiny.h5", [labelled(seed) for seed in range(4)])
    sweep = tmp_path / "sweep"
    settings = sweep_settings(data, sweep)
    settings["base"]["training"]["epochs"] = 500
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(settings))

    def training() -> bool:
        return any(sweep.glob("runs/*/checkpoints/last.ckpt"))

    done = interrupted(signal.SIGINT, training, "sweep", tmp_path / "s.yaml", "--threads", "1")
    assert done.code == 130
    assert done.err.splitlines() == [
        f"interrupted: finished runs and epochs are kept in {sweep}; to continue: "
        f"glassml sweep {tmp_path / 's.yaml'} --threads 1"
    ]


def invoked(work: Callable[[], None]) -> Result:
    """Runs a function as a command."""
    app = typer.Typer(cls=Interruptible)
    app.callback()(lambda: None)
    app.command("work")(work)
    return CliRunner().invoke(app, ["work"])


@pytest.mark.parametrize(("variable", "line"), [("HOME", 1), ("LOCAL_RANK", 0)])
def test_only_the_first_process_of_several_says_anything(
    variable: str, line: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv(variable, "1")
    done = invoked(work)
    assert done.exit_code == 130
    assert len(done.stderr.splitlines()) == line


def send(number: int) -> None:
    """Send a signal to this process; Python raises the interruption before this returns."""
    os.kill(os.getpid(), number)
    sum(range(10))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_error_that_a_library_makes_of_an_interruption(
    number: int, code: int, usual_handlers: None
) -> None:
    """Such as numpy, whose import was cut off by torch, when it is imported again."""

    def work() -> None:
        try:
            send(number)
        except KeyboardInterrupt:
            raise ImportError("cannot load module more than once per process") from None

    with signals_interrupt():
        done = invoked(work)
    assert done.exit_code == code
    assert len(done.stderr.splitlines()) == 1
    assert "; to start again: glassml" in done.stderr


def test_an_interruption_before_the_command_begins(
    glassml: Run, interrupted: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.main.get_command", lambda app: send(signal.SIGTERM))
    done = glassml("info", "kob_andersen_T0.44")
    assert done.code == 143
    assert done.err == (
        "stopped by SIGTERM: no file is half written; to start again: glassml info "
        "kob_andersen_T0.44\n"
    )


def test_an_interruption_of_the_imports(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    half = types.ModuleType("glassml.cli")
    monkeypatch.setattr(half, "__getattr__", interrupt, raising=False)
    monkeypatch.setitem(sys.modules, "glassml.cli", half)
    with pytest.raises(SystemExit) as stopped:
        __main__.main()
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "interrupted: nothing had begun\n"


def test_nothing_is_kept_before_a_configuration_is_finished(tmp_path: Path) -> None:
    folder = tmp_path / ".out.h5.quench"
    (folder / ".partial-0123").mkdir(parents=True)
    (folder / ".partial-0123" / "result.h5").touch()
    assert kept(tmp_path / "out.h5", "quench") == ""


def test_sigterm_that_is_ignored_stays_ignored(glassml: Run, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert glassml("info", "kob_andersen_T0.44").code == 0
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


HOLD = """
import sys
from pathlib import Path
from glassml.files import exclusive

with exclusive(Path(sys.argv[1]), None):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_is_trained_by_one_process_at_a_time(glassml: Run, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert glassml("train", training(tmp_path, 1)).code == 0
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, run / ".lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        for _ in range(2):  # the message does not wear off
            refused = glassml("train", "--resume", run, "training.epochs=2")
            assert refused.code == 1
            assert re.fullmatch(
                rf"error: {re.escape(str(run))}: another `glassml train` is writing it "
                rf"\(process {holder.pid} on {re.escape(os.uname().nodename)} since "
                r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \S+\)\. Wait until it ends, stop it, or choose "
                r"another output\n",
                refused.err,
            )
        holder.kill()
    # What a killed process leaves is no obstacle.
    assert (run / ".lock").read_text() != ""
    again = glassml("train", "--resume", run, "training.epochs=2")
    assert again.code == 0
    assert "epoch 2/2" in again.out
    assert (run / ".lock").read_text() == ""


def test_an_interruption_that_python_drops_comes_again() -> None:
    """As in the callback of a weak reference, while objects are cleared away."""

    class Cleared:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            sum(range(10))  # the interruption is raised here, and dropped

    def clear_and_wait() -> None:
        Cleared()
        time.sleep(10)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), interrupts_survive():
            clear_and_wait()
    finally:
        signal.signal(signal.SIGINT, before)
