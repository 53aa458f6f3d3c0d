"""The operator in each of its implementations."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from ops_problems import Operator

from glassml.native import library_path, torch_root
from glassml.native.location import operator_sources
from glassml.nn import ops
from glassml.nn.ops import reference


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The native library: what `glassml build` made, else one compiled for these tests."""
    built = library_path()
    if built is not None:
        return built
    folder = tmp_path_factory.mktemp("native")
    for command in (
        ["cmake", "-S", operator_sources(), "-B", folder, f"-DTORCH_ROOT={torch_root()}"],
        ["cmake", "--build", folder, "-j2"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "libglassml_ops.so"


@pytest.fixture(scope="session")
def native(library: Path) -> Operator:
    torch.ops.load_library(library)
    registered = torch._C._dispatch_has_kernel_for_dispatch_key(
        "glassml::equivariant_convolution", "AutogradCPU"
    )
    assert registered, "the reference was registered before; run `glassml build`, then the tests"
    assert ops.load() == "native"
    return torch.ops.glassml.equivariant_convolution


@pytest.fixture(params=["native", "aten", "reference"])
def operator(request: pytest.FixtureRequest, native: Operator) -> Operator:
    return {
        "native": native,
        "aten": torch.ops.glassml.equivariant_convolution_aten,
        "reference": reference.equivariant_convolution,
    }[request.param]


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)
