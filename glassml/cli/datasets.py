"""`glassml data split`, `merge`, `reverse` and `validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["merge", "reverse", "split", "validate"]


def split(
    path: Annotated[Path, typer.Argument(help="Dataset to divide.")],
    part: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SIZE",
            help="A part: its name, and a fraction such as 0.8 or a number of configurations. Once "
            "for each.",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="One part for each value of this entry of the provenance instead."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which configurations are drawn.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the parts. [default: that of the dataset]"),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace parts that exist.")] = False,
) -> None:
    """Divide a dataset into parts, by configuration.

    The parts are called `<dataset>_<part>.h5`. Configurations with the same positions stay in the
    same part.

    Example: `glassml data split all.h5 --part train=0.8 --part test=0.2`
    """
    from glassml.data import Dataset, parts_by_key, parts_by_size, split_dataset
    from glassml.errors import InputError

    if (part is None) == (by is None):
        raise InputError("split: expected either --part NAME=SIZE (once or more) or --by KEY")
    with Dataset(path) as dataset:
        how: dict[str, Any]
        if by is not None:
            parts, how = parts_by_key(dataset, by), {"by": by}
        else:
            sizes = _sizes(part or [])
            parts, how = parts_by_size(dataset, sizes, seed), {"asked": sizes, "seed": seed}
        folder = path.parent if output is None else output
        files = {name: folder / f"{dataset.path.stem}_{name}.h5" for name in parts}
        for file in files.values():
            if file.exists() and not overwrite:
                raise InputError(f"{file}: exists already; expected a new name, or --overwrite")
        split_dataset(dataset, parts, files, how)
        rest = len(dataset) - sum(map(len, parts.values()))
    for name, names in parts.items():
        typer.echo(f"{files[name]}: {len(names)} configurations")
    if rest:
        typer.echo(f"in no part: {rest} configurations")


def merge(
    inputs: Annotated[list[Path], typer.Argument(metavar="DATASET...", help="What to merge.")],
    output: Annotated[
        Path, typer.Option("--out", "-o", help="HDF5 dataset to write.", show_default=False)
    ],
    allow_different: Annotated[
        bool,
        typer.Option(
            "--allow-different", help="Accept other compositions, densities and times of labels."
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace the output if it exists.")] = False,
) -> None:
    """Put several datasets of one system into one.

    Example: `glassml data merge one.h5 two.h5 -o both.h5`
    """
    from glassml.data import merge_datasets
    from glassml.errors import InputError

    if output.exists() and not overwrite:
        raise InputError(f"{output}: exists already; expected a new name (-o), or --overwrite")
    count = merge_datasets(inputs, output, allow_different=allow_different)
    typer.echo(f"{output}: {count} configurations")


def reverse(
    path: Annotated[
        Path, typer.Argument(help="Dataset with the final positions of isoconfigurational runs.")
    ],
    output: Annotated[
        Path, typer.Option("--out", "-o", help="HDF5 dataset to write.", show_default=False)
    ],
    time: Annotated[
        float | None,
        typer.Option(help="Which of the times of the labels, if there are several."),
    ] = None,
    runs: Annotated[
        int | None, typer.Option(min=1, help="Take this many runs of each. [default: all]")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the output if it exists.")] = False,
) -> None:
    """Make more training data: the ends of the runs, labelled by the way back.

    Dynamics in equilibrium are the same backwards, so each run from A to B is also one run from B.
    The labels are noisy (one run each), but there are many. Give the result to training as
    `data.reversed`; what was made of validation configurations is left out there.

    Example: `glassml data convert train/ --final-positions -o runs.h5`, then
    `glassml data reverse runs.h5 -o reversed.h5`
    """
    from glassml.data import reverse_dataset
    from glassml.errors import InputError
    from glassml.progress import TerminalProgress

    if output.exists() and not overwrite:
        raise InputError(f"{output}: exists already; expected a new name (-o), or --overwrite")
    count = reverse_dataset(path, output, time=time, runs=runs, progress=TerminalProgress())
    typer.echo(f"{output}: {count} configurations")


def validate(
    paths: Annotated[list[Path], typer.Argument(metavar="DATASET...", help="What to check.")],
    min_distance: Annotated[
        float | None,
        typer.Option(help="Smallest distance of two particles. [default: 0.3 of the mean spacing]"),
    ] = None,
) -> None:
    """Check that datasets are undamaged and can be what they say.

    Every complaint is printed, and the exit status is 1 if there are any. Final positions are read
    too.
    """
    from glassml.data import Dataset, complaints
    from glassml.errors import InputError
    from glassml.progress import TerminalProgress

    if min_distance is not None and not min_distance > 0:
        raise InputError(f"--min-distance: expected a positive length; found {min_distance:g}")
    progress, total = TerminalProgress(), 0
    for path in paths:
        found = 0
        with Dataset(path) as dataset:
            for complaint in complaints(dataset, min_distance, progress):
                found += 1
                typer.echo(f"{path}: {complaint}")
            count = len(dataset)
        typer.echo(f"{path}: {count} configurations, {f'{found} complaints' if found else 'good'}")
        total += found
    if total:
        raise typer.Exit(1)


def _sizes(texts: list[str]) -> dict[str, float]:
    from glassml.errors import InputError

    sizes: dict[str, float] = {}
    for text in texts:
        name, _, size = (word.strip() for word in text.partition("="))
        try:
            number = int(size) if size.isdigit() else float(size)
        except ValueError:
            number = 0
        if not number or not name or not name.replace("-", "").replace("_", "").isalnum():
            raise InputError(
                f"--part: expected NAME=SIZE such as train=0.8 or test=100; found {text!r}"
            )
        if name in sizes:
            raise InputError(f"--part: expected different names; found {name!r} twice")
        sizes[name] = number
    return sizes
