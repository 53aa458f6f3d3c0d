"""The `glassml` command: its subcommands, and how a user's mistake is reported."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import TextIO

import typer

import glassml
from glassml.cli.interruption import (
    Interruptible,
    explain,
    interrupts_survive,
    signals_interrupt,
)
from glassml.cli.output import say_error, say_warning
from glassml.errors import GlassMLError, ModelFileWarning, OutsideDomainWarning
from glassml.files import is_disk_full

__all__ = ["app", "main"]

# What people want to do -> command -> its module and function; `app` is a group of commands.
_COMMANDS = {
    "Make data": {
        "simulate": ("glassml.cli.simulate", "simulate"),
        "quench": ("glassml.cli.quench", "quench"),
        "average": ("glassml.cli.average", "average"),
        "data": ("glassml.cli.data", "app"),
    },
    "Train": {
        "train": ("glassml.cli.train", "train"),
        "export": ("glassml.cli.export", "export"),
        "import": ("glassml.cli.importing", "import_weights"),
        "softness": ("glassml.cli.softness", "softness"),
    },
    "Use": {
        "predict": ("glassml.cli.predict", "predict"),
        "plot": ("glassml.cli.plot", "plot"),
        "info": ("glassml.cli.info", "info"),
        "models": ("glassml.cli.models", "app"),
    },
    "Study": {
        "evaluate": ("glassml.cli.evaluate", "evaluate"),
        "transfer": ("glassml.cli.studies", "transfer"),
        "refit": ("glassml.cli.studies", "refit"),
        "few-shot": ("glassml.cli.studies", "few_shot"),
        "sweep": ("glassml.cli.sweep", "sweep"),
        "benchmark": ("glassml.cli.benchmark", "app"),
    },
    "Install": {
        "build": ("glassml.cli.build", "build"),
        "doctor": ("glassml.cli.doctor", "doctor"),
    },
}

app = typer.Typer(
    name="glassml",
    cls=Interruptible,
    help=(
        "Predict from structure how the particles of a glass-forming liquid will move.\n\n"
        "The usual order: `glassml data convert`, `glassml train`, `glassml export`. The exported "
        "file then runs in `glassml predict`, in LAMMPS (`fix glassml`) and in ASE.\n\n"
        "`glassml COMMAND --help` explains a command and gives an example."
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
    warnings.showwarning = _show_warning
    if version:
        typer.echo(f"glassml {glassml.__version__}")
        raise typer.Exit


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning; those that are meant for users without the line of code that it is from."""
    if issubclass(category, (OutsideDomainWarning, ModelFileWarning)):
        say_warning(message)
    else:
        text = warnings.formatwarning(message, category, filename, lineno, line)
        typer.echo(text.rstrip(), err=True)


def _register() -> None:
    for panel, commands in _COMMANDS.items():
        for name, (module, attribute) in commands.items():
            found = getattr(importlib.import_module(module), attribute)
            if isinstance(found, typer.Typer):
                app.add_typer(found, name=name, rich_help_panel=panel)
            else:
                app.command(name, rich_help_panel=panel)(found)


_register()


def main() -> None:
    """Entry point of the `glassml` command. A `GlassMLError` is printed without a traceback."""
    with signals_interrupt(), interrupts_survive():
        try:
            app()
        except KeyboardInterrupt as reason:  # while typer prepares the commands
            sys.exit(explain(reason))
        except GlassMLError as error:
            say_error(error)
        except OSError as error:
            if not is_disk_full(error):
                raise
            where = error.filename or "the output"
            say_error(
                f"{where}: cannot write here ({error.strerror}). Make room or choose another path"
            )
        else:
            return
        sys.exit(1)
