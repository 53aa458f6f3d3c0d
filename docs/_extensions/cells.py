"""Cells of tutorials: colours of their own language, and output in one piece.

A cell of the shell sends what it prints in pieces, wherever they end. MyST-NB shows each by itself,
or breaks the line between them (``nb_merge_streams``).
"""

from __future__ import annotations

import re

from docutils import nodes
from repository import language_of
from sphinx.application import Sphinx


def _language(cell: str) -> str | None:
    """The language of a cell that begins with a magic command, or None."""
    if cell.startswith("%%bash"):
        return "bash"
    if found := re.match(r"%%writefile (\S+)", cell):
        return language_of(found[1])
    return None


def _colour(app: Sphinx, document: nodes.document) -> None:
    for block in document.findall(nodes.literal_block):
        if (language := _language(block.rawsource or block.astext())) is not None:
            block["language"] = language
            block["force"] = True  # although these languages do not know the first line


def _join(app: Sphinx, document: nodes.document) -> None:
    for output in document.findall(nodes.container):
        if "cell_output" in output["classes"]:
            kept: list[nodes.Node] = []
            for block in output.children:
                if kept and _is_stream(block) and block["classes"] == kept[-1]["classes"]:
                    text = kept[-1].astext() + block.astext()
                    kept[-1].rawsource = text
                    kept[-1].children = [nodes.Text(text)]
                else:
                    kept.append(block)
            output.children = kept


def _is_stream(node: nodes.Node) -> bool:
    return isinstance(node, nodes.literal_block) and "stream" in node["classes"]


def setup(app: Sphinx) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.connect("doctree-read", _colour)
    app.connect("doctree-read", _join)
    return {"parallel_read_safe": True}
