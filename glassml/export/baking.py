"""Turning radial networks into tables, with as many knots as the outputs need."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from glassml.errors import ConfigError, ModelFileError
from glassml.export.manifest import RadialTableEntry
from glassml.export.scripting import reloaded
from glassml.graph import first_edge
from glassml.models import GlassModel
from glassml.models.limits import MOST_KNOTS

__all__ = ["bake", "largest_error", "outputs_of", "rounded_system", "trial_systems"]

_FIRST_KNOTS = 256

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def bake(
    model: GlassModel, tolerance: float, dtype: torch.dtype
) -> tuple[GlassModel, RadialTableEntry | None]:
    """A copy of the model, in float64, whose radial networks are tables.

    The number of even knots is doubled from 256 until the error is below the tolerance; each
    network's kinks are knots in addition. A model that was trained on a table keeps it, and only
    rounding remains as an error.

    Args:
        model: not changed. If it has no radial networks, the result is a plain copy.
        tolerance: of `largest_error` on each of `trial_systems`, between the outputs in ``dtype``
            and those of ``model`` in float64.
        dtype: of the file that is to be written.

    Returns:
        The copy, and the manifest's entry about the tables.

    Raises:
        ConfigError: a tolerance that is not positive.
        ModelFileError: the tolerance is out of reach.
    """
    if not tolerance > 0 or not math.isfinite(tolerance):
        raise ConfigError(f"tolerance: expected a positive number; found {tolerance}")
    network = copy.deepcopy(model).eval().to(device="cpu", dtype=torch.float64)
    if not network.has_radial_networks:
        return network, None
    systems = trial_systems(network)
    names = [output.name for output in network.outputs]
    units = {output.name: output.error_unit or output.name for output in network.outputs}
    expected = [outputs_of(network, names, system) for system in systems]
    trained = network.trained_knots
    knots, error = trained or _FIRST_KNOTS, math.inf
    while trained or knots <= MOST_KNOTS:
        baked = copy.deepcopy(network)
        baked.bake(knots)
        written = reloaded(baked, dtype)
        found = [outputs_of(written, names, rounded_system(system, dtype)) for system in systems]
        error = max(largest_error(f, e, units) for f, e in zip(found, expected, strict=True))
        if error <= tolerance:
            return baked, RadialTableEntry(knots=knots, tolerance=tolerance, measured_error=error)
        if trained:
            break
        knots *= 2
    # A model that was trained on a table has no networks to keep.
    keep = "" if trained else "keep the networks (radial='exact', --exact), "
    raise ModelFileError(
        f"tolerance: expected outputs within {tolerance:.1e} of the trained model's; found an "
        f"error of {error:.1e} in {str(dtype).removeprefix('torch.')} with "
        f"{knots if trained else MOST_KNOTS} knots. Raise the tolerance, {keep}or write float64 "
        "(--dtype float64)"
    )


def largest_error(
    found: dict[str, Tensor], expected: dict[str, Tensor], units: Mapping[str, str] | None = None
) -> float:
    """Over all outputs, the largest difference divided by the largest absolute value [-].

    Args:
        found: by name of the output.
        expected: the same.
        units: output -> the output whose largest absolute value it is divided by; default: its
            own.

    Returns:
        Infinite if a value is not finite. An output that should be 0 everywhere counts as it is.
    """
    if not all(t.isfinite().all() for t in (*found.values(), *expected.values())):
        return math.inf
    largest = {name: expected[(units or {}).get(name, name)].abs().max() for name in expected}
    return max(
        float((found[name] - of_name).abs().max() / (largest[name] if largest[name] > 0 else 1.0))
        for name, of_name in expected.items()
    )


def trial_systems(model: GlassModel) -> list[Inputs]:
    """A dense disordered system, and pairs at all distances; always the same for a cutoff.

    Returns:
        For each: species, scalars, edge_vector, sender, first_edge, in float64.
    """
    generator = torch.Generator().manual_seed(0)
    per_side, n_pairs = 6, 512
    # About 36 neighbours within the cutoff, as in the published models of the Kob-Andersen liquid.
    spacing = model.cutoff / 2.0 * 0.96
    axis = torch.arange(per_side, dtype=torch.float64)
    sites = torch.cartesian_prod(axis, axis, axis)
    jitter = torch.rand(sites.shape, generator=generator, dtype=torch.float64) - 0.5
    x = (sites + 0.6 * jitter) * spacing
    sender, receiver = torch.nonzero(
        (torch.cdist(x, x) < model.cutoff) & ~torch.eye(len(x), dtype=torch.bool), as_tuple=True
    )
    order = torch.argsort(receiver, stable=True)
    dense = (x[sender] - x[receiver])[order], sender[order], receiver[order], len(x)

    r = torch.rand(n_pairs, generator=generator, dtype=torch.float64) * model.cutoff
    direction = torch.randn(n_pairs, 3, generator=generator, dtype=torch.float64)
    vector = direction / direction.norm(dim=1, keepdim=True) * r.unsqueeze(1)
    both = torch.stack([vector, -vector], dim=1).reshape(-1, 3)
    here = torch.arange(2 * n_pairs)
    pairs = both, here ^ 1, here, 2 * n_pairs
    return [_system(model, generator, *edges) for edges in (dense, pairs)]


def _system(
    model: GlassModel,
    generator: torch.Generator,
    edge_vector: Tensor,
    sender: Tensor,
    receiver: Tensor,
    n: int,
) -> Inputs:
    species = torch.randint(0, len(model.species), (n,), generator=generator)
    scalars = model.trial_scalars(n, generator)
    return species, scalars, edge_vector, sender, first_edge(receiver, n)


def rounded_system(system: Inputs, dtype: torch.dtype) -> Inputs:
    """A system of `trial_systems` in another precision."""
    species, scalars, edge_vector, sender, first = system
    return species, scalars.to(dtype), edge_vector.to(dtype), sender, first


def outputs_of(module: Any, names: list[str], system: Inputs) -> dict[str, Tensor]:
    """Outputs by name of a model or of its script."""
    with torch.no_grad():
        state = module.encode(*system)
        return {name: getattr(module, name)(state) for name in names}
