"""Pages of the site that are files elsewhere in the repository, and links to them.

GitHub follows links from ``ARCHITECTURE.md`` to ``docs/howto/data.md`` and from there to
``examples/slurm``. On the site the first is a page in ``developers``, and every folder of examples
is a page that shows its files. Such pages are written before Sphinx looks for pages, and links of
all pages are translated as they are read.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

# File of the repository -> page of the site that is written from it.
PAGES = {
    "ARCHITECTURE.md": "developers/architecture.md",
    "CHANGELOG.md": "developers/changelog.md",
    "CONTRIBUTING.md": "developers/contributing.md",
    "benchmarks/FLOORS.md": "results/benchmarks_floors.md",
    "benchmarks/README.md": "results/benchmarks.md",
    "benchmarks/RESULTS.md": "results/benchmarks_history.md",
    "glassml/nn/ops/csrc/README.md": "developers/kernels.md",
    "lammps_plugin/README.md": "developers/plugin.md",
}
# Where links to files lead: to these pages, or to the front page, which has a text of its own.
_PLACES = {**PAGES, "README.md": "index.md"}
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".sbatch": "bash", ".lammps": "lammps"}
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")


def _translated(text: str, folder: Path, page: Path) -> str:
    """A text with links for the site.

    Args:
        text: Markdown.
        folder: where its links begin.
        page: of the site, on which it stands.
    """

    def link(found: re.Match[str]) -> str:
        path, sharp, anchor = found[2].partition("#")
        target = Path(os.path.normpath(folder / path))
        if re.match(r"[a-z]+:", path) or not path or not target.exists():
            return found[0]
        name = target.relative_to(ROOT).as_posix()
        if name in _PLACES:
            target = DOCS / _PLACES[name]
        elif name.startswith("examples/"):
            target = DOCS / "examples" / f"{name.split('/')[1]}.md"
        return f"{found[1]}{os.path.relpath(target, page.parent)}{sharp}{anchor}{found[3]}"

    parts = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    parts[::2] = [_LINK.sub(link, part) for part in parts[::2]]
    return "".join(parts)


def _write_pages(app: Sphinx) -> None:
    for name, place in PAGES.items():
        source, page = ROOT / name, DOCS / place
        write(page, _translated(source.read_text(encoding="utf-8"), source.parent, page))
    gallery = ROOT / "examples" / "gallery"
    # Scripts of the gallery write files where they run, and may call other examples.
    shutil.copytree(ROOT / "examples", DOCS / "_build" / "examples", dirs_exist_ok=True)
    folders = sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir())
    folders.remove(gallery)
    pages = {folder.name: _example(folder) for folder in folders}
    names = "\n".join(pages)
    pages["index"] = (
        "# Examples\n\nThe files of each folder of `examples` in the repository.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n"
    )
    fill(DOCS / "examples", pages)


def _example(folder: Path) -> str:
    """A page that shows the files of a folder."""
    parts = [f"# examples/{folder.name}\n"]
    for file in sorted(folder.iterdir()):
        if file.is_file():
            path = f"../../examples/{folder.name}/{file.name}"
            parts.append(
                f"## {file.name}\n\n{{download}}`Download <{path}>`\n\n"
                f"```{{literalinclude}} {path}\n:language: {language_of(file.name)}\n```\n"
            )
    return "\n".join(parts)


def language_of(name: str) -> str:
    """The language of a file, for its colours."""
    return "lammps" if name.startswith("in.") else _LANGUAGES.get(Path(name).suffix, "text")


def write(path: Path, text: str) -> None:
    """Write a page if it has changed, so that Sphinx reads only those again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def fill(folder: Path, pages: dict[str, str]) -> None:
    """Write pages, by their names, into a folder that holds no others."""
    folder.mkdir(exist_ok=True)
    for page in folder.glob("*.md"):
        if page.stem not in pages:  # of an example or a command that has gone
            page.unlink()
    for name, text in pages.items():
        write(folder / f"{name}.md", text)


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    page = DOCS / f"{name}.md"
    if page.relative_to(DOCS).as_posix() not in PAGES.values():
        source[0] = _translated(source[0], page.parent, page)


def setup(app: Sphinx) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.connect("builder-inited", _write_pages, priority=400)  # before sphinx-gallery looks
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}
