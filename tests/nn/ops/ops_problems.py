"""Random calls of the convolution, and ways to make them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from glassml.nn import ops

# Rounding of sums of about a hundred products of order one, in different order.
CLOSE = {
    torch.float64: {"rtol": 1e-12, "atol": 1e-12},
    torch.float32: {"rtol": 1e-5, "atol": 1e-4},
}
GRAPHS = {  # numbers of neighbours of the receivers
    "ordinary": [3, 0, 5, 1, 4],
    "isolated receivers": [0, 0, 4, 0, 0],
    "hub": [1, 700, 2],
    "no edges": [0, 0, 0],
    "no receivers": [],
}

Operator = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Problem:
    """Arguments of one call; ``n_all`` is larger than the number of receivers."""

    state: torch.Tensor
    edge_vector: torch.Tensor
    radial: torch.Tensor
    sender: torch.Tensor
    first_edge: torch.Tensor
    l_in: int
    l_max: int
    channels: int
    mixing: torch.Tensor | None = None

    def arguments(self) -> tuple[object, ...]:
        return tuple(vars(self).values())


def make_problem(
    l_in: int,
    l_max: int,
    channels: int,
    n_in: int,
    graph: str = "ordinary",
    dtype: torch.dtype = torch.float64,
    mixed_to: int | None = None,
) -> Problem:
    """``mixed_to``: number of columns D of the mixing matrix, None for no mixing."""
    generator = torch.Generator().manual_seed(7)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    counts = torch.tensor(GRAPHS[graph], dtype=torch.int64)
    n_edges, n_all = int(counts.sum()), len(counts) + 3
    return Problem(
        state=random(n_all, ops.state_width(l_in, channels, n_in)),
        edge_vector=random(n_edges, 3),
        radial=random(n_edges, ops.n_radial(l_in, l_max, channels, n_in)),
        sender=torch.randint(0, n_all, (n_edges,), generator=generator),
        first_edge=torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]),
        l_in=l_in,
        l_max=l_max,
        channels=channels,
        mixing=None
        if mixed_to is None
        else torch.cat(
            [
                random(width, mixed_to) / max(width, 1) ** 0.5
                for width in ops.output_columns(l_in, l_max, channels, n_in)
            ]
        ),
    )


def with_gradients(problem: Any, *names: str) -> tuple[Any, list[torch.Tensor]]:
    """The problem with new leaves in place of its arguments of these names, and the leaves.

    The mixing matrix counts only if the problem has one.
    """
    wanted = [name for name in names if getattr(problem, name) is not None]
    leaves = {name: getattr(problem, name).detach().clone().requires_grad_() for name in wanted}
    return replace(problem, **leaves), list(leaves.values())


def gradients(
    operator: Operator, problem: Any, *names: str, weights: str = "radial"
) -> tuple[torch.Tensor, ...]:
    """Gradients with respect to the named arguments, or all that every implementation has."""
    p, leaves = with_gradients(problem, *(names or ("state", weights, "mixing")))
    result = operator(*p.arguments())
    direction = torch.linspace(-1, 1, result.numel(), dtype=result.dtype).view(result.shape)
    return torch.autograd.grad(result, leaves, direction)


def run_python(script: str, *arguments: object, **environment: str) -> str:
    """Standard output and warnings of a script in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
