"""The SE(3)-equivariant graph neural network of Pezzicoli, Charpiat and Landes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from glassml.errors import ConfigError
from glassml.models.contract import Output, Redecoded
from glassml.models.limits import (
    MOST_COLUMNS,
    MOST_KNOTS,
    MOST_PARAMETERS,
    MOST_STEPS,
    WIDEST,
    check_at_most,
    check_whole,
)
from glassml.models.registry import build, register
from glassml.models.standardised import StandardisedModel
from glassml.nn import (
    EquivariantBatchNorm,
    EquivariantConvolution,
    Gate,
    NoGate,
    RadialBasis,
    TableKnots,
    channel_irreps,
    invariants,
    to_irreps_order,
)
from glassml.nn.ops import LARGEST_L, n_radial, output_columns
from glassml.nn.radial import even_knots, kink_knots, polynomial_cutoff

__all__ = ["SE3GNN"]

_CITATION = (
    "F. S. Pezzicoli, G. Charpiat, F. P. Landes, Rotation-equivariant graph neural networks for "
    "learning glassy liquids representations, SciPost Phys. 16, 136 (2024)"
)


@register("se3gnn", l_max=2, n_layers=6, dropout=0.0, radial_table=513, batchnorm_momentum=0.1)
@register("se3gnn-v1", channels=4, dropout=0.5, decoder_per_species=False)
@register("se3gnn-v2", channels=8, dropout=0.3)
class SE3GNN(StandardisedModel):
    """The SE(3)-equivariant graph neural network, SE(3)-GNN.

    F. S. Pezzicoli, G. Charpiat, F. P. Landes, SciPost Phys. 16, 136 (2024).

    Every layer convolves the node features and the node inputs (one-hot species, scalars) with
    learned filters and normalises the result; from the second layer on it is added to the features.
    The propensity is linear in the invariants of the last features, with one linear map per species
    and time. State: features [(l_max + 1)^2 C], then the node inputs.

    Presets: ``se3gnn`` (smaller and without dropout, the default of training), ``se3gnn-v2``
    (8 channels, dropout 0.3, one decoder per species) and ``se3gnn-v1`` (the first, smaller
    version: 4 channels, dropout 0.5, one decoder for all species). In the publication
    ``se3gnn-v1`` was trained on A particles only; for this set
    ``training.species_weight: {B: 0}``, which is not part of the preset.

    Args:
        species: names of the species.
        times: times [time] at which the propensity is predicted.
        cutoff: r_c [length] (published: 2.0 sigma).
        scalar_inputs: names of per-particle scalars, e.g. ``("potential_energy",)``.
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.
        l_max: highest rotational order.
        channels: channels C of every order.
        n_layers: number of convolutions.
        radial_basis: ``bessel`` or ``gaussian``.
        radial_basis_size: number of radial functions N_b.
        radial_unit: unit of length of the ``bessel`` functions [length] (published: 1 sigma).
        radial_hidden: hidden width of the radial networks.
        dropout: dropout probability inside the radial networks.
        smooth_cutoff: multiply the filters by a factor that vanishes smoothly at r_c, so that
            outputs are continuous in time (not published; off by default).
        batchnorm_momentum: weight of the newest batch in running statistics (e3nn's convention).
        decoder_per_species: one linear decoder per species and time; otherwise one per time.
        decode_scalars: the decoder also reads the particle's own scalar inputs, which then are
            descriptors too. Otherwise they reach it through its neighbours only, as every layer is
            a sum over neighbours (not published; off by default).
        gate_hidden: after every layer, multiply each particle's features by a function of their
            invariants and of its inputs, a network with a hidden layer of this width (`Gate`). 0,
            the default, for none, as published; 32 is enough.
        radial_table: number of distances in [0, r_c] at which the radial networks are evaluated and
            interpolated, instead of on every edge: faster, with much less memory. Needs
            ``dropout=0``.

    Raises:
        ConfigError: a value out of range; the message names it.
    """

    lengths = ("cutoff", "radial_unit")

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        one_hot: Tensor
        irreps_order: Tensor

    def __init__(
        self,
        species: Sequence[str] = ("A", "B"),
        times: Sequence[float] = (1.0,),
        cutoff: float = 2.0,
        scalar_inputs: Sequence[str] = (),
        length_unit: str = "lj",
        l_max: int = 3,
        channels: int = 8,
        n_layers: int = 8,
        radial_basis: str = "bessel",
        radial_basis_size: int = 10,
        radial_unit: float = 1.0,
        radial_hidden: int = 16,
        dropout: float = 0.3,
        smooth_cutoff: bool = False,
        batchnorm_momentum: float = 0.5,
        decoder_per_species: bool = True,
        decode_scalars: bool = False,
        gate_hidden: int = 0,
        radial_table: int | None = None,
    ) -> None:
        super().__init__(species, times, cutoff, scalar_inputs, length_unit)
        _check_sizes(l_max, channels, n_layers, radial_basis_size, radial_hidden, gate_hidden)
        _check_weights(dropout, batchnorm_momentum)
        _check_table(radial_table, dropout)
        self.l_max = l_max
        self.channels = channels
        self.n_layers = n_layers
        self.smooth_cutoff = smooth_cutoff
        self.decode_scalars = decode_scalars
        self.tabulated = radial_table is not None
        self.has_radial_networks = True
        self.trained_knots = radial_table
        self.n_features = (l_max + 1) ** 2 * channels
        self.basis = RadialBasis(radial_basis, radial_basis_size, self.cutoff, radial_unit)
        self._add_layers(radial_hidden, dropout, batchnorm_momentum, radial_table, gate_hidden)
        self.n_decoders = self.n_species if decoder_per_species else 1
        n_descriptors = (l_max + 1) * channels + (len(scalar_inputs) if decode_scalars else 0)
        self.decoder = nn.Linear(n_descriptors, self.n_decoders * self.n_times)
        self._add_scales()
        # Constants, so they need not be saved with the parameters.
        self.register_buffer("one_hot", torch.eye(self.n_species), persistent=False)
        order = to_irreps_order(l_max, channels)
        self.register_buffer("irreps_order", order, persistent=False)
        self._declare(
            state_widths=(self.n_inputs, *[self.n_features + self.n_inputs] * n_layers),
            outputs=(self.propensity_output(), *self._feature_outputs()),
            citations=(_CITATION,),
        )

    def _feature_outputs(self) -> tuple[Output, Output]:
        orders, channels = range(self.l_max + 1), range(self.channels)
        scalar = tuple(f"descriptor_l={l}_c={c}" for l in orders for c in channels)
        if self.decode_scalars:
            scalar += tuple(one.name for one in self.scalar_inputs)
        full = tuple(
            f"feature_l={l}_c={c}_m={m}" for l in orders for c in channels for m in range(-l, l + 1)
        )
        irreps = channel_irreps(self.l_max, self.channels)
        return (
            Output("descriptors", scalar, "[-]"),
            Output("equivariant", full, "[-]", irreps=irreps),
        )

    def _add_layers(
        self,
        hidden: int,
        dropout: float,
        momentum: float,
        radial_table: int | None,
        gate_hidden: int,
    ) -> None:
        settings: dict[str, Any] = {
            "l_max": self.l_max,
            "channels": self.channels,
            "n_inputs": self.n_inputs,
            "basis_size": self.basis.size,
            "hidden": hidden,
            "dropout": dropout,
            "table": None,
        }
        if radial_table is not None:
            knots = even_knots(self.cutoff, radial_table).to(torch.get_default_dtype())
            settings["table"] = TableKnots(self.basis, knots, self.smooth_cutoff, False)
        degrees = [self.l_max if k else -1 for k in range(self.n_layers)]
        self.convolutions = nn.ModuleList(
            EquivariantConvolution(l_in=l_in, **settings) for l_in in degrees
        )
        self.norms = nn.ModuleList(
            EquivariantBatchNorm(self.l_max, self.channels, momentum) for _ in range(self.n_layers)
        )
        self.gates = nn.ModuleList(
            Gate(self.l_max, self.channels, self.n_inputs, gate_hidden) if gate_hidden else NoGate()
            for _ in range(self.n_layers)
        )

    @torch.jit.unused
    def bake(self, n_knots: int) -> None:
        """Replace the radial networks by tables; needs float64 and evaluation mode."""
        if self.tabulated:  # a table that was trained is kept
            return
        even = even_knots(self.cutoff, n_knots)
        for layer in cast(list[EquivariantConvolution], list(self.convolutions)):
            knots = torch.cat([even, kink_knots(self.basis, layer.radial)]).sort().values
            layer.table = TableKnots(self.basis, knots, self.smooth_cutoff, balanced=True)
        self.tabulated = True

    @torch.jit.unused
    def deploy(self) -> None:
        """Merge batch norms into the linear maps around them; an offset remains in each layer."""
        for k, layer in enumerate(cast(list[EquivariantConvolution], list(self.convolutions))):
            factor, self.norms[k] = cast(EquivariantBatchNorm, self.norms[k]).deployed()
            self.convolutions[k] = layer.deployed(factor)

    @torch.jit.unused
    def redecoded(self, times: Sequence[float], weight: Tensor, bias: Tensor) -> Redecoded:
        """The parts that decode: linear maps, [species, T, D] and [species, T]."""
        changed = {"times": tuple(times), "decoder_per_species": True}
        model = cast(SE3GNN, build(self.name, **{**self.hyperparameters, **changed}))
        model.to(torch.float64)
        with torch.no_grad():
            model.decoder.weight.copy_(weight.reshape(-1, weight.shape[-1]))
            model.decoder.bias.copy_(bias.reshape(-1))
        parts = ("decoder.weight", "decoder.bias", "label_mean", "label_scale")
        return Redecoded(model, (*parts, "n_times", "n_decoders"))

    @torch.jit.export
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        """Node inputs: species int64 [n] and scalars [n, S] to [n, species + S]."""
        standardised = (scalars - self.scalar_mean) / self.scalar_scale
        return torch.cat([self.one_hot[species], standardised], dim=1)

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        """The vectors, then unless there are tables radial basis and smooth cutoff: [E, F]."""
        if self.tabulated:
            return edge_vector
        r = torch.linalg.vector_norm(edge_vector, dim=1)
        parts = [edge_vector, self.basis(r)]
        if self.smooth_cutoff:
            parts.append(polynomial_cutoff(r, self.cutoff).unsqueeze(1))
        return torch.cat(parts, dim=1)

    @torch.jit.export
    def step(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """Layer k for the receivers: [n_all, W_k] to [n, W_(k+1)]."""
        n = first_edge.shape[0] - 1
        # Where there are no ghosts, without a slice: its gradient would be a copy.
        own = state if state.shape[0] == n else state[:n]
        result = own
        # TorchScript cannot index a ModuleList by a variable, so it unrolls this loop.
        for i, (convolution, norm, gate) in enumerate(
            zip(self.convolutions, self.norms, self.gates)  # noqa: B905
        ):
            if i == k:
                new = norm(convolution(state, edges, sender, first_edge))
                if i == 0:
                    result = torch.cat([new, own], dim=1)
                elif self.training:
                    result = own + nn.functional.pad(new, (0, self.n_inputs))
                else:  # with less memory, but a gradient that costs more
                    result = own.clone(memory_format=torch.contiguous_format)
                    result[:, : self.n_features] += new
                result = gate(result)
        return result

    @torch.jit.export
    def descriptors(self, state: Tensor) -> Tensor:
        """Rotation-invariant descriptors [n, (l_max + 1) C], l slowest, then decoded scalars."""
        result = invariants(state[:, : self.n_features], self.l_max, self.channels)
        if self.decode_scalars:  # standardised, as everything that the layers see
            result = torch.cat([result, state[:, self.n_features + self.n_species :]], dim=1)
        return result

    @torch.jit.export
    def equivariant(self, state: Tensor) -> Tensor:
        """Equivariant features [n, (l_max + 1)^2 C] in e3nn's order of irreps."""
        return state[:, self.irreps_order]

    def standardised(self, state: Tensor) -> Tensor:
        """Decoded values of every species' decoder before scaling: [n, species, T]."""
        decoded = self.decoder(self.descriptors(state))
        decoded = decoded.reshape(state.shape[0], self.n_decoders, self.n_times)
        return decoded.expand(-1, self.n_species, -1)

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        """Propensity [n, T] [length]: the decoder of each particle's own species."""
        values = self.standardised(state) * self.label_scale + self.label_mean
        inputs = state[:, self.n_features : self.n_features + self.n_species]
        return (values * inputs.unsqueeze(2)).sum(dim=1)


def _check_sizes(
    l_max: int,
    channels: int,
    n_layers: int,
    radial_basis_size: int,
    radial_hidden: int,
    gate_hidden: int,
) -> None:
    for name, value, low, high in (
        ("l_max", l_max, 0, LARGEST_L),
        ("channels", channels, 1, MOST_COLUMNS),
        ("n_layers", n_layers, 1, MOST_STEPS),
        ("radial_basis_size", radial_basis_size, 1, WIDEST),
        ("radial_hidden", radial_hidden, 1, WIDEST),
        ("gate_hidden", gate_hidden, 0, WIDEST),
    ):
        check_whole(name, value, low, high)
    cause = f"channels {channels}, l_max {l_max}"
    columns = (l_max + 1) ** 2 * channels
    check_at_most(columns, MOST_COLUMNS, "columns in the state of a particle", cause)
    first, further = (
        n_radial(l_in, l_max, channels, 0) * (radial_hidden + 1)
        + sum(output_columns(l_in, l_max, channels, 0)) * channels
        + (gate_hidden * (l_max + 1) * channels * 2)
        for l_in in (-1, l_max)
    )
    cause += f", n_layers {n_layers}, radial_hidden {radial_hidden}, gate_hidden {gate_hidden}"
    check_at_most(first + (n_layers - 1) * further, MOST_PARAMETERS, "parameters", cause)


def _check_weights(dropout: float, momentum: float) -> None:
    if not 0 <= dropout < 1:
        raise ConfigError(f"dropout: expected a probability in [0, 1); found {dropout}")
    if not 0 < momentum <= 1:
        raise ConfigError(f"batchnorm_momentum: expected a weight in (0, 1]; found {momentum}")


def _check_table(radial_table: int | None, dropout: float) -> None:
    if radial_table is None:
        return
    check_whole("radial_table", radial_table, 2, MOST_KNOTS)
    if dropout > 0:
        raise ConfigError(
            f"dropout: expected 0 with radial_table, where networks do not run on edges; found "
            f"{dropout}. Set dropout to 0 or radial_table to null"
        )
