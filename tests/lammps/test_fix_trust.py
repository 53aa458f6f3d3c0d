"""`fix glassml` reads the code of a model before it loads it; it may only calculate."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hostile_code import HOSTILE, VICTIM, overwriting, with_line
from systems import liquid


@pytest.mark.parametrize(("line", "found"), HOSTILE)
def test_what_python_refuses(build_tree: Path, models, tmp_path: Path, line: str, found: str):
    hostile = with_line(models(), line, tmp_path / "hostile.pt")
    driver = build_tree / "bin" / "glassml_runner_driver"
    done = subprocess.run([driver, hostile, "propensity"], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"only calculates; found {found}" in done.stdout


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_model_that_overwrites_a_file(bench, models, dump, agrees, tmp_path: Path, ranks: int):
    here, victim = liquid(60, seed=3), tmp_path / "victim"
    hostile = overwriting(models(), victim, tmp_path / "hostile.pt")
    script = bench.start(here) + f"fix g all glassml 1 {hostile} A B"
    message = bench.refused(script, ranks=ranks)
    assert "expected a model whose code only calculates; found torch.from_file" in message
    assert "If you trust its author, add the keyword 'trust yes'" in message
    assert victim.read_bytes() == VICTIM
    bench.run(f"{script} trust yes\n{dump('g')}run 0\n", ranks=ranks)
    agrees(bench.frames()[0].values("g"), here, models())
    assert victim.read_bytes() == bytes(len(VICTIM))


def test_trust_is_yes_or_no(bench, models):
    script = bench.start(liquid(60, seed=3))
    message = bench.refused(script + f"fix g all glassml 1 {models()} A B trust me\n")
    assert "keyword trust: expected yes or no; found 'me'" in message
