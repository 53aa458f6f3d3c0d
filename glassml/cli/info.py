"""`glassml info`: what a model file says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from glassml.export import Manifest

__all__ = ["info"]

# An output may have hundreds of columns; --json lists them all.
_MOST_COLUMNS = 10
_SHOWN_COLUMNS = 4


def info(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="Model file, or the name of a shipped model.", show_default=False
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the manifest itself, as JSON.")
    ] = False,
) -> None:
    """Show what a model file contains, where it comes from and how to use it."""
    from rich.console import Console

    from glassml.export import model_path, read_manifest

    model = model_path(model)
    manifest = read_manifest(model)
    if as_json:
        typer.echo(manifest.model_dump_json(indent=2))
        return
    console = Console(highlight=False)
    console.print(_model_table(model, manifest))
    console.print(_output_table(manifest))
    if manifest.training:
        console.print(_training_table(manifest.training))
    for title, text in _usage(model, manifest).items():
        console.print(f"[bold]{title}[/bold]")
        console.print(text, markup=False, soft_wrap=True)  # one line each, to be copied
    for citation in manifest.citations:
        console.print(f"Cite: {citation}", markup=False, soft_wrap=True)


def _model_table(path: Path, manifest: Manifest) -> Table:
    unit = "sigma (LJ units)" if manifest.length_unit == "lj" else manifest.length_unit
    scalars = "\n".join(f"{s.name} {s.dimension}: {s.meaning}" for s in manifest.scalar_inputs)
    hyperparameters = ", ".join(f"{k}={v}" for k, v in manifest.hyperparameters.items())
    rows = {
        "model": manifest.model,
        "species, in order": " ".join(manifest.species),
        "cutoff": f"{manifest.cutoff:g} {unit}",
        "scalar inputs": scalars or "none",
        "message-passing steps": str(manifest.n_steps),
        "parameters": f"{manifest.n_parameters:,}",
        "precision": manifest.dtype,
        "file": f"{path.stat().st_size / 1024:.0f} KiB, format {manifest.format_version}, "
        f"written by glassml {manifest.glassml_version}",
        "hyperparameters": hyperparameters or "none",
    }
    return _two_columns(str(path), rows)


def _output_table(manifest: Manifest) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("output", "dimension", "columns", title="Outputs", title_justify="left")
    for entry in manifest.outputs:
        shown = ", ".join(entry.columns)
        if len(entry.columns) > _MOST_COLUMNS:
            first = ", ".join(entry.columns[:_SHOWN_COLUMNS])
            shown = f"{first}, ... ({len(entry.columns)} in all)"
        if entry.irreps:
            shown += f"\nirreps {entry.irreps}"
        table.add_row(*(Text(cell) for cell in (entry.name, entry.dimension, shown)))
    return table


def _training_table(training: dict[str, Any]) -> Table:
    return _two_columns("Training", {key: _plain(value) for key, value in training.items()})


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(inner) for inner in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _two_columns(title: str, rows: dict[str, str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", show_header=False)
    for key, value in rows.items():
        table.add_row(Text(key), Text(value))  # Text: "[energy]" is no markup
    return table


def _usage(path: Path, manifest: Manifest) -> dict[str, str]:
    """One line for each way to run the model, with its own species and inputs."""
    species = " ".join(manifest.species)
    scalars = "".join(f" scalar c_{s.name}" for s in manifest.scalar_inputs)
    sources = ", ".join(f'"{s.name}": "{s.name}"' for s in manifest.scalar_inputs)
    listed = ", ".join(f'"{name}"' for name in manifest.species)
    columns = "".join(f" --scalar {s.name}=c_{s.name}" for s in manifest.scalar_inputs)
    return {
        "LAMMPS (one species for each atom type)": (
            f"fix propensity all glassml 100 {path} {species}{scalars}"
        ),
        "ASE": (
            f'GlassMLCalculator("{path}", base=..., species=[{listed}]'
            + (f", scalars={{{sources}}})" if sources else ")")
        ),
        "Offline": (
            f"glassml predict INPUT -m {path} -o OUT.extxyz --species {','.join(manifest.species)}"
            f"{columns}"
        ),
    }
