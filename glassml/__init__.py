"""glassml: predict from structure how the particles of a glass-forming liquid will move.

Importing this package is quick: torch and everything that needs it is imported by the rooms
(`glassml.models`, `glassml.export`, `glassml.calculators`, ...) that use it.
"""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
