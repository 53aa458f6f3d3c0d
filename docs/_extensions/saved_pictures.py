"""Pictures that a script of the gallery saves are shown on its page.

sphinx-gallery itself shows only figures that pyplot holds. Those of glassml are saved to files,
also animated ones.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sphinx_gallery.scrapers import figure_rst
from sphinx_gallery.sorting import ExplicitOrder

_SUFFIXES = (".png", ".gif", ".webp")


# The scripts in the order of the index, the one that shows most first.
_ORDER = ("mobility_map", "cooling", "clusters", "chi4", "attribution")


class Order(ExplicitOrder):
    """The order of the gallery; a script that is not named follows the others."""

    def __init__(self, folder: str) -> None:
        super().__init__([*(f"plot_{name}.py" for name in _ORDER), "*"])


def scraper(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Move the pictures that the block left beside the script to the page.

    Args:
        block: part of the script that was run.
        block_vars: the script, and where its pictures belong.
        gallery_conf: settings of sphinx-gallery.

    Returns:
        reStructuredText that shows them, one below the other.
    """
    folder = Path(block_vars["src_file"]).parent
    saved = sorted(
        (path for path in folder.iterdir() if path.suffix in _SUFFIXES),
        key=lambda path: path.stat().st_mtime_ns,
    )
    shown = []
    for path in saved:
        place = Path(next(block_vars["image_path_iterator"])).with_suffix(path.suffix)
        shutil.move(path, place)
        alt = path.stem.replace("_", " ")
        shown.append(figure_rst([place], gallery_conf["src_dir"], fig_titles=alt))
    return "\n".join(shown)
