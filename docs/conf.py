"""Sphinx configuration of the site; `make docs` builds it into docs/_build/html."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import glassml
import glassml.training  # before autodoc does, which makes it look different to pydantic

# Jupyter asks programs for colours, which would stand in the pages as escape sequences.
os.environ |= {"TERM": "dumb", "COLUMNS": "84"}
sys.path.insert(0, str(Path(__file__).resolve().parent / "_extensions"))

project = "glassml"
author = "The glassml developers"
project_copyright = "the glassml developers; MIT licence"
version = release = glassml.__version__

extensions = [
    "cells",
    "command_line",
    "constants",
    "lammps_script",
    "names",
    "repository",
    "signatures",
    "summary",
    "typography",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
    "sphinxcontrib.bibtex",
]
# Notebooks that sphinx-gallery makes are downloads, no pages.
exclude_patterns = ["_build", "gallery/*.ipynb"]
nitpicky = True
smartquotes = False  # options such as --time, and quotes of the shell, stay as they are typed

# Markdown as GitHub reads it, and equations.
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4

# Tutorials are notebooks as text. Their cells run in an empty folder, and one that fails stops the
# build; cells of the shell are %%bash, which fails with the command in it.
nb_execution_mode = "cache"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 900

# The gallery's scripts run where `_extensions/repository.py` copies them to, and leave files there.
sphinx_gallery_conf = {
    "examples_dirs": "_build/examples/gallery",
    "gallery_dirs": "gallery",
    "filename_pattern": ".py",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "image_scrapers": ["saved_pictures.scraper"],
    "plot_gallery": True,
    "show_memory": False,
    "within_subsection_order": "saved_pictures.Order",
    "write_computation_times": False,
}

bibtex_bibfiles = ["references.bib"]

default_role = "py:obj"
nitpick_ignore_regex = [
    # Names of other projects: their inventories are on the internet.
    (
        "py:.*",
        r"(ase|collections|concurrent|contextlib|h5py|matplotlib|numpy|pathlib|pydantic|pydantic_core"
        r"|rich|torch|torch_geometric|types)\..*",
    ),
    # The same without their module, type variables and aliases, and limits of fields.
    ("py:(class|exc)", r"\w+|(ge|le|func)=.*"),
    # Backticks also hold commands and the names of arguments.
    ("py:obj", r"(?s:(?!glassml(_ase)?\.).*)"),
]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autosummary_generate = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True

copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = "glassml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["wide.js"]
html_copy_source = False
html_show_sourcelink = False
