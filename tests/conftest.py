"""Fixtures that several rooms' tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real simulation data beside the checkout (see CONTRIBUTING.md); absent at most users'."""
    folder = _REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the published data sets in {folder} (BOTAN, DeepMind)")
    return folder
