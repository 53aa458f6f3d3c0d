"""The code in a model file is read before anything of it is loaded: it may only calculate."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile_code import HOSTILE, NESTED, VICTIM, overwriting, with_line
from systems import liquid

import glassml.models
from glassml.errors import ModelFileError
from glassml.export import save_model
from glassml.export.archive_check import check_archive
from glassml.export.code_check import (
    DEEPEST,
    LONGEST_STATEMENT,
    OPERATORS,
    OTHER_OPERATORS,
)
from glassml.inference import Predictor
from glassml.pretrained import pretrained_names, pretrained_path

RUNNER = Path(__file__).parents[2] / "lammps_plugin" / "src" / "code_check.cpp"


def checked(file: Path) -> None:
    check_archive(file, file.read_bytes())


@pytest.mark.parametrize("name", pretrained_names())
def test_shipped_models_only_calculate(name: str) -> None:
    checked(pretrained_path(name))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", glassml.models.available())
def test_models_of_the_registry_only_calculate(name: str, dtype: str, tmp_path: Path) -> None:
    save_model(glassml.models.build(name), tmp_path / "model.pt", dtype=dtype)
    checked(tmp_path / "model.pt")


def test_what_such_code_can_do(analytic: Callable[..., Path], tmp_path: Path) -> None:
    """A model that overwrites a file when it is evaluated, and gives the right numbers."""
    victim = tmp_path / "victim"
    hostile = overwriting(analytic(), victim, tmp_path / "hostile.pt")
    with pytest.raises(ModelFileError, match=r"only calculates; found torch\.from_file\. Its code"):
        Predictor(hostile, "cpu")
    assert victim.read_bytes() == VICTIM
    values = [
        Predictor(path, "cpu", trust=trust).predict([liquid(60)])[0]["propensity"]
        for path, trust in ((analytic(), False), (hostile, True))
    ]
    np.testing.assert_array_equal(*values)
    assert victim.read_bytes() == bytes(len(VICTIM))  # so the check is needed


@pytest.mark.parametrize(("line", "found"), HOSTILE)
def test_code_that_does_more_is_refused(
    analytic: Callable[..., Path], tmp_path: Path, line: str, found: str
) -> None:
    hostile = with_line(analytic(), line, tmp_path / "hostile.pt")
    with pytest.raises(ModelFileError) as caught:
        checked(hostile)
    assert f"only calculates; found {found}" in str(caught.value)


@pytest.mark.parametrize("kind", NESTED)
def test_deeply_nested_code_is_refused(
    analytic: Callable[..., Path], tmp_path: Path, kind: str
) -> None:
    line, found = NESTED[kind]
    with pytest.raises(ModelFileError, match=f"only calculates; found {found}"):
        checked(with_line(analytic(), line, tmp_path / "hostile.pt"))


def test_names_that_only_look_like_operators_are_no_reason(
    analytic: Callable[..., Path], tmp_path: Path
) -> None:
    line = "torch_from_file = 1  # torch.from_file"
    checked(with_line(analytic(), line, tmp_path / "harmless.pt"))


def test_none_of_the_operators_opens_files() -> None:
    """Arguments that are text are names of rounding, padding and the like, never of files."""
    texts = {
        argument.name
        for schema in torch._C._jit_get_all_schemas()
        if schema.name.partition("::")[2] in OPERATORS
        for argument in schema.arguments
        if "str" in str(argument.type)
    }
    assert not {name for name in texts if "file" in name or "path" in name}


def test_the_list_in_cpp_is_the_same() -> None:
    text = RUNNER.read_text(encoding="utf-8")
    assert f"kDeepest = {DEEPEST};" in text
    assert f"kLongestStatement = {LONGEST_STATEMENT};" in text
    for name, expected in (("kOperators", OPERATORS), ("kOtherOperators", OTHER_OPERATORS)):
        literal = re.search(rf"{name} =(.*?);", text, re.S)[1]
        assert set("".join(re.findall(r'"([^"]*)"', literal)).split()) == expected
