"""`fix glassml` reads the code of a model before it loads it; it may only calculate."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hostile_archives import HOSTILE_ARCHIVES, flipped, members
from hostile_code import HOSTILE, NESTED, VICTIM, overwriting, with_line
from systems import liquid


@pytest.mark.parametrize(("line", "found"), HOSTILE)
def test_what_python_refuses(build_tree: Path, models, tmp_path: Path, line: str, found: str):
    hostile = with_line(models(), line, tmp_path / "hostile.pt")
    driver = build_tree / "bin" / "glassml_runner_driver"
    done = subprocess.run([driver, hostile, "propensity"], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"only calculates; found {found}" in done.stdout


@pytest.mark.parametrize("kind", NESTED)
def test_deeply_nested_code(build_tree: Path, models, tmp_path: Path, kind: str):
    line, found = NESTED[kind]
    hostile = with_line(models(), line, tmp_path / "hostile.pt")
    driver = build_tree / "bin" / "glassml_runner_driver"
    done = subprocess.run([driver, hostile, "propensity"], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"only calculates; found {found}" in done.stdout


@pytest.mark.parametrize("name", HOSTILE_ARCHIVES)
def test_what_is_not_in_the_archive(build_tree: Path, models, tmp_path: Path, name: str):
    make, words = HOSTILE_ARCHIVES[name]
    hostile = make(models(), tmp_path / "hostile.pt")
    driver = build_tree / "bin" / "glassml_runner_driver"
    done = subprocess.run([driver, hostile, "propensity"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "hostile.pt: " in done.stdout
    assert words in done.stdout


def test_a_flipped_bit_is_noticed(build_tree: Path, models, tmp_path: Path):
    driver = build_tree / "bin" / "glassml_runner_driver"
    for member in ("data.pkl", "data/0", "extra/manifest.json", "code/__torch__/glassml/models.py"):
        name = next(name for name in members(models()) if name.startswith(member[:-3]))
        damaged = flipped(models(), name, tmp_path / "damaged.pt")
        done = subprocess.run([driver, damaged, "propensity"], capture_output=True, text=True)
        assert done.returncode == 1
        assert re.search(rf"damaged\.pt.*({re.escape(name)}|decompress)", done.stdout)


def test_lengths_in_a_wrong_unit_are_refused_before_memory_is_taken(bench, models):
    here = liquid(500, density=1200.0)
    message = bench.refused(bench.start(here) + f"fix g all glassml 1 {models()} A B\nrun 0")
    assert "expected at most 4000 neighbours of an atom within the cutoff" in message
    assert "at the density 1200. Are lengths in the unit of the model (lj)?" in message


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
