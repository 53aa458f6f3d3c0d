"""Linear regression on classical structural descriptors, with the interface of all models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from glassml.errors import ConfigError
from glassml.models.contract import GlassModel, Output, Redecoded
from glassml.models.limits import (
    LARGEST_CUTOFF,
    MOST_COLUMNS,
    MOST_SHELLS,
    MOST_STEPS,
    check_at_most,
    check_whole,
)
from glassml.models.registry import build, register
from glassml.nn import invariants, ops
from glassml.nn.ops import LARGEST_L

__all__ = ["Structural"]

_CITATION = (
    "E. Boattini, F. Smallenburg, L. Filion, Averaging local structure to predict the dynamic "
    "propensity in supercooled liquids, Phys. Rev. Lett. 127, 088007 (2021)"
)


@register("structural")
class Structural(GlassModel):
    """Averaged structural descriptors with one linear decoder per species and time.

    After E. Boattini, F. Smallenburg and L. Filion, Phys. Rev. Lett. 127, 088007 (2021), with
    shells that are piecewise linear in the distance and vanish at the cutoff, so that outputs are
    continuous. For every particle i

    - densities: the number of neighbours of each species in each of ``shells`` shells;
    - for l = 1..l_max the norm of sum_j f(r_ij) Y_lm(r_ij), f one of ``angular_shells`` shells, for
      each species of j;
    - its scalar inputs;

    and their averages, taken ``averages`` times: x_i + sum_j w(r_ij) x_j over 1 + sum_j w(r_ij),
    with w = exp(-r / length), shifted to 0 at the cutoff. None of this is learned. `glassml refit`
    computes the decoder in closed form.

    Args:
        species: names of the species.
        times: times [time] at which the propensity is predicted.
        cutoff: r_c [length].
        scalar_inputs: names of per-particle scalars.
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.
        l_max: highest degree of the norms.
        start: distance [length] below which there are no neighbours; the first shell begins there.
        shells: number of shells of the densities, evenly spaced between ``start`` and the cutoff.
        angular_shells: number of shells of the norms.
        averages: number of times that descriptors are averaged.
        averaging_length: decay length of w [length].

    Raises:
        ConfigError: a value out of range; the message names it.
    """

    lengths = ("cutoff", "start", "averaging_length")

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        one_hot: Tensor
        shell_knots: Tensor
        shell_table: Tensor
        angular_knots: Tensor
        angular_table: Tensor
        average_knots: Tensor
        average_values: Tensor

    def __init__(
        self,
        species: Sequence[str] = ("A", "B"),
        times: Sequence[float] = (1.0,),
        cutoff: float = 2.6,
        scalar_inputs: Sequence[str] = (),
        length_unit: str = "lj",
        l_max: int = 4,
        start: float = 0.8,
        shells: int = 25,
        angular_shells: int = 7,
        averages: int = 4,
        averaging_length: float = 1.0,
    ) -> None:
        super().__init__(species, times, cutoff, scalar_inputs, length_unit)
        _check(len(species), l_max, shells, angular_shells, averages)
        if not 0 <= start < cutoff:
            raise ConfigError(f"start: expected a distance below the cutoff; found {start}")
        if not 0 < averaging_length <= LARGEST_CUTOFF:
            raise ConfigError(
                f"averaging_length: expected a positive length of at most {LARGEST_CUTOFF:g}; "
                f"found {averaging_length}"
            )
        ops.load()
        self.l_max = l_max
        self.averages = averages
        self.fixed_steps = averages + 1
        self.shells = shells
        self.angular_shells = angular_shells
        self._add_shells(start, averaging_length)
        names = self._names()
        self.n_descriptors = len(names)
        columns = tuple(f"{name}_average={k}" for k in range(averages + 1) for name in names)
        self.decoder = nn.Linear(len(columns), self.n_species * self.n_times)
        self.register_buffer("one_hot", torch.eye(self.n_species), persistent=False)
        self._declare(
            state_widths=(
                self.n_inputs,
                *(self.n_inputs + k * self.n_descriptors for k in range(1, averages + 2)),
            ),
            outputs=(self.propensity_output(), Output("descriptors", columns, "[-]")),
            citations=(_CITATION,),
        )

    def _add_shells(self, start: float, averaging_length: float) -> None:
        """Shells as tables: at knot k the k-th is 1 and the others 0; at the cutoff all are 0."""
        for name, number, degrees in (
            ("shell", self.shells, 1),
            ("angular", self.angular_shells, self.l_max + 1),
        ):
            knots = torch.linspace(start, self.cutoff, number + 1)
            one = torch.cat([torch.eye(number), torch.zeros(1, number)])
            # A neighbour below the first knot belongs to the first shell.
            self.register_buffer(f"{name}_knots", knots, persistent=False)
            table = one.repeat(1, self.n_species * degrees)
            self.register_buffer(f"{name}_table", table, persistent=False)
        r = torch.linspace(0.0, self.cutoff, 257)
        weight = torch.exp(-r / averaging_length) - torch.exp(
            torch.tensor(-self.cutoff / averaging_length)
        )
        self.register_buffer("average_knots", r, persistent=False)
        self.register_buffer("average_values", weight.unsqueeze(1), persistent=False)

    def _names(self) -> list[str]:
        return [
            *(scalar.name for scalar in self.scalar_inputs),
            *(f"density_{name}_shell={k}" for name in self.species for k in range(self.shells)),
            *(
                f"norm_l={l}_{name}_shell={k}"
                for l in range(1, self.l_max + 1)
                for name in self.species
                for k in range(self.angular_shells)
            ),
        ]

    @torch.jit.unused
    def redecoded(self, times: Sequence[float], weight: Tensor, bias: Tensor) -> Redecoded:
        """The decoder, [species, T, D] and [species, T]; nothing else is fitted."""
        model = build(self.name, **{**self.hyperparameters, "times": tuple(times)})
        assert isinstance(model, Structural)
        model.to(torch.float64)
        with torch.no_grad():
            model.decoder.weight.copy_(weight.reshape(-1, weight.shape[-1]))
            model.decoder.bias.copy_(bias.reshape(-1))
        return Redecoded(model, ("decoder.weight", "decoder.bias", "n_times"))

    @torch.jit.export
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        """Species int64 [n] and scalars [n, S] to [n, species + S]."""
        return torch.cat([self.one_hot[species], scalars], dim=1)

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        """The vectors themselves: [E, 3] [length]."""
        return edge_vector

    @torch.jit.export
    def step(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """Descriptors in step 0, then their averages: [n_all, W_k] to [n, W_(k+1)]."""
        n = first_edge.shape[0] - 1
        if k == 0:
            new = self._local(state, edges, sender, first_edge)
        else:
            new = self._averaged(state[:, -self.n_descriptors :], edges, sender, first_edge)
        return torch.cat([state[:n], new], dim=1)

    def _local(self, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor) -> Tensor:
        n = first_edge.shape[0] - 1
        kinds = state[:, : self.n_species]
        density = torch.ops.glassml.tabulated_convolution(
            torch.repeat_interleave(kinds, self.shells, dim=1), edges, self.shell_knots,
            self.shell_table, sender, first_edge, -1, 0, 1, False, None,
        )  # fmt: skip
        angular = torch.ops.glassml.tabulated_convolution(
            torch.repeat_interleave(kinds, self.angular_shells, dim=1), edges, self.angular_knots,
            self.angular_table, sender, first_edge, -1, self.l_max, 1, False, None,
        )  # fmt: skip
        channels = self.n_species * self.angular_shells
        norms = invariants(angular, self.l_max, channels)[:, channels:]
        scalars = state[:n, self.n_species : self.n_inputs]
        return torch.cat([scalars, density, norms], dim=1)

    def _averaged(
        self, values: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """Means over the particle and its neighbours: [n_all, D] to [n, D]."""
        n = first_edge.shape[0] - 1
        # The last column sums the weights.
        counted = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
        sums = torch.ops.glassml.tabulated_convolution(
            counted, edges, self.average_knots,
            self.average_values.expand(-1, counted.shape[1]).contiguous(), sender, first_edge,
            -1, 0, 1, False, None,
        )  # fmt: skip
        return (values[:n] + sums[:, :-1]) / (1 + sums[:, -1:])

    @torch.jit.export
    def descriptors(self, state: Tensor) -> Tensor:
        """All descriptors, in order of the number of averages: [n, (averages + 1) D]."""
        return state[:, self.n_inputs :]

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        """Propensity [n, T] [length]: the decoder of each particle's own species."""
        values = self.decoder(self.descriptors(state))
        values = values.reshape(state.shape[0], self.n_species, self.n_times)
        return (values * state[:, : self.n_species].unsqueeze(2)).sum(dim=1)


def _check(n_species: int, l_max: int, shells: int, angular_shells: int, averages: int) -> None:
    for name, value, low, high in (
        ("l_max", l_max, 1, LARGEST_L),
        ("shells", shells, 1, MOST_SHELLS),
        ("angular_shells", angular_shells, 1, MOST_SHELLS),
        ("averages", averages, 0, MOST_STEPS - 1),
    ):
        check_whole(name, value, low, high)
    columns = (shells + l_max * angular_shells) * n_species * (averages + 1)
    cause = f"shells {shells}, angular_shells {angular_shells}, l_max {l_max}, averages {averages}"
    check_at_most(columns, MOST_COLUMNS, "descriptors of a particle", cause)
