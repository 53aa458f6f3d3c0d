"""GlassMLP: small networks that read averages of a few physical quantities over many lengths."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from glassml.errors import ConfigError
from glassml.models.contract import Output
from glassml.models.limits import (
    LARGEST_CUTOFF,
    MOST_COLUMNS,
    MOST_KNOTS,
    MOST_PARAMETERS,
    WIDEST,
    check_at_most,
    check_whole,
)
from glassml.models.registry import register
from glassml.models.standardised import StandardisedModel
from glassml.nn import ops

__all__ = ["GlassMLP"]

_CITATION = (
    "G. Jung, G. Biroli, L. Berthier, Predicting dynamic heterogeneity in glass-forming liquids by "
    "physics-inspired machine learning, Phys. Rev. Lett. 130, 238202 (2023)"
)
# Knots of the weights per averaging length. Between two of them a line replaces exp(-r / L): it is
# too large by at most 1 / (8 256^2) = 2e-6 of its value.
_KNOTS_PER_LENGTH = 256
# Columns of one call of the convolution. Rows of its table then stay in the processor's cache:
# measured, 32 columns take twice the time of 8, and 120 take six times that of 32.
_COLUMNS_AT_ONCE = 32
_LENGTHS = tuple(k / 2 for k in range(16))  # not in the publication; our choice
_SMALLEST_SPREAD = 1e-5  # of a column; published


@register("glassmlp")
class GlassMLP(StandardisedModel):
    r"""Averages of physical quantities over many lengths, and a small network with a bottleneck.

    G. Jung, G. Biroli and L. Berthier, Phys. Rev. Lett. 130, 238202 (2023). For every particle i,
    every length L and every class of particles (each species, and all of them) the columns are

    - the density sum_j w_ij with w_ij = exp(-r_ij / L), over particles j within the cutoff and i
      itself, if it is of the class;
    - for each scalar q the mean sum_j w_ij q_j / sum_j w_ij;
    - for each scalar in ``variance_of`` the variance sum_j w_ij (q_j - mean)^2 / sum_j w_ij.

    At L = 0 only i itself counts. The columns there are its own scalars; all others would be
    constant, or repeat these. A class without particles within the cutoff has the means of the
    training data and the variance 0. The published scalars are the energy and the surface of the
    radical Voronoi cell in the inherent structure, and the positions are inherent too.

    Columns are standardised for each species of i by the training data. Those with a spread
    below 1e-5 are 0. Then follows a perceptron with the widths M, 2, 10, 10, 1 and ELUs in between
    for each species and time. Networks of different times share nothing, as in the publication.
    The output ``bottleneck`` is what they pass on: two numbers for each time.

    Published are averages over all particles up to the nearest image. Here the cutoff is the
    reach, so predictions neither depend on the size of the box nor on the number of domains.

    Args:
        species: names of the species.
        times: times [time] at which the propensity is predicted.
        cutoff: r_c [length]; our choice (see above).
        scalar_inputs: names of per-particle scalars.
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.
        averaging_lengths: the lengths L [length], each at least 0.
        variance_of: names of the scalars whose variance is a column too.
        bottleneck: width of the first layer of each network.
        width: width of its next two layers.

    Raises:
        ConfigError: a value out of range; the message names it.
    """

    lengths = ("cutoff", "averaging_lengths")

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        one_hot: Tensor
        knots: Tensor
        table: Tensor
        varying: Tensor
        column_mean: Tensor
        column_factor: Tensor
        weight_0: Tensor
        weight_1: Tensor
        weight_2: Tensor
        weight_3: Tensor
        bias_0: Tensor
        bias_1: Tensor
        bias_2: Tensor
        bias_3: Tensor

    def __init__(
        self,
        species: Sequence[str] = ("A", "B"),
        times: Sequence[float] = (1.0,),
        cutoff: float = 5.0,
        scalar_inputs: Sequence[str] = ("inherent_energy", "inherent_voronoi_surface"),
        length_unit: str = "lj",
        averaging_lengths: Sequence[float] = _LENGTHS,
        variance_of: Sequence[str] = ("inherent_energy",),
        bottleneck: int = 2,
        width: int = 10,
    ) -> None:
        super().__init__(species, times, cutoff, scalar_inputs, length_unit)
        names = [scalar.name for scalar in self.scalar_inputs]
        _check_lengths(averaging_lengths, self.cutoff)
        _check_variances(variance_of, names)
        check_whole("bottleneck", bottleneck, 1, WIDEST)
        check_whole("width", width, 1, WIDEST)
        ops.load()
        self.fixed_steps = 1
        self.n_scalars = len(names)
        self.has_own = 0.0 in averaging_lengths
        self.n_quantities = 1 + len(names) + len(variance_of)
        # Which of the scalars have a variance.
        varying = torch.tensor([names.index(name) for name in variance_of], dtype=torch.int64)
        self.register_buffer("varying", varying, persistent=False)
        columns = self._columns(averaging_lengths, variance_of)
        self.n_columns = len(columns)
        self._add_weights([float(length) for length in averaging_lengths if length > 0])
        self._add_networks(bottleneck, width)
        self._add_scales()
        self._declare(
            state_widths=(self.n_inputs, self.n_columns + self.n_species),
            outputs=(
                self.propensity_output(),
                Output("descriptors", columns, "[-]"),
                Output("bottleneck", self._bottleneck_columns(), "[-]"),
            ),
            citations=(_CITATION,),
        )

    def _columns(self, lengths: Sequence[float], variance_of: Sequence[str]) -> tuple[str, ...]:
        """Names of all columns; sums are in the order length, class, quantity."""
        names = [scalar.name for scalar in self.scalar_inputs]
        quantities = ["density", *names, *(f"{name}_variance" for name in variance_of)]
        columns = [f"{name}_L=0" for name in names if self.has_own]
        columns += [
            f"{quantity}_{kind}_L={length:g}"
            for length in lengths
            if length > 0
            for kind in (*self.species, "all")
            for quantity in quantities
        ]
        cause = f"averaging_lengths {len(lengths)}, species {self.n_species}"
        check_at_most(len(columns), MOST_COLUMNS, "descriptors of a particle", cause)
        return tuple(columns)

    def _bottleneck_columns(self) -> tuple[str, ...]:
        return tuple(f"bottleneck_{k}_t={t:g}" for t in self.times for k in range(self.bottle))

    def _add_weights(self, lengths: list[float]) -> None:
        """Tables of exp(-r / L), a column for each L > 0."""
        self.n_lengths = len(lengths)
        knots = torch.linspace(0.0, 1.0, 2, dtype=torch.float64)
        if lengths:
            number = 1 + round(_KNOTS_PER_LENGTH * max(1.0, self.cutoff / min(lengths)))
            knots = torch.linspace(0.0, self.cutoff, number, dtype=torch.float64)
        table = torch.exp(-knots.unsqueeze(1) / torch.tensor(lengths, dtype=torch.float64))
        dtype = torch.get_default_dtype()
        self.register_buffer("knots", knots.to(dtype), persistent=False)
        self.register_buffer("table", table.to(dtype), persistent=False)
        self.register_buffer("one_hot", torch.eye(self.n_species), persistent=False)
        self.at_once = max(1, _COLUMNS_AT_ONCE // (self.n_species * self.n_quantities))

    def _add_networks(self, bottleneck: int, width: int) -> None:
        """A perceptron for each species and time, in one tensor for each layer."""
        self.bottle = bottleneck
        widths = (self.n_columns, bottleneck, width, width, 1)
        number = self.n_species * self.n_times
        cause = f"width {width}, bottleneck {bottleneck}, times {self.n_times}"
        total = number * sum((a + 1) * b for a, b in pairwise(widths))
        check_at_most(total, MOST_PARAMETERS, "parameters", cause)
        # Weights and biases begin as those of Keras do: uniform (Glorot), and 0.
        for k, (a, b) in enumerate(pairwise(widths)):
            bound = (6 / (a + b)) ** 0.5
            weight = torch.empty(number, a, b).uniform_(-bound, bound)
            setattr(self, f"weight_{k}", nn.Parameter(weight))
            setattr(self, f"bias_{k}", nn.Parameter(torch.zeros(number, b)))
        shape = (self.n_species, self.n_columns)
        # Mean of every column, and 1 over its spread, until training sets them.
        self.register_buffer("column_mean", torch.zeros(shape))
        self.register_buffer("column_factor", torch.ones(shape))

    @torch.jit.unused
    def set_column_scale(self, mean: Tensor, scale: Tensor) -> None:
        """Mean and standard deviation [species, M] of the columns before they are standardised."""
        self.column_mean.copy_(mean)
        spread = scale > _SMALLEST_SPREAD
        self.column_factor.copy_(torch.where(spread, 1 / scale, torch.zeros_like(scale)))

    @torch.jit.unused
    def columns(self, state: Tensor) -> Tensor:
        """The columns before they are standardised: [n, M]."""
        return state[:, : self.n_columns]

    @torch.jit.export
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        """Species int64 [n] and scalars [n, S] to [n, species + S]."""
        standardised = (scalars - self.scalar_mean) / self.scalar_scale
        return torch.cat([self.one_hot[species], standardised], dim=1)

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        """The vectors themselves: [E, 3] [length]."""
        return edge_vector

    @torch.jit.export
    def step(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """All columns of the receivers: [n_all, species + S] to [n, M + species]."""
        n = first_edge.shape[0] - 1
        kinds, scalars = state[:, : self.n_species], state[:, self.n_species :]
        # Of scalars that are standardised, means of squares lose no digits.
        squares = scalars[:, self.varying].square()
        quantities = torch.cat([torch.ones_like(state[:, :1]), scalars, squares], dim=1)
        # [n_all, species * quantities]: those of a particle in the columns of its own species.
        values = (kinds.unsqueeze(2) * quantities.unsqueeze(1)).flatten(1)
        parts = [scalars[:n]] if self.has_own else []
        for first in range(0, self.n_lengths, self.at_once):
            weights = self.table[:, first : first + self.at_once]
            sums = self._sums(values, weights, edges, sender, first_edge)
            parts.append(self._averaged(sums))
        parts.append(kinds[:n])
        return torch.cat(parts, dim=1)

    def _sums(
        self, values: Tensor, weights: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """Weighted sums over neighbours and the particle itself: [n, lengths, classes, columns]."""
        n, number, width = first_edge.shape[0] - 1, weights.shape[1], values.shape[1]
        table = torch.repeat_interleave(weights, width, dim=1)
        sums = torch.ops.glassml.tabulated_convolution(
            values.repeat(1, number), edges, self.knots, table, sender, first_edge,
            -1, 0, 1, False, None,
        )  # fmt: skip
        sums = sums.reshape(n, number, width) + values[:n].unsqueeze(1)
        sums = sums.reshape(n, number, self.n_species, self.n_quantities)
        return torch.cat([sums, sums.sum(dim=2, keepdim=True)], dim=2)

    def _averaged(self, sums: Tensor) -> Tensor:
        """Densities, means and variances: [n, lengths, classes, columns] to [n, all of them]."""
        density = sums[..., :1]
        empty = density == 0
        means = torch.where(empty, 0.0, sums[..., 1:] / torch.where(empty, 1.0, density))
        own, squares = means[..., : self.n_scalars], means[..., self.n_scalars :]
        # Of one particle alone, rounding may leave less than 0.
        variance = (squares - own[:, :, :, self.varying].square()).clamp_min(0.0)
        return torch.cat([density, own, variance], dim=-1).flatten(1)

    @torch.jit.export
    def descriptors(self, state: Tensor) -> Tensor:
        """All columns, standardised for the particle's species: [n, M]."""
        kinds = state[:, self.n_columns :]
        centred = state[:, : self.n_columns] - kinds @ self.column_mean
        return centred * (kinds @ self.column_factor)

    def _first_layer(self, state: Tensor) -> Tensor:
        """What leaves the first layer of all networks: [n, species * T, bottleneck]."""
        # One product for all networks: [n, M] times [M, networks * bottleneck].
        weight = self.weight_0.permute(1, 0, 2).reshape(self.n_columns, -1)
        values = self.descriptors(state) @ weight + self.bias_0.reshape(-1)
        return _elu(values).reshape(state.shape[0], self.n_species * self.n_times, self.bottle)

    @torch.jit.export
    def bottleneck(self, state: Tensor) -> Tensor:
        """What the first layers of the particle's own networks pass on: [n, T bottleneck]."""
        values = self._first_layer(state)
        values = values.reshape(state.shape[0], self.n_species, self.n_times * self.bottle)
        return (values * state[:, self.n_columns :].unsqueeze(2)).sum(dim=1)

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        """Propensity [n, T] [length]: the networks of the particle's own species."""
        values = self._first_layer(state)
        values = _elu(torch.einsum("nka,kab->nkb", values, self.weight_1) + self.bias_1)
        values = _elu(torch.einsum("nka,kab->nkb", values, self.weight_2) + self.bias_2)
        values = torch.einsum("nka,kab->nkb", values, self.weight_3) + self.bias_3
        values = values.reshape(state.shape[0], self.n_species, self.n_times)
        values = values * self.label_scale + self.label_mean
        return (values * state[:, self.n_columns :].unsqueeze(2)).sum(dim=1)


def _elu(values: Tensor) -> Tensor:
    """An ELU, x for x > 0 and else exp(x) - 1, of operators that files of models may name."""
    positive = torch.relu(values)
    return positive + torch.exp(values - positive) - 1.0


def _check_lengths(lengths: Sequence[float], cutoff: float) -> None:
    if not lengths or any(not 0 <= length <= LARGEST_CUTOFF for length in lengths):
        raise ConfigError(
            f"averaging_lengths: expected one or more lengths from 0 to {LARGEST_CUTOFF:g}; found "
            f"{tuple(lengths)}"
        )
    if list(lengths) != sorted(set(lengths)):
        raise ConfigError(f"averaging_lengths: expected increasing lengths; found {tuple(lengths)}")
    least = _KNOTS_PER_LENGTH * cutoff / (MOST_KNOTS - 1)
    if any(0 < length < least for length in lengths):
        raise ConfigError(
            f"averaging_lengths: expected 0 or lengths of at least {least:.2g} with the cutoff "
            f"{cutoff:g}; found {min(length for length in lengths if length > 0):g}"
        )


def _check_variances(variance_of: Sequence[str], scalars: list[str]) -> None:
    if len(set(variance_of)) != len(variance_of):
        raise ConfigError(f"variance_of: expected different names; found {tuple(variance_of)}")
    unknown = [name for name in variance_of if name not in scalars]
    if unknown:
        raise ConfigError(
            f"variance_of: expected scalars that the model reads ({', '.join(scalars) or 'none'}); "
            f"found {unknown[0]!r}. Set data.scalars, for the published model "
            "[inherent_energy, inherent_voronoi_surface], or variance_of"
        )
