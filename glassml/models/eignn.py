"""EIGNN, the network of Jiang et al. that sees two structures of the same particles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from glassml.data import shift_names
from glassml.errors import ConfigError, not_one_of
from glassml.models.contract import Output
from glassml.models.limits import MOST_STEPS, WIDEST, check_whole
from glassml.models.registry import register
from glassml.models.standardised import StandardisedModel
from glassml.nn.eignn_layer import N_HARMONICS, EignnLayer, distances, harmonics_of, sums

__all__ = ["Eignn", "shift_inputs"]

_CITATION = (
    "X. Jiang, Z. Tian, K. Li, W. Hu, Enhancing the prediction of glass dynamics by incorporating "
    "the direction of deviation from equilibrium positions (2024)"
)

# The cutoff [sigma] of the publication. Lengths enter the network in units of half of it, so that
# they have the size of the published ones for any liquid and unit of length.
_PUBLISHED_CUTOFF = 2.0
_MEMORY = 7  # columns of an edge: the vector, the other distance, three gates


def shift_inputs(structure: str) -> tuple[str, ...]:
    """The scalar inputs of an EIGNN whose other structure is "inherent" or "cage"."""
    return (*shift_names(structure), "inherent_energy")


@register("eignn")
class Eignn(StandardisedModel):
    r"""EIGNN, which learns from where particles are and from where they vibrate about.

    The "equilibrium" position q_i of a particle is that in the inherent structure or its cage
    centre; the model reads it as the vector d_i = q_i - x_i. Particles i and j are joined if they
    are closer than ``graph_cutoff`` in either structure. With w_ij the vector between their
    equilibrium positions, each of seven layers computes

    .. math::
        g_{ij} = \phi(h_i, h_j, R_{ij}), \quad
        u_i \leftarrow \mathrm{mix}\Big(u_i \otimes \langle g_{ij} Y(v_{ij}) \rangle_j\Big), \quad
        h_i \leftarrow h_i + \langle \sigma(\ldots) \, \psi(h_j) \rangle_j

    with scalars h, one feature u of each order l = 0, 1, 2 that starts as Y(d_i), Bessel functions
    R of the lengths of v and w, and means over neighbours. Then h is normalised by its mean and
    variance over all particles of the present system (``statistics``).

    Predictions are the same for a rotated system, not for a mirror image.

    The published code gives predictions in units of the standard deviation within a configuration.
    Here the means and deviations of the training data make them lengths. Where the code and the
    paper differ, this is the code.

    Args:
        species: names of the species.
        times: times [time] at which the propensity is predicted.
        cutoff: largest thermal distance at which pairs are looked for [length]. It must exceed
            ``graph_cutoff`` by as much as particles approach each other in the other structure:
            pairs that are closer there, and farther apart than this now, are not seen.
        scalar_inputs: the vector d, ``inherent_shift_x``, ``_y`` and ``_z`` or those of ``cage``,
            and the energy of each particle in the inherent structure.
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.
        graph_cutoff: distance [length] below which particles are neighbours, in either structure.
        bessel_cutoff: range [length] of the Bessel functions.
        width: number of scalars h.
        n_layers: number of layers.
        statistics: "system", as published: h is normalised by the statistics of the present system,
            which takes a sum over all particles in each layer. "training": by those that were
            gathered during the training.

    Raises:
        ConfigError: a value out of range, or other scalar inputs; the message names it.
    """

    lengths = ("cutoff", "graph_cutoff", "bessel_cutoff")

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        one_hot: Tensor
        norm_mean: Tensor
        norm_square: Tensor
        layers: Sequence[EignnLayer]

    def __init__(
        self,
        species: Sequence[str] = ("A", "B"),
        times: Sequence[float] = (1.0,),
        cutoff: float = 3.1,
        scalar_inputs: Sequence[str] = shift_inputs("inherent"),
        length_unit: str = "lj",
        graph_cutoff: float = 2.0,
        bessel_cutoff: float = 2.5,
        width: int = 32,
        n_layers: int = 7,
        statistics: str = "system",
    ) -> None:
        super().__init__(species, times, cutoff, scalar_inputs, length_unit)
        _check(self.cutoff, graph_cutoff, bessel_cutoff, width, n_layers)
        _check_scalars([scalar.name for scalar in self.scalar_inputs])
        if statistics not in ("system", "training"):
            raise ConfigError(f"statistics: {not_one_of(statistics, ('system', 'training'))}")
        self.of_system = statistics == "system"
        self.width = width
        self.seen = width + N_HARMONICS  # columns of h and u, which come first in the state
        self.n_layers = n_layers
        self.unit = graph_cutoff / _PUBLISHED_CUTOFF
        self.near = graph_cutoff / self.unit
        self.reach = bessel_cutoff / self.unit
        self.encoder = nn.Linear(self.n_species + 2, width)
        self.layers = cast(Any, nn.ModuleList(EignnLayer(width) for _ in range(n_layers)))
        self.merge = nn.Linear(2 * width, width)
        self.last_message = nn.Linear(2 * width, width)
        self.mix = nn.Linear(width, width, bias=False)
        self.mix_norm: nn.Module = nn.BatchNorm1d(width)
        self.decoder = nn.Linear(width, self.n_species * self.n_times, bias=False)
        self._add_scales()
        self.register_buffer("one_hot", torch.eye(self.n_species), persistent=False)
        self.register_buffer("norm_mean", torch.zeros(n_layers, width))
        self.register_buffer("norm_square", torch.ones(n_layers, width))
        self._declare_widths()

    def _declare_widths(self) -> None:
        """State: h, u, d, h of the embedding, species; in the last step y, which replaces h."""
        width, vectors = self.width, self.seen
        state = vectors + 3 + width + self.n_species
        sums = 2 * width + 1 if self.of_system else 0
        columns = tuple(f"descriptor_{k}" for k in range(width))
        self._declare(
            state_widths=[state] * (2 * self.n_layers + 2),
            sent_widths=[vectors + 3, vectors, *[width, vectors] * (self.n_layers - 1), width],
            summed_widths=[0, 0, *[sums, 0] * self.n_layers],
            edge_width=_MEMORY,
            outputs=(self.propensity_output(), Output("descriptors", columns, "[-]")),
            citations=(_CITATION,),
        )

    @torch.jit.unused
    def set_scalar_scale(self, mean: Tensor, scale: Tensor) -> None:
        """Mean and scale [S] of the scalar inputs; only the energy, the last one, has its own."""
        self.scalar_mean[-1] = mean[-1]
        self.scalar_scale[-1] = scale[-1]

    @torch.jit.unused
    def trial_scalars(self, n: int, generator: torch.Generator) -> Tensor:
        """Vectors d of a tenth of the published cutoff, and energies: float64 [n, 4]."""
        values = torch.randn(n, 4, generator=generator, dtype=torch.float64)
        shifts = 0.1 * self.unit * values[:, :3]
        energy = values[:, 3:] * self.scalar_scale[-1] + self.scalar_mean[-1]
        return torch.cat([shifts, energy], dim=1)

    @torch.jit.unused
    def deploy(self) -> None:
        """Put the batch norms into the maps beside them."""
        for layer in self.layers:
            layer.deploy()
        self.mix = fuse_linear_bn_eval(self.mix, cast(nn.BatchNorm1d, self.mix_norm))
        self.mix_norm = nn.Identity()

    @torch.jit.export
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        """Species int64 [n] and scalars [n, 4] to the first state [n, W]."""
        shift = scalars[:, :3] / self.unit
        energy = (scalars[:, 3:] - self.scalar_mean[3:]) / self.scalar_scale[3:]
        distance = torch.linalg.vector_norm(shift, dim=1, keepdim=True)
        kind = self.one_hot[species]
        h = self.encoder(torch.cat([kind, energy, distance], dim=1))
        return torch.cat([h, harmonics_of(shift), shift, h, kind], dim=1)

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        """Vectors from sender to receiver, as published, and room for the first step: [E, 7]."""
        return nn.functional.pad(-edge_vector / self.unit, [0, 4])

    @torch.jit.export
    def encode_all(
        self,
        species: Tensor,
        scalars: Tensor,
        edge_vector: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """As `GlassModel.encode_all`, with what follows from the vectors computed once.

        Returns:
            The final state [n, W] and the edges [E, 7].
        """
        state = self.embed(species, scalars)
        edges = self._measured(state, self.embed_edges(edge_vector), sender, first_edge)
        graph = self._graph(edges, sender, first_edge)
        gates = graph[3][:, :3]
        for k in range(self.n_steps):
            state = self._settled(k, state)
            state, gates = self._half(k, state, gates, graph)
        return state, edges

    @torch.jit.export
    def advance(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The first or second half of a layer, or the last message: [n_all, W] to [n, W]."""
        if k == 0:
            edges = self._measured(state, edges, sender, first_edge)
        graph = self._graph(edges, sender, first_edge)
        gates = edges[:, 4:].index_select(0, graph[0])
        state, gates = self._half(k, state, gates, graph)
        if k % 2 == 0:
            gates = torch.zeros_like(edges[:, 4:]).index_add(0, graph[0], gates)
            edges = torch.cat([edges[:, :4], gates], dim=1)
        return state, edges

    def _graph(self, edges: Tensor, sender: Tensor, first_edge: Tensor) -> list[Tensor]:
        """The pairs that are near in one of the structures.

        Returns:
            Their numbers among the edges, senders and receivers int64 [E'], functions of the
            distances [E', 17], harmonics [E', 9], and for each particle 1 over the number of its
            neighbours [n, 1], 0 without any.
        """
        kept = torch.nonzero(edges[:, 3] >= 0)[:, 0]
        receiver = torch.repeat_interleave(first_edge[1:] - first_edge[:-1]).index_select(0, kept)
        near = edges[:, :4].index_select(0, kept)
        number = near.new_zeros(first_edge.shape[0] - 1)
        number = number.index_add(0, receiver, torch.ones_like(near[:, 0]))
        share = torch.where(number > 0, 1 / number.clamp_min(1.0), 0.0).unsqueeze(1)
        sender = sender.index_select(0, kept)
        radial = distances(near, self.reach)
        return [kept, sender, receiver, radial, harmonics_of(near[:, :3]), share]

    def _half(
        self, k: int, state: Tensor, gates: Tensor, graph: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Half of a layer, or the last message.

        Args:
            k: number of the step.
            state: [n_all, W].
            gates: [E', 3] of the first half of the present layer.
            graph: see `_graph`.

        Returns:
            The state [n, W] and the gates.
        """
        share, width = graph[5], self.width
        own = state[: share.shape[0]]
        h, u = state[:, :width], state[:, width : self.seen]
        if k == 2 * self.n_layers:
            near = sums(h.index_select(0, graph[1]), graph[2], share) * share
            return self._answered(own, near, share), gates
        for l, layer in enumerate(self.layers):  # TorchScript cannot index modules by a number
            if k == 2 * l:
                h, u, gates = layer.first(h, u, graph)
            elif k == 2 * l + 1:
                h, u = layer.second(h, u, gates, graph)
        own = torch.cat([h, u, own[:, self.seen :]], dim=1)
        if k % 2 == 1 and not self.of_system:
            own = self._settled_by_training(k // 2, own)
        return own, gates

    def _measured(self, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor) -> Tensor:
        """Adds the distance |w| in the other structure; -1 if a pair is near in neither."""
        shift = state[:, self.seen : self.seen + 3]
        v, receiver = edges[:, :3], torch.repeat_interleave(first_edge[1:] - first_edge[:-1])
        w = torch.linalg.vector_norm(
            v + shift.index_select(0, receiver) - shift.index_select(0, sender), dim=1
        )
        near = (w < self.near) | (torch.linalg.vector_norm(v, dim=1) < self.near)
        other = torch.where(near, w, -torch.ones_like(w)).unsqueeze(1)
        return torch.cat([v, other, edges[:, 4:]], dim=1)

    @torch.jit.export
    def summands(self, k: int, state: Tensor) -> Tensor:
        """h, its square and 1 of each particle: float64 [n, 2 width + 1]."""
        h = state[:, : self.width].to(torch.float64)
        return torch.cat([h, h * h, torch.ones_like(h[:, :1])], dim=1)

    @torch.jit.export
    def settle(self, k: int, state: Tensor, sums: Tensor) -> Tensor:
        """The state [n, W] after a layer, with h normalised over the whole system."""
        mean = sums[: self.width] / sums[-1]
        square = sums[self.width : 2 * self.width] / sums[-1]
        return self._normalised(k // 2 - 1, state, mean, square)

    def _settled_by_training(self, l: int, state: Tensor) -> Tensor:
        """The same with the statistics of the training, which a training gathers."""
        if not self.training:
            return self._normalised(l, state, self.norm_mean[l], self.norm_square[l])
        h = state[:, : self.width]
        return self._normalised(l, state, h.mean(dim=0), h.square().mean(dim=0))

    def _normalised(self, l: int, state: Tensor, mean: Tensor, square: Tensor) -> Tensor:
        """GraphNorm of layer l; after the last layer h is also joined with its first value.

        Args:
            l: number of the layer.
            state: [n, W].
            mean: [width] of h.
            square: [width] mean of its squares.
        """
        if self.training:  # running means over configurations
            self.norm_mean[l].mul_(0.9).add_(0.1 * mean.detach().to(self.norm_mean.dtype))
            self.norm_square[l].mul_(0.9).add_(0.1 * square.detach().to(self.norm_mean.dtype))
        h = state[:, : self.width]
        for m, layer in enumerate(self.layers):
            if m == l:
                h = layer.graph_norm(h, mean, square)
        if l == self.n_layers - 1:
            code = state[:, self.seen + 3 : self.seen + 3 + self.width]
            h = nn.functional.silu(self.merge(torch.cat([code, h], dim=1)))
        return torch.cat([h, state[:, self.width :]], dim=1)

    def _answered(self, own: Tensor, near: Tensor, share: Tensor) -> Tensor:
        """The last message and the hidden layer of the decoder, in place of h.

        Args:
            own: [n, W] state.
            near: [n, width] mean y of the neighbours.
            share: [n, 1] see `_graph`.
        """
        y = own[:, : self.width]
        message = self.last_message(torch.cat([y, near - y], dim=1))
        message = message * (share > 0).to(y.dtype)
        hidden = torch.relu(self.mix_norm(self.mix(message)))
        return torch.cat([hidden, own[:, self.width :]], dim=1)

    @torch.jit.export
    def descriptors(self, state: Tensor) -> Tensor:
        """The hidden layer of the decoder: [n, width]."""
        return state[:, : self.width]

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        """Propensity [n, T] [length]: the columns of each particle's own species."""
        kind = state[:, -self.n_species :]
        values = self.decoder(state[:, : self.width])
        values = values.reshape(state.shape[0], self.n_species, self.n_times)
        values = (values * kind.unsqueeze(2)).sum(dim=1)
        return values * (kind @ self.label_scale) + kind @ self.label_mean


def _check_scalars(names: Sequence[str]) -> None:
    if tuple(names) in (shift_inputs("inherent"), shift_inputs("cage")):
        return
    expected = ", ".join(shift_inputs("inherent"))
    raise ConfigError(
        f"scalar_inputs: expected {expected}, or the same with cage_shift (data.scalars in a "
        f"configuration of a training); found {', '.join(names) or 'none'}"
    )


def _check(
    cutoff: float, graph_cutoff: float, bessel_cutoff: float, width: int, n_layers: int
) -> None:
    if not 0 < graph_cutoff <= cutoff:
        raise ConfigError(
            f"graph_cutoff: expected a positive length of at most the cutoff {cutoff:g}; found "
            f"{graph_cutoff}"
        )
    if not 0 < bessel_cutoff <= cutoff:
        raise ConfigError(
            f"bessel_cutoff: expected a positive length of at most the cutoff {cutoff:g}; found "
            f"{bessel_cutoff}"
        )
    check_whole("width", width, 1, WIDEST)
    check_whole("n_layers", n_layers, 1, (MOST_STEPS - 1) // 2)
