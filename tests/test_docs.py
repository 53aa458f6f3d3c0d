"""The pages hang together: links lead somewhere, and papers are cited."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import PAGES, REPOSITORY, made_by_sphinx


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


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str):
    for path, anchor in links_of(REPOSITORY / page):
        assert path.exists(), path
        assert not made_by_sphinx(path), f"{path} exists only after a build; link to its source"
        assert not anchor or anchor in anchors_of(path), f"{path}#{anchor}"


def test_every_paper_of_the_list_is_cited():
    text = (REPOSITORY / "docs" / "references.bib").read_text(encoding="utf-8")
    papers = re.findall(r"^@\w+\{(\w+),", text, re.MULTILINE)
    pages = " ".join((REPOSITORY / page).read_text(encoding="utf-8") for page in PAGES)
    cited = {key for keys in re.findall(r"\{cite\}`([^`]+)`", pages) for key in keys.split(",")}
    assert len(papers) > 10
    assert set(papers) <= cited
