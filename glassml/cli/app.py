"""The `glassml` command: its subcommands, and how a user's mistake is reported."""

from __future__ import annotations

import importlib
import sys

import typer

import glassml
from glassml.errors import GlassMLError

__all__ = ["app", "main"]

# Subcommand -> the module and the function (or, for a group of commands, the Typer app).
_COMMANDS = {
    "simulate": ("glassml.cli.simulate", "simulate"),
    "train": ("glassml.cli.train", "train"),
    "export": ("glassml.cli.export", "export"),
    "predict": ("glassml.cli.predict", "predict"),
    "evaluate": ("glassml.cli.evaluate", "evaluate"),
    "transfer": ("glassml.cli.studies", "transfer"),
    "refit": ("glassml.cli.studies", "refit"),
    "few-shot": ("glassml.cli.studies", "few_shot"),
    "sweep": ("glassml.cli.sweep", "sweep"),
    "quench": ("glassml.cli.quench", "quench"),
    "info": ("glassml.cli.info", "info"),
    "build": ("glassml.cli.build", "build"),
    "doctor": ("glassml.cli.doctor", "doctor"),
}
_GROUPS = {"data": ("glassml.cli.data", "app"), "models": ("glassml.cli.models", "app")}

app = typer.Typer(
    name="glassml",
    help=(
        "Predict from structure how the particles of a glass-forming liquid will move.\n\n"
        "The usual way: `glassml data convert` -> `glassml train` -> `glassml export`; then "
        "`glassml predict`, `fix glassml` in LAMMPS, or the ASE calculator, all with one file."
    ),
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    if version:
        typer.echo(f"glassml {glassml.__version__}")
        raise typer.Exit


def _register() -> None:
    for name, (module, attribute) in _COMMANDS.items():
        app.command(name)(getattr(importlib.import_module(module), attribute))
    for name, (module, attribute) in _GROUPS.items():
        app.add_typer(getattr(importlib.import_module(module), attribute), name=name)


_register()


def main() -> None:
    """Entry point of the `glassml` command. A `GlassMLError` is printed without a traceback."""
    try:
        app()
    except GlassMLError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)
