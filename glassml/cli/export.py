"""`glassml export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glassml.models import GlassModel
    from glassml.provenance import TrainingRecord

__all__ = ["export"]


# The options, as Typer reads them.
_Runs = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN_OR_CHECKPOINT",
        help="Run folder, or one checkpoint; several make a committee.",
        show_default=False,
    ),
]
_Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="MODEL.pt", help="Model file to write.")
]
_DType = Annotated[str, typer.Option(help="Precision of the exported model: float32 or float64.")]
_Exact = Annotated[
    bool, typer.Option("--exact", help="Keep the radial networks instead of tables (slower).")
]
_Tolerance = Annotated[
    float | None,
    typer.Option(
        help="Make tables with this largest relative error of the outputs, rounding included.",
        show_default="1e-4 in float32",
    ),
]
_Weights = Annotated[
    str | None,
    typer.Option(
        metavar="W1,W2,...",
        help="Weights of the members of a committee.",
        show_default="equal ones",
    ),
]
_Accuracy = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.json",
        help="How accurate the model was found to be, for its file and card (docs/models.md).",
        show_default="the validation of the run",
    ),
]


def export(
    runs: _Runs,
    output: _Output,
    dtype: _DType = "float32",
    exact: _Exact = False,
    tolerance: _Tolerance = None,
    weights: _Weights = None,
    accuracy: _Accuracy = None,
) -> None:
    """Write a trained model as the one file that LAMMPS, ASE and `glassml predict` use.

    Of a run folder the best epoch is exported. The file says how it was trained.
    In float32 the radial networks become tables, made as fine as the tolerance asks for; float64
    files keep the networks unless a tolerance is given.

    Several runs become a committee: one model whose outputs are the mean of the members'
    propensities (propensity), their standard deviation (propensity_std) and each of them
    (propensity_members).
    """
    from glassml.errors import ConfigError
    from glassml.export import save_model
    from glassml.provenance import read_accuracy

    if exact and tolerance is not None:
        raise ConfigError("--tolerance: is of tables, which --exact does without; give one of them")
    measured = None if accuracy is None else read_accuracy(accuracy)
    model, record, origin = _load(runs, _numbers(weights))
    manifest = save_model(
        model,
        output,
        dtype=dtype,
        radial="exact" if exact else "table" if tolerance is not None else None,
        tolerance=1e-4 if tolerance is None else tolerance,
        training=record.model_copy(update={"accuracy": measured}),
    )
    typer.echo(
        f"{output}: {manifest.model}, {manifest.n_parameters} parameters, {manifest.dtype}, "
        f"{len(manifest.times)} time(s), {origin}"
    )
    if manifest.radial_table is not None:
        table = manifest.radial_table
        typer.echo(
            f"radial tables with {table.knots} knots: outputs within {table.measured_error:.1e} "
            f"of the trained model's in float64 (asked for: {table.tolerance:.1e})"
        )


def _load(runs: list[Path], weights: list[float] | None) -> tuple[GlassModel, TrainingRecord, str]:
    """The model, the record of its training, and the same in words."""
    from glassml.training import load_trained_committee, load_trained_model

    if len(runs) > 1 or weights is not None:
        committee, record = load_trained_committee(runs, weights)
        return committee, record, f"members from {', '.join(map(str, runs))}"
    trained = load_trained_model(runs[0])
    return trained.model, trained.record, f"epoch {trained.record.epoch} of {trained.path}"


def _numbers(text: str | None) -> list[float] | None:
    from glassml.errors import ConfigError

    try:
        return None if text is None else [float(word) for word in text.split(",")]
    except ValueError:
        raise ConfigError(f"--weights: expected numbers joined by commas; found {text!r}") from None
