"""Write the tables of settings in the documentation from the fields that they describe.

    python docs/make_settings.py

Each table stands between two marks in its page. Run this after changing a description or a default
in `glassml.training.TrainConfig` or `glassml.studies.sweep.SweepConfig`; a test compares.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from glassml.studies.sweep import SweepConfig
from glassml.training import TrainConfig, load_config

DOCS = Path(__file__).resolve().parent
PUBLISHED = DOCS.parent / "examples" / "train" / "se3gnn_v2.yaml"
BEGIN = "<!-- made by docs/make_settings.py: do not edit -->\n"
END = "<!-- end of the table -->"

# Fields of the published recipe that name files, or places of results.
NO_RECIPE = {"data.train", "data.validation", "output"}


def fields_of(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """The settings of a section and of the sections in it, by their dotted names."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields_of(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def value_text(value: Any) -> str:
    """A value as one writes it in YAML."""
    if isinstance(value, tuple):
        return "[" + ", ".join(value_text(entry) for entry in value) + "]"
    if isinstance(value, float):
        return f"{value:g}".replace("e-0", "e-")
    return value if isinstance(value, str) else json.dumps(value)


def default_text(field: FieldInfo) -> str:
    """The default of a field, "needed" if it has none."""
    return "needed" if field.is_required() else value_text(field.get_default())


def training_table() -> str:
    """Every setting of `glassml train`, with the published recipe where it differs."""
    recipe = load_config(PUBLISHED)
    lines = ["| field | default | published | meaning |", "| --- | --- | --- | --- |"]
    for name, field in fields_of(TrainConfig):
        value: Any = recipe
        for part in name.split("."):
            value = getattr(value, part)
        default = default_text(field)
        published = "" if name in NO_RECIPE else value_text(value)
        published = "" if published == default else published
        lines.append(f"| `{name}` | {default} | {published} | {field.description} |")
    return "\n".join(lines)


def sweep_table() -> str:
    """Every field of a sweep file."""
    lines = ["| field | default | meaning |", "| --- | --- | --- |"]
    for name, field in fields_of(SweepConfig):
        lines.append(f"| `{name}` | {default_text(field)} | {field.description} |")
    return "\n".join(lines)


TABLES = {"training_settings.md": training_table, "studies.md": sweep_table}


def page_with_table(page: str) -> str:
    """The text of a page with its table as the fields have it now."""
    before, rest = (DOCS / page).read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{TABLES[page]()}\n\n{END}{after}"


if __name__ == "__main__":
    for page in TABLES:
        (DOCS / page).write_text(page_with_table(page), encoding="utf-8")
