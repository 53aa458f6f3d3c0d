"""The paths of an equivariant convolution: which degrees couple, in which order, how strongly.

A path couples hidden features of degree l_I and spherical harmonics of degree l_F to results of
degree l_O. All triples that the rotation group SO(3) allows are used; parity is ignored, as in the
SE(3)-equivariant network of Pezzicoli, Charpiat and Landes (SciPost Phys. 16, 136, 2024).
"""
# ruff: noqa: N803 (the paper's capital indices)

from __future__ import annotations

from functools import cache

import torch

from glassml.errors import InputError

__all__ = [
    "LARGEST_L",
    "clebsch_gordan",
    "convolution_paths",
    "n_radial",
    "output_columns",
    "state_width",
]

#: The largest order l; e3nn's spherical harmonics end there.
LARGEST_L = 11


def convolution_paths(l_in: int, l_max: int) -> list[tuple[int, int, int]]:
    """All paths (l_O, l_I, l_F), in the order of the radial weights: l_O outermost, then l_I.

    Args:
        l_in: largest degree of the hidden features; -1 for none.
        l_max: largest degree of the spherical harmonics and of the result.

    Raises:
        InputError: ``l_in`` < -1 or ``l_max`` < 0.
    """
    if l_in < -1:
        raise InputError(f"l_in: expected -1 (no features) or more; found {l_in}")
    if l_max < 0:
        raise InputError(f"l_max: expected 0 or more; found {l_max}")
    return [
        (l_O, l_I, l_F)
        for l_O in range(l_max + 1)
        for l_I in range(l_in + 1)
        for l_F in range(l_max + 1)
        if abs(l_I - l_F) <= l_O <= l_I + l_F
    ]


def state_width(l_in: int, channels: int, n_in: int) -> int:
    """Columns of ``state``: hidden features of degrees 0..l_in, then the plain scalars.

    Args:
        l_in: largest degree of the hidden features; -1 for none.
        channels: number of channels.
        n_in: number of plain scalars.
    """
    return (l_in + 1) ** 2 * channels + n_in


def n_radial(l_in: int, l_max: int, channels: int, n_in: int) -> int:
    """Columns of ``radial``: a weight for each path and channel, each degree and plain scalar.

    Args:
        l_in: largest degree of the hidden features; -1 for none.
        l_max: largest degree of the spherical harmonics and of the result.
        channels: number of channels.
        n_in: number of plain scalars.
    """
    return len(convolution_paths(l_in, l_max)) * channels + (l_max + 1) * n_in


def output_columns(l_in: int, l_max: int, channels: int, n_in: int) -> list[int]:
    """For each l_O = 0..l_max the columns K of its block [m_O][K] in a row of the result.

    Args:
        l_in: largest degree of the hidden features; -1 for none.
        l_max: largest degree of the spherical harmonics and of the result.
        channels: number of channels.
        n_in: number of plain scalars.
    """
    degrees = [l_O for l_O, _, _ in convolution_paths(l_in, l_max)]
    return [degrees.count(l_O) * channels + n_in for l_O in range(l_max + 1)]


def clebsch_gordan(l_I: int, l_F: int, l_O: int) -> torch.Tensor:
    """Coupling coefficients sqrt(2 l_O + 1) w3j(l_I, l_F, l_O) of real spherical harmonics.

    With e3nn's Wigner 3j symbols (normalised to one over all entries) and spherical harmonics of
    "component" normalisation, results have the variance of their factors.

    Returns:
        float64 [2 l_I + 1, 2 l_F + 1, 2 l_O + 1], orders m = -l..l as in e3nn.
    """
    return _clebsch_gordan(l_I, l_F, l_O).clone()


@cache
def _clebsch_gordan(l_I: int, l_F: int, l_O: int) -> torch.Tensor:
    from e3nn.o3 import wigner_3j

    # What is cached must not be an inference tensor, which autograd does not accept.
    with torch.inference_mode(False):
        symbols = wigner_3j(l_I, l_F, l_O, dtype=torch.float64).numpy()
        return torch.tensor(symbols) * (2 * l_O + 1) ** 0.5
