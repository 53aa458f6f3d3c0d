"""Who provides the operator, in this process and in others, and scripted models that call it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from ops_problems import Operator, make_problem, run_python

from glassml.errors import ConfigError
from glassml.nn import ops
from glassml.nn.ops import loading


class Scripted(torch.nn.Module):
    def forward(
        self,
        state: torch.Tensor,
        edge_vector: torch.Tensor,
        radial: torch.Tensor,
        sender: torch.Tensor,
        first_edge: torch.Tensor,
        mixing: torch.Tensor | None,
    ) -> torch.Tensor:
        return torch.ops.glassml.equivariant_convolution(
            state, edge_vector, radial, sender, first_edge, 1, 2, 4, mixing
        )


@pytest.mark.parametrize("mixed_to", [None, 4])
def test_scripted_archive_runs_with_either_backend(
    native: Operator, mixed_to: int | None, tmp_path: Path
) -> None:
    problem = make_problem(1, 2, 4, 2, mixed_to=mixed_to)
    tensors = [*problem.arguments()[:5], problem.mixing]
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Scripted()), buffer)
    buffer.seek(0)
    result = torch.jit.load(buffer)(*tensors)
    assert torch.equal(result, native(*problem.arguments()))

    (tmp_path / "model.pt").write_bytes(buffer.getvalue())
    torch.save([*tensors, result], tmp_path / "tensors.pt")
    script = """
        import sys, torch
        from glassml.nn import ops
        print(ops.load())
        model = torch.jit.load(sys.argv[1])
        *tensors, expected = torch.load(sys.argv[2], weights_only=True)
        leaf = tensors[0].requires_grad_()
        found = model(*tensors)
        torch.testing.assert_close(found.detach(), expected, rtol=1e-12, atol=1e-12)
        found.sum().backward()
        assert leaf.grad.abs().max() > 0
    """
    files = (tmp_path / "model.pt", tmp_path / "tensors.pt")
    assert run_python(script, *files, GLASSML_BACKEND="reference").strip() == "reference"


def test_native_library_after_the_reference_is_harmless(library: Path) -> None:
    script = """
        import sys, torch
        from glassml.nn import ops
        ops.load()
        torch.ops.load_library(sys.argv[1])  # as LAMMPS does with the plugin
        print(ops.load(), hasattr(torch.ops.glassml, "equivariant_convolution_aten"))
    """
    assert run_python(script, library, GLASSML_BACKEND="reference").strip() == "reference False"


def test_reference_cannot_replace_the_native_operator(library: Path) -> None:
    script = """
        import sys, torch
        torch.ops.load_library(sys.argv[1])
        from glassml.errors import ConfigError
        from glassml.nn import ops
        try:
            ops.load()
        except ConfigError as error:
            print(error)
    """
    assert "LAMMPS plugin" in run_python(script, library, GLASSML_BACKEND="reference")


def test_native_demanded_without_build_says_what_to_run(tmp_path: Path) -> None:
    script = """
        from glassml.errors import BuildError
        from glassml.nn import ops
        try:
            ops.load()
        except BuildError as error:
            print(error)
    """
    environment = {"GLASSML_BACKEND": "native", "GLASSML_NATIVE_DIR": str(tmp_path)}
    assert "glassml build" in run_python(script, **environment)


LOAD_FRESH_BUILD = """
    import sys
    from pathlib import Path
    import glassml.native
    status = glassml.native.BuildStatus("fresh", "", Path(sys.argv[1]))
    glassml.native.build_status = lambda component: status
    from glassml.nn import ops
    print("loaded:", ops.load())
"""


def test_fresh_build_is_preferred(library: Path) -> None:
    printed = run_python(LOAD_FRESH_BUILD, library, GLASSML_BACKEND="auto")
    assert printed.strip() == "loaded: native"


def test_library_that_does_not_load_is_reported_and_replaced(tmp_path: Path) -> None:
    (tmp_path / "libglassml_ops.so").write_bytes(b"not a library")
    printed = run_python(LOAD_FRESH_BUILD, tmp_path / "libglassml_ops.so", GLASSML_BACKEND="auto")
    assert "loaded: reference" in printed
    assert "RuntimeWarning" in printed
    assert "cannot be loaded" in printed
    assert "glassml build" in printed


def test_unknown_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_loaded", None)
    monkeypatch.setenv("GLASSML_BACKEND", "fast")
    with pytest.raises(ConfigError, match=r"GLASSML_BACKEND: expected one of auto, .*'fast'"):
        ops.load()
