"""`glassml evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["evaluate"]


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model file of `glassml export`.")],
    dataset: Annotated[Path, typer.Argument(help="Dataset of `glassml data convert`.")],
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the numbers as JSON.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the numbers as CSV.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N or auto.")] = "auto",
) -> None:
    """Correlate a model's predictions with the labels of a dataset.

    Pearson and Spearman coefficients per species and time, of all particles pooled (`all`) and
    within each configuration, then averaged (`mean`).
    """
    from rich.console import Console
    from rich.progress import track

    import glassml.analysis as analysis
    from glassml.data import Dataset
    from glassml.export import Predictor

    configurations = Dataset(dataset)
    console = Console()
    result = analysis.evaluate(
        Predictor(model, device=device),
        configurations,
        watch=lambda items: track(
            items,
            "evaluating",
            total=len(configurations),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ),
    )
    console.print(analysis.table(result))
    for write, path in ((result.write_json, json), (result.write_csv, csv)):
        if path is not None:
            write(path)
            typer.echo(f"written: {path}")
