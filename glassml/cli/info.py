"""`glassml info`: what a model file contains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from glassml.cli.options import AsJson, Model

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from glassml.data import Window
    from glassml.export import Manifest

__all__ = ["info", "show"]

# An output may have hundreds of columns, a run hundreds of configurations; --json lists them all.
_MOST_ENTRIES = 10
_SHOWN_ENTRIES = 4


def info(model: Model, as_json: AsJson = False) -> None:
    """Show what a model file contains, where it comes from and how to use it.

    Lists species, inputs and quantities, the data of the training, and one line each for LAMMPS,
    ASE and `glassml predict`. With --json the manifest itself is printed.

    For example:

        glassml info kob_andersen_T0.44
    """
    show(model, as_json)


def show(model: Path, as_json: bool) -> None:
    """Print a manifest, for people or as JSON."""
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
    training = _stated(manifest.training)
    if training:
        console.print(_two_columns("Training", training))
    for title, text in {**_usage(model, manifest), **_dump(manifest)}.items():
        console.print(f"[bold]{title}[/bold]")
        console.print(text, markup=False, soft_wrap=True)  # one line each, to be copied
    for citation in manifest.citations:
        console.print(f"Cite: {citation}", markup=False, soft_wrap=True)


def _model_table(path: Path, manifest: Manifest) -> Table:
    from glassml.inference import window_facts
    from glassml.physics.units import length_name

    scalars = "\n".join(f"{s.name} {s.dimension}: {s.meaning}" for s in manifest.scalar_inputs)
    rows: dict[str, Any] = {
        "model": manifest.model,
        "species, in order": " ".join(manifest.species),
        "cutoff": f"{manifest.cutoff:g} {length_name(manifest.length_unit)}",
        "domain (training data)": None
        if manifest.domain is None
        else manifest.domain.facts(manifest.species, manifest.length_unit),
        "positions": manifest.positions,
        "scalar inputs": scalars or "none",
        **window_facts(manifest),
        "message-passing steps": str(manifest.n_steps),
        "parameters": f"{manifest.n_parameters:,}",
        "symmetry": "independent of the directions of the axes"
        if manifest.rotation_invariant
        else "depends on the directions of the axes",
        "precision": manifest.dtype,
        "file": f"{path.stat().st_size / 1000:.0f} kB, format {manifest.format_version}, "
        f"written by glassml {manifest.glassml_version}",
        "hyperparameters": manifest.hyperparameters,
    }
    return _two_columns(str(path), rows)


def _output_table(manifest: Manifest) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("quantity", "dimension", "columns", title="Quantities", title_justify="left")
    for entry in (*manifest.outputs, *manifest.edge_outputs):
        shown = _plain(entry.columns)
        if entry in manifest.edge_outputs:
            shown += "\nfor each pair of neighbours"
        if entry.irreps:
            shown += f"\nirreps {entry.irreps}"
        table.add_row(*(Text(cell) for cell in (entry.name, entry.dimension, shown)))
    return table


def _stated(value: Any) -> Any:
    """A record of a training in plain values; configurations by their names, scores in a line."""
    from glassml.provenance import KnownConfiguration, Part, ReversedRuns
    from glassml.scores import Score

    if isinstance(value, KnownConfiguration):
        return value.name
    if isinstance(value, ReversedRuns):
        return value.number
    if isinstance(value, Part):
        return {name: _stated(inner) for name, inner in value.stated().items()}
    if isinstance(value, tuple) and value and isinstance(value[0], Score):
        return {
            f"{score.statistic} {score.kind}, {score.species}, t = {score.time:g}": str(score)
            for score in value
        }
    return [_stated(inner) for inner in value] if isinstance(value, tuple) else value


def _nested(value: Any) -> RenderableType:
    """Settings one below another; those of a section are indented beside its name."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if isinstance(value, dict) and value:
        table = Table.grid(padding=(0, 1))
        for key, inner in value.items():
            table.add_row(Text(f"{key}:"), _nested(inner))
        return table
    if isinstance(value, list | tuple) and any(isinstance(entry, dict) for entry in value):
        return Group(*(_nested(entry) for entry in value))
    return Text(_plain(value), overflow="fold")  # Text: "[energy]" is not markup


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple) and len(value) > _MOST_ENTRIES:
        return f"{_plain(value[:_SHOWN_ENTRIES])}, ... ({len(value)} in all)"
    if isinstance(value, list | tuple) and value:
        return ", ".join(_plain(entry) for entry in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or value in ({}, [], ()):
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _two_columns(title: str, rows: dict[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", show_header=False)
    for key, value in rows.items():
        table.add_row(Text(key), _nested(value), end_section=isinstance(value, dict | list))
    return table


def _usage(path: Path, manifest: Manifest) -> dict[str, str]:
    """One line for each way to run the model, with its own species and inputs."""
    if manifest.window is not None:
        return _window_usage(path, manifest, manifest.window)
    species = " ".join(manifest.species)
    scalars = "".join(f" scalar c_{s.name}" for s in manifest.scalar_inputs)
    sources = ", ".join(f'"{s.name}": "{s.name}"' for s in manifest.scalar_inputs)
    at_minimum = manifest.positions == "inherent"
    columns = "".join(f" --scalar {s.name}=c_{s.name}" for s in manifest.scalar_inputs)
    return {
        f"LAMMPS (one species for each atom type{', after minimize' * at_minimum})": (
            f"fix propensity all glassml 100 {path} {species}{scalars}"
        ),
        "ASE": (
            f'GlassMLCalculator("{path}", base=..., species=[{_listed(manifest)}]'
            + (f", scalars={{{sources}}})" if sources else ")")
        ),
        "Offline": f"{_predict(path, manifest)}{columns}",
    }


def _dump(manifest: Manifest) -> dict[str, str]:
    """How LAMMPS writes the propensity under names that other programs keep.

    ASE leaves out columns that begin with neither f_ nor another prefix of LAMMPS.
    """
    columns = next(entry.columns for entry in manifest.outputs if entry.name == "propensity")
    names = (f"colname f_propensity[{k}] f_{name}" for k, name in enumerate(columns, start=1))
    every = "100" if manifest.window is None else "NEVERY"
    lines = (
        f"dump propensity all custom {every} propensity.dump id type x y z f_propensity[*]",
        f"dump_modify propensity {' '.join(names)}",
    )
    return {"LAMMPS dump, with names that OVITO and ASE keep": "\n".join(lines)}


def _window_usage(path: Path, manifest: Manifest, window: Window) -> dict[str, str]:
    """The same for a model that reads averages, whose engines make most of its inputs."""
    from glassml.data import AVERAGE, WINDOW_SCALARS

    named = [scalar.name for scalar in manifest.scalar_inputs]
    made = (*WINDOW_SCALARS, "potential_energy")
    others = [name for name in named if name not in made]
    sources = ", ".join(f'"{name}": "{name}"' for name in others)
    columns = {name: f"c_{name}" for name in others}
    columns |= {k: "c_energy" for k in ("average_energy", "potential_energy") if k in named}
    steps = f"STEPS: {window.interval:g} in timesteps; NEVERY: {window.samples} STEPS"
    # No keyword for thermal positions: with `positions average` the fix would read averaged ones.
    keyword = {
        AVERAGE: f" positions average STEPS {window.samples}",
        "inherent": " positions inherent",
    }
    return {
        f"LAMMPS (one species for each atom type; {steps})": (
            f"fix propensity all glassml NEVERY {path} {' '.join(manifest.species)}"
            + keyword.get(manifest.positions, "")
            + "".join(f" scalar c_{name}" for name in others)
        ),
        f"ASE (for dynamics.attach(observer, interval=STEPS); STEPS: {window.interval:g} in "
        "timesteps)": (
            f'PropensityObserver(atoms, "{path}", species=[{_listed(manifest)}]'
            + (f", scalars={{{sources}}})" if sources else ")")
        ),
        f"Offline (a trajectory with a frame every {window.interval:g})": (
            f"{_predict(path, manifest)} --average {window.samples}"
            + "".join(f" --scalar {name}={column}" for name, column in columns.items())
        ),
    }


def _listed(manifest: Manifest) -> str:
    return ", ".join(f'"{name}"' for name in manifest.species)


def _predict(path: Path, manifest: Manifest) -> str:
    species = ",".join(manifest.species)
    return f"glassml predict INPUT -m {path} -o OUT.extxyz --species {species}"
