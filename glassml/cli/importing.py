"""`glassml import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassml.cli.options import ModelOutput
from glassml.cli.output import say_note, say_written

if TYPE_CHECKING:
    from glassml.domain import Domain
    from glassml.importing import Imported

__all__ = ["import_weights"]

_Name = Annotated[
    str, typer.Argument(metavar="MODEL", help="bapst, botan or eignn.", show_default=False)
]
_Weights = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="File of the authors' code: for bapst the table of a TensorFlow checkpoint, "
        "NAME.ckpt.index, with NAME.ckpt.data-00000-of-00001 beside it; for botan a PyTorch file "
        "of parameters, NAME.pth; for eignn a PyTorch checkpoint, NAME.pt.",
        show_default=False,
    ),
]
_Time = Annotated[
    str | None,
    typer.Option(
        metavar="TIMES",
        help="Time of the labels that the network was trained on; for eignn one for each of its "
        "outputs, separated by commas. Needed unless FILE holds published weights whose time is "
        "known.",
        show_default="that of the published weights",
    ),
]
_Species = Annotated[
    str,
    typer.Option(metavar="NAMES", help="Names of the two species that the network calls 0 and 1."),
]
_DType = Annotated[
    str, typer.Option(metavar="NAME", help="Precision of the model file: float32 or float64.")
]
_Data = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DATASET",
        help="Dataset of the liquid that the network was trained on. The model file then says what "
        "it is like, and engines warn of others. For eignn, which predicts in units of the "
        "standard deviation of the labels, its labels are needed. May be repeated.",
        show_default="not described",
    ),
]
_Structure = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="For eignn: the structure that it was trained with, cage or inherent.",
    ),
]
_AsStart = Annotated[
    bool,
    typer.Option(
        "--as-start",
        help="Write a checkpoint for the start of a training instead of a model file.",
    ),
]


def import_weights(
    name: _Name,
    weights: _Weights,
    output: ModelOutput,
    time: _Time = None,
    species: _Species = "A,B",
    dtype: _DType = "float32",
    data: _Data = None,
    structure: _Structure = "cage",
    as_start: _AsStart = False,
) -> None:
    """Write a model file with weights that the authors of a model published.

    The file then works like one of `glassml export`. No code in FILE is run, and neither TensorFlow
    nor the authors' code is needed. The model file records the names and checksums of the files
    and, if their numbers are those of known published weights, where these come from.
    docs/howto/published_weights.md says where to find them.

    The published files of BOTAN were trained on the relative motion of neighbours alone. They
    predict no propensity. With --as-start they become the start of a training.

    Examples, the network of Bapst et al., the start of a training of BOTAN, and EIGNN:

        glassml import bapst t044_s09.ckpt.index -o bapst.pt --time 0.132
        glassml import botan model1.pth -o start.ckpt --time 4120 --as-start
        glassml import eignn t044_EIGNN_cage.pt -o eignn.pt --time 0.13,1.3 --data liquid.h5
    """
    from glassml.data import Dataset
    from glassml.errors import ConfigError
    from glassml.importing import imported
    from glassml.training import save_trained_model

    if as_start and data:
        raise ConfigError(
            "--data, --as-start: expected one of them, as a training describes its own data; found "
            "both"
        )
    found = imported(
        name,
        weights,
        species=tuple(part.strip() for part in species.split(",")),
        times=None if time is None else _numbers(time),
        as_start=as_start,
        labelled=[c for file in data or [] for c in Dataset(file)] if name == "eignn" else (),
        structure=structure,
    )
    for note in found.notes:
        say_note(note)
    if as_start:
        save_trained_model(found.model, found.training, output)
        say_written(output)
    else:
        _write_model(found, output, dtype, data or [])
    for citation in found.model.citations:
        typer.echo(f"Cite: {citation}")


def _numbers(text: str) -> tuple[float, ...]:
    from glassml.errors import ConfigError

    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--time: expected numbers separated by commas; found {text!r}") from None


def _write_model(found: Imported, output: Path, dtype: str, data: list[str]) -> None:
    from glassml.export import save_model

    if data:
        found.model.domain = _domain(found, output, data)
    manifest = save_model(found.model, output, dtype=dtype, training=found.training)
    typer.echo(
        f"{output}: {manifest.model}, {manifest.n_parameters} parameters, {manifest.dtype}, "
        f"t = {', '.join(f'{time:g}' for time in manifest.times)}"
    )
    if not data:
        say_note(
            f"{output} does not say what the training data were like, so no engine warns of other "
            f"systems. --data DATASET adds it, or `glassml models domain {output} DATASET -o FILE`"
        )


def _domain(found: Imported, output: Path, data: list[str]) -> Domain:
    """What datasets are like, as the model reads them."""
    import tempfile

    from glassml.cli.models import measured_domain
    from glassml.export import save_model

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / output.name
        save_model(found.model, file)
        return measured_domain(file, data)
