"""Code blocks of the pages. Tests take the blocks that they execute from `executed`.

`tests/test_code_blocks.py` looks for calls of it, so it knows which blocks no test executes.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

__all__ = [
    "PAGES",
    "REPOSITORY",
    "Block",
    "blocks_of",
    "command_lines",
    "executed",
    "made_by_sphinx",
]

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: path of the page in the repository.
        line: number of the line after the fence.
        language: word behind the fence, such as "sh".
        code: all lines, each with its line break.
        section: headings above it, from the title on.
    """

    page: str
    line: int
    language: str
    code: str
    section: tuple[str, ...]


_IGNORED = (REPOSITORY / ".gitignore").read_text(encoding="utf-8").split()
_MADE = [f"{pattern}*" for pattern in _IGNORED if pattern.startswith("docs/")]


def made_by_sphinx(path: Path) -> bool:
    """Whether a build of the site writes this file, which git ignores."""
    name = path.relative_to(REPOSITORY).as_posix()
    return any(fnmatch(name, pattern) for pattern in _MADE)


def _pages() -> list[str]:
    """All pages but those that Sphinx makes."""
    folders = ("benchmarks", "docs", "glassml", "lammps_plugin")
    inside = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.md")]
    found = [path for path in [*REPOSITORY.glob("*.md"), *inside] if not made_by_sphinx(path)]
    return sorted(path.relative_to(REPOSITORY).as_posix() for path in found)


PAGES = _pages()


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page, without directives such as cells, which the site executes."""
    found: list[Block] = []
    headings: list[str] = []
    fence, language, begin, code = "", "", 0, ""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        mark = re.match(r"\s*(```+|~~~+)\s*(\S*)", line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2]:
                if not language.startswith("{"):
                    found.append(Block(page, begin, language, code, tuple(headings)))
                fence = ""
            else:
                code += line + "\n"
        elif mark:
            fence, language, begin, code = mark[1], mark[2], number + 1, ""
        elif heading := re.match(r"(#+) (.*)", line):
            headings[len(heading[1]) - 1 :] = [heading[2]]
    return found


def executed(
    page: str, language: str, section: str | None = None, place: int | None = None
) -> list[str]:
    """The blocks of one language that tests execute: the caller all of them, or another the rest.

    Settings count as executed if the code reads them that reads such files. Sizes may be replaced
    by smaller ones, and files by small ones of the same name. The caller must use all blocks that
    it takes.

    Args:
        page: path of the page in the repository, written as text.
        language: of the blocks, written as text.
        section: take only those between this heading and the next, written as text.
        place: take only this one of them, counted from 0.
    """
    found = [
        block.code
        for block in blocks_of(page)
        if block.language == language and (section is None or section == block.section[-1])
    ]
    return found if place is None else found[place : place + 1]


def command_lines(code: str) -> list[list[str]]:
    """The words of every command in a block of the shell."""
    lines = code.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]
