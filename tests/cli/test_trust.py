"""`--trust`: commands run the code of a stranger's model file only if the user says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_code import VICTIM, overwriting
from systems import liquid, write_dump

_COMMANDS = {
    "predict": ("run.dump", "-m", "hostile.pt", "-o", "out.extxyz", "--species", "A,B"),
    "plot": ("run.dump", "-m", "hostile.pt", "-o", "out.png", "--species", "A,B"),
    "evaluate": ("hostile.pt", "kob_andersen_T0.64", "--resamples", "2"),
    "transfer": ("hostile.pt", "kob_andersen_T0.64", "--time", "hostile.pt=5.2"),
}


@pytest.mark.parametrize("command", _COMMANDS)
def test_code_that_overwrites_a_file(
    glassml: Callable[..., Any],
    analytic: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_dump(tmp_path / "run.dump", [liquid(60, seed=1)])
    victim = tmp_path / "victim"
    overwriting(analytic(times=(1.65, 5.2)), victim, tmp_path / "hostile.pt")
    done = glassml(command, *_COMMANDS[command])
    assert done.code == 1
    assert "expected a model whose code only calculates; found torch.from_file" in done.err
    assert "(--trust on the command line)" in done.err
    assert victim.read_bytes() == VICTIM
    assert glassml(command, *_COMMANDS[command], "--trust").code == 0
    assert victim.read_bytes() == bytes(len(VICTIM))  # so it was evaluated


def test_domain_does_not_evaluate_but_loads(
    glassml: Callable[..., Any], analytic: Callable[..., Path], tmp_path: Path
) -> None:
    hostile = overwriting(analytic(), tmp_path / "victim", tmp_path / "hostile.pt")
    arguments = ("models", "domain", hostile, "kob_andersen_T0.64", "-o", tmp_path / "new.pt")
    assert "only calculates" in glassml(*arguments).err
    assert glassml(*arguments, "--trust").code == 0
