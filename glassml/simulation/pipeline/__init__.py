"""`glassml simulate`: labelled datasets from a configuration file, by restartable tasks."""

from __future__ import annotations

from glassml.simulation.pipeline.simulate import (
    SimulationResult,
    load_simulate_config,
    simulate,
    write_inputs,
)
from glassml.simulation.pipeline.simulate_config import STAGES, SimulateConfig

__all__ = [
    "STAGES",
    "SimulateConfig",
    "SimulationResult",
    "load_simulate_config",
    "simulate",
    "write_inputs",
]
