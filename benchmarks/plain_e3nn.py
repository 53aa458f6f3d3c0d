"""The same network written with e3nn alone: what one would write without glassml.

Every layer is e3nn's tensor product with a weight an edge (`o3.TensorProduct`, "uvu"), a sum over
neighbours, `o3.Linear`, e3nn's batch norm and a residual. Weights are taken from a `SE3GNN`, so
that both give the same values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from e3nn import o3
from e3nn.nn import BatchNorm
from torch import Tensor, nn

from benchmarks.systems import Inputs
from glassml.models import SE3GNN
from glassml.nn import EquivariantBatchNorm, EquivariantConvolution, channel_irreps
from glassml.nn.ops import convolution_paths

__all__ = ["PlainE3NN", "plain_prediction"]


class PlainE3NN(nn.Module):
    """The SE(3)-GNN in plain e3nn, with copies of the weights of a `SE3GNN`.

    Args:
        model: on the CPU, with the Bessel basis and without smooth cutoff.
    """

    label_mean: Tensor
    label_scale: Tensor
    scalar_mean: Tensor
    scalar_scale: Tensor

    def __init__(self, model: SE3GNN) -> None:
        super().__init__()
        # e3nn rounds its Clebsch-Gordan coefficients to torch's current default type.
        with _default_dtype(next(model.parameters()).dtype):
            self._build(model)

    def _build(self, model: SE3GNN) -> None:
        self.l_max, self.channels, self.n_inputs = model.l_max, model.channels, model.n_inputs
        self.cutoff, self.n_basis = model.cutoff, model.basis.size
        self.n_species, self.n_times = model.n_species, model.n_times
        self.irreps_sh = o3.Irreps.spherical_harmonics(model.l_max, p=1)
        self.layers = nn.ModuleList(_Layer(model, k) for k in range(model.n_layers))
        self.decoder = nn.Linear((model.l_max + 1) * model.channels, self.n_species * self.n_times)
        self.decoder.load_state_dict(model.decoder.state_dict())
        for name in ("label_mean", "label_scale", "scalar_mean", "scalar_scale"):
            self.register_buffer(name, getattr(model, name).clone())

    def forward(
        self,
        species: Tensor,
        scalars: Tensor,
        edge_vector: Tensor,
        sender: Tensor,
        first_edge: Tensor,
        chunk: int | None = None,
    ) -> Tensor:
        """The propensity [n, T].

        Args:
            species: int64 [n].
            scalars: [n, S].
            edge_vector: [E, 3].
            sender: int64 [E].
            first_edge: int64 [n + 1].
            chunk: receivers that a layer treats at once, None for all. e3nn holds all products of
                the edges in memory; in evaluation the result does not depend on this.
        """
        n = species.shape[0]
        one_hot = nn.functional.one_hot(species, self.n_species).to(scalars.dtype)
        inputs = torch.cat([one_hot, (scalars - self.scalar_mean) / self.scalar_scale], dim=1)
        r = torch.linalg.vector_norm(edge_vector, dim=1)
        order = torch.arange(1, self.n_basis + 1, dtype=r.dtype, device=r.device)
        phase = torch.pi * order * r[:, None] / self.cutoff
        basis = (2 / self.cutoff) ** 0.5 * torch.sin(phase) / r[:, None]
        sh = o3.spherical_harmonics(self.irreps_sh, edge_vector, True, normalization="component")
        features = inputs.new_zeros(n, 0)
        for k, layer in enumerate(self.layers):
            state = torch.cat([features, inputs], dim=1)
            new = layer(state, sh, basis, sender, first_edge, chunk or n)
            features = new if k == 0 else new + features
        return self._decode(features, one_hot)

    def _decode(self, features: Tensor, one_hot: Tensor) -> Tensor:
        """Features in e3nn's order to the propensity [n, T]."""
        parts, start, c = [features[:, : self.channels]], self.channels, self.channels
        for l in range(1, self.l_max + 1):
            block = features[:, start : start + (2 * l + 1) * c].reshape(-1, c, 2 * l + 1)
            parts.append(torch.linalg.vector_norm(block, dim=2))
            start += (2 * l + 1) * c
        decoded = self.decoder(torch.cat(parts, dim=1)).reshape(-1, self.n_species, self.n_times)
        return ((decoded * self.label_scale + self.label_mean) * one_hot[:, :, None]).sum(dim=1)


class _Layer(nn.Module):
    """One convolution with its batch norm.

    Args:
        model: where the weights come from.
        k: number of the layer.
    """

    def __init__(self, model: SE3GNN, k: int) -> None:
        super().__init__()
        source = cast(EquivariantConvolution, model.convolutions[k])
        norm = cast(EquivariantBatchNorm, model.norms[k])
        l_max, channels = model.l_max, model.channels
        hidden = source.l_in + 1  # number of orders of the incoming features, 0 at the first layer
        slots = [(channels, (l, 1)) for l in range(hidden)] + [(model.n_inputs, (0, 1))]
        paths = convolution_paths(source.l_in, l_max)
        # (l_O, slot of the features, l_F), weights in glassml's order: paths, then the inputs
        weighted = paths + [(l, hidden, l) for l in range(l_max + 1)]
        middle = sorted(range(len(weighted)), key=lambda i: (weighted[i][0], i))
        place = {i: slot for slot, i in enumerate(middle)}
        irreps_middle = [(slots[weighted[i][1]][0], (weighted[i][0], 1)) for i in middle]
        self.product = o3.TensorProduct(
            o3.Irreps(slots),
            o3.Irreps.spherical_harmonics(l_max, p=1),
            o3.Irreps(irreps_middle),
            [(slot, l_F, place[i], "uvu", True) for i, (_, slot, l_F) in enumerate(weighted)],
            path_normalization="none",
            shared_weights=False,
            internal_weights=False,
        )
        irreps = o3.Irreps(channel_irreps(l_max, channels))
        self.linear = o3.Linear(o3.Irreps(irreps_middle).simplify(), irreps)
        self.norm = BatchNorm(irreps, momentum=norm.momentum)
        width, n_weights = model.basis.size, self.product.weight_numel
        n_hidden = cast(nn.Linear, source.radial.layers[0]).out_features
        self.radial = nn.Sequential(
            nn.Linear(width, n_hidden),
            nn.ReLU(),
            nn.BatchNorm1d(n_hidden),
            nn.Dropout(cast(nn.Dropout, source.radial.layers[3]).p),
            nn.Linear(n_hidden, n_weights),
            nn.ReLU(),
        )
        self._copy(source, norm)

    def _copy(self, source: EquivariantConvolution, norm: EquivariantBatchNorm) -> None:
        self.radial.load_state_dict(source.radial.layers.state_dict())
        own = self.norm.state_dict()
        self.norm.load_state_dict({name: norm.state_dict()[name] for name in own})
        mixing = torch.cat([weight.detach().reshape(-1) for weight in source.mixing])
        self.linear.weight.data.copy_(mixing)

    def forward(
        self,
        state: Tensor,
        sh: Tensor,
        basis: Tensor,
        sender: Tensor,
        first_edge: Tensor,
        chunk: int,
    ) -> Tensor:
        """New features [n, (l_max + 1)^2 C] in e3nn's order."""
        n = first_edge.shape[0] - 1
        receiver = torch.arange(n, device=sender.device).repeat_interleave(first_edge.diff())
        sums = []
        for start in range(0, n, chunk):
            stop = min(start + chunk, n)
            edges = slice(int(first_edge[start]), int(first_edge[stop]))
            message = self.product(state[sender[edges]], sh[edges], self.radial(basis[edges]))
            zeros = message.new_zeros(stop - start, message.shape[1])
            sums.append(zeros.index_add(0, receiver[edges] - start, message))
        return self.norm(self.linear(torch.cat(sums)))


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def plain_prediction(plain: PlainE3NN, inputs: Inputs, chunk: int) -> Tensor:
    """The propensity [n, T] in evaluation mode and without gradients."""
    with torch.inference_mode():
        return plain.eval()(*inputs, chunk=chunk)
