"""Sphinx configuration of the site; `make docs` builds it into docs/_build/html."""

from __future__ import annotations

import sys
from pathlib import Path

import glassml
import glassml.training  # before autodoc does, which makes it look different to pydantic

sys.path.insert(0, str(Path(__file__).resolve().parent / "_extensions"))

project = "glassml"
author = "The glassml developers"
project_copyright = "the glassml developers; MIT licence"
version = release = glassml.__version__

extensions = [
    "command_line",
    "repository",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build"]
nitpicky = True

# Markdown as GitHub reads it, and equations.
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4

bibtex_bibfiles = ["references.bib"]

default_role = "py:obj"
nitpick_ignore_regex = [("py:.*", ".*")]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = "glassml"
html_copy_source = False
html_show_sourcelink = False
