"""Messages have one style: `PLACE: expected X; found Y. What to do.` (see CONTRIBUTING.md)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PYTHON = sorted(
    path for folder in ("glassml", "calculators") for path in (REPOSITORY / folder).rglob("*.py")
)
CPP = sorted((REPOSITORY / "lammps_plugin" / "src").glob("*.cpp"))

_ERRORS = re.compile(
    r"(?:Input|Config|ModelFile|Build|Simulation|FullDisk|GlassML|PropertyNotImplemented)Error$"
)
_VALUE = "{}"  # stands for what is put into a message

# What to do is a sentence of its own, behind a full stop.
_VERBS = (
    "add|allow|choose|copy|correct|define|delete|divide|export|get|give|install|leave|lower|make"
    "|move|name|put|raise|read|reinstall|remove|rename|restore|run|save|set|sort|start|stop|train"
    "|use|wait|write"
)
SECOND_STYLE = {
    r"\b(?:but )?got\b": "found",
    r"^(?!.*expected).*\b(?:must|should|has to|have to)\b": "expected",
    r"\b[Ii](?:nvalid|llegal|ncorrect)\b": "expected X; found Y",
    r"\b[Pp]lease\b|\b[Ss]orry\b": "leave it out",
    rf"[;:] (?:{_VERBS})\b(?![:.=])": "a sentence of its own: '. Give ...'",
}
# The operating system, another process or LAMMPS fails: no value of the user is wrong.
_FAULTS = re.compile(
    r"cannot (?:be )?(?:read|write|written)|is writing it|was stopped after|are missing for the"
    r"|kept in"
)
_OTHERS = re.compile(r"\{\}|[\w./`]+:|\.|model\.|--lammps|\(members|[A-Z][^.]*$")


def texts_of(node: ast.expr) -> str:
    """The constant text of a message, with `_VALUE` for what is put in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(texts_of(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return texts_of(node.left) + texts_of(node.right)
    if isinstance(node, ast.FormattedValue):
        inside = ast.unparse(node.value)
        # Functions and constants that say what is expected.
        return "expected; found" if re.match(r"not_one_of\(|_EXPECTED$", inside) else _VALUE
    return _VALUE


def messages_in(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of the errors that a module raises or returns for a user."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if _ERRORS.search(ast.unparse(node.func)):
            yield node.lineno, " ".join(texts_of(node.args[0]).split())


def second_style(text: str) -> list[str]:
    """What of a message is in another style, each with what to write instead."""
    return [
        f"{found.group()!r}: {instead}"
        for pattern, instead in SECOND_STYLE.items()
        for found in re.finditer(pattern, text)
    ]


def is_passed_on(text: str) -> bool:
    """Whether a message is that of another error, with a place before it."""
    return len(re.findall(r"[a-z]{3,}", _OTHERS.sub("", text))) <= 2


def says_what_was_expected(text: str) -> bool:
    return (
        "expected" in text
        or text.startswith("{}; found")  # several messages begin alike
        or _FAULTS.search(text) is not None
        or is_passed_on(text)
    )


@pytest.mark.parametrize("path", PYTHON, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_messages_of_python(path: Path) -> None:
    for line, text in messages_in(path.read_text(encoding="utf-8")):
        assert second_style(text) == [], f"{path}:{line}: {text}"
        assert says_what_was_expected(text), f"{path}:{line}: {text}"


def literals(source: str) -> Iterator[str]:
    """The texts of C++ that are messages: neighbouring literals, also joined by values, as one."""
    value = r"\s*(?:\+\s*[\w.():>\[\]-]+\s*\+\s*)?"
    pattern = rf'"(?:[^"\\\n]|\\.)*"(?:{value}"(?:[^"\\\n]|\\.)*")*'
    for found in re.finditer(pattern, re.sub(r"^\s*//.*$", "", source, flags=re.MULTILINE)):
        text = " ".join("".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', found.group())).split())
        if " " in text:
            yield text


@pytest.mark.parametrize("path", CPP, ids=lambda p: p.name)
def test_messages_of_the_plugin(path: Path) -> None:
    for text in literals(path.read_text(encoding="utf-8")):
        assert second_style(text) == [], text


def test_messages_are_found() -> None:
    """As many as there are; a rule that looks at nothing would always hold."""
    found = [text for path in PYTHON for _, text in messages_in(path.read_text(encoding="utf-8"))]
    assert len(found) > 500
    assert sum("expected" in text and "found" in text for text in found) > 450
    plugin = [text for path in CPP for text in literals(path.read_text(encoding="utf-8"))]
    assert sum("expected" in text for text in plugin) > 80


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("{}: expected a file; found none. Choose another", 0),
        ("{}: expected a file but got {}", 1),
        ("{}: must be positive", 1),
        ("{}: invalid value", 1),
        ("{}: expected one; found none; give it (--temperature)", 1),
        ("{}: expected one; found none: remove it", 1),
    ],
)
def test_the_second_style_is_found(text: str, number: int) -> None:
    assert len(second_style(text)) == number


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}: expected a file; found none", True),
        ("{}: quench: {}", True),
        ("{}: cannot be read ({})", True),
        ("{}: this model is of no use here", False),
        ("the file has no labels", False),
    ],
)
def test_statements_are_found(text: str, said: bool) -> None:
    assert says_what_was_expected(text) == said
