"""The convolution on NVIDIA GPUs by NVIDIA's cuEquivariance, if ``glassml[cuda]`` is installed.

The library's kernels gather from the senders, multiply and add to the receivers in one step,
forward and backward, and store only harmonics and weights for every edge. Checks of arguments,
interpolation of tables and mixing of channels are those of the reference, which also does the calls
that the kernels do not cover. Sums on a GPU have no fixed order: results repeat to rounding.
"""
# ruff: noqa: N806 (the paper's capital indices)

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from functools import cache, lru_cache, partial
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from glassml.nn.ops import reference
from glassml.nn.ops.paths import clebsch_gordan, convolution_paths, state_width

if TYPE_CHECKING:
    from cuequivariance import SegmentedPolynomial

__all__ = [
    "EDGES_AT_ONCE",
    "MAX_DEGREE",
    "equivariant_convolution",
    "installed",
    "neighbour_sums",
    "pieces",
    "polynomial",
    "problem",
    "register",
    "tabulated_convolution",
]

Method = Literal["uniform_1d", "naive"]  # the library's names: its CUDA kernels, or any device

# A kernel is compiled for all non-zero coefficients, which are arguments of every call: 611 for
# l_max = 3, 2 052 for 4, 44 171 for 8.
MAX_DEGREE = 4
# Number of edges whose interpolated weights are in memory together if no gradients are recorded:
# 1.2 GB in float32 for the 284 weights of l_max = 3, 8 channels and 3 scalars.
EDGES_AT_ONCE = 2**20

_PACKAGES = ("cuequivariance_torch", "cuequivariance_ops_torch")
_library: torch.library.Library | None = None  # the registration lasts as long as this object


def installed() -> bool:
    """Whether the packages of ``glassml[cuda]`` are installed; does not import them."""
    return all(find_spec(name) is not None for name in _PACKAGES)


@cache
def problem() -> str | None:
    """Why the library cannot be used here, or None; imports it in the first call."""
    if not installed():
        return "cuEquivariance is not installed"
    try:
        import_module("cuequivariance_torch")
        import_module("cuequivariance_ops_torch.uniform_1d")
    except (ImportError, OSError, RuntimeError) as error:
        return f"cuEquivariance does not load: {error}"
    return None


def register() -> None:
    """Make this the implementation of the operators for CUDA tensors, once.

    It takes precedence over the implementation for all devices. It is registered for autograd too,
    as it consists of differentiable steps.
    """
    global _library
    if _library is not None:
        return
    _library = torch.library.Library("glassml", "IMPL")
    for key in ("CUDA", "AutogradCUDA"):
        _library.impl("equivariant_convolution", equivariant_convolution, key)
        _library.impl("tabulated_convolution", tabulated_convolution, key)


def neighbour_sums(
    state: Tensor,
    sh: Tensor,
    radial: Tensor,
    sender: Tensor,
    receiver: Tensor,
    n_local: int,
    l_in: int,
    channels: int,
    method: Method = "uniform_1d",
) -> list[Tensor]:
    """`reference.neighbour_sums` by the library; needs at least one edge and column of ``state``.

    Args:
        state: as for the reference, like all arguments that are not named here.
        sh: likewise.
        radial: likewise.
        sender: likewise.
        receiver: likewise.
        n_local: likewise.
        l_in: likewise.
        channels: likewise.
        method: how the library computes.
    """
    l_max = math.isqrt(sh.shape[1]) - 1
    n_hidden = state_width(l_in, channels, 0)
    n_in = state.shape[1] - n_hidden
    n_weights = radial.shape[1] - (l_max + 1) * n_in
    parts = []
    for degree, width, features, weights in (
        (l_in, channels, state[:, :n_hidden], radial[:, :n_weights]),
        # Plain scalars are features of degree 0, with their own number of channels.
        (0, n_in, state[:, n_hidden:], radial[:, n_weights:]),
    ):
        if features.shape[1] > 0:
            product = _product(degree, l_max, width, method)
            rows = sh.new_empty(1, 1).expand(n_local, 1)  # read by the library for its shape only
            (sums,) = product([weights, features, sh], {1: sender}, {0: rows}, {0: receiver})
            parts.append(_blocks(sums, degree, l_max, width))
    return [torch.cat(blocks, dim=2) for blocks in zip(*parts, strict=True)]


def _blocks(sums: Tensor, l_in: int, l_max: int, channels: int) -> list[Tensor]:
    """The library's [n, (path, m_O, channel)] to a block [n, m_O, (path, channel)] for each l_O."""
    degrees = [l_O for l_O, _, _ in convolution_paths(l_in, l_max)]
    shapes = [(degrees.count(l), 2 * l + 1, channels) for l in range(l_max + 1)]
    blocks = sums.split([math.prod(shape) for shape in shapes], dim=1)
    pairs = zip(blocks, shapes, strict=True)
    return [block.unflatten(1, shape).transpose(1, 2).flatten(2) for block, shape in pairs]


def polynomial(l_in: int, l_max: int, channels: int) -> SegmentedPolynomial:
    """The sum over all paths in the library's form: of weights, features and harmonics."""
    import cuequivariance as cue

    product = cue.SegmentedTensorProduct.from_subscripts("u,iu,j,ku+ijk")
    for l in range(l_in + 1):
        product.add_segment(1, (2 * l + 1, channels))
    for l in range(l_max + 1):
        product.add_segment(2, (2 * l + 1,))
    for l_O, l_I, l_F in convolution_paths(l_in, l_max):
        coupling = clebsch_gordan(l_I, l_F, l_O).numpy()
        product.add_path(None, l_I, l_F, None, c=coupling, dims={"u": channels})
    return cue.SegmentedPolynomial.eval_last_operand(product)


@lru_cache(maxsize=64)
def _product(l_in: int, l_max: int, channels: int, method: Method) -> torch.nn.Module:
    """The library's module for `polynomial`."""
    import cuequivariance_torch as cuet

    with torch.inference_mode(False):  # cached: see paths._clebsch_gordan
        return cuet.SegmentedPolynomial(polynomial(l_in, l_max, channels), method=method)


def _sums_on_cuda(
    state: Tensor,
    sh: Tensor,
    radial: Tensor,
    sender: Tensor,
    receiver: Tensor,
    n_local: int,
    l_in: int,
    channels: int,
) -> list[Tensor]:
    arguments = (state, sh, radial, sender, receiver, n_local, l_in, channels)
    if state.shape[1] == 0 or not _covers(sh, l_in):
        return reference.neighbour_sums(*arguments)
    with torch.cuda.device_of(state):  # the library launches on the current device
        return neighbour_sums(*arguments)


def _covers(sh: Tensor, l_in: int) -> bool:
    """Whether the library covers a call; warns if the library does not load."""
    n_edges, n_harmonics = sh.shape
    if n_edges == 0 or l_in > MAX_DEGREE or n_harmonics > (MAX_DEGREE + 1) ** 2:
        return False
    if problem() is not None:
        warnings.warn(
            f"{problem()}; plain PyTorch is used instead. Install the extra that fits torch, here "
            f"built for CUDA {torch.version.cuda}: glassml[cuda] for 13, glassml[cuda12] for 12",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    return True


# The operator for CUDA tensors.
equivariant_convolution = partial(reference.equivariant_convolution, sums=_sums_on_cuda)


def tabulated_convolution(
    state: Tensor,
    edge_vector: Tensor,
    knots: Tensor,
    table: Tensor,
    sender: Tensor,
    first_edge: Tensor,
    *rest: Any,
) -> Tensor:
    """The operator for CUDA tensors; arguments and result as in the reference."""
    operator = partial(reference.tabulated_convolution, sums=_sums_on_cuda)
    # Gradients need the weights of all edges later, so pieces would save no memory.
    most = sender.shape[0] if torch.is_grad_enabled() else EDGES_AT_ONCE
    results = [
        operator(state, vectors, knots, table, senders, rows, *rest)
        for vectors, senders, rows in pieces(edge_vector, sender, first_edge, most)
    ]
    return torch.cat(results) if len(results) > 1 else results[0]


def pieces(
    edge_vector: Tensor, sender: Tensor, first_edge: Tensor, most: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Divide a call into calls for some receivers each, in order.

    Args:
        edge_vector: [E, 3].
        sender: int64 [E].
        first_edge: int64 [n_local + 1].
        most: number of edges of a piece; the edges of its last receiver may exceed it.

    Yields:
        The three arguments of each call.
    """
    n_edges = sender.shape[0]
    if n_edges <= most:
        yield edge_vector, sender, first_edge
        return
    starts = torch.arange(0, n_edges, most, device=first_edge.device)
    cuts = {*torch.searchsorted(first_edge, starts).tolist(), first_edge.shape[0] - 1}
    for start, stop in pairwise(sorted(cuts)):
        rows = first_edge[start : stop + 1]
        low, high = int(rows[0]), int(rows[-1])
        yield edge_vector[low:high], sender[low:high], rows - low
