"""Habits that the linters do not know of."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from pages import made_by_sphinx

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDERS = ("glassml", "calculators", "lammps_plugin", "tests", "docs", "examples", "benchmarks")
SUFFIXES = {".py", ".cpp", ".h", ".md", ".toml", ".yaml", ".txt", ".cmake"}
FILES = sorted(
    path
    for folder in FOLDERS
    for path in (REPOSITORY / folder).rglob("*")
    if path.suffix in SUFFIXES and path != Path(__file__).resolve() and not made_by_sphinx(path)
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


# Phrases that a native technical writer would not use, and what to write instead.
UNIT = (
    "atom|axis|cell|channel|configuration|core|device|draw|edge|epoch|fold|layer|member|node|output"
    "|particle|process|rank|replica|row|run|seed|set|setting|species|step|temperature|test|thread|time"
)
PHRASES = {
    r"(?-i:\bone an? \w+)": "per: one row per time",
    rf"\b(?:bytes|columns?|entry|[kKMG]B|lines?|numbers?|panels?|rows?|seconds|text|threads?|vector)"
    rf" an? (?:{UNIT})\b": "per: 16 bytes per edge",
    r"\b(?:leave|leaves|leaving|left)\b[^.;:]{0,40}\baway\b": "without, leave out",
    r"\b(?:whence|thence|wherefrom|thereof)\b": "from which",
    r"\bnobody \w+s\b": "say what the code does",
    r"\bforesees?\b|\bthe caller has\b": "say what is known or has happened",
    r"\bcomes? to:|\bcome to\.": "the result of",
    r"\b(?:goes|go|went|going) on\b": "continue",
    r"\bbesides\b[.,;]": "also",
    r"\bwhichever\b|\bwhoever\b": "name the cases",
    r"\b(?:came|comes?) about\b": "how it was made",
    r"\b(?:is|are) told\b": "receives, shows",
    r"\bsa(?:ys?|id) of\b": "describes, records",
    r"\basked of\b|\bto be had\b": "say who does what",
}


def phrases_in(text: str) -> list[tuple[str, str]]:
    """Every phrase of `PHRASES` in a text, with what to write instead."""
    return [
        (found.group(), instead)
        for pattern, instead in PHRASES.items()
        for found in re.finditer(pattern, text, re.IGNORECASE)
    ]


def words_of(path: Path) -> str:
    """The prose of a document, or the text of a source file, in a single line.

    Comments and strings that continue on the next line become one text.
    """
    if path.suffix not in {".py", ".cpp", ".h"}:
        return " ".join(prose_of(path).split())
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^\s*(?:#|//)", "", text, flags=re.MULTILINE)
    text = re.sub(r"\"\s*\n\s*[fr]?\"", "", text)
    return " ".join(text.split())


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.suffix in {".md", ".yaml", ".py", ".cpp", ".h"}],
    ids=lambda p: str(p.relative_to(REPOSITORY)),
)
def test_text_has_no_private_phrases(path: Path):
    assert phrases_in(words_of(path)) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("comment.py", "n = 1\n# The run goes\n# on later.\n"),
        ("message.py", 'raise ValueError(\n    f"{run} goes "\n    f"on later"\n)\n'),
        ("comment.cpp", "int n;\n  // The run goes\n  // on later.\n"),
    ],
)
def test_phrases_are_found_across_lines(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert phrases_in(words_of(tmp_path / name)) == [("goes on", "continue")]


@pytest.mark.parametrize(
    "text",
    [
        "scores: one a species and time",
        "memory of 16 bytes an edge",
        "left it far away",
        "positions, whence the graphs",
        "where nobody minds what they know",
        "no processor foresees",
        "the caller has looked",
        "What the runs come to: coefficients",
        "it goes on where it was",
        "and a spread besides.",
        "whichever comes first",
        "whoever calls it",
        "how the model came about",
        "progress: is told how far the run has come",
        "what a run says of itself",
        "the questions that are asked of a record",
        "where no mean is to be had",
    ],
)
def test_private_phrases_are_found(text: str):
    assert phrases_in(text)


@each_file
def test_messages_separate_expected_and_found_by_a_semicolon(path: Path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"expected [^\";\n]*, (?:but )?(?:found|got) ", text) == []


@each_file
def test_no_path_of_a_developers_machine(path: Path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.])/(?:home|root|Users|work)/\w+|/tmp/\w+", text) == []


@each_file
def test_text_ends_in_one_newline_and_has_no_tabs(path: Path):
    text = path.read_text(encoding="utf-8")
    assert not text or (text.endswith("\n") and not text.endswith("\n\n"))
    assert "\t" not in text
