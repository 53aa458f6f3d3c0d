"""Cells of the shell and of files have the colours of their own language, not those of Python."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

_FILES = {".py": "python", ".yaml": "yaml"}


def _language(cell: str) -> str | None:
    """The language of a cell that begins with a magic command, or None."""
    if cell.startswith("%%bash"):
        return "bash"
    if found := re.match(r"%%writefile (\S+)", cell):
        name = found[1]
        return "lammps" if name.startswith("in.") else _FILES["." + name.rpartition(".")[2]]
    return None


def _colour(app: Sphinx, document: nodes.document) -> None:
    for block in document.findall(nodes.literal_block):
        if (language := _language(block.rawsource or block.astext())) is not None:
            block["language"] = language
            block["force"] = True  # although these languages do not know the first line


def setup(app: Sphinx) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.connect("doctree-read", _colour)
    return {"parallel_read_safe": True}
