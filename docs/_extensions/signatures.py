"""Signatures, types and docstrings of the Python pages, as they are meant."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

# Napoleon takes "word: text" at the beginning of a property and of a result for a type and its
# meaning. Here types are annotations, and a colon is a colon.
_COLON = "\N{MODIFIER LETTER COLON}"


def _signature(*event: Any) -> tuple[str, str | None] | None:
    """A signature in which a default that Python cannot print is three dots."""
    signature, returned = event[-2:]
    if signature is None:
        return None
    return re.sub(
        r"<(?:factory|function <lambda>|[\w.]+ object[^<>]*)>", "...", signature
    ), returned


def _skip(app: Sphinx, kind: str, name: str, *event: Any) -> bool | None:
    """Leave out what pydantic, and not glassml, adds to a class."""
    return True if name == "model_config" else None


def _hide_colons(app: Sphinx, kind: str, *event: Any) -> None:
    lines: list[str] = event[-1]
    sections = [k + 1 for k, line in enumerate(lines) if line in ("Returns:", "Yields:")]
    for number in [*sections, *([0] if kind == "property" else [])]:
        lines[number] = lines[number].replace(": ", f"{_COLON} ")
        lines[number] = re.sub(":$", _COLON, lines[number])


def _finish(*event: Any) -> None:
    """Show the types of attributes by their last name, as those of arguments are."""
    lines: list[str] = event[-1]
    for number, line in enumerate(lines):
        if line.startswith(":vartype "):
            line = re.sub(r"(?<![\w.~])glassml\.", "~glassml.", line)
        lines[number] = line.replace(_COLON, ":")


def setup(app: Sphinx) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-docstring", _hide_colons, priority=100)  # before napoleon
    app.connect("autodoc-process-docstring", _finish, priority=900)
    return {"parallel_read_safe": True}
