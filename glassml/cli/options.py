"""Arguments and options that several commands have: one name and one explanation for each.

Also the reading of option values that Typer cannot read by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

__all__ = [
    "AsJson",
    "DatasetFile",
    "DatasetOutput",
    "Device",
    "FileFormat",
    "FrameFormat",
    "LengthUnit",
    "Model",
    "ModelOutput",
    "Overwrite",
    "PeriodicDirections",
    "Picture",
    "Quantity",
    "Scalars",
    "Seed",
    "ShownSpecies",
    "SpeciesNames",
    "Tables",
    "Threads",
    "TimeOfLabels",
    "directions",
    "jobs_option",
    "named",
    "numbers",
    "output_option",
]

_Number = TypeVar("_Number", int, float)


def output_option(metavar: str, explanation: str, **more: Any) -> Any:
    """The option `-o/--output`, which is a path in every command."""
    return typer.Option("--output", "-o", metavar=metavar, help=explanation, **more)


def jobs_option(what: str, default: str | None = None) -> Any:
    """The option `-j/--jobs`: how many things are done at once."""
    return typer.Option(
        "--jobs", "-j", metavar="N", help=f"{what} at once.", show_default=default or True
    )


# What a command works on.
Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="Model file, or the name of a shipped model.", show_default=False
    ),
]
DatasetFile = Annotated[
    Path,
    typer.Argument(
        metavar="DATASET",
        help="Dataset of `glassml data convert`, or the name of a shipped one.",
        show_default=False,
    ),
]

# How it is read.
FileFormat = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="NAME",
        help="Format of the input: auto, glassbench, glassbench2d, botan, deepmind, glassml or "
        "ase.",
    ),
]
SpeciesNames = Annotated[
    str | None,
    typer.Option(
        "--species",
        metavar="NAMES",
        help='Names of the species: of the LAMMPS types 1, 2, ... as "A,B", or of chemical '
        'symbols as "H=A,He=B".',
    ),
]
Scalars = Annotated[
    list[str] | None,
    typer.Option(
        "--scalar",
        metavar="NAME[=COLUMN]",
        help="A per-particle scalar, and its name in the input if that differs. May be repeated.",
    ),
]
LengthUnit = Annotated[
    str | None,
    typer.Option(
        metavar="UNIT", help="Unit of lengths in the input, if the input does not state it."
    ),
]
PeriodicDirections = Annotated[
    str | None,
    typer.Option(
        "--pbc",
        metavar="T,T,F",
        help="Periodic directions of structure files, if they do not state them: T,T,T for a bulk "
        "liquid, T,T,F for a flat one.",
    ),
]

# What is chosen from it.
FrameFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="ASE's name for the input format.",
        show_default="recognised from the file",
    ),
]

Quantity = Annotated[
    str,
    typer.Option(
        "--quantity",
        metavar="NAMES",
        help="Quantities to predict, joined by commas; `glassml info MODEL` lists those of a "
        "model.",
    ),
]
ShownSpecies = Annotated[
    str | None,
    typer.Option(
        "--species",
        metavar="NAME",
        help="Species that figures and tables show.",
        show_default="the first",
    ),
]
TimeOfLabels = Annotated[
    float | None,
    typer.Option(
        "--time",
        metavar="TIME",
        help="Time of the labels to use.",
        show_default="the only one, or the one nearest to tau_alpha",
    ),
]

# How it is computed.
Device = Annotated[str, typer.Option(metavar="NAME", help="cpu, cuda, cuda:N or auto.")]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Do not check the code in the model file, which could do anything that you may do. "
        "Only for files of people whom you trust (docs/howto/security.md).",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(metavar="N", help="CPU threads.", show_default="all cores"),
]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the random choices.")]

# What is written.
DatasetOutput = Annotated[
    Path, output_option("DATASET.h5", "Dataset to write.", show_default=False)
]
ModelOutput = Annotated[Path, output_option("MODEL.pt", "Model file to write.", show_default=False)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
Tables = Annotated[
    list[Path] | None,
    typer.Option(
        "--table",
        metavar="FILE",
        help="Write the numbers to a file that ends in .csv or .json. May be repeated.",
    ),
]
Picture = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Draw a figure: a file that ends in .png, .svg or .pdf."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def named(texts: Sequence[str], option: str, value: str, *, bare: bool = False) -> dict[str, str]:
    """Read "NAME=VALUE", once for each name.

    Args:
        texts: what the user gave.
        option: name of the option, for messages.
        value: what the value is called in messages, such as FILE.
        bare: whether "NAME" alone is accepted; it then stands for "NAME=NAME".

    Raises:
        InputError: a text has another form, or a name occurs twice.
    """
    from glassml.errors import InputError

    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, found = (part.strip() for part in text.partition("="))
        if bare and not equals:
            found = name
        if not name or not found:
            raise InputError(f"{option}: expected NAME={value}; found {text!r}")
        if name in pairs:
            raise InputError(f"{option}: expected different names; found {name!r} twice")
        pairs[name] = found
    return pairs


def numbers(text: str, option: str, kind: type[_Number]) -> list[_Number]:
    """Read numbers that are joined by commas.

    Raises:
        InputError: one of them is not of this kind (int or float).
    """
    from glassml.errors import InputError

    try:
        return [kind(word) for word in text.split(",")]
    except ValueError:
        what = "whole numbers" if kind is int else "numbers"
        raise InputError(f"{option}: expected {what} joined by commas; found {text!r}") from None


def directions(text: str | None) -> tuple[bool, bool, bool] | None:
    """Read which lattice directions are periodic, such as "T,T,F"; None if it is not given.

    Raises:
        InputError: the text has another form.
    """
    from glassml.data import periodic_directions
    from glassml.errors import InputError

    if text is None:
        return None
    try:
        return periodic_directions(text)
    except ValueError as error:
        raise InputError(f"--pbc: {error}; found {text!r}") from None
