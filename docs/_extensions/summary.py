"""``.. summary:: glassml.data``: a table of the public classes and functions, a line for each."""

from __future__ import annotations

from importlib import import_module

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.ext.autosummary import Autosummary


class Summary(Autosummary):
    """Autosummary of what ``__all__`` lists, without constants, which have no docstring."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The table."""
        package = import_module(self.arguments[0])
        documented = [name for name in package.__all__ if callable(getattr(package, name))]
        lines = [f"~{package.__name__}.{name}" for name in documented]
        self.content = StringList(lines, source=package.__name__)
        self.options["nosignatures"] = True
        return super().run()


def setup(app: Sphinx) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.setup_extension("sphinx.ext.autosummary")
    app.add_directive("summary", Summary)
    return {"parallel_read_safe": True}
