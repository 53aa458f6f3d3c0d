"""Sweeps over training settings: ablations, learning curves, cross-validation of recipes."""

from __future__ import annotations

from glassml.analysis.sweep.config import SweepConfig, load_sweep_config, parse_sweep_config
from glassml.analysis.sweep.plan import Plan, Point, Variant, plan
from glassml.analysis.sweep.results import SweepResults, sweep_results
from glassml.analysis.sweep.sweep import sweep, sweep_table

__all__ = [
    "Plan",
    "Point",
    "SweepConfig",
    "SweepResults",
    "Variant",
    "load_sweep_config",
    "parse_sweep_config",
    "plan",
    "sweep",
    "sweep_results",
    "sweep_table",
]
