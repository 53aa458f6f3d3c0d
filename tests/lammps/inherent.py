"""Models of inherent structures, and liquids in which `fix glassml` finds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from averages import Snapshot
from torch import Tensor

from glassml.data import Configuration
from glassml.export import save_model
from glassml.models import build
from glassml.models.analytic import Analytic
from glassml.simulation import kob_andersen, quench

__all__ = ["FORCE", "MOVE", "SCALARS", "inherent_model", "quenched", "telling_model"]

SCALARS = ("inherent_energy", "potential_energy", "inherent_displacement")
FORCE = 1e-5  # the default of the fix

# From a random start to a liquid that moves; the fix follows.
MOVE = (
    "minimize 0.0 1.0e-2 50 200\nreset_timestep 0\nvelocity all create 1.0 4928459\n"
    "timestep 0.005\nfix move all nve\n"
)


def inherent_model(
    folder: Path,
    scalars: Sequence[str] = SCALARS,
    positions: str = "inherent",
    name: str = "inherent.pt",
) -> Path:
    """An exported model that reads inherent structures; the scalars enter all of its values."""
    model = build("analytic", scalar_inputs=tuple(scalars))
    model.positions = positions
    save_model(model, folder / name, dtype="float64")
    return folder / name


class Telling(Analytic):
    """Its propensity is 1 + index of the species + scalar."""

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        return state[:, :1] + 0.0 * self.time_values.to(state.dtype)


def telling_model(folder: Path, scalar: str) -> Path:
    model = Telling(scalar_inputs=(scalar,))
    model.positions = "inherent"
    save_model(model, folder / f"{scalar}.pt", dtype="float64")
    return folder / f"{scalar}.pt"


def quenched(snapshot: Snapshot, like: Configuration, force: float = FORCE) -> Configuration:
    """What `glassml quench` makes of a snapshot."""
    now = Configuration(
        positions=snapshot.positions,
        cell=snapshot.cell,
        species=snapshot.columns["type"].astype(int) - 1,
        species_names=like.species_names,
    )
    return quench(now, kob_andersen(), force_tolerance=force)
