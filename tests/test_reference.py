"""The reference is that of the code: tables of fields, file formats and pages of Python."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import executed

import glassml

REPOSITORY = Path(__file__).resolve().parent.parent
REFERENCE = REPOSITORY / "docs" / "reference"
MADE = runpy.run_path(str(REPOSITORY / "docs" / "make_reference.py"))


@pytest.mark.parametrize("page", sorted(MADE["PAGES"]))
def test_tables_are_those_of_the_fields(page: str):
    text = (REFERENCE / page).read_text(encoding="utf-8")
    assert text == MADE["page_with_table"](page), "run: python docs/make_reference.py"


def test_what_the_pages_do_in_python(capsys: pytest.CaptureFixture[str]):
    for code in (
        *executed("docs/reference/manifest.md", "python"),
        *executed("docs/reference/file_formats.md", "python"),
    ):
        exec(code, {})
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("2.0 ('A', 'B') (")
    assert first.endswith(") 20 samples every 0.1")
    assert len(rest) == 10
    assert rest[0].startswith("T0.64-0001 (1000, 5) 32 {")
    assert "'temperature': " in rest[0]


# Tools of the package itself; docs/reference/python/index.md says so.
INTERNAL = {"cli", "files", "plotting", "settings", "tables"}


def documented() -> Iterator[tuple[str, str]]:
    """The modules and names that have a place on a page."""
    for page in sorted((REFERENCE / "python").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for name, members in re.findall(r"automodule:: (\S+)\n   :members:(.*)", text):
            module = importlib.import_module(name)
            for member in re.findall(r"\w+", members) or module.__all__:
                yield name, member
        for name in re.findall(r"auto(?:class|function|data):: (\S+)", text):
            yield tuple(name.rsplit(".", 1))


def public_modules() -> Iterator[str]:
    """Glassml's modules, its packages and theirs, and that of ASE."""
    yield "glassml_ase"
    for module in pkgutil.walk_packages(glassml.__path__, "glassml."):
        room, *inside = module.name.split(".")[1:]
        if room not in {"__main__", *INTERNAL} and (module.ispkg or not inside):
            yield module.name


def test_every_public_name_has_a_page():
    objects = {(name, id(value)) for _, name, value in documented_objects()}
    public = [
        (module.__name__, name, getattr(module, name))
        for module in map(importlib.import_module, public_modules())
        for name in module.__all__
    ]
    assert len(public) > 300
    missing = [f"{m}.{name}" for m, name, value in public if (name, id(value)) not in objects]
    assert missing == []


def test_internal_modules_are_named():
    text = (REFERENCE / "python" / "index.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"Modules that are not\s+here \((.*?)\)", text, re.DOTALL)
    named = {name.removeprefix("glassml.") for name in re.findall(r"`([\w.]+)`", sentence)}
    assert named == INTERNAL


def documented_objects() -> Iterator[tuple[str, str, Any]]:
    for module, name in documented():
        yield module, name, getattr(importlib.import_module(module), name)


def test_every_public_constant_has_a_comment_for_its_page():
    # Without a colon in its first line: napoleon would take what comes before for a type.
    comment = re.compile(r"^#: [^:\n]*(?:\n#:.*)*\n(\w+)(?:: [^=]*)? = ", re.MULTILINE)
    sources = (REPOSITORY / "glassml").rglob("*.py")
    commented = {name for p in sources for name in comment.findall(p.read_text(encoding="utf-8"))}
    constants = {name for _, name, value in documented_objects() if not callable(value)}
    assert "THERMAL" in constants
    assert constants - commented == set()


def functions_and_methods() -> Iterator[tuple[str, Any]]:
    """The public functions and classes, and the methods of the classes."""
    for _, exported, value in documented_objects():
        if callable(value):
            yield exported, value
        for name, method in vars(value).items() if inspect.isclass(value) else ():
            if inspect.isfunction(method) and not name.startswith("_"):
                yield f"{exported}.{name}", method


def test_public_functions_explain_all_arguments():
    """By a list of them or, in one sentence, by their names. Methods may follow their contract."""
    unclear = []
    for name, value in functions_and_methods():
        if "." in name or not inspect.isfunction(value):
            continue
        text = inspect.getdoc(value) or ""
        text = text.partition("Args:")[2] or text
        arguments = list(inspect.signature(value).parameters)
        if len(arguments) > 1 and not all(re.search(rf"\b{one}\b", text) for one in arguments):
            unclear.append(name)
    assert unclear == []


def test_public_functions_of_arrays_state_shapes():
    """Where an array is passed in or out, the docstring has a shape such as [N, 3]."""
    found = [
        (name, _shapes(inspect.getdoc(value) or ""))
        for name, value in functions_and_methods()
        if re.search(r"ndarray|Tensor", _signature(value))
    ]
    assert len(found) > 50
    assert [name for name, shapes in found if not shapes] == []


def _shapes(text: str) -> list[str]:
    """What stands in brackets and is no dimension."""
    dimension = re.compile(r"-|1 / .*|\W*(?:length|energy|time|temperature|sigma)\b.*")
    return [one for one in re.findall(r"\[([^\]\[]+)\]", text) if not dimension.fullmatch(one)]


def _signature(value: Any) -> str:
    try:
        return str(inspect.signature(value))
    except ValueError:  # of classes that are built in C
        return ""


def test_the_page_of_the_fix_is_built_like_those_of_lammps():
    text = (REFERENCE / "fix_glassml.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        "Syntax",
        "Examples",
        "Description",
        "Restart, fix_modify, output, run start/stop, minimize info",
        "Restrictions",
        "Related commands",
        "Default",
        "References",
    ]


def test_the_page_of_the_fix_lists_its_keywords():
    source = (REPOSITORY / "lammps_plugin" / "src" / "options.cpp").read_text(encoding="utf-8")
    text = (REFERENCE / "fix_glassml.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^- keyword = (.*)$", text, re.MULTILINE)
    (literals,) = re.findall(r"kKnown =(.*?);", source, re.DOTALL)
    known = "".join(re.findall(r'"(.*?)"', literals))
    accepted = set(known.removeprefix("known keywords: ").split(", "))
    assert set(re.findall(r"\*(\w+)\*", line)) == accepted
    syntax = text.partition("## Examples")[0]
    assert set(re.findall(r"^(\w+) values? = ", syntax, re.MULTILINE)) == accepted
