"""`glassml data split`, `merge`, `reverse` and `validate`: commands that work on datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from glassml.cli.options import (
    DatasetFile,
    DatasetOutput,
    Overwrite,
    Seed,
    named,
    output_option,
)
from glassml.cli.output import check_absent

__all__ = ["merge", "reverse", "split", "validate"]


def split(
    path: DatasetFile,
    part: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SIZE",
            help="A part: its name, and its fraction such as 0.8 or number of configurations. May "
            "be repeated.",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Make one part per value of this entry of the provenance instead."
        ),
    ] = None,
    seed: Seed = 0,
    output: Annotated[
        Path | None,
        output_option(
            "FOLDER", "Folder for the parts.", show_default="the folder that the dataset is in"
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Divide a dataset into parts, by configuration.

    The parts are named `<dataset>_<part>.h5`. Configurations with the same positions stay in one
    part.

    For example:

        glassml data split kob_andersen_T0.64 --part train=0.8 --part test=0.2
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
            check_absent(file, overwrite)
        split_dataset(dataset, parts, files, how)
        rest = len(dataset) - sum(map(len, parts.values()))
    for name, names in parts.items():
        typer.echo(f"{files[name]}: {len(names)} configurations")
    if rest:
        typer.echo(f"in no part: {rest} configurations")


def merge(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="DATASET...", help="Datasets to merge.", show_default=False),
    ],
    output: DatasetOutput,
    allow_different: Annotated[
        bool,
        typer.Option(
            "--allow-different",
            help="Accept different compositions, densities, times of labels and windows of "
            "averaged positions.",
        ),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Put several datasets of one system into one.

    Every configuration keeps its labels and its provenance.

    For example:

        glassml data merge one.h5 two.h5 -o both.h5
    """
    from glassml.data import merge_datasets

    check_absent(output, overwrite)
    count = merge_datasets(inputs, output, allow_different=allow_different)
    typer.echo(f"{output}: {count} configurations")


def reverse(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET",
            help="Dataset with the final positions of isoconfigurational runs.",
            show_default=False,
        ),
    ],
    output: DatasetOutput,
    time: Annotated[
        float | None,
        typer.Option(
            metavar="TIME", help="Time of the labels to use.", show_default="the only one"
        ),
    ] = None,
    runs: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Runs to use of each configuration.", show_default="all"
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make more training data: final positions of runs, labelled by the same runs backwards.

    Equilibrium dynamics are the same backwards in time, so each run from A to B is also a run from
    B to A. The labels are noisy (one run each), but there are many. To train on the new dataset,
    name it in `data.reversed`; runs that started from validation configurations are left out.

    Make the input with `glassml data convert ... --final-positions -o runs.h5`.

    For example:

        glassml data reverse runs.h5 -o reversed.h5
    """
    from glassml.data import reverse_dataset
    from glassml.progress import TerminalProgress

    check_absent(output, overwrite)
    count = reverse_dataset(path, output, time=time, runs=runs, progress=TerminalProgress())
    typer.echo(f"{output}: {count} configurations")


def validate(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="DATASET...", help="Datasets to check.", show_default=False),
    ],
    min_distance: Annotated[
        float | None,
        typer.Option(
            metavar="LENGTH",
            help="Smallest distance that two particles may have.",
            show_default="0.3 of the mean spacing",
        ),
    ] = None,
) -> None:
    """Check that datasets are undamaged and physically possible.

    Prints every complaint, including those about final positions; the exit status is 1 if there are
    any.

    For example:

        glassml data validate kob_andersen_T0.64
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
    for name, size in named(texts, "--part", "SIZE").items():
        try:
            number = int(size) if size.isdigit() else float(size)
        except ValueError:
            number = 0
        if not number or not name.replace("-", "").replace("_", "").isalnum():
            raise InputError(
                "--part: expected NAME=SIZE such as train=0.8 or test=100; found "
                f"{f'{name}={size}'!r}"
            )
        sizes[name] = number
    return sizes
