"""Constants on the pages of the Python modules that export them.

autodoc shows a constant only where it is defined. The packages of glassml export names of their
modules, so the comment (`#:`) of a constant is taken from the module that defines it.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer


def _shown(
    app: Sphinx, what: str, name: str, value: Any, skip: bool, options: dict[str, Any]
) -> bool | None:
    """Show constants, which autodoc would skip as members without a docstring."""
    return False if what == "module" and name.isidentifier() and not callable(value) else None


def _documented(
    app: Sphinx, what: str, name: str, value: Any, options: dict[str, Any], lines: list[str]
) -> None:
    """Replace the docstring of a constant's type by the comment above its definition."""
    if what == "data":
        package, _, constant = name.rpartition(".")
        lines[:] = comment_of(package, constant)


def comment_of(package: str, constant: str) -> list[str]:
    """The lines of the comment on a constant in the module of a package that defines it.

    Raises:
        LookupError: there is none.
    """
    found = importlib.import_module(package)
    inside = pkgutil.walk_packages(getattr(found, "__path__", []), f"{package}.")
    names = [package, *(module.name for module in inside if not module.name.endswith("__main__"))]
    for name in names:
        comments = ModuleAnalyzer.for_module(name).find_attr_docs()
        if ("", constant) in comments:
            return comments["", constant]
    raise LookupError(f"{package}.{constant}: expected a comment that begins with #:; found none")


def setup(app: Sphinx) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-skip-member", _shown)
    app.connect("autodoc-process-docstring", _documented)
    return {"parallel_read_safe": True}
