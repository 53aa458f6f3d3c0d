"""An evaluator whose code has changed must state another version, or old results would be reused.

The code of the modules that decide what an evaluator writes is compared, without comments and
docstrings, with what it was when its version was last looked at.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from pathlib import Path
from typing import NamedTuple

import pytest

import glassml
from glassml.simulation.average_file import _average
from glassml.simulation.pipeline import lammps_task, measurements
from glassml.simulation.quench_file import _quench
from glassml.studies.benchmark import fitting, scoring
from glassml.studies.sweep import sweep_runs
from glassml.work import Evaluator

PACKAGE = Path(glassml.__file__).parent


class Group(NamedTuple):
    """Evaluators with their versions, the modules that decide what they write, and their code."""

    versions: dict[Evaluator, int]
    modules: tuple[str, ...]
    checksum: str


GROUPS = (
    Group({lammps_task.run_script: 1}, ("simulation/pipeline/lammps_task.py",), "a5bdcafe6e5e70f9"),
    Group(
        {
            measurements.check_box: 1,
            measurements.collect_frames: 1,
            measurements.measure_window: 1,
            measurements.measure_given_window: 1,
            measurements.measure_structure: 1,
            measurements.measure_cage: 1,
            measurements.measure_average: 1,
            measurements.measure_run: 1,
            measurements.measure_labels: 1,
        },
        (
            "simulation/pipeline/measurements.py",
            "simulation/pipeline/lammps_trajectory.py",
            "simulation/cage.py",
            "simulation/short_runs.py",
            "simulation/binary_dump.py",
            "physics/averaging.py",
            "physics/pairs.py",
            "physics/propensity.py",
            "physics/relaxation.py",
        ),
        "07745360641f6910",
    ),
    Group(
        {_quench: 1},
        (
            "simulation/quench_file.py",
            "simulation/each_configuration.py",
            "simulation/inherent.py",
            "simulation/exchange.py",
            "simulation/cell_surfaces.py",
            "physics/voronoi.py",
        ),
        "b54f79421a592a3a",
    ),
    Group(
        {_average: 1},
        (
            "simulation/average_file.py",
            "simulation/each_configuration.py",
            "simulation/short_runs.py",
            "simulation/binary_dump.py",
            "simulation/exchange.py",
            "physics/averaging.py",
        ),
        "fa4656ecbd9010a9",
    ),
    Group(
        {sweep_runs.train_and_predict: 1},
        ("studies/sweep/sweep_runs.py", "training/held_out.py"),
        "3278a99c460cfcff",
    ),
    Group(
        {fitting.fit: 1, scoring.score: 1},
        ("studies/benchmark/fitting.py", "studies/benchmark/scoring.py"),
        "1068eb1cb7da0912",
    ),
)


def code_of(modules: tuple[str, ...]) -> str:
    """Checksum of the code of modules: neither comments nor docstrings nor layout change it."""
    digest = hashlib.sha256()
    for module in modules:
        text = (PACKAGE / module).read_text(encoding="utf-8")
        lines = text.splitlines()
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                lines[row - 1] = lines[row - 1][:column]
        for node in ast.walk(ast.parse(text)):
            kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
            if isinstance(node, kinds) and ast.get_docstring(node) is not None:
                first, last = node.body[0].lineno, node.body[0].end_lineno or 0
                lines[first - 1 : last] = [""] * (last - first + 1)
        digest.update("".join(" ".join(lines).split()).encode())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: Path(group.modules[0]).stem)
def test_changed_code_has_another_version(group: Group) -> None:
    assert {function: function.version for function in group.versions} == group.versions
    found = code_of(group.modules)
    assert found == group.checksum, (
        f"the code of {', '.join(group.modules)} has changed. If results change with it, raise the "
        f"versions of its evaluators; then write the versions and the checksum {found} here"
    )


def test_every_evaluator_is_listed() -> None:
    declared = {
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(line).startswith("evaluator(") for line in node.decorator_list)
    }
    assert declared == {function.__name__ for group in GROUPS for function in group.versions}
