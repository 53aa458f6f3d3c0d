"""The extensions of the site are modules of their own, as Sphinx imports them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "_extensions"))
