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

# File of the repository -> page of the site.
PAGES = {
    "ARCHITECTURE.md": "developers/architecture.md",
    "CHANGELOG.md": "developers/changelog.md",
    "CONTRIBUTING.md": "developers/contributing.md",
    "README.md": "index.md",
    "benchmarks/FLOORS.md": "results/benchmarks_floors.md",
    "benchmarks/README.md": "results/benchmarks.md",
    "benchmarks/RESULTS.md": "results/benchmarks_history.md",
    "glassml/nn/ops/csrc/README.md": "developers/kernels.md",
    "lammps_plugin/README.md": "developers/plugin.md",
}
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".sbatch": "bash"}
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
        if name in PAGES:
            target = DOCS / PAGES[name]
        elif name.startswith("examples/"):
            target = DOCS / "examples" / f"{name.split('/')[1]}.md"
        return f"{found[1]}{os.path.relpath(target, page.parent)}{sharp}{anchor}{found[3]}"

    parts = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    parts[::2] = [_LINK.sub(link, part) for part in parts[::2]]
    return "".join(parts)


def _write_pages(app: Sphinx) -> None:
    for name, place in PAGES.items():
        if name != "README.md":
            source, page = ROOT / name, DOCS / place
            text = source.read_text(encoding="utf-8")
            _write(page, _translated(text, source.parent, page))
    (DOCS / "examples").mkdir(exist_ok=True)
    gallery = ROOT / "examples" / "gallery"
    # Scripts of the gallery write files where they run, and may call other examples.
    shutil.copytree(ROOT / "examples", DOCS / "_build" / "examples", dirs_exist_ok=True)
    folders = sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir())
    folders.remove(gallery)
    for folder in folders:
        _write(DOCS / "examples" / f"{folder.name}.md", _example(folder))
    names = "\n".join(folder.name for folder in folders)
    _write(
        DOCS / "examples" / "index.md",
        "# Examples\n\nThe files of each folder of `examples` in the repository.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n",
    )


def _example(folder: Path) -> str:
    """A page that shows the files of a folder."""
    parts = [f"# examples/{folder.name}\n"]
    for file in sorted(folder.iterdir()):
        if file.is_file():
            path = f"../../examples/{folder.name}/{file.name}"
            language = _LANGUAGES.get(file.suffix, "text")
            parts.append(
                f"## {file.name}\n\n{{download}}`Download <{path}>`\n\n"
                f"```{{literalinclude}} {path}\n:language: {language}\n```\n"
            )
    return "\n".join(parts)


def _write(path: Path, text: str) -> None:
    """Write a page if it has changed, so that Sphinx reads only those again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    page = DOCS / f"{name}.md"
    if page.relative_to(DOCS).as_posix() not in PAGES.values():
        source[0] = _translated(source[0], page.parent, page)


def setup(app: Sphinx) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.connect("builder-inited", _write_pages, priority=400)  # before sphinx-gallery looks
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}
