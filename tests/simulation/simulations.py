"""A liquid that is hot and small enough to be simulated in seconds, for several test modules."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from glassml.settings import apply_overrides, validated
from glassml.simulation.pipeline import SimulateConfig

__all__ = ["LIQUID", "liquid_config", "plain", "write_config"]

LIQUID = {
    "system": {"name": "kob-andersen"},
    "particles": 160,  # 151 are the fewest whose box is wider than two cutoffs
    "temperatures": [2.5, 2.0],
    "replicas": 2,
    "configurations": 3,
    "separation": "2 tau_alpha",
    "cooling": {"melt_time": 1.0, "time": 1.0},
    "equilibration": {"budget": 200.0},
    "ensemble": {"runs": 2, "times": [0.01, 0.1, "1 tau_alpha"], "keep_final_positions": True},
    "quench": {"voronoi": True},
    "cage": {"steps": 500},
    "segment": 1500,
    "seed": 5,
    "workers": 2,
}


def liquid_config(output: Path, *overrides: str) -> SimulateConfig:
    """`LIQUID` with some fields replaced (``section.field=value``)."""
    values = apply_overrides(LIQUID, [*overrides, f"output={output}"])
    return validated(SimulateConfig, values)


def write_config(path: Path, *overrides: str) -> Path:
    """`LIQUID` with some fields replaced, as a file."""
    path.write_text(yaml.safe_dump(apply_overrides(LIQUID, overrides)))
    return path


def plain(text: str) -> str:
    """Text without line breaks and colours."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())
