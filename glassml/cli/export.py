"""`glassml export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassml.cli.options import ModelOutput, numbers
from glassml.cli.output import say_warning

if TYPE_CHECKING:
    from glassml.models import GlassModel
    from glassml.provenance import TrainingRecord

__all__ = ["export"]

_Runs = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN...",
        help="Run folder of `glassml train`, or one of its checkpoints. Several make a committee. "
        "Files of refitted `structural`, `boattini` and `cage` models may be given too.",
        show_default=False,
    ),
]
_DType = Annotated[
    str, typer.Option(metavar="NAME", help="Precision of the model file: float32 or float64.")
]
_Exact = Annotated[
    bool,
    typer.Option("--exact", help="Keep the radial networks instead of tables; slower."),
]
_Tolerance = Annotated[
    float | None,
    typer.Option(
        metavar="ERROR",
        help="Largest relative error that tables and rounding may cause in the outputs.",
        show_default="1e-4 in float32, no tables in float64",
    ),
]
_Weights = Annotated[
    str | None,
    typer.Option(
        metavar="W1,W2,...",
        help="Weights of the members of a committee.",
        show_default="equal",
    ),
]
_Accuracy = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.json",
        help="Measured accuracy, for the model file and its card "
        "(see docs/developers/shipped_models.md).",
        show_default="that of the run's validation",
    ),
]


def export(
    runs: _Runs,
    output: ModelOutput,
    dtype: _DType = "float32",
    exact: _Exact = False,
    tolerance: _Tolerance = None,
    weights: _Weights = None,
    accuracy: _Accuracy = None,
) -> None:
    """Write a trained model as the one file that LAMMPS, ASE and `glassml predict` use.

    The best epoch of a run folder is exported. The file records how the model was trained. In
    float32 the radial networks become tables, as fine as the tolerance requires; float64 files keep
    the networks unless a tolerance is given.

    Several runs become a committee: one model that gives the mean of the members' propensities
    (propensity), their standard deviation (propensity_std) and each of them (propensity_members).

    A model file with a model that is exported as it is, such as structural, is written anew with
    the code of this version, which may be faster.

    Examples, a single model and a committee:

        glassml export runs/first -o model.pt
        glassml export runs/first runs/second -o committee.pt
    """
    from glassml.domain import shown_range
    from glassml.errors import ConfigError
    from glassml.export import save_model
    from glassml.physics.units import after_length
    from glassml.provenance import read_accuracy

    if exact and tolerance is not None:
        raise ConfigError("--tolerance, --exact: expected one of them; --exact makes no tables")
    measured = None if accuracy is None else read_accuracy(accuracy)
    model, record, origin = _load(
        runs, None if weights is None else numbers(weights, "--weights", float)
    )
    manifest = save_model(
        model,
        output,
        dtype=dtype,
        radial="exact" if exact else "table" if tolerance is not None else None,
        tolerance=1e-4 if tolerance is None else tolerance,
        training=record if measured is None else record.model_copy(update={"accuracy": measured}),
    )
    typer.echo(
        f"{output}: {manifest.model}, {manifest.n_parameters} parameters, {manifest.dtype}, "
        f"{len(manifest.times)} time(s), {origin}"
    )
    for name in record.untrained_outputs:
        if name in (entry.name for entry in manifest.outputs):
            say_warning(f"{output}: {name}: not trained, so its values mean nothing")
    if manifest.domain is not None:
        typer.echo(
            f"cutoff {manifest.cutoff:g}{after_length(manifest.length_unit)}: "
            f"{shown_range(manifest.domain.neighbours)} neighbours per particle in training"
        )
    if manifest.radial_table is not None:
        table = manifest.radial_table
        typer.echo(
            f"radial tables with {table.knots} knots: outputs within {table.measured_error:.1e} "
            f"of the trained model's in float64 (tolerance: {table.tolerance:.1e})"
        )


def _load(runs: list[Path], weights: list[float] | None) -> tuple[GlassModel, TrainingRecord, str]:
    """The model, the record of its training, and a description of where it comes from."""
    from glassml.export import (
        is_model_file,
        load_trained_committee,
        read_manifest,
        restored_model,
    )
    from glassml.training import load_trained_model

    if len(runs) > 1 or weights is not None:
        committee, record = load_trained_committee(runs, weights)
        return committee, record, f"members from {', '.join(map(str, runs))}"
    if is_model_file(runs[0]):
        return restored_model(runs[0]), read_manifest(runs[0]).training, f"from {runs[0]}"
    trained = load_trained_model(runs[0])
    epoch = trained.record.epoch
    where = f"from {trained.path}" if epoch is None else f"epoch {epoch} of {trained.path}"
    return trained.model, trained.record, where
