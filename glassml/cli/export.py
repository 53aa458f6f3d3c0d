"""`glassml export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["export"]


def export(
    run: Annotated[
        Path, typer.Argument(metavar="RUN_OR_CHECKPOINT", help="Run folder, or one checkpoint.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="MODEL.pt", help="Model file to write.")
    ],
    dtype: Annotated[
        str, typer.Option(help="Precision of the exported model: float32 or float64.")
    ] = "float32",
    exact: Annotated[
        bool, typer.Option("--exact", help="Keep the radial networks instead of tables (slower).")
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Make tables with this largest relative error of the outputs, rounding included.",
            show_default="1e-4 in float32",
        ),
    ] = None,
) -> None:
    """Write a trained model as the one file that LAMMPS, ASE and `glassml predict` use.

    Of a run folder the best epoch is exported. The file says how it was trained.
    In float32 the radial networks become tables, made as fine as the tolerance asks for; float64
    files keep the networks unless a tolerance is given.
    """
    from glassml.errors import ConfigError
    from glassml.export import save_model
    from glassml.training import load_trained_model

    if exact and tolerance is not None:
        raise ConfigError("--tolerance: is of tables, which --exact does without; give one of them")
    radial = "exact" if exact else "table" if tolerance is not None else None
    trained = load_trained_model(run)
    manifest = save_model(
        trained.model,
        output,
        dtype=dtype,
        radial=radial,
        tolerance=1e-4 if tolerance is None else tolerance,
        training=trained.provenance,
    )
    columns = len(manifest.outputs[0].columns)
    typer.echo(
        f"{output}: {manifest.model}, {manifest.n_parameters} parameters, {manifest.dtype}, "
        f"{columns} time(s), epoch {trained.provenance['epoch']} of {trained.path}"
    )
    if manifest.radial_table is not None:
        table = manifest.radial_table
        typer.echo(
            f"radial tables with {table.knots} knots: outputs within {table.measured_error:.1e} "
            f"of the trained model's in float64 (asked for: {table.tolerance:.1e})"
        )
