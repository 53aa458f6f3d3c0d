"""What is minimised: errors of single particles, and of their correlations in space."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data

from glassml.data import Configuration
from glassml.training.loss_config import SpatialConfig

__all__ = ["SpatialLoss", "add_places", "propensity_loss", "spatial_correlation"]

_SHARPNESS = 4.0  # of the mobility, over the standard deviation; published: 20 / sigma, 3.8 of it
_ROWS = 1024  # of pairs at a time
# Smallest difference of correlations that errors are measured in. Of a configuration that is too
# small to have correlations at the first distance, it would be noise. Published: none.
_LEAST_DIFFERENCE = 0.05


def propensity_loss(
    prediction: Tensor,
    label: Tensor,
    scale: Tensor,
    weight: Tensor,
    trust: Tensor | None = None,
    name: str = "squared",
) -> Tensor:
    """Sum over times of the mean error per time, in units of ``scale``.

    Squared errors are those of Pezzicoli et al., SciPost Phys. 16, 136 (2024), figure 10, absolute
    ones those of Jung et al., Phys. Rev. Lett. 130, 238202 (2023); all species contribute.

    Args:
        prediction: [n, T] [length].
        label: [n, T] [length].
        scale: [n, T] [length], the unit of each error.
        weight: [n] [-], of each particle in the mean.
        trust: [n] [-], factors of the errors that do not enter the denominator of the mean, so
            that a batch of noisy labels counts for less than another; None for 1.
        name: "squared" or "absolute".

    Returns:
        A scalar [-].
    """
    error = (prediction - label) / scale
    error = error.abs() if name == "absolute" else error.square()
    total = weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
    if trust is not None:
        weight = weight * trust
    return (weight.unsqueeze(1) * error).sum() / total


def add_places(graph: Data, configuration: Configuration) -> None:
    """Add what `SpatialLoss` reads: thermal positions [n, 3], cell [1, 3, 3], directions [1, 3]."""
    dtype = graph.y.dtype
    graph.thermal = torch.from_numpy(configuration.positions).to(dtype)
    graph.cell = torch.from_numpy(configuration.cell).to(dtype).unsqueeze(0)
    graph.periodic = torch.tensor([configuration.pbc], dtype=dtype)


class _Correlation(torch.autograd.Function):
    """See `spatial_correlation`; the gradient is computed with the values, from the same pairs."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        values: Tensor,
        positions: Tensor,
        cell: Tensor,
        periodic: Tensor,
        distances: Sequence[float],
        width: float,
    ) -> Tensor:
        """[n, T] and places of n particles to [R, T]."""
        n, fractions = len(values), positions @ torch.linalg.inv(cell)
        means = values.new_zeros(len(distances), *values.shape)
        # What values of others contribute through the mean around i: (K D^-1 values)_j.
        through = torch.zeros_like(means)
        for first in range(0, n, _ROWS):
            rows = slice(first, min(first + _ROWS, n))
            away = fractions[rows].unsqueeze(1) - fractions
            away = (away - torch.round(away) * periodic) @ cell
            r = torch.linalg.vector_norm(away, dim=2)
            for k, distance in enumerate(distances):
                near = torch.exp((r - distance).square() / (-2 * width**2))
                near = near / near.sum(dim=1, keepdim=True)
                means[k, rows] = near @ values
                through[k] += near.T @ values[rows]
        square = values.square().sum(dim=0).clamp_min(torch.finfo(values.dtype).tiny)
        result = (values * means).sum(dim=1) / square
        gradient = (means + through - 2 * result.unsqueeze(1) * values) / square
        ctx.save_for_backward(gradient)
        return result

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, of_result: Tensor
    ) -> tuple[Tensor, None, None, None, None, None]:
        """[R, T] to [n, T]."""
        (gradient,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return (of_result.unsqueeze(1) * gradient).sum(dim=0), None, None, None, None, None


def spatial_correlation(
    values: Tensor,
    positions: Tensor,
    cell: Tensor,
    periodic: Tensor,
    distances: Sequence[float],
    width: float,
) -> Tensor:
    r"""Correlation of the values of particles at a distance, relative to their variance.

    .. math:: C(r) = \sum_i v_i \frac{\sum_j g_{ij} v_j}{\sum_j g_{ij}} \Big/ \sum_i v_i^2, \quad
              g_{ij} = e^{-(r_{ij} - r)^2 / 2 w^2}

    of Jung et al., Phys. Rev. Lett. 130, 238202 (2023), where v has no mean. j runs over all
    particles, i included, each with the image that is nearest in fractional coordinates.

    Args:
        values: [n, T] v; gradients flow to these alone.
        positions: [n, 3] [length].
        cell: [3, 3] [length], the lattice vectors as rows.
        periodic: [3], 1 for a periodic direction, else 0.
        distances: R distances r [length].
        width: w [length].

    Returns:
        [R, T] [-].
    """
    found: Tensor = _Correlation.apply(values, positions, cell, periodic, distances, width)
    return found


class SpatialLoss:
    """Errors of correlations of mobility in space, and of the variance of the propensity.

    Args:
        settings: with distances and width.
        mean: float [S, T] [length] of the labels, per species and time.
        scale: float [S, T] [length], their standard deviation.
        weight: float [S] [-] of each species.
    """

    def __init__(
        self, settings: SpatialConfig, mean: Tensor, scale: Tensor, weight: Tensor
    ) -> None:
        assert settings.distances is not None, "filled in for the material"
        assert settings.width is not None, "filled in for the material"
        self.distances, self.width = settings.distances, settings.width
        self.weight, self.variance_weight = settings.weight, settings.variance_weight
        self.of_species = weight
        self.threshold = mean
        if settings.threshold is not None:
            self.threshold = torch.full_like(mean, settings.threshold)
        self.sharpness = _SHARPNESS / scale
        if settings.sharpness is not None:
            self.sharpness = torch.full_like(scale, settings.sharpness)

    def of_configurations(self, prediction: Tensor, batch: Data) -> Tensor:
        """The terms of each configuration of a batch, summed over times: [number] [-].

        Each species counts by the weight of its particles.
        """
        terms = []
        for graph in range(batch.num_graphs):
            total, share = prediction.new_zeros(()), prediction.new_zeros(())
            for species in range(len(self.of_species)):
                weight = self.of_species[species].to(prediction)
                chosen = (batch.batch == graph) & (batch.species == species)
                number = chosen.sum() * weight
                share = share + number
                if number > 0:
                    places = batch.thermal[chosen], batch.cell[graph], batch.periodic[graph]
                    pair = prediction[chosen], batch.y[chosen]
                    total = total + number * self._of_species(*pair, species, places)
            terms.append(total / share.clamp_min(torch.finfo(share.dtype).tiny))
        return torch.stack(terms)

    def _of_species(
        self, prediction: Tensor, label: Tensor, species: int, places: tuple[Tensor, Tensor, Tensor]
    ) -> Tensor:
        """The terms of particles of one species in one configuration: [n, T] to a scalar [-]."""
        both = torch.cat([prediction, label], dim=1)
        threshold, sharpness = (
            x[species].to(both).repeat(2) for x in (self.threshold, self.sharpness)
        )
        mobility = (torch.tanh(sharpness * (both - threshold)) + 1) / 2
        mobility = mobility - mobility.mean(dim=0)
        found = spatial_correlation(mobility, *places, self.distances, self.width)
        n_times = prediction.shape[1]
        ours, true = found[:, :n_times], found[:, n_times:].detach()
        unit = (true[0] - true[-1]).abs().clamp_min(_LEAST_DIFFERENCE)
        error = ((ours - true).abs().sum(dim=0) / unit).sum()
        variance, of_labels = both.var(dim=0, correction=0).split(n_times)
        of_labels = of_labels.clamp_min(torch.finfo(of_labels.dtype).tiny)
        spread = ((variance - of_labels).abs() / of_labels).sum()
        return self.weight * error + self.variance_weight * spread
