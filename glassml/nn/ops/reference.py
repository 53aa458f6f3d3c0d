"""The convolution in plain PyTorch: what the native operator must reproduce, on any device.

Readable and differentiable in every argument, but slower than the native operator, and autograd
keeps a few tensors for every edge and path.
"""
# ruff: noqa: N806 (the paper's capital indices)

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import torch

from glassml.errors import InputError
from glassml.nn.ops.paths import clebsch_gordan, convolution_paths, n_radial, state_width

__all__ = ["equivariant_convolution", "interpolate", "locate", "tabulated_convolution"]


def equivariant_convolution(
    state: torch.Tensor,
    sh: torch.Tensor,
    radial: torch.Tensor,
    sender: torch.Tensor,
    first_edge: torch.Tensor,
    l_in: int,
    l_max: int,
    channels: int,
) -> torch.Tensor:
    r"""Sum messages over the neighbours of every receiver, keeping their behaviour under rotation.

    For a path (l_O, l_I, l_F), C channels c and the edges e of receiver i, this is

    .. math:: \sqrt{2 l_O + 1} \sum_{e, m_I, m_F} w^{m_I m_F m_O} R_{e,c} Y_{e, m_F} h_{j(e) m_I c}

    with Wigner 3j symbols w, radial weights R, spherical harmonics Y and features h: the
    convolution of Pezzicoli, Charpiat and Landes, SciPost Phys. 16, 136 (2024), before channels
    are mixed. Plain scalars take part as features of degree 0.

    Args:
        state: [n_all, (l_in + 1)^2 C + n_in], hidden features [(l, m)][channel], then n_in plain
            scalars. Local particles come first.
        sh: [E, (l_max + 1)^2] spherical harmonics of the edges.
        radial: [E, n_radial] weights: C for each path of `convolution_paths`, then n_in for each
            degree 0..l_max.
        sender: int64 [E], rows of ``state``.
        first_edge: int64 [n_local + 1]; receiver i has edges first_edge[i] to first_edge[i+1] - 1.
        l_in: largest degree of the hidden features; -1 for none.
        l_max: largest degree of ``sh`` and of the result.
        channels: C.

    Returns:
        [n_local, sum over l_O of (2 l_O + 1) K], for each l_O a block [m_O][K] with K columns: the
        paths of that l_O in order, C each, then the n_in scalars.

    Raises:
        InputError: shapes, dtypes or devices do not fit together.
    """
    _check_tensors(state, sh, radial, sender, first_edge)
    n_in = _check_sizes(state, sh, radial, sender, first_edge, l_in, l_max, channels)
    n_local = first_edge.shape[0] - 1
    edge = torch.arange(sender.shape[0], device=sender.device)
    receiver = torch.searchsorted(first_edge, edge, right=True) - 1
    blocks: list[list[torch.Tensor]] = [[] for _ in range(l_max + 1)]
    for l_O, message in _messages(state.index_select(0, sender), sh, radial, l_in, channels, n_in):
        total = message.new_zeros(n_local, *message.shape[1:]).index_add(0, receiver, message)
        blocks[l_O].append(total)
    return torch.cat([torch.cat(block, dim=2).flatten(1) for block in blocks], dim=1)


def tabulated_convolution(
    state: torch.Tensor,
    sh: torch.Tensor,
    r: torch.Tensor,
    knots: torch.Tensor,
    table: torch.Tensor,
    sender: torch.Tensor,
    first_edge: torch.Tensor,
    l_in: int,
    l_max: int,
    channels: int,
    rectify: bool,
) -> torch.Tensor:
    """`equivariant_convolution` with radial weights that are piecewise linear functions of r.

    Args:
        state: as for `equivariant_convolution`, like all arguments that are not named here.
        sh: likewise.
        r: [E] distances [length]; those outside of the knots get the values at the ends.
        knots: [K] sorted distances [length], at least two; two equal ones make a step.
        table: [K, n_radial] weights at the knots.
        sender: likewise.
        first_edge: likewise.
        l_in: likewise.
        l_max: likewise.
        channels: likewise.
        rectify: set negative interpolated weights to 0. A network that ends in a ReLU is tabulated
            before it: linear pieces then have its kinks exactly where they are.

    Raises:
        InputError: shapes, dtypes or devices do not fit together.
    """
    try:
        _check_table(state, r, knots, table, sender)
        weights = interpolate(r, knots, table)
        radial = weights.relu() if rectify else weights
        return equivariant_convolution(state, sh, radial, sender, first_edge, l_in, l_max, channels)
    except InputError as error:
        message = str(error).removeprefix("equivariant_convolution: ")
        message = message.replace("radial has shape", "table has shape (rows are edges here)")
        raise InputError(f"tabulated_convolution: {message}") from None


def locate(r: torch.Tensor, knots: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The interval that each distance lies in, int64 [E], and where in it, in [0, 1], [E]."""
    last = torch.searchsorted(knots, r.contiguous(), right=True) - 1
    interval = last.clamp(0, knots.shape[0] - 2)
    low = knots[interval]
    width = knots[interval + 1] - low
    inside = ((r - low) / width).clamp(0, 1)
    return interval, torch.where(width > 0, inside, torch.zeros_like(inside))


def interpolate(r: torch.Tensor, knots: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Rows of ``table`` [K, P] at the distances r [E], linear between the knots: [E, P]."""
    interval, fraction = locate(r, knots)
    t = fraction.unsqueeze(1)
    return table[interval] * (1 - t) + table[interval + 1] * t


def _messages(
    features: torch.Tensor,
    sh: torch.Tensor,
    radial: torch.Tensor,
    l_in: int,
    channels: int,
    n_in: int,
) -> Iterator[tuple[int, torch.Tensor]]:
    """For every path and then every degree of the scalars: l_O and messages [E, m_O, columns].

    One at a time, so that without autograd only one of them takes memory. ``features`` are the
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
) -> tuple[torch.Tensor, ...]:
    """For every path the Clebsch-Gordan coefficients as a matrix [m_F, m_O * m_I]."""
    with torch.inference_mode(False):  # kept: see paths._clebsch_gordan
        return tuple(
            clebsch_gordan(l_I, l_F, l_O)
            .permute(1, 2, 0)
            .reshape(2 * l_F + 1, -1)
            .to(dtype=dtype, device=device)
            for l_O, l_I, l_F in convolution_paths(l_in, l_max)
        )


def _check_tensors(
    state: torch.Tensor,
    sh: torch.Tensor,
    radial: torch.Tensor,
    sender: torch.Tensor,
    first_edge: torch.Tensor,
) -> None:
    for name, tensor in {"state": state, "sh": sh, "radial": radial}.items():
        if tensor.dim() != 2:
            raise _error(f"{name} has shape {list(tensor.shape)}, expected two dimensions")
        if tensor.dtype not in (torch.float32, torch.float64):
            raise _error(f"{name} is {tensor.dtype}, expected float32 or float64")
        if tensor.dtype != state.dtype:
            raise _error(
                f"{name} is {tensor.dtype} but state is {state.dtype}; convert them to one dtype"
            )
    for name, tensor in {"sender": sender, "first_edge": first_edge}.items():
        if tensor.dim() != 1:
            raise _error(f"{name} has shape {list(tensor.shape)}, expected one dimension")
        if tensor.dtype != torch.int64:
            raise _error(f"{name} is {tensor.dtype}, expected int64")
    others = {"sh": sh, "radial": radial, "sender": sender, "first_edge": first_edge}
    for name, tensor in others.items():
        if tensor.device != state.device:
            raise _error(f"{name} is on {tensor.device} but state is on {state.device}")


def _check_sizes(
    state: torch.Tensor,
    sh: torch.Tensor,
    radial: torch.Tensor,
    sender: torch.Tensor,
    first_edge: torch.Tensor,
    l_in: int,
    l_max: int,
    channels: int,
) -> int:
    """Check what the degrees and channels imply, and return n_in."""
    n_paths = len(convolution_paths(l_in, l_max))
    if channels < 1:
        raise _error(f"channels is {channels}, expected 1 or more")
    if first_edge.shape[0] < 1:
        raise _error("first_edge is empty, expected n_local + 1 entries, the first of them 0")
    hidden = state_width(l_in, channels, 0)
    n_in = state.shape[1] - hidden
    if n_in < 0:
        raise _error(
            f"state has {state.shape[1]} columns, expected at least {hidden} = "
            f"(l_in + 1)^2 x channels for l_in = {l_in} and {channels} channels"
        )
    n_edges = sender.shape[0]
    expected = [n_edges, (l_max + 1) ** 2]
    if list(sh.shape) != expected:
        raise _error(f"sh has shape {list(sh.shape)}, expected {expected} = [edges, (l_max + 1)^2]")
    expected = [n_edges, n_radial(l_in, l_max, channels, n_in)]
    if list(radial.shape) != expected:
        raise _error(
            f"radial has shape {list(radial.shape)}, expected {expected} = [edges, {n_paths} paths "
            f"x {channels} channels + {l_max + 1} degrees x {n_in} scalars]"
        )
    return n_in


def _check_table(
    state: torch.Tensor,
    r: torch.Tensor,
    knots: torch.Tensor,
    table: torch.Tensor,
    sender: torch.Tensor,
) -> None:
    for name, tensor, dim in (("r", r, 1), ("knots", knots, 1), ("table", table, 2)):
        if tensor.dim() != dim:
            words = "one dimension" if dim == 1 else "two dimensions"
            raise _error(f"{name} has shape {list(tensor.shape)}, expected {words}")
        if tensor.dtype != state.dtype:
            raise _error(
                f"{name} is {tensor.dtype} but state is {state.dtype}; convert them to one dtype"
            )
        if tensor.device != state.device:
            raise _error(f"{name} is on {tensor.device} but state is on {state.device}")
    if knots.shape[0] < 2:
        raise _error(f"knots has {knots.shape[0]} entries, expected 2 or more")
    if table.shape[0] != knots.shape[0]:
        raise _error(f"table has shape {list(table.shape)}, expected [{knots.shape[0]}, ...]")
    if r.shape[0] != sender.shape[0]:
        raise _error(f"r has shape {list(r.shape)}, expected [{sender.shape[0]}] = [edges]")


def _error(message: str) -> InputError:
    return InputError(f"equivariant_convolution: {message}")
