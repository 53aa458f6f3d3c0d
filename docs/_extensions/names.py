"""References in docstrings: public names without their module, and names that have no page.

Docstrings write `ModelInputs`, as readers of the code know it, and `glassml.export.baking`, which
no page describes. The first becomes a link if one public name ends so. The second is shown as code
if it exists; if not, Sphinx warns.
"""

from __future__ import annotations

import importlib

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

_MEMBERS = {"attribute", "method", "property"}


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    module, _, rest = name.rpartition(".")
    try:
        importlib.import_module(name)
        return True
    except ImportError:
        pass
    try:
        found = importlib.import_module(module) if module else None
    except ImportError:  # an attribute of a class
        outer, _, owner = module.rpartition(".")
        found = getattr(importlib.import_module(outer), owner, None) if outer else None
    return hasattr(found, rest)


def _resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contents: nodes.TextElement
) -> nodes.Node | None:
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    if target.startswith(("glassml.", "glassml_ase.")):
        return contents if exists(target) else None
    domain = env.get_domain("py")
    found = [
        name
        for name, _, kind, *_ in domain.get_objects()
        if name.endswith(f".{target}") and ("." in target or kind not in _MEMBERS)
    ]
    if len(found) != 1:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, contents)


def setup(app: Sphinx) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True}
