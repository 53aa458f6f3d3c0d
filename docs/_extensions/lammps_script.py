"""Colours for scripts of LAMMPS, for which Pygments has none: blocks of the language lammps."""

from __future__ import annotations

from pygments.lexer import RegexLexer, bygroups
from pygments.token import Comment, Keyword, Name, Number, String, Text
from sphinx.application import Sphinx


class LammpsLexer(RegexLexer):
    """Commands at the beginning of a line, comments, strings, variables and numbers."""

    name = "LAMMPS"
    tokens = {  # noqa: RUF012 (Pygments' way)
        "root": [
            (r"#.*", Comment),
            (r'"""(?:.|\n)*?"""|"[^"\n]*"|\'[^\'\n]*\'', String),
            (r"\$\{\w+\}|\$\w|\$\([^)\n]*\)", Name.Variable),
            (r"\b[cfv]_\w+", Name.Variable),
            (r"&\n[ ]*", Text),
            (r"(?m)^([ ]*)(\w+)", bygroups(Text, Keyword)),
            (r"[-+]?\b\d[\d.]*(?:[eE][-+]?\d+)?\b", Number),
            (r"\w+|\s+|.", Text),
        ]
    }


def setup(app: Sphinx) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.add_lexer("lammps", LammpsLexer)
    return {"parallel_read_safe": True}
