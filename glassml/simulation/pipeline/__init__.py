"""`glassml simulate`: labelled datasets from a configuration file, by restartable tasks."""

from __future__ import annotations

from glassml.simulation.pipeline.config import STAGES, SimulateConfig
from glassml.simulation.pipeline.simulate import (
    SimulationResult,
    load_simulate_config,
    simulate,
    write_inputs,
)

__all__ = [
    "STAGES",
    "SimulateConfig",
    "SimulationResult",
    "load_simulate_config",
    "simulate",
    "write_inputs",
]
