"""Signatures and types of the Python pages, as short as a reader needs them."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx


def _signature(*event: Any) -> tuple[str, str | None] | None:
    """A signature in which a default that Python cannot print is three dots."""
    signature, returned = event[-2:]
    if signature is None:
        return None
    return re.sub(r"<factory>|<function <lambda>>", "...", signature), returned


def _shorten(*event: Any) -> None:
    """Show the types of attributes by their last name, as those of arguments are."""
    lines: list[str] = event[-1]
    for number, line in enumerate(lines):
        if line.startswith(":vartype "):
            lines[number] = re.sub(r"(?<![\w.~])glassml\.", "~glassml.", line)


def setup(app: Sphinx) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-process-docstring", _shorten, priority=900)  # after napoleon
    return {"parallel_read_safe": True}
