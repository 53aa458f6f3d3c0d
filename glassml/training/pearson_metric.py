"""Pearson coefficients as the field reports them, accumulated batch by batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

__all__ = ["PropensityPearson", "metric_name", "named_coefficients"]


class PropensityPearson(Metric):
    """Pearson coefficients of predicted and true propensity, per species and time.

    ``all`` pools the particles of all configurations; ``mean`` is the coefficient within each
    configuration, averaged over the configurations for which it is defined (at least two particles
    of the species, and neither labels nor predictions all equal). A prediction that is not finite
    makes every coefficient that it enters NaN. Sums are kept in float64 and added over processes.

    Args:
        n_species: number of species S.
        n_times: number of times T.
    """

    full_state_update = False
    pooled: Tensor
    within: Tensor
    n_within: Tensor

    def __init__(self, n_species: int, n_times: int) -> None:
        super().__init__()
        self.n_species = n_species
        zeros = torch.zeros(n_species, n_times, dtype=torch.float64)
        # Rows: number of particles, sums of x, y, x^2, y^2, x y.
        self.add_state("pooled", torch.stack([zeros] * 6), dist_reduce_fx="sum")
        self.add_state("within", zeros.clone(), dist_reduce_fx="sum")
        self.add_state("n_within", zeros.clone(), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, label: Tensor, species: Tensor, graph: Tensor) -> None:
        """Add a batch.

        Args:
            prediction: predicted propensity [n, T].
            label: true propensity [n, T], in the same unit.
            species: int64 [n].
            graph: int64 [n], the configuration within the batch that each particle belongs to.
        """
        x, y = prediction.double(), label.double()
        self.pooled += _grouped(_terms(x, y), species, self.n_species)
        # Centred within each configuration first, so that close values lose no digits.
        group = graph * self.n_species + species
        n_graphs = int(graph.max()) + 1
        raw = _grouped(_terms(x, y), group, n_graphs * self.n_species)
        x, y = x - (raw[1] / raw[0])[group], y - (raw[2] / raw[0])[group]
        centred = _grouped(_terms(x, y), group, n_graphs * self.n_species)
        defined = _is_defined(centred, raw)
        r = torch.where(defined, _pearson(centred), 0.0)
        self.within += r.reshape(n_graphs, self.n_species, -1).sum(dim=0)
        self.n_within += defined.reshape(n_graphs, self.n_species, -1).sum(dim=0)

    def compute(self) -> dict[str, Tensor]:
        """``all`` and ``mean``, each [S, T]; NaN where no coefficient is defined."""
        defined = _is_defined(self.pooled, self.pooled)
        pooled = torch.where(defined, _pearson(self.pooled), torch.nan)
        return {"all": pooled, "mean": self.within / self.n_within}

    def tables(self) -> dict[str, Tensor]:
        """See `compute`, from which torchmetrics takes the dimensions of a single number."""
        return {kind: table.reshape(self.n_species, -1) for kind, table in self.compute().items()}


def metric_name(stage: str, kind: str, species: str, time: float) -> str:
    """Name of a coefficient in logs and tables, such as ``validation/pearson_mean/A/t=0.5``."""
    return f"{stage}/pearson_{kind}/{species}/t={time:.10g}"


def named_coefficients(
    stage: str, values: dict[str, Tensor], species: Sequence[str], times: Sequence[float]
) -> dict[str, float]:
    """What `PropensityPearson.tables` gives, under the names of `metric_name`."""
    return {
        metric_name(stage, kind, name, time): float(table[s, t])
        for kind, table in values.items()
        for s, name in enumerate(species)
        for t, time in enumerate(times)
    }


def _terms(x: Tensor, y: Tensor) -> Tensor:
    return torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y])


def _grouped(terms: Tensor, group: Tensor, n_groups: int) -> Tensor:
    """Sums of ``terms`` [k, n, T] over the particles of each group: [k, n_groups, T]."""
    result = terms.new_zeros(terms.shape[0], n_groups, terms.shape[2])
    return result.index_add_(1, group, terms)


def _pearson(moments: Tensor) -> Tensor:
    """Coefficients of sums [6, ...] as in `_terms`."""
    n, x, y, xx, yy, xy = moments
    found = (xy - x * y / n) / ((xx - x * x / n) * (yy - y * y / n)).sqrt()
    # Where the spread is small against the mean, rounding takes a perfect correlation beyond 1.
    return torch.where(found.isfinite(), found.clamp(-1.0, 1.0), found)


def _is_defined(moments: Tensor, raw: Tensor) -> Tensor:
    """Whether there are at least two values, not all equal; ``raw`` holds sums before centring.

    Values that are not finite count as defined; omitting them would hide a broken model.
    """
    n, x, y, xx, yy, _ = moments
    # By rounding, equal values have a variance of about 1e-16 of their square.
    spread = (xx - x * x / n > 1e-12 * raw[3]) & (yy - y * y / n > 1e-12 * raw[4])
    return (n > 1) & (spread | ~raw.isfinite().all(dim=0))
