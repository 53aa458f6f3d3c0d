"""Constants on the pages of the Python packages that export them.

autodoc shows a constant only on the page of the module that has its comment (`#:`). The packages
of glassml export names of their modules, so the comments of these are added to theirs.
"""

from __future__ import annotations

import importlib
import pkgutil

from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

import glassml


def _share_comments(app: Sphinx) -> None:
    for package in pkgutil.walk_packages(glassml.__path__, "glassml."):
        if package.ispkg:
            _share(package.name)


def _share(package: str) -> None:
    imported = importlib.import_module(package)
    exported = set(imported.__all__)
    # The analyser of a module is made once and kept.
    comments = ModuleAnalyzer.for_module(package).find_attr_docs()
    for module in pkgutil.walk_packages(imported.__path__, f"{package}."):
        if not module.name.endswith("__main__"):
            found = ModuleAnalyzer.for_module(module.name).find_attr_docs()
            comments |= {key: text for key, text in found.items() if key[1] in exported}


def setup(app: Sphinx) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.connect("builder-inited", _share_comments)
    return {"parallel_read_safe": True}
