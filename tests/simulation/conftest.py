"""A small simulated dataset that several test modules examine."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from simulation.simulations import liquid_config

from glassml.progress import TerminalProgress
from glassml.simulation.pipeline import SimulationResult, simulate


@pytest.fixture(scope="session")
def printed() -> io.StringIO:
    """What the uninterrupted simulation printed."""
    return io.StringIO()


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory, printed: io.StringIO) -> SimulationResult:
    """All stages of `LIQUID`, uninterrupted."""
    output = tmp_path_factory.mktemp("simulated") / "run"
    return simulate(liquid_config(output), progress=TerminalProgress(Console(file=printed)))
