"""Time and memory of a prediction, measured in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassml.errors import GlassMLError
from glassml.studies.benchmark.prediction_cost import prediction_cost


def test_a_prediction_is_measured(analytic, data: Path) -> None:
    cost = prediction_cost(analytic(times=(0.5, 100.0)), data, "sample_1", 1)
    assert cost.particles == 50
    assert 0 < cost.seconds < 10  # 50 particles take milliseconds
    assert cost.peak_bytes is not None  # tests run on Linux with glibc
    assert cost.peak_bytes < 1e9


def test_what_fails_is_explained(analytic, data: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pt"
    broken.write_bytes(analytic(times=(0.5, 100.0)).read_bytes()[:1000])
    with pytest.raises(GlassMLError, match=r"broken.pt: expected a prediction for sample_1; "):
        prediction_cost(broken, data, "sample_1", 1)
