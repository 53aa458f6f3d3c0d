"""Softness: how near a particle is to a rearrangement, by its structure alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from glassml.errors import ConfigError
from glassml.models.contract import GlassModel, Output, Redecoded
from glassml.models.limits import LARGEST_CUTOFF, MOST_SHELLS, check_at_most
from glassml.models.registry import build, register
from glassml.nn import StructureFunctions

__all__ = ["Softness"]

_CITATION = (
    "S. S. Schoenholz, E. D. Cubuk, D. M. Sussman, E. Kaxiras, A. J. Liu, A structural approach to "
    "relaxation in glassy liquids, Nat. Phys. 12, 469 (2016)"
)


@register("softness")
class Softness(GlassModel):
    r"""The softness of particles: their distance to a hyperplane between soft and hard structures.

    S. S. Schoenholz et al., Nat. Phys. 12, 469 (2016).

    The structure of a particle is a point x in the space of its structure functions
    (`glassml.nn.StructureFunctions`): 166 for two species, standardised. A linear support vector
    machine divides the points of particles that are about to rearrange from those of particles that
    have not rearranged for a long time. Softness is the signed distance to that hyperplane, w . x +
    b with ``|w| = 1``, positive on the side of rearrangements. Each species has its own hyperplane.
    `glassml softness` finds them from a trajectory.

    Softness says whether a particle will rearrange soon. The propensity answers another question.
    It is a linear function of the softness for each species and time, which `glassml refit` fits to
    labels. Until then it means nothing, and the record of the training says so.

    State: species, one-hot, then the structure functions. One step, so nothing but species
    travels between domains.

    Args:
        species: names of the species.
        times: times [time] at which the propensity is predicted.
        cutoff: r_c [length], the largest radius of the radial functions.
        scalar_inputs: must be empty, as softness is a function of positions.
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.
        angular_cutoff: of the angular functions [length].
        sigma: unit in which the published radii and decay lengths are given [length]: the diameter
            of the larger species of the Kob-Andersen liquid.

    Raises:
        ConfigError: a value out of range; the message names it.
    """

    lengths = ("cutoff", "angular_cutoff", "sigma")
    trained_by = "glassml softness"

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        one_hot: Tensor
        column_mean: Tensor
        column_scale: Tensor
        divided: Tensor

    def __init__(
        self,
        species: Sequence[str] = ("A", "B"),
        times: Sequence[float] = (1.0,),
        cutoff: float = 5.0,
        scalar_inputs: Sequence[str] = (),
        length_unit: str = "lj",
        angular_cutoff: float = 2.5,
        sigma: float = 1.0,
    ) -> None:
        super().__init__(species, times, cutoff, scalar_inputs, length_unit)
        if self.scalar_inputs:
            raise ConfigError(
                "scalar_inputs: expected none, as softness is a function of positions and species; "
                f"found {tuple(scalar_inputs)}"
            )
        if not 0 < angular_cutoff <= cutoff:
            raise ConfigError(
                f"angular_cutoff: expected a positive length up to the cutoff {cutoff:g}; found "
                f"{angular_cutoff:g}"
            )
        if not 0 < sigma <= LARGEST_CUTOFF:
            raise ConfigError(
                f"sigma: expected a positive length of at most {LARGEST_CUTOFF:g}; found {sigma:g}"
            )
        radii = StructureFunctions.number_of_radii(cutoff, sigma)
        check_at_most(radii, MOST_SHELLS, "radii", f"cutoff {cutoff:g}, sigma {sigma:g}")
        check_at_most(self.n_species, 20, "species", f"species {len(species)}")
        self.functions = StructureFunctions(self.species, cutoff, angular_cutoff, sigma)
        names = self.functions.names
        self.hyperplane = nn.Linear(len(names), self.n_species)
        self.decoder = nn.Linear(1, self.n_species * self.n_times)
        self.register_buffer("one_hot", torch.eye(self.n_species), persistent=False)
        # 0 and 1 until training sets them.
        self.register_buffer("column_mean", torch.zeros(self.n_species, len(names)))
        self.register_buffer("column_scale", torch.ones(self.n_species, len(names)))
        # 1 for species with a hyperplane, 0 for those without.
        self.register_buffer("divided", torch.ones(self.n_species, 1))
        self._declare(
            state_widths=(self.n_species, self.n_species + len(names)),
            outputs=(
                self.propensity_output(),
                Output("softness", ("softness",), "[-]"),
                Output("structure_functions", names, "[-]"),
                Output("descriptors", ("softness",), "[-]"),
            ),
            citations=(_CITATION,),
        )

    @torch.jit.unused
    def set_hyperplane(
        self, index: int, weight: Tensor, bias: float, mean: Tensor, scale: Tensor
    ) -> None:
        """The hyperplane of a species: softness is ``(weight . x + bias) / |weight|``.

        Args:
            index: of the species.
            weight: [D] [-] of the standardised columns.
            bias: [-].
            mean: [D] of the columns.
            scale: [D], by which they are divided.
        """
        length = float(weight.norm())
        with torch.no_grad():
            self.hyperplane.weight[index] = weight / length
            self.hyperplane.bias[index] = bias / length
            self.column_mean[index] = mean
            self.column_scale[index] = scale
            self.divided[index] = 1.0

    @torch.jit.unused
    def set_no_hyperplane(self, index: int) -> None:
        """A species without a hyperplane: its softness is 0."""
        with torch.no_grad():
            self.hyperplane.weight[index] = 0.0
            self.hyperplane.bias[index] = 0.0
            self.divided[index] = 0.0

    @torch.jit.unused
    def redecoded(self, times: Sequence[float], weight: Tensor, bias: Tensor) -> Redecoded:
        """The propensity as a linear function of softness: [species, T, 1] and [species, T]."""
        model = build(self.name, **{**self.hyperparameters, "times": tuple(times)})
        assert isinstance(model, Softness)
        model.to(torch.float64)
        with torch.no_grad():
            model.decoder.weight.copy_(weight.reshape(-1, 1))
            model.decoder.bias.copy_(bias.reshape(-1))
        return Redecoded(model, ("decoder.weight", "decoder.bias", "n_times"))

    @torch.jit.export
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        """Species int64 [n] to [n, S], one-hot."""
        return self.one_hot[species]

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        """The vectors themselves: [E, 3] [length]."""
        return edge_vector

    @torch.jit.export
    def step(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """The structure functions behind the species: [n_all, S] to [n, S + D]."""
        functions = self.functions(state, edges, sender, first_edge)
        return torch.cat([state[: first_edge.shape[0] - 1], functions], dim=1)

    @torch.jit.export
    def structure_functions(self, state: Tensor) -> Tensor:
        """The structure functions: [n, D] [-]."""
        return state[:, self.n_species :]

    @torch.jit.export
    def softness(self, state: Tensor) -> Tensor:
        """Distance to the hyperplane of each particle's own species: [n, 1] [-]."""
        kinds = state[:, : self.n_species]
        off = state[:, self.n_species :] - kinds @ self.column_mean
        standardised = off / (kinds @ self.column_scale)
        values = (self.hyperplane(standardised) * kinds).sum(dim=1, keepdim=True)
        return values * (kinds @ self.divided)

    @torch.jit.export
    def descriptors(self, state: Tensor) -> Tensor:
        """The softness, of which the propensity is a linear function: [n, 1] [-]."""
        return self.softness(state)

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        """Propensity [n, T] [length], by the decoder of each particle's own species."""
        values = self.decoder(self.softness(state))
        values = values.reshape(state.shape[0], self.n_species, self.n_times)
        return (values * state[:, : self.n_species].unsqueeze(2)).sum(dim=1)
