"""Checks before a release: metadata, version, description, and both distributions.

    python .ci/release.py                 # builds into dist/ and checks

It uploads nothing. CONTRIBUTING.md has the steps of a release.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
URLS = ("Homepage", "Documentation", "Source", "Issues", "Changelog")


def version_of(root: Path) -> str:
    """The version that the package states; hatchling takes it from the same line."""
    text = (root / "glassml" / "__init__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "(.*)"$', text, re.MULTILINE)
    return str(version)


def problems_of_files(root: Path) -> Iterator[str]:
    """What CITATION.cff and CHANGELOG.md lack for this version."""
    version = version_of(root)
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    if citation["version"] != version:
        yield f"CITATION.cff: version: expected {version}; found {citation['version']}"
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = rf"^## {re.escape(version)} - (\d{{4}}-\d\d-\d\d)$"
    dates = re.findall(heading, changes, re.MULTILINE)
    if not dates:
        yield f"CHANGELOG.md: expected the heading '## {version} - YYYY-MM-DD'; found none"
    date = citation.get("date-released")  # that of the release before, if it was forgotten
    if date is None or (dates and str(date) != dates[0]):
        expected = dates[0] if dates else "the date of the release"
        yield f"CITATION.cff: date-released: expected {expected}; found {date or 'none'}"


def problems_of_metadata(text: str) -> Iterator[str]:
    """What the metadata of a distribution lack.

    Args:
        text: contents of METADATA in a wheel.
    """
    metadata = HeaderParser().parsestr(text)
    stated = [value.partition(",")[0] for value in metadata.get_all("Project-URL", [])]
    if missing := [name for name in URLS if name not in stated]:
        yield (
            f"pyproject.toml: project.urls: expected {', '.join(URLS)}; "
            f"found no {', '.join(missing)}"
        )
    description = re.sub(r"```.*?```", "", str(metadata.get_payload()), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", description) + re.findall(
        r'src="([^"]+)"', description
    )
    if relative := [target for target in targets if not re.match(r"https?:|#", target)]:
        yield (
            f"README.md: expected absolute links in the description for PyPI; found "
            f"{len(relative)} relative ones, such as {relative[0]}. Translate them at the build by "
            "hatch-fancy-pypi-readme (substitutions)"
        )


def main() -> int:
    """Build, check, and print what is wrong."""
    folder = ROOT / "dist"
    if folder.exists() and any(folder.iterdir()):
        print(f"{folder}: expected an empty folder; found files. Remove them")
        return 1
    build = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    files = sorted(folder.iterdir())
    check = [sys.executable, "-m", "twine", "check", "--strict", *map(str, files)]
    status = subprocess.run(check, check=False).returncode
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode("utf-8")
    problems = [*problems_of_files(ROOT), *problems_of_metadata(metadata)]
    print("\n".join([*problems, f"{len(problems)} problems"]))
    return 1 if problems or status else 0


if __name__ == "__main__":
    sys.exit(main())
