"""Sweeps over training settings: ablations, learning curves, cross-validation of recipes."""

from __future__ import annotations

from glassml.studies.sweep.sweep import sweep, sweep_table
from glassml.studies.sweep.sweep_config import SweepConfig, load_sweep_config, parse_sweep_config
from glassml.studies.sweep.sweep_plan import Plan, Point, Variant, plan
from glassml.studies.sweep.sweep_results import SweepResults, sweep_results

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
