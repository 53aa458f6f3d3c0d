"""A recipe of the smallest network, whose training takes less than a second."""

from __future__ import annotations

from typing import Any

__all__ = ["TRAINING"]

TRAINING: dict[str, dict[str, Any]] = {
    "model": {"name": "se3gnn-v2", "l_max": 1, "channels": 2, "n_layers": 1},
    "training": {"epochs": 2, "optimiser": {"lr": 1e-2}, "accelerator": "cpu"},
    "data": {"graph_cache": None},
}
