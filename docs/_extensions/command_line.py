"""Pages of the command line, a page per command, from typer's own description of it."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

from repository import fill
from sphinx.application import Sphinx

_INDEX = """\
# Command line

`glassml COMMAND --help` shows what the page of a command has.

{summaries}

```{{toctree}}
:hidden:

{commands}
```
"""


def _write_pages(app: Sphinx) -> None:
    text = subprocess.run(
        [sys.executable, "-m", "typer", "glassml.cli.app", "utils", "docs", "--name", "glassml"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    parts = re.split(r"^## (?=`glassml [\w-]+`$)", text, flags=re.MULTILINE)[1:]
    pages = {
        part.split("`")[1].removeprefix("glassml "): f"# {_for_the_site(part.rstrip())}\n"
        for part in parts
    }
    summaries = [
        f"- [`glassml {name}`]({name}.md): {_summary(page)}" for name, page in pages.items()
    ]
    pages["index"] = _INDEX.format(summaries="\n".join(summaries), commands="\n".join(pages))
    fill(Path(app.srcdir) / "reference" / "cli", pages)


def _summary(page: str) -> str:
    """The paragraph below the title, which has one sentence."""
    return " ".join(page.split("\n\n")[1].split())


def _for_the_site(page: str) -> str:
    """A page with headings one level up, links to pages, and no types of Python at arguments."""
    page = re.sub(r"^##(#+ )", r"#\1", page, flags=re.MULTILINE)
    page = re.sub(r"\bdocs/([\w/]+\.md)\b", r"[](../../\1)", page)
    page = re.sub(r"^(\* `[^`]+) <[\w\[\]]+>`", r"\1`", page, flags=re.MULTILINE)
    return _with_whole_summaries(_with_coloured_examples(page))


def _with_coloured_examples(page: str) -> str:
    """A page with its indented blocks, which have no language, as fenced ones."""

    def fenced(found: re.Match[str]) -> str:
        code = textwrap.dedent(found[0]).rstrip()
        return f"```{'yaml' if code.startswith('#') else 'sh'}\n{code}\n```\n"

    return re.sub(r"(?:^ {4}.*\n)+", fenced, page, flags=re.MULTILINE)


def _with_whole_summaries(page: str) -> str:
    """A page whose list of commands has their whole first sentences, which typer cuts short."""
    sentences = re.findall(r"^## `glassml [\w-]+ ([\w-]+)`\n\n(.+?\.)\s", page, re.M | re.S)
    for name, sentence in sentences:
        line = f"* `{name}`: {' '.join(sentence.split())}"
        page = re.sub(rf"^\* `{name}`: .*\.\.\.$", lambda _, line=line: line, page, flags=re.M)
    return page


def setup(app: Sphinx) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.connect("builder-inited", _write_pages)
    return {"parallel_read_safe": True}
