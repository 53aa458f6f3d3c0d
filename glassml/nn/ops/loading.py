"""Registers the operators of ``torch.ops.glassml``: from native code or the reference.

Both register the same operators under the same names, so scripted models run with either. A process
can register them only once. On GPUs cuEquivariance has precedence over both.
"""

from __future__ import annotations

import os
import threading
import warnings
from pathlib import Path
from typing import Literal

import torch

from glassml.errors import BuildError, ConfigError
from glassml.nn.ops import cuequivariance, edge_update, reference, shell_sums, weighted_sums

__all__ = ["Backend", "CudaBackend", "backend", "cuda_backend", "load"]

Backend = Literal["native", "reference"]
CudaBackend = Literal["cuequivariance", "plain PyTorch"]

_CHOICES = ("auto", "native", "reference")
_PARTS = (
    "Tensor fixed, Tensor of_receiver, Tensor of_sender, Tensor sender, Tensor first_edge, "
    "Tensor inner, Tensor outer, Tensor bias"
)
_OPERATORS = {
    "equivariant_convolution": (
        "(Tensor state, Tensor edge_vector, Tensor radial, Tensor sender, Tensor first_edge, "
        "int l_in, int l_max, int channels, Tensor? mixing=None) -> Tensor",
        reference.equivariant_convolution,
    ),
    "tabulated_convolution": (
        "(Tensor state, Tensor edge_vector, Tensor knots, Tensor table, Tensor sender, "
        "Tensor first_edge, int l_in, int l_max, int channels, bool rectify, "
        "Tensor? mixing=None) -> Tensor",
        reference.tabulated_convolution,
    ),
    "edge_update": (f"(Tensor edges, {_PARTS}) -> (Tensor, Tensor)", edge_update.edge_update),
    "edge_update_": (f"(Tensor(a!) edges, {_PARTS}) -> Tensor", edge_update.edge_update_),
    "shell_sums": (
        "(Tensor kind, Tensor edge_vector, Tensor sender, Tensor first_edge, float start, "
        "float cutoff, int shells, int kinds, int l_max) -> Tensor",
        shell_sums.shell_sums,
    ),
    "weighted_sums": (
        "(Tensor values, Tensor weights, Tensor sender, Tensor first_edge) -> Tensor",
        weighted_sums.weighted_sums,
    ),
}

_lock = threading.Lock()
_loaded: Backend | None = None
_cuda: CudaBackend = "plain PyTorch"
_library: torch.library.Library | None = None  # the registration lasts as long as this object


def load() -> Backend:
    """Register the operators, once, and return the implementation in use.

    In the first call the environment variable ``GLASSML_BACKEND`` chooses: ``auto`` (default: the
    native library if there is a fresh build, else the reference), ``native`` or ``reference``.
    If ``glassml[cuda]`` is installed, cuEquivariance is used for tensors on GPUs, except with
    ``reference``.

    Raises:
        ConfigError: ``GLASSML_BACKEND`` has another value, or is ``reference`` although the LAMMPS
            plugin has already registered the native operator in this process.
        BuildError: ``GLASSML_BACKEND=native`` and there is no usable build.
    """
    global _cuda, _loaded
    with _lock:
        if _loaded is None:
            wanted = _wanted()
            _loaded = _register(wanted)
            if wanted != "reference" and cuequivariance.installed():
                cuequivariance.register()
                _cuda = "cuequivariance"
        return _loaded


def backend() -> Backend:
    """The implementation in use in this process; registers it if necessary."""
    return load()


def cuda_backend() -> CudaBackend:
    """The implementation for tensors on GPUs; imports the library to check that it loads."""
    load()
    usable = _cuda == "cuequivariance" and cuequivariance.problem() is None
    return "cuequivariance" if usable else "plain PyTorch"


def _wanted() -> str:
    wanted = os.environ.get("GLASSML_BACKEND", "auto")
    if wanted not in _CHOICES:
        raise ConfigError(
            f"environment variable GLASSML_BACKEND: expected one of {', '.join(_CHOICES)}; "
            f"found {wanted!r}"
        )
    return wanted


def _register(wanted: str) -> Backend:
    from glassml.native import build_status

    if hasattr(torch.ops.glassml, "equivariant_convolution"):
        if wanted == "reference":
            raise ConfigError(
                "GLASSML_BACKEND=reference: expected a process without the native operator; found "
                "that of the LAMMPS plugin. Call glassml.nn.ops.load() before LAMMPS is started"
            )
        return "native"
    if wanted != "reference":
        status = build_status("operators")
        problem = _load_native(status.path) if status.is_fresh else status.reason
        if problem is None:
            return "native"
        if wanted == "native":
            raise BuildError(f"GLASSML_BACKEND=native: expected a usable build; found: {problem}")
        if status.state != "absent":
            warnings.warn(
                f"{status.path} is not used, the reference operator is slower: {problem}",
                RuntimeWarning,
                stacklevel=3,
            )
    _register_reference()
    return "reference"


def _load_native(path: Path) -> str | None:
    """Load the native library; returns why that is impossible, or None."""
    try:
        torch.ops.load_library(path)
    except (OSError, RuntimeError) as error:
        return f"it cannot be loaded ({error}) - run `glassml build`; `glassml doctor` says more"
    return None


def _register_reference() -> None:
    global _library
    _library = torch.library.Library("glassml", "FRAGMENT")
    for name, (schema, implementation) in _OPERATORS.items():
        _library.define(name + schema)
        _library.impl(name, implementation, "CompositeImplicitAutograd")
