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

import pytest

import glassml
from glassml.simulation.pipeline import lammps_task, measurements
from glassml.simulation.quench_file import _quench
from glassml.studies.sweep import sweep_runs
from glassml.work import Evaluator

PACKAGE = Path(glassml.__file__).parent
PHYSICS = ("physics/pairs.py", "physics/propensity.py", "physics/relaxation.py")
MEASUREMENTS = (
    "simulation/pipeline/measurements.py",
    "simulation/pipeline/lammps_trajectory.py",
    "simulation/cage.py",
    *PHYSICS,
)

# Evaluator -> its version, the modules that decide what it writes, and the checksum of their code.
EVALUATORS: dict[str, tuple[Evaluator, int, tuple[str, ...], str]] = {
    "run_script": (
        lammps_task.run_script,
        1,
        ("simulation/pipeline/lammps_task.py",),
        "",
    ),
    **{
        function.__name__: (function, 1, MEASUREMENTS, "")
        for function in (
            measurements.check_box,
            measurements.collect_frames,
            measurements.measure_window,
            measurements.measure_structure,
            measurements.measure_cage,
            measurements.measure_run,
            measurements.measure_labels,
        )
    },
    "_quench": (
        _quench,
        1,
        ("simulation/quench_file.py", "simulation/inherent.py", "simulation/exchange.py"),
        "",
    ),
    "train_and_predict": (
        sweep_runs.train_and_predict,
        1,
        ("studies/sweep/sweep_runs.py", "training/held_out.py"),
        "",
    ),
}


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


@pytest.mark.parametrize("name", EVALUATORS)
def test_changed_code_has_another_version(name: str) -> None:
    function, version, modules, checksum = EVALUATORS[name]
    found = (function.version, code_of(modules))
    assert found == (version, checksum), (
        f"{name}: its code has changed. If results change with it, raise the version at its "
        f"definition; then write the version and the checksum {found[1]} here"
    )


def test_every_evaluator_is_listed() -> None:
    declared = {
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and any(
            ast.unparse(decorator).startswith("evaluator(") for decorator in node.decorator_list
        )
    }
    assert declared == {function.__name__ for function, *_ in EVALUATORS.values()}
