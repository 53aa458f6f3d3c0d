"""What a release states: citation, versions, addresses; and the forms for issues."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from pathlib import Path

import jsonschema
import pytest
import yaml

import glassml
from glassml.models import build

REPOSITORY = Path(__file__).resolve().parent.parent
RELEASE = runpy.run_path(str(REPOSITORY / ".ci" / "release.py"))
# Of https://github.com/citation-file-format/citation-file-format, version 1.2.0, CC-BY-4.0.
SCHEMA = REPOSITORY / "tests" / "citation" / "cff-1.2.0.schema.json"
FORMS = [
    path
    for path in (REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.yml")
    if path.name != "config.yml"
]


def citation_text(date: str | None) -> str:
    """CITATION.cff as it is before or after the first release, or another one."""
    text = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    text = re.sub(r"^date-released: .*\n", "", text, flags=re.MULTILINE)
    return text + (f"date-released: {date}\n" if date else "")


def citation(date: str | None = None) -> dict:
    # JSON has no dates, and neither has the schema.
    return json.loads(json.dumps(yaml.safe_load(citation_text(date)), default=str))


@pytest.mark.parametrize("date", [None, "2030-01-31"])
def test_the_citation_is_valid(date: str | None):
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.validate(citation(date), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**citation(date), "authors": []}, schema)


def test_the_citation_has_this_version_and_the_papers_of_the_models():
    assert citation()["version"] == glassml.__version__
    papers = citation()["references"]
    places = {f"{paper['volume']}, {paper['start']} ({paper['year']})" for paper in papers}
    for name in ("se3gnn-v2", "structural"):
        cited = " ".join(build(name, species=("A", "B"), times=(1.0,)).citations)
        assert [place for place in places if place in cited], name
    assert len({paper["doi"] for paper in papers}) == len(papers)


def checkout(folder: Path, date: str | None, heading: str) -> Path:
    """The files that a release checks, as they are before or after its preparation."""
    (folder / "glassml").mkdir()
    shutil.copy(REPOSITORY / "glassml" / "__init__.py", folder / "glassml")
    (folder / "CITATION.cff").write_text(citation_text(date), encoding="utf-8")
    (folder / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n")
    return folder


def test_a_release_needs_a_date_and_an_entry_in_the_changelog(tmp_path: Path):
    problems = list(RELEASE["problems_of_files"](checkout(tmp_path, None, "## Unreleased")))
    assert [problem.split(":")[0] for problem in problems] == ["CHANGELOG.md", "CITATION.cff"]


def test_the_date_of_the_release_before_is_noticed(tmp_path: Path):
    heading = f"## {glassml.__version__} - 2030-01-31"
    problems = list(RELEASE["problems_of_files"](checkout(tmp_path, "2029-05-01", heading)))
    assert problems == ["CITATION.cff: date-released: expected 2030-01-31; found 2029-05-01"]


def test_a_prepared_release_passes(tmp_path: Path):
    heading = f"## {glassml.__version__} - 2030-01-31"
    assert list(RELEASE["problems_of_files"](checkout(tmp_path, "2030-01-31", heading))) == []


COMPLETE = "".join(f"Project-URL: {name}, https://example.org\n" for name in RELEASE["URLS"])


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        (COMPLETE + "\n[page](https://example.org/page)\n", []),
        ("Project-URL: Source, https://example.org\n\nText\n", ["pyproject.toml"]),
        (COMPLETE + "\n[page](docs/page.md)\n", ["README.md"]),
        (COMPLETE + '\n<img src="docs/map.png">\n', ["README.md"]),
    ],
)
def test_a_release_needs_addresses(metadata: str, found: list[str]):
    problems = RELEASE["problems_of_metadata"]("Metadata-Version: 2.4\n" + metadata)
    assert [problem.split(":")[0] for problem in problems] == found


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_forms_for_issues_are_complete(path: Path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in asked}) == len(asked)
    assert all(field["type"] in ("textarea", "input", "dropdown") for field in asked)
    assert all(field["attributes"]["label"] for field in asked)


def test_a_report_of_an_error_asks_for_what_is_needed():
    text = (REPOSITORY / ".github" / "ISSUE_TEMPLATE" / "bug_report.yml").read_text()
    for what in ("glassml doctor", "glassml info MODEL --json", "LAMMPS input script"):
        assert what in text
