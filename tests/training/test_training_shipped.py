"""A run on the dataset that ships with glassml, by its name and from any folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from glassml.data import shipped_path
from glassml.training import load_config, train

QUICK = Path(__file__).resolve().parents[2] / "examples" / "train" / "quick.yaml"


def test_the_first_example_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    smaller = ["training.epochs=1", "model.n_layers=1", "model.l_max=1", "data.graph_cache=null"]
    result = train(load_config(QUICK, smaller))
    assert result.epochs == 1
    # Written down as a path that holds in another folder too, for resuming.
    data = yaml.safe_load((result.folder / "config.yaml").read_text())["data"]
    assert data["train"] == [str(shipped_path("kob_andersen_T0.64"))]
