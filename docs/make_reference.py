"""Write the tables of the reference from the definitions of the fields in the code.

    python docs/make_reference.py

Each table stands between two marks in its page, so that it can be read on GitHub and on the site.
Run this after changing a description or a default of a configuration file, a field of the
manifest of model files, or results of the benchmark. tests/test_reference.py compares.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from glassml.export import Manifest
from glassml.simulation.pipeline import SimulateConfig
from glassml.simulation.pipeline.durations import Duration
from glassml.studies.benchmark import (
    BenchmarkTask,
    Entry,
    load_task,
    read_results,
    shipped_tasks,
)
from glassml.studies.benchmark.tables import markdown_table
from glassml.studies.sweep import SweepConfig
from glassml.training import TrainConfig, load_config

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS.parent / "examples" / "benchmark" / "results"
PUBLISHED = DOCS.parent / "examples" / "train" / "se3gnn_v2.yaml"
BEGIN = "<!-- made by docs/make_reference.py: do not edit -->\n"
END = "<!-- end of what is made -->"

# Fields of the published recipe that name files, or places of results.
NO_RECIPE = {"data.train", "data.validation", "output"}


def section_of(annotation: Any) -> type | None:
    """The class of nested fields in an annotation such as ``Section | None``, None without one."""
    if isinstance(annotation, type) and (
        issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation)
    ):
        return annotation
    found = [section_of(member) for member in typing.get_args(annotation)]
    return next((section for section in found if section is not None), None)


def described(section: type) -> dict[str, str]:
    """Field -> its description, from the field itself or else from the docstring of its class."""
    text = inspect.getdoc(section) or ""
    listed = text.partition("\nAttributes:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", listed, re.MULTILINE)
    found = {name: " ".join(entry.split()) for name, entry in entries}
    if issubclass(section, BaseModel):
        stated = {name: field.description for name, field in section.model_fields.items()}
        found |= {name: entry for name, entry in stated.items() if entry is not None}
    return found


def summary(section: type) -> str:
    """The first paragraph of a docstring, without its full stop."""
    return cell(" ".join((inspect.getdoc(section) or "").partition("\n\n")[0].split()))


def value_text(value: Any) -> str:
    """A value as one writes it in YAML."""
    if isinstance(value, BaseModel):
        return "{}"  # a section whose fields have their defaults
    if isinstance(value, Duration):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(value_text(entry) for entry in value) + "]"
    if isinstance(value, float):
        return f"{value:g}".replace("e-0", "e-")
    if value is None or isinstance(value, bool | int | dict | list):
        return json.dumps(value)
    return str(value) if str(value) != ":" else '":"'


def default_text(field: FieldInfo) -> str:
    """The default of a field, "needed" if it has none."""
    if field.is_required():
        return "needed"
    return value_text(field.get_default(call_default_factory=True))


def cell(text: str) -> str:
    """A text as a cell of a table."""
    text = re.sub(r"(?<!\.)\.$", "", text.replace("``", "`"))  # but not a dot of "..."
    return re.sub(r"\bNone\b", "null", text).replace("|", "\\|").replace("*", "\\*")


def row(*cells: str) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def settings(section: type[BaseModel], prefix: str, columns: dict[str, Callable]) -> Iterator[str]:
    """The table of a section of a configuration file, then those of the sections in it.

    Args:
        section: the section.
        prefix: its dotted name with a dot at the end; empty for the whole file.
        columns: head of a column -> its cell, for the dotted name of a field and the field.
    """
    inner, lines = [], []
    for name, field in section.model_fields.items():
        part = section_of(field.annotation)
        if part is not None and issubclass(part, BaseModel):
            inner.append((part, f"{prefix}{name}."))
        cells = [make(prefix + name, field) for make in columns.values()]
        text = described(section)[name]
        if inner and inner[-1][1] == f"{prefix}{name}.":
            text += f"; [its fields](#{(prefix + name).replace('.', '')})"
        lines.append(row(f"`{prefix}{name}`", *cells, cell(text)))
    if prefix:
        yield f"## {prefix[:-1]}\n\n{summary(section)}.\n"
    yield row("field", *columns, "meaning")
    yield row(*["---"] * (len(columns) + 2))
    yield from lines
    yield ""
    for part, name in inner:
        yield from settings(part, name, columns)


def training_table() -> str:
    """Every setting of `glassml train`, with the published recipe where it differs."""
    recipe = load_config(PUBLISHED)

    def default(name: str, field: FieldInfo) -> str:
        return default_text(field)

    def published(name: str, field: FieldInfo) -> str:
        value: Any = recipe
        for part in name.split("."):
            if value is None or isinstance(value, tuple):  # the recipe leaves out this section
                return ""
            value = getattr(value, part)
        text = value_text(value)
        same = name in NO_RECIPE or field.is_required() or text == default_text(field)
        return "" if same else text

    columns = {"default": default, "published": published}
    return "\n".join(settings(TrainConfig, "", columns)).rstrip()


def settings_table(config: type[BaseModel]) -> str:
    """Every setting of a configuration file."""
    columns = {"default": lambda _, field: default_text(field)}
    return "\n".join(settings(config, "", columns)).rstrip()


_NAMES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    type(None): "null",
    Any: "any value",
}


def type_text(annotation: Any) -> str:
    """A type as JSON has it, with links to the tables of nested fields."""
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_text(inside[0])
    if origin is Literal:
        return " or ".join(f"`{json.dumps(value)}`" for value in inside)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_text(member) for member in inside))
    if origin is tuple and inside[-1] is not Ellipsis:
        return f"[{', '.join(type_text(member) for member in inside)}]"
    if origin is tuple:
        return f"list of {_grouped(type_text(inside[0]))}"
    if origin is dict:
        return f"mapping of names to {_grouped(type_text(inside[1]))}"
    if annotation in _NAMES:
        return _NAMES[annotation]
    return f"[{annotation.__name__}](#{annotation.__name__.lower()})"


def _grouped(text: str) -> str:
    return f"({text})" if " or " in text else text


def nested(section: type, found: dict[str, type]) -> dict[str, type]:
    """A class and all classes of the fields in it, by their names, each before those in it."""
    found[section.__name__] = section
    for annotation in typing.get_type_hints(section, include_extras=True).values():
        part = section_of(annotation)
        if part is not None and part.__name__ not in found:
            nested(part, found)
    return found


def entry_table(section: type) -> Iterator[str]:
    """The fields of an entry of the manifest."""
    texts = described(section)
    yield row("field", "type", "meaning")
    yield row("---", "---", "---")
    hints = typing.get_type_hints(section, include_extras=True)
    for field in dataclasses.fields(section) if dataclasses.is_dataclass(section) else ():
        yield row(f"`{field.name}`", type_text(hints[field.name]), cell(texts[field.name]))
    for name, field in getattr(section, "model_fields", {}).items():
        default = "" if field.is_required() else default_text(field)
        note = "" if default in ("", "null", "{}", "[]", '""') else f" (default: {default})"
        yield row(f"`{name}`", type_text(hints[name]), cell(texts[name]) + note)


def manifest_tables() -> str:
    """Every field of the manifest of a model file, a table for each of its parts."""
    lines: list[str] = []
    for name, section in nested(Manifest, {}).items():
        lines += [f"## {name}", "", f"{summary(section)}.", "", *entry_table(section), ""]
    return "\n".join(lines).rstrip()


def benchmark_tables() -> str:
    """Every field of the files of entries and of tasks, a table for each of their parts."""
    lines: list[str] = []
    columns = {"default": lambda _, field: default_text(field)}
    for title, kind in (("Entry files", Entry), ("Task files", BenchmarkTask)):
        lines += [f"## {title}", "", f"{summary(kind)}.", ""]
        lines += [line.replace("## ", "### ") for line in settings(kind, "", columns)]
    return "\n".join(lines).rstrip()


def benchmark_results() -> str:
    """The table of every task that has results in the repository."""
    results = read_results([RESULTS])
    tasks = [load_task(name) for name in shipped_tasks()]
    shown = [task for task in tasks if any(result.task == task.name for result in results)]
    return "\n\n".join(f"## {task.name}\n\n{markdown_table(task, results)}" for task in shown)


PAGES: dict[str, Callable[[], str]] = {
    "../results/benchmark.md": benchmark_results,
    "benchmark_settings.md": benchmark_tables,
    "manifest.md": manifest_tables,
    "simulation_settings.md": lambda: settings_table(SimulateConfig),
    "sweep_settings.md": lambda: settings_table(SweepConfig),
    "training_settings.md": training_table,
}


def page_with_table(page: str) -> str:
    """The text of a page of the reference with its tables as the fields are now."""
    text = (DOCS / "reference" / page).read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{PAGES[page]()}\n\n{END}{after}"


if __name__ == "__main__":
    for page in PAGES:
        (DOCS / "reference" / page).write_text(page_with_table(page), encoding="utf-8")
