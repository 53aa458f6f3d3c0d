"""Sphinx configuration of the site: `make docs` builds it into docs/_build/html."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_extensions"))

import glassml  # noqa: E402

project = "glassml"
author = "The glassml developers"
project_copyright = "the glassml developers, MIT licence"
version = release = glassml.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.bibtex",
]

source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "README.md"]
nitpicky = True

html_theme = "furo"
html_title = "glassml"
