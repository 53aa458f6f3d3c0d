"""Habits that the linters do not know of."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDERS = ("glassml", "calculators", "lammps_plugin", "tests", "docs", "examples", "benchmarks")
SUFFIXES = {".py", ".cpp", ".h", ".md", ".toml", ".yaml", ".txt", ".cmake"}
FILES = sorted(
    path
    for folder in FOLDERS
    for path in (REPOSITORY / folder).rglob("*")
    if path.suffix in SUFFIXES and path != Path(__file__).resolve()
) + sorted(REPOSITORY.glob("*.md"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(REPOSITORY)))

# Only in prose: names that others chose (Matplotlib's color, LAMMPS' neighbor) are left alone.
AMERICAN = re.compile(
    r"\b(?:analyz|behavior|center(?:ed|s)?\b|color|equaliz|favor|generaliz|gray\b|initializ|labeled"
    r"|labeling|modeling|neighbor|normaliz|optimiz|organiz|randomiz|realiz|serializ|standardiz"
    r"|summariz|symmetriz|traveled|visualiz)\w*",
    re.IGNORECASE,
)
CODE = re.compile(r"```.*?```|``[^`]*``|`[^`]*`|\w+[./_]\w*|<[^>]*>|\"[^\"]*\"", flags=re.DOTALL)


def prose_of(path: Path) -> str:
    """Markdown without its code, or the docstrings of a module."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
        nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
        text = "\n".join(ast.get_docstring(node) or "" for node in nodes)
    return CODE.sub(" ", text)


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.suffix in {".py", ".md"}],
    ids=lambda p: str(p.relative_to(REPOSITORY)),
)
def test_prose_is_british(path: Path):
    assert AMERICAN.findall(prose_of(path)) == []


@each_file
def test_no_path_of_a_developers_machine(path: Path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.])/(?:home|root|Users|work)/\w+|/tmp/\w+", text) == []


@each_file
def test_text_ends_in_one_newline_and_has_no_tabs(path: Path):
    text = path.read_text(encoding="utf-8")
    assert not text or (text.endswith("\n") and not text.endswith("\n\n"))
    assert "\t" not in text
