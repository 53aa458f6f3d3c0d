"""Geo-GNN, the network of Jiang et al. that sees distances and angles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from glassml.errors import ConfigError
from glassml.models.contract import Output
from glassml.models.limits import (
    LARGEST_CUTOFF,
    MOST_COLUMNS,
    MOST_PARAMETERS,
    MOST_STEPS,
    WIDEST,
    check_at_most,
    check_whole,
)
from glassml.models.registry import register
from glassml.models.standardised import StandardisedModel
from glassml.nn import AngularSums, TripletLayer

__all__ = ["GeoGNN"]

_CITATION = (
    "X. Jiang, Z. Tian, K. Li, W. Hu, A geometry-enhanced graph neural network for learning the "
    "smoothness of glassy dynamics from static structure, J. Chem. Phys. 159, 144504 (2023)"
)
_PUBLISHED_RANGE = 5.0  # [sigma] of the Gaussians, whose exponent is in units of this range / 5
_MOST_DEGREES = 64  # recursions lose digits beyond; 16 were published


@register("geo-gnn")
class GeoGNN(StandardisedModel):
    r"""Geo-GNN, a graph network of distances and angles.

    X. Jiang, Z. Tian, K. Li, W. Hu, J. Chem. Phys. 159, 144504 (2023), arXiv:2211.12832, as in the
    published code, for one time or several.

    Edges have codes e_ij, which begin as functions of the distance and of both species.
    ``n_layers`` layers renew them from the edges of the sender j, except that of i itself,

    .. math::
        t_{ij} = \sigma(W_1 e_{ij}), \quad
        s_{ij} = \sum_{k \ne i} t_{jk} \odot V Y(\theta_{ijk}), \quad
        e_{ij} \leftarrow e_{ij} + \sigma(W_3 [e_{ij}, \sigma(W_2 s_{ij})] + b)

    with the SiLU function sigma, the harmonics Y_l0 up to l = ``n_degrees`` - 1, and the angle
    theta between the vectors from i to j and from j to k. Then particles read their edges in one
    layer, and differences to their neighbours in another.

    The sum over k is made from sums that particles keep (`glassml.nn.angular_sums`), so particles
    within one cutoff of a domain are enough. Particle i takes its own edge out, for which it also
    keeps the codes of the edges from i to its neighbours, the reverse of its own. Where j has
    several images of i within the cutoff, only that at the other end of the edge is taken out.

    The network is invariant under rotations and reflections. Descriptors are the last hidden layer.

    Args:
        species: names of the species.
        times: times [time] at which the propensity is predicted.
        cutoff: r_c [length]. The published code has no value; 2 sigma are those of Bapst et al.,
            whose data it reads. Predictions change by a small step when a pair crosses it.
        scalar_inputs: names of per-particle scalars (not published): added to what particles read
            first of their edges.
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.
        width: columns of the codes of particles and edges.
        n_layers: number of layers on edges.
        n_degrees: number of functions of the angle.
        n_gaussians: number of Gaussians of the distance.
        gaussian_range: distance of the last Gaussian [length]; the first is at 0.

    Raises:
        ConfigError: a value out of range; the message names it.
    """

    lengths = ("cutoff", "gaussian_range")

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        one_hot: Tensor
        centres: Tensor
        numbers: Tensor
        legendre: Tensor

    def __init__(
        self,
        species: Sequence[str] = ("A", "B"),
        times: Sequence[float] = (1.0,),
        cutoff: float = 2.0,
        scalar_inputs: Sequence[str] = (),
        length_unit: str = "lj",
        width: int = 32,
        n_layers: int = 3,
        n_degrees: int = 16,
        n_gaussians: int = 64,
        gaussian_range: float = _PUBLISHED_RANGE,
    ) -> None:
        super().__init__(species, times, cutoff, scalar_inputs, length_unit)
        _check(width, n_layers, n_degrees, n_gaussians, gaussian_range, self.n_species)
        self.width = width
        self.narrow = width // 2
        self.n_layers = n_layers
        self.collected = n_degrees**2 * self.narrow  # columns of a particle's sums
        self.unit = gaussian_range / _PUBLISHED_RANGE
        self.angular = AngularSums(n_degrees)
        self._add_layers(n_degrees, n_gaussians)
        self._add_scales()
        self._add_constants(n_degrees, n_gaussians)
        kept = width + self.n_species
        columns = tuple(f"descriptor_{k}" for k in range(self.narrow))
        self._declare(
            state_widths=(
                self.n_inputs,
                *[self.collected + kept] * n_layers,
                kept,
                self.narrow + self.n_species,
            ),
            sent_widths=(
                self.n_species,
                *[self.collected] * (n_layers - 1),
                self.collected + width,
                width,
            ),
            edge_width=2 * width + self.narrow + 3,
            outputs=(self.propensity_output(), Output("descriptors", columns, "[-]")),
            citations=(_CITATION,),
        )

    def _add_layers(self, n_degrees: int, n_gaussians: int) -> None:
        width = self.width
        self.exponent = nn.Parameter(torch.tensor([-50.0]))
        self.pairs = nn.Parameter(torch.empty(self.n_species**2, width))
        nn.init.uniform_(self.pairs, -math.sqrt(3), math.sqrt(3))
        self.distance = nn.Linear(n_gaussians, width)
        self.distance_gate = nn.Linear(n_gaussians, width)
        self.first_edges = nn.Linear(2 * width, width)  # reads pairs, distance
        self.first_nodes = nn.Linear(width, width)
        n_scalars = len(self.scalar_inputs)
        self.scalars = nn.Linear(n_scalars, width, bias=False) if n_scalars else None
        layers = [TripletLayer(width, self.narrow, n_degrees) for _ in range(self.n_layers)]
        self.triplets = cast(Any, nn.ModuleList(layers))
        # Two layers as one. Reads receiver, sender, edge.
        self.node_edges = nn.Linear(3 * width, 2 * width)
        self.node_self = nn.Linear(width, width)
        nn.init.zeros_(self.node_self.bias)
        self.difference = nn.Linear(2 * width, width)  # reads x_i, x_j - x_i
        self.difference_norm = nn.BatchNorm1d(width)
        self.difference_last = nn.Linear(width, width)
        self.hidden = nn.Linear(width, self.narrow)
        self.hidden_norm = nn.BatchNorm1d(self.narrow)
        self.decoder = nn.Linear(self.narrow, self.n_times)

    def _add_constants(self, n_degrees: int, n_gaussians: int) -> None:
        self.register_buffer("one_hot", torch.eye(self.n_species), persistent=False)
        numbers = torch.arange(float(self.n_species)).unsqueeze(1)
        self.register_buffer("numbers", numbers, persistent=False)
        # In float64, so that a model in float64 is exact.
        centres = torch.linspace(0, _PUBLISHED_RANGE, n_gaussians, dtype=torch.float64)
        self.register_buffer("centres", centres, persistent=False)
        # Y_l0 = this number times P_l
        degrees = torch.arange(n_degrees, dtype=torch.float64)
        legendre = ((2 * degrees + 1) / (4 * math.pi)).sqrt().unsqueeze(1)
        self.register_buffer("legendre", legendre, persistent=False)

    @torch.jit.unused
    def deploy(self) -> None:
        """Merge the batch norms into the layers before them."""
        self.difference = fuse_linear_bn_eval(self.difference, self.difference_norm)
        self.hidden = fuse_linear_bn_eval(self.hidden, self.hidden_norm)
        self.difference_norm = cast(Any, nn.Identity())
        self.hidden_norm = cast(Any, nn.Identity())

    @torch.jit.export
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        """Species int64 [n] and scalars [n, S] to [n, species + S]."""
        standardised = (scalars - self.scalar_mean) / self.scalar_scale
        return torch.cat([self.one_hot[species], standardised], dim=1)

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        """Vectors [E, 3] [length] to two functions of the distance, zeros, vectors: [E, F]."""
        distance = torch.linalg.vector_norm(edge_vector, dim=1, keepdim=True) / self.unit
        centres = self.centres.to(distance.dtype)
        # Below, exp has no digits left in float32 and takes many times as long.
        exponents = (self.exponent * (distance - centres).square()).clamp(min=-80.0)
        gaussians = torch.exp(exponents)
        code = nn.functional.silu(self.distance(gaussians))
        gate = torch.tanh(self.distance_gate(gaussians))
        zeros = edge_vector.new_zeros(edge_vector.shape[0], self.narrow)
        return torch.cat([code, gate, zeros, edge_vector], dim=1)

    @torch.jit.export
    def advance(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Step k: [n_all, W_k] and edges [E, F] to [n, W_(k+1)] and the edges for the next step.

        Edges: codes of the edge and of its reverse, the angular sum for the reverse, the vector.
        """
        receiver = torch.repeat_interleave(first_edge[1:] - first_edge[:-1])
        if k == 0:
            return self._first(state, edges, sender, receiver, first_edge)
        if k == self.n_layers + 1:
            return self._differences(state, sender, receiver, first_edge), edges
        own = state[: first_edge.shape[0] - 1]
        nodes = own[:, self.collected : self.collected + self.width]
        kinds = own[:, -self.n_species :]
        code, reverse = self._renewed(k - 1, state, edges, sender, first_edge)
        if k == self.n_layers:
            read = state[:, self.collected : self.collected + self.width]
            new = self._read_edges(nodes, read, code, sender, receiver)
            return torch.cat([new, kinds], dim=1), edges
        sums, edges = self._collected(k, code, reverse, edges, first_edge)
        return torch.cat([sums, nodes, kinds], dim=1), edges

    def _first(
        self, state: Tensor, edges: Tensor, sender: Tensor, receiver: Tensor, first_edge: Tensor
    ) -> tuple[Tensor, Tensor]:
        """First codes of edges and particles, and what particles collect for layer 0."""
        own, width = state[: first_edge.shape[0] - 1], self.width
        distance = nn.functional.linear(edges[:, :width], self.first_edges.weight[:, width:])
        pairs = nn.functional.linear(
            self.pairs, self.first_edges.weight[:, :width], self.first_edges.bias
        )
        number = (state[:, : self.n_species] @ self.numbers).squeeze(1).to(torch.int64)
        here, there = number.index_select(0, receiver), number.index_select(0, sender)
        code = nn.functional.silu(distance + pairs.index_select(0, self.n_species * there + here))
        reverse = nn.functional.silu(
            distance + pairs.index_select(0, self.n_species * here + there)
        )
        read = nn.functional.silu(self.first_nodes(code)) * edges[:, width : 2 * width]
        nodes = code.new_zeros(own.shape[0], width)
        if self.scalars is not None:
            nodes = self.scalars(own[:, self.n_species :])
        nodes = nn.functional.silu(nodes.index_add(0, receiver, read))
        sums, edges = self._collected(0, code, reverse, edges, first_edge)
        return torch.cat([sums, nodes, own[:, : self.n_species]], dim=1), edges

    def _collected(
        self, layer: int, code: Tensor, reverse: Tensor, edges: Tensor, first_edge: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What particles collect for a layer [n, L^2 C], and the edges for the step of it."""
        vector, back, sums = edges[:, -3:], code, code
        for i, triplets in enumerate(self.triplets):
            if i == layer:
                legendre = triplets.functions() * self.legendre.to(code.dtype)
                values = triplets.narrowed(code)
                sums, back = self.angular.collect(values, legendre, vector, first_edge)
        if torch.is_grad_enabled():
            return sums, torch.cat([code, reverse, back, vector], dim=1)
        edges[:, : self.width] = code
        edges[:, self.width : 2 * self.width] = reverse
        edges[:, 2 * self.width : -3] = back
        return sums, edges

    def _opposite(self, values: Tensor, legendre: Tensor, vector: Tensor) -> Tensor:
        """The term of an edge's own reverse, at theta = pi: [E, C]."""
        signs = 1 - 2 * (torch.arange(legendre.shape[0], device=values.device) % 2)
        factor = (legendre * signs.unsqueeze(1)).sum(dim=0)
        zero = (vector == 0).all(dim=1, keepdim=True)  # has no direction and no angle
        return (values * factor).masked_fill(zero, 0.0)

    def _renewed(
        self, layer: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Codes of edges, and unless this is the last layer of their reverses, after a layer."""
        width, back, vector = self.width, edges[:, 2 * self.width : -3], edges[:, -3:]
        code, reverse = edges[:, :width], edges[:, width : 2 * width]
        for i, triplets in enumerate(self.triplets):
            if i == layer:
                legendre = triplets.functions() * self.legendre.to(code.dtype)
                sums = self.angular.spread(
                    state[:, : self.collected], back, vector, sender, first_edge
                )
                sums = sums - self._opposite(triplets.narrowed(reverse), legendre, vector)
                if layer + 1 < self.n_layers:
                    back = back - self._opposite(triplets.narrowed(code), legendre, vector)
                    reverse = triplets(reverse, back)
                code = triplets(code, sums)
        return code, reverse

    def _read_edges(
        self, nodes: Tensor, read: Tensor, code: Tensor, sender: Tensor, receiver: Tensor
    ) -> Tensor:
        """Particles read their neighbours and edges: codes [n, width] to the next."""
        weight, width = self.node_edges.weight, self.width
        of_receiver = nn.functional.linear(nodes, weight[:, :width], self.node_edges.bias)
        of_sender = nn.functional.linear(read, weight[:, width : 2 * width])
        both = nn.functional.linear(code, weight[:, 2 * width :])
        both = both + of_receiver.index_select(0, receiver) + of_sender.index_select(0, sender)
        message = torch.tanh(both[:, :width]) * nn.functional.silu(both[:, width:])
        return nn.functional.silu(self.node_self(nodes).index_add(0, receiver, message))

    def _differences(
        self, state: Tensor, sender: Tensor, receiver: Tensor, first_edge: Tensor
    ) -> Tensor:
        """Particles read differences to their neighbours; then the last hidden layer."""
        own, width = state[: first_edge.shape[0] - 1], self.width
        weight = self.difference.weight
        here, there = weight[:, :width] - weight[:, width:], weight[:, width:]
        of_receiver = nn.functional.linear(own[:, :width], here, self.difference.bias)
        of_sender = nn.functional.linear(state[:, :width], there)
        hidden = self.difference_norm(
            of_receiver.index_select(0, receiver) + of_sender.index_select(0, sender)
        )
        total = torch.zeros_like(of_receiver).index_add(0, receiver, torch.relu(hidden))
        count = (first_edge[1:] - first_edge[:-1]).unsqueeze(1)
        # The last layer is linear, so the mean may come before it.
        mean = self.difference_last(total / count.clamp(min=1)).masked_fill(count == 0, 0.0)
        last = torch.relu(self.hidden_norm(self.hidden(nn.functional.silu(mean))))
        return torch.cat([last, own[:, -self.n_species :]], dim=1)

    @torch.jit.export
    def descriptors(self, state: Tensor) -> Tensor:
        """The last hidden layer: [n, width / 2]."""
        return state[:, : self.narrow]

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        """Propensity [n, T] [length]."""
        species = state[:, self.narrow :]
        values = self.decoder(state[:, : self.narrow])
        return values * (species @ self.label_scale) + species @ self.label_mean


def _check(
    width: int,
    n_layers: int,
    n_degrees: int,
    n_gaussians: int,
    gaussian_range: float,
    n_species: int,
) -> None:
    for name, value, low, high in (
        ("width", width, 2, WIDEST),
        ("n_layers", n_layers, 1, MOST_STEPS - 2),
        ("n_degrees", n_degrees, 2, _MOST_DEGREES),
        ("n_gaussians", n_gaussians, 2, WIDEST),
    ):
        check_whole(name, value, low, high)
    if not 0 < gaussian_range <= LARGEST_CUTOFF:
        raise ConfigError(
            f"gaussian_range: expected a positive length of at most {LARGEST_CUTOFF:g}; found "
            f"{gaussian_range}"
        )
    columns = n_degrees**2 * (width // 2) + width + n_species
    cause = f"width {width}, n_degrees {n_degrees}"
    check_at_most(columns, MOST_COLUMNS, "columns in the state of a particle", cause)
    a_layer = 3 * width**2 + n_degrees * (n_degrees + width)
    number = n_layers * a_layer + width * (2 * n_gaussians + 12 * width + n_species**2)
    cause += f", n_layers {n_layers}, n_gaussians {n_gaussians}"
    check_at_most(number, MOST_PARAMETERS, "parameters", cause)
