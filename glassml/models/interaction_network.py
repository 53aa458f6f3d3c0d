"""What the networks of Bapst et al. and Shiba et al. have in common: edges with a memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from glassml.models.contract import Output
from glassml.models.limits import (
    MOST_COLUMNS,
    MOST_PARAMETERS,
    MOST_STEPS,
    check_at_most,
    check_whole,
)
from glassml.models.standardised import StandardisedModel
from glassml.nn import Perceptron, ops

__all__ = ["InteractionNetwork"]

# The cutoff [sigma] of both publications. Vectors enter the networks in units of cutoff / 2, so
# that they have the size of the published ones for any cutoff and unit of length.
_PUBLISHED_CUTOFF = 2.0
_EDGES_AT_ONCE = 16384  # of a block of first codes; enough to keep a GPU busy


class InteractionNetwork(StandardisedModel):
    r"""A network on nodes and edges that repeats one step, with one set of weights.

    With the first codes x^0 of particles and e^0 of edges, and perceptrons phi, a step is

    .. math::
        e_{ij} \leftarrow \phi_e(e_{ij}, e^0_{ij}, X_i, X_j), \quad
        x_i \leftarrow \phi_v\Big(\sum_j e_{ij}, x_i, x^0_i\Big)

    Each perceptron has one hidden layer and ends in a ReLU. The propensity is another perceptron of
    the last x, with two hidden layers. An edge begins as the vector from sender to receiver. The
    components of the vector enter as they are, so predictions depend on the directions of the axes.

    The first layer of phi_e is linear in all that it reads. Its parts from e^0, from the receiver
    and from the sender are computed before (`glassml.nn.ops.edge_update`). Edges remember e and the
    part from e^0. State: x, x^0, the code of the edge from a particle to itself if there is one,
    and the species, one-hot.

    Args:
        species: names of the species.
        times: times [time] at which the propensity is predicted.
        cutoff: r_c [length].
        scalar_inputs: names of per-particle scalars (not published).
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.
        width: columns of codes and hidden layers.
        n_layers: number of steps.
        self_edges: each particle also has an edge to itself, with the vector 0.
        edges_read_first: X is x and x^0; otherwise it is x.
        citation: of the publication.

    Raises:
        ConfigError: a value out of range; the message names it.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        one_hot: Tensor
        codes: Tensor
        node_encoder: Perceptron
        edge_encoder: Perceptron
        edge_network: Perceptron
        node_network: Perceptron
        decoder: Perceptron

    def __init__(
        self,
        species: Sequence[str],
        times: Sequence[float],
        cutoff: float,
        scalar_inputs: Sequence[str],
        length_unit: str,
        width: int,
        n_layers: int,
        self_edges: bool,
        edges_read_first: bool,
        citation: str,
        edge_outputs: Sequence[Output] = (),
    ) -> None:
        super().__init__(species, times, cutoff, scalar_inputs, length_unit)
        check_whole("width", width, 1, MOST_COLUMNS // 4)
        check_whole("n_layers", n_layers, 1, MOST_STEPS)
        check_at_most(15 * width**2, MOST_PARAMETERS, "parameters", f"width {width}")
        ops.load()
        self.rotation_invariant = False
        self.width = width
        self.self_edges = self_edges
        self.read_width = (2 if edges_read_first else 1) * width
        self.unit = self.cutoff / _PUBLISHED_CUTOFF
        self.edges_at_once = _EDGES_AT_ONCE
        self._add_perceptrons()
        self._add_scales()
        self.register_buffer("one_hot", torch.eye(self.n_species), persistent=False)
        columns = tuple(f"descriptor_{k}" for k in range(width))
        self._declare(
            state_widths=[(3 if self_edges else 2) * width + self.n_species] * (n_layers + 1),
            sent_widths=[self.read_width] * n_layers,
            edge_width=2 * width,
            outputs=(self.propensity_output(), Output("descriptors", columns, "[-]")),
            edge_outputs=edge_outputs,
            citations=(citation,),
        )

    def _add_perceptrons(self) -> None:
        width = self.width
        # As published, one number tells two species apart; of more, each has a column.
        codes = torch.eye(self.n_species)
        if self.n_species <= 2:
            codes = torch.arange(float(self.n_species)).unsqueeze(1)
        self.register_buffer("codes", codes, persistent=False)
        n_inputs = codes.shape[1] + len(self.scalar_inputs)
        self.node_encoder = Perceptron((n_inputs, width, width))
        self.edge_encoder = Perceptron((3, width, width))
        # Reads e, e^0, X of the receiver, X of the sender.
        self.edge_network = Perceptron((2 * width + 2 * self.read_width, width, width))
        # Reads the sum over edges, x, x^0.
        self.node_network = Perceptron((3 * width, width, width))
        self.decoder = Perceptron((width, width, width, self.n_times), rectify_last=False)

    @torch.jit.export
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        """Species int64 [n] and scalars [n, S] to [n, W]: x = x^0, and e of the edge to itself."""
        standardised = (scalars - self.scalar_mean) / self.scalar_scale
        first = self.node_encoder(torch.cat([self.codes[species], standardised], dim=1))
        parts = [first, first]
        if self.self_edges:
            parts.append(self._edge_codes(standardised.new_zeros(1, 3)).expand(len(species), -1))
        parts.append(self.one_hot[species])
        return torch.cat(parts, dim=1)

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        """Vectors [E, 3] [length] to e = e^0 and its part of the next layer: [E, 2 width]."""
        if torch.is_grad_enabled():
            codes = self._edge_codes(edge_vector)
            return torch.cat([codes, self._fixed(codes)], dim=1)
        # Block by block, so that hidden layers take little memory.
        n_edges = edge_vector.shape[0]
        edges = edge_vector.new_zeros(n_edges, 2 * self.width)
        for first in range(0, n_edges, self.edges_at_once):
            last = min(first + self.edges_at_once, n_edges)
            codes = self._edge_codes(edge_vector[first:last])
            edges[first:last, : self.width] = codes
            edges[first:last, self.width :] = self._fixed(codes)
        return edges

    def _edge_codes(self, edge_vector: Tensor) -> Tensor:
        # The publications take the vector from sender to receiver.
        return self.edge_encoder(-edge_vector / self.unit)

    def _fixed(self, codes: Tensor) -> Tensor:
        """What e^0 [E, width] contributes to the hidden layer of phi_e: [E, width]."""
        weight = self.edge_network.linears[0].weight
        return nn.functional.linear(codes, weight[:, self.width : 2 * self.width])

    @torch.jit.export
    def encode_all(
        self,
        species: Tensor,
        scalars: Tensor,
        edge_vector: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """As `GlassModel.encode_all`; for gradients, the halves of the edges stay apart.

        Returns:
            The final state [n, W] and the edges [E, 2 width].
        """
        state, edges = self.embed(species, scalars), self.embed_edges(edge_vector)
        memory, fixed = edges.split([self.width, self.width], 1)
        for _ in range(self.n_steps):
            state, memory = self._step(state, memory, fixed, sender, first_edge)
        if torch.is_grad_enabled():
            edges = torch.cat([memory, fixed], dim=1)
        return state, edges

    @torch.jit.export
    def advance(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> tuple[Tensor, Tensor]:
        """A step: state [n_all, W] and edges [E, 2 width] to those of the receivers."""
        memory, fixed = edges.split([self.width, self.width], 1)
        state, memory = self._step(state, memory, fixed, sender, first_edge)
        if torch.is_grad_enabled():
            edges = torch.cat([memory, fixed], dim=1)
        return state, edges

    def _step(
        self, state: Tensor, memory: Tensor, fixed: Tensor, sender: Tensor, first_edge: Tensor
    ) -> tuple[Tensor, Tensor]:
        """States and e to those of the receivers; without gradients, e is changed in place.

        Args:
            state: [n_all, W].
            memory: [E, width] e.
            fixed: [E, width] the part of the next layer from e^0.
            sender: int64 [E].
            first_edge: int64 [n + 1].
        """
        own, width = state[: first_edge.shape[0] - 1], self.width
        inner, outer = self.edge_network.linears[0], self.edge_network.linears[1]
        middle = 2 * width + self.read_width
        read = state[:, : self.read_width]
        of_receiver = nn.functional.linear(
            own[:, : self.read_width], inner.weight[:, 2 * width : middle], inner.bias
        )
        of_sender = nn.functional.linear(read, inner.weight[:, middle:])
        weight = inner.weight[:, :width]
        if torch.is_grad_enabled():
            memory, total = torch.ops.glassml.edge_update(
                memory, fixed, of_receiver, of_sender, sender, first_edge, weight, outer.weight,
                outer.bias,
            )  # fmt: skip
        else:
            total = torch.ops.glassml.edge_update_(
                memory, fixed, of_receiver, of_sender, sender, first_edge, weight, outer.weight,
                outer.bias,
            )  # fmt: skip
        rest = own[:, 2 * width :]
        if self.self_edges:
            known = of_receiver + of_sender[: own.shape[0]]
            code = self._renewed(own[:, 2 * width : 3 * width], known)
            total = total + code
            rest = torch.cat([code, own[:, 3 * width :]], dim=1)
        new = self.node_network(torch.cat([total, own[:, : 2 * width]], dim=1))
        return torch.cat([new, own[:, width : 2 * width], rest], dim=1), memory

    def _renewed(self, codes: Tensor, known: Tensor) -> Tensor:
        """Codes [n, width] of edges from particles to themselves after a step."""
        inner, outer = self.edge_network.linears[0], self.edge_network.linears[1]
        fixed = self._fixed(self._edge_codes(codes.new_zeros(1, 3)))
        hidden = nn.functional.linear(codes, inner.weight[:, : self.width]) + fixed + known
        return torch.relu(nn.functional.linear(torch.relu(hidden), outer.weight, outer.bias))

    @torch.jit.export
    def descriptors(self, state: Tensor) -> Tensor:
        """The last x: [n, width]."""
        return state[:, : self.width]

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        """Propensity [n, T] [length]."""
        species = state[:, -self.n_species :]
        values = self.decoder(state[:, : self.width])
        return values * (species @ self.label_scale) + species @ self.label_mean
