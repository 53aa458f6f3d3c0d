"""The pages hang together: links lead somewhere, and the list of pages has them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *(REPOSITORY / "glassml").rglob("*.md"),
        *(REPOSITORY / "lammps_plugin").glob("*.md"),
        *(REPOSITORY / "benchmarks").glob("*.md"),
    ]
)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPOSITORY)))


def links_of(page: Path) -> list[tuple[Path, str]]:
    """Files of this project, and headings in them, that a page refers to."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = [target.partition("#") for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    return [
        ((page.parent / path).resolve() if path else page, anchor)
        for path, _, anchor in found
        if not path.startswith(("http:", "https:"))
    ]


def anchors_of(page: Path) -> set[str]:
    """What a link to a place in a page may name: its headings as GitHub writes them, and ids."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)"', text))


@each_page
def test_links_lead_somewhere(page: Path):
    for path, anchor in links_of(page):
        assert path.exists(), path
        assert not anchor or anchor in anchors_of(path), f"{path}#{anchor}"
