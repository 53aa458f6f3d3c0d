"""The convolution in plain PyTorch, on any device: the definition of the native operator.

Differentiable in every argument, but slower than the native operator; autograd stores a few tensors
for every edge and path.
"""
# ruff: noqa: N806 (the paper's capital indices)

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor

from glassml.errors import InputError
from glassml.nn.ops.paths import (
    LARGEST_L,
    clebsch_gordan,
    convolution_paths,
    n_radial,
    output_columns,
    state_width,
)

__all__ = [
    "Sums",
    "equivariant_convolution",
    "interpolate",
    "locate",
    "neighbour_sums",
    "spherical_harmonics",
    "tabulated_convolution",
]

# Arguments and result of `neighbour_sums`.
Sums = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int, int, int], list[Tensor]]


def equivariant_convolution(
    state: Tensor,
    edge_vector: Tensor,
    radial: Tensor,
    sender: Tensor,
    first_edge: Tensor,
    l_in: int,
    l_max: int,
    channels: int,
    mixing: Tensor | None = None,
    sums: Sums | None = None,
) -> Tensor:
    r"""Equivariant sum of messages over the neighbours of every receiver.

    For a path (l_O, l_I, l_F), C channels c and the edges e of receiver i, this is

    .. math:: \sqrt{2 l_O + 1} \sum_{e, m_I, m_F} w^{m_I m_F m_O} R_{e,c} Y_{e, m_F} h_{j(e) m_I c}

    with Wigner 3j symbols w, radial weights R, spherical harmonics Y and features h: the
    convolution of Pezzicoli, Charpiat and Landes, SciPost Phys. 16, 136 (2024). Plain scalars take
    part as features of degree 0. Y are e3nn's, of the edge's direction and with "component"
    normalisation; an edge of length zero has Y = 1 for degree 0 and zeros otherwise.

    Args:
        state: [n_all, (l_in + 1)^2 C + n_in], hidden features [(l, m)][channel], then n_in plain
            scalars. Local particles come first.
        edge_vector: [E, 3] x_j - x_i [length].
        radial: [E, n_radial] weights: C for each path of `convolution_paths`, then n_in for each
            degree 0..l_max.
        sender: int64 [E], rows of ``state``.
        first_edge: int64 [n_local + 1]; receiver i has edges first_edge[i] to first_edge[i+1] - 1.
        l_in: largest degree of the hidden features; -1 for none.
        l_max: largest degree of the spherical harmonics and of the result, at most 11.
        channels: C.
        mixing: [sum over l_O of K, D], for each l_O = 0..l_max a matrix [K, D] by which the columns
            of that block of the result are multiplied, one below the other.
        sums: function for the sum over neighbours, by default `neighbour_sums`. Not an argument of
            the registered operator.

    Returns:
        [n_local, sum over l_O of (2 l_O + 1) K], for each l_O a block [m_O][K] with K columns: the
        paths of that l_O in order, C each, then the n_in scalars. With ``mixing``
        [n_local, (l_max + 1)^2 D], in the layout [(l, m)][D] that ``state`` has.

    Raises:
        InputError: shapes, dtypes or devices do not fit together.
    """
    with _errors_of("equivariant_convolution"):
        tensors = {"state": state, "edge_vector": edge_vector, "radial": radial}
        _check_tensors(tensors, mixing, sender, first_edge)
        n_in = _check_sizes(state, edge_vector, mixing, sender, first_edge, l_in, l_max, channels)
        _check_columns("radial", radial, "edges", len(sender), l_in, l_max, channels, n_in)
    return _convolve(
        state, edge_vector, radial, sender, first_edge, l_in, l_max, channels, mixing, sums
    )


def tabulated_convolution(
    state: Tensor,
    edge_vector: Tensor,
    knots: Tensor,
    table: Tensor,
    sender: Tensor,
    first_edge: Tensor,
    l_in: int,
    l_max: int,
    channels: int,
    rectify: bool,
    mixing: Tensor | None = None,
    sums: Sums | None = None,
) -> Tensor:
    """`equivariant_convolution` with radial weights that are piecewise linear functions of r.

    Args:
        state: as for `equivariant_convolution`, like all arguments that are not named here.
        edge_vector: likewise; outside the range of the knots, weights are those at its ends.
        knots: [K] sorted distances [length], at least two; two equal ones are a discontinuity.
        table: [K, n_radial] weights at the knots.
        sender: likewise.
        first_edge: likewise.
        l_in: likewise.
        l_max: likewise.
        channels: likewise.
        rectify: set negative interpolated weights to 0. A network that ends in a ReLU is tabulated
            before it, so that the kinks of the ReLU are exact.
        mixing: likewise.
        sums: likewise.

    Raises:
        InputError: shapes, dtypes or devices do not fit together.
    """
    with _errors_of("tabulated_convolution"):
        tensors = {"state": state, "edge_vector": edge_vector, "knots": knots, "table": table}
        _check_tensors(tensors, mixing, sender, first_edge)
        n_in = _check_sizes(state, edge_vector, mixing, sender, first_edge, l_in, l_max, channels)
        n_knots = knots.shape[0]
        if n_knots < 2:
            raise InputError(f"knots: expected 2 entries or more; found {n_knots}")
        _check_columns("table", table, "knots", n_knots, l_in, l_max, channels, n_in)
    weights = interpolate(torch.linalg.vector_norm(edge_vector, dim=1), knots, table)
    radial = weights.relu() if rectify else weights
    return _convolve(
        state, edge_vector, radial, sender, first_edge, l_in, l_max, channels, mixing, sums
    )


def locate(r: Tensor, knots: Tensor) -> tuple[Tensor, Tensor]:
    """The interval of each distance, int64 [E], and the position in it, in [0, 1], [E]."""
    last = torch.searchsorted(knots, r.contiguous(), right=True) - 1
    interval = last.clamp(0, knots.shape[0] - 2)
    low = knots[interval]
    width = knots[interval + 1] - low
    inside = ((r - low) / width).clamp(0, 1)
    return interval, torch.where(width > 0, inside, torch.zeros_like(inside))


def interpolate(r: Tensor, knots: Tensor, table: Tensor) -> Tensor:
    """Rows of ``table`` [K, P] at the distances r [E], linear between the knots: [E, P]."""
    interval, fraction = locate(r, knots)
    t = fraction.unsqueeze(1)
    return table[interval] * (1 - t) + table[interval + 1] * t


def _convolve(
    state: Tensor,
    edge_vector: Tensor,
    radial: Tensor,
    sender: Tensor,
    first_edge: Tensor,
    l_in: int,
    l_max: int,
    channels: int,
    mixing: Tensor | None,
    sums: Sums | None,
) -> Tensor:
    """`equivariant_convolution` without checks."""
    n_local = first_edge.shape[0] - 1
    edge = torch.arange(sender.shape[0], device=sender.device)
    receiver = torch.searchsorted(first_edge, edge, right=True) - 1
    sh = spherical_harmonics(edge_vector, l_max)
    blocks = (sums or neighbour_sums)(state, sh, radial, sender, receiver, n_local, l_in, channels)
    if mixing is not None:
        matrices = mixing.split([block.shape[2] for block in blocks])
        blocks = [block @ matrix for block, matrix in zip(blocks, matrices, strict=True)]
    return torch.cat([block.flatten(1) for block in blocks], dim=1)


def neighbour_sums(
    state: Tensor,
    sh: Tensor,
    radial: Tensor,
    sender: Tensor,
    receiver: Tensor,
    n_local: int,
    l_in: int,
    channels: int,
) -> list[Tensor]:
    """The sums over neighbours before mixing, without checks.

    Args:
        state: as for `equivariant_convolution`, like all arguments that are not named here.
        sh: [E, (l_max + 1)^2] spherical harmonics of the edges.
        radial: likewise.
        sender: likewise.
        receiver: int64 [E], ascending.
        n_local: number of receivers.
        l_in: likewise.
        channels: likewise.

    Returns:
        For each l_O = 0..l_max a block [n_local, 2 l_O + 1, K].
    """
    l_max = math.isqrt(sh.shape[1]) - 1
    n_in = state.shape[1] - state_width(l_in, channels, 0)
    parts: list[list[Tensor]] = [[] for _ in range(l_max + 1)]
    for l_O, message in _messages(state.index_select(0, sender), sh, radial, l_in, channels, n_in):
        total = message.new_zeros(n_local, *message.shape[1:]).index_add(0, receiver, message)
        parts[l_O].append(total)
    return [torch.cat(part, dim=2) for part in parts]


def spherical_harmonics(edge_vector: Tensor, l_max: int) -> Tensor:
    """e3nn's harmonics of the directions of edges [E, 3], "component" normalisation.

    Returns:
        [E, (l_max + 1)^2]; a vector of length 0 has none but that of degree 0.
    """
    from e3nn import o3

    degrees = list(range(l_max + 1))
    return o3.spherical_harmonics(degrees, edge_vector, normalize=True, normalization="component")


def _messages(
    features: Tensor,
    sh: Tensor,
    radial: Tensor,
    l_in: int,
    channels: int,
    n_in: int,
) -> Iterator[tuple[int, Tensor]]:
    """For every path and then every degree of the scalars: l_O and messages [E, m_O, columns].

    One at a time, so that without autograd only one of them is in memory. ``features`` are the
    senders' rows of ``state``, [E, columns].
    """
    n_edges, l_max = sh.shape[0], math.isqrt(sh.shape[1]) - 1
    n_hidden = (l_in + 1) ** 2
    hidden = features[:, : n_hidden * channels].reshape(n_edges, n_hidden, channels)
    first = 0  # column of the weights
    paths = zip(
        convolution_paths(l_in, l_max), _couplings(l_in, l_max, sh.dtype, sh.device), strict=True
    )
    for (l_O, l_I, l_F), coupling in paths:
        mixing = (sh[:, l_F**2 : (l_F + 1) ** 2] @ coupling).view(n_edges, 2 * l_O + 1, 2 * l_I + 1)
        weights = radial[:, None, first : first + channels]
        yield l_O, torch.bmm(mixing, hidden[:, l_I**2 : (l_I + 1) ** 2]) * weights
        first += channels
    for l_O in range(l_max + 1):
        weighted = radial[:, first : first + n_in] * features[:, n_hidden * channels :]
        yield l_O, sh[:, l_O**2 : (l_O + 1) ** 2, None] * weighted[:, None, :]
        first += n_in


@lru_cache(maxsize=64)
def _couplings(
    l_in: int, l_max: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, ...]:
    """For every path the Clebsch-Gordan coefficients as a matrix [m_F, m_O * m_I]."""
    with torch.inference_mode(False):  # cached: see paths._clebsch_gordan
        return tuple(
            clebsch_gordan(l_I, l_F, l_O)
            .permute(1, 2, 0)
            .reshape(2 * l_F + 1, -1)
            .to(dtype=dtype, device=device)
            for l_O, l_I, l_F in convolution_paths(l_in, l_max)
        )


@contextmanager
def _errors_of(operator: str) -> Iterator[None]:
    """Put the operator's name in front of messages."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{operator}: {error}") from None


def _check_tensors(
    floats: dict[str, Tensor], mixing: Tensor | None, sender: Tensor, first_edge: Tensor
) -> None:
    """Check dimensions, dtypes and devices; ``floats`` are arguments by name, ``state`` first."""
    state = floats["state"]
    if mixing is not None:
        floats = {**floats, "mixing": mixing}
    integers = {"sender": sender, "first_edge": first_edge}
    for name, tensor in {**floats, **integers}.items():
        one = name in ("knots", *integers)
        if tensor.dim() != (1 if one else 2):
            words = "one dimension" if one else "two dimensions"
            raise InputError(f"{name}: expected {words}; found shape {list(tensor.shape)}")
    for name, tensor in floats.items():
        if tensor.dtype not in (torch.float32, torch.float64):
            raise InputError(f"{name}: expected float32 or float64; found {tensor.dtype}")
        if tensor.dtype != state.dtype:
            raise InputError(
                f"{name}: expected the dtype of state, {state.dtype}; found {tensor.dtype}"
            )
    for name, tensor in integers.items():
        if tensor.dtype != torch.int64:
            raise InputError(f"{name}: expected int64; found {tensor.dtype}")
    for name, tensor in {**floats, **integers}.items():
        if tensor.device != state.device:
            raise InputError(
                f"{name}: expected the device of state, {state.device}; found {tensor.device}"
            )


def _check_sizes(
    state: Tensor,
    edge_vector: Tensor,
    mixing: Tensor | None,
    sender: Tensor,
    first_edge: Tensor,
    l_in: int,
    l_max: int,
    channels: int,
) -> int:
    """Check the sizes that follow from degrees and channels, and return n_in."""
    convolution_paths(l_in, l_max)  # raises for degrees that are too small
    if l_max > LARGEST_L:
        raise InputError(f"l_max: expected 0 to {LARGEST_L}; found {l_max}")
    if channels < 1:
        raise InputError(f"channels: expected 1 or more; found {channels}")
    if first_edge.shape[0] < 1:
        raise InputError(
            "first_edge: expected n_local + 1 entries, the first of them 0; found none"
        )
    hidden = state_width(l_in, channels, 0)
    n_in = state.shape[1] - hidden
    if n_in < 0:
        raise InputError(
            f"state: expected at least {hidden} columns = (l_in + 1)^2 x channels for "
            f"l_in = {l_in} and {channels} channels; found {state.shape[1]}"
        )
    expected = [sender.shape[0], 3]
    if list(edge_vector.shape) != expected:
        raise InputError(
            f"edge_vector: expected shape {expected} = [edges, 3]; found {list(edge_vector.shape)}"
        )
    rows = sum(output_columns(l_in, l_max, channels, n_in))
    if mixing is not None and (mixing.shape[0] != rows or mixing.shape[1] < 1):
        raise InputError(
            f"mixing: expected shape [{rows}, 1 or more] = [columns of the unmixed result, summed "
            f"over {l_max + 1} degrees, columns of the mixed one]; found {list(mixing.shape)}"
        )
    return n_in


def _check_columns(
    name: str,
    weights: Tensor,
    of_rows: str,
    rows: int,
    l_in: int,
    l_max: int,
    channels: int,
    n_in: int,
) -> None:
    expected = [rows, n_radial(l_in, l_max, channels, n_in)]
    if list(weights.shape) != expected:
        raise InputError(
            f"{name}: expected shape {expected} = [{of_rows}, "
            f"{len(convolution_paths(l_in, l_max))} paths x {channels} channels + {l_max + 1} "
            f"degrees x {n_in} scalars]; found {list(weights.shape)}"
        )
