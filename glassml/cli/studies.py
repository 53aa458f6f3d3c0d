"""`glassml transfer`, `glassml refit` and `glassml few-shot`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from glassml.cli.options import (
    DatasetFile,
    Device,
    Model,
    ModelOutput,
    Picture,
    Seed,
    ShownSpecies,
    Tables,
    TimeOfLabels,
    Trust,
    named,
    numbers,
)
from glassml.cli.output import check_tables, say_written, write_tables
from glassml.errors import InputError, not_one_of

if TYPE_CHECKING:
    from glassml.data import Dataset
    from glassml.inference import Predictor

__all__ = ["few_shot", "refit", "transfer"]

_Files = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL... DATASET...",
        help="Model files and datasets, or names of shipped ones, in any order.",
        show_default=False,
    ),
]
_Times = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]TIME",
        help="Time to use for one model or dataset (NAME: its file), or for all others. "
        "May be repeated.",
        show_default="the only one, or the one nearest to tau_alpha",
    ),
]
_Published = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.csv",
        help="Published coefficients to draw below the matrix: columns model, T_train, T_test, "
        "pearson and metric (all or mean).",
    ),
]
_Positions = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="For structural and boattini: thermal, average, inherent or cage.",
        show_default="thermal",
    ),
]
_Scalars = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="For structural, boattini and cage: a per-particle scalar to use as input. May be "
        "repeated.",
    ),
]
_Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--setting",
        metavar="NAME=VALUE",
        help="For structural, boattini and cage: a hyperparameter, such as cutoff=2.0; lengths in "
        "the unit of DATASET. May be repeated.",
    ),
]
_Reversed = Annotated[
    Path | None,
    typer.Option(
        "--reversed",
        metavar="DATASET",
        help="Reversed runs of DATASET (`glassml data reverse`), to fit to as well.",
    ),
]
_LabelNoise = Annotated[
    float,
    typer.Option(
        metavar="RUNS", min=0, help="Labels of R runs have the weight R / (R + this) in the fit."
    ),
]
_Test = Annotated[
    Path | None,
    typer.Option(
        metavar="DATASET", help="Test on these.", show_default="the configurations not drawn"
    ),
]
_Sizes = Annotated[
    str | None,
    typer.Option(
        metavar="N1,N2,...",
        help="Numbers of configurations to fit to.",
        show_default="1, 2, 5, 10, 20, ... up to the size of the dataset",
    ),
]
_Draws = Annotated[
    int, typer.Option(metavar="N", help="Random choices of configurations for each size.")
]
_ENDINGS = (".h5", ".hdf5")


def transfer(
    files: _Files,
    time: _Times = None,
    species: ShownSpecies = None,
    published: _Published = None,
    table: Tables = None,
    picture: Picture = None,
    device: Device = "auto",
    trust: Trust = False,
) -> None:
    """Evaluate every model on every dataset: the transfer matrix.

    Pearson coefficients at the structural relaxation time tau_alpha, which depends on temperature:
    the predictions at the model's tau_alpha against the labels at the dataset's tau_alpha.

    Example, which takes half a minute:

        glassml transfer kob_andersen_T0.44 kob_andersen_T0.64_multitime kob_andersen_T0.64

    With `--picture transfer.png` it also draws the matrix.
    """
    from rich.console import Console

    from glassml.data import Dataset
    from glassml.inference import Predictor
    from glassml.plotting import check_image, save_figure
    from glassml.progress import TerminalProgress
    from glassml.scores import KINDS
    from glassml.studies.transfer import read_published_transfer, transfer_table
    from glassml.studies.transfer import transfer as evaluate_all

    check_tables(table)
    names = [name for name in files if not _is_dataset(name)]
    datasets = [Dataset(name) for name in files if _is_dataset(name)]
    if not names or not datasets:
        missing = "dataset (.h5, or the name of a shipped one)" if names else "model"
        raise InputError(f"expected one or more models and datasets; found no {missing}")
    if picture is not None:
        check_image(picture)
    known = dict.fromkeys(name for dataset in datasets for name in dataset.species_names)
    shown = _shown_species(species, tuple(known))
    theirs = [] if published is None else read_published_transfer(published)
    times, everywhere = _times(time or [])
    models = [Predictor(name, device, check_domain=False, trust=trust) for name in names]
    result = evaluate_all(models, datasets, times, everywhere, TerminalProgress())
    console = Console()
    if picture is not None:
        from glassml.studies.transfer_pictures import transfer_figure

        save_figure(transfer_figure(result, shown, theirs), picture)
    for kind in KINDS:
        console.print(transfer_table(result, shown, kind))
    write_tables(table, csv=result.write_csv, json=result.write_json)
    say_written(picture)


def refit(
    model: Model,
    dataset: DatasetFile,
    output: ModelOutput,
    positions: _Positions = None,
    scalar: _Scalars = None,
    setting: _Settings = None,
    reversed_runs: _Reversed = None,
    label_noise: _LabelNoise = 0.0,
    table: Tables = None,
    device: Device = "auto",
) -> None:
    """Transfer learning in seconds: fit a model's linear decoders to a dataset.

    The network stays as it is; the new file predicts the times of DATASET and runs wherever the old
    one does. The fit is a ridge regression in closed form, one decoder per species and time. Its
    penalty is the one that predicts best when each configuration in turn is left out; the numbers
    shown are for the configurations left out. Test the new file on other data with `glassml
    evaluate`.

    MODEL may also be `structural`, `boattini` or `cage`: classical averaged descriptors, which need
    no training; then --positions and --scalar say what they are calculated from, and --setting how.

    For example:

        glassml refit kob_andersen_T0.44 kob_andersen_T0.64 -o T0.64.pt
    """
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from glassml.data import Dataset
    from glassml.progress import TerminalProgress
    from glassml.studies.refit import refit as fit_decoders
    from glassml.studies.refit import refit_table

    check_tables(table)
    opened = Dataset(dataset)
    runs = None if reversed_runs is None else Dataset(reversed_runs)
    with TemporaryDirectory() as folder:
        inputs = _Inputs(positions, scalar or [], setting or [])
        predictor = _described(model, opened, inputs, device, Path(folder))
        result = fit_decoders(
            predictor,
            opened,
            output,
            reversed_runs=runs,
            label_noise=label_noise,
            progress=TerminalProgress(),
        )
    Console().print(refit_table(result))
    typer.echo(predictor.neighbours_note)
    write_tables(table, csv=result.write_csv, json=result.write_json)
    say_written(output)


def few_shot(
    model: Model,
    dataset: DatasetFile,
    test: _Test = None,
    sizes: _Sizes = None,
    draws: _Draws = 20,
    seed: Seed = 0,
    species: ShownSpecies = None,
    time: TimeOfLabels = None,
    table: Tables = None,
    picture: Picture = None,
    device: Device = "auto",
) -> None:
    """Refit a model's decoders to 1, 2, 5, 10, ... configurations and test them on others.

    The table gives mean and standard deviation over random choices of configurations. If the model
    itself predicts the times of the labels, its own coefficients are listed beside them.

    For example:

        glassml few-shot kob_andersen_T0.44 kob_andersen_T0.64 --picture few_shot.png
    """
    from rich.console import Console

    from glassml.analysis.relaxation_times import relaxation_time_of
    from glassml.data import Dataset
    from glassml.plotting import check_image, save_figure
    from glassml.progress import TerminalProgress
    from glassml.studies.few_shot import few_shot as refit_to_few
    from glassml.studies.few_shot import few_shot_table

    check_tables(table)
    opened = Dataset(dataset)
    unseen = None if test is None else Dataset(test)
    chosen = _sizes(sizes, len(opened) - (unseen is None))
    predictor = _linear(model, device)
    shown, at = _shown_species(species, predictor.manifest.species), 0.0
    if picture is not None:
        check_image(picture)
        at = relaxation_time_of(opened, time, by_name=False)
    result = refit_to_few(
        predictor,
        opened,
        chosen,
        test=unseen,
        draws=draws,
        seed=seed,
        progress=TerminalProgress(),
    )
    if picture is not None:
        from glassml.studies.transfer_pictures import few_shot_figure

        save_figure(few_shot_figure([result], shown, at), picture)
    Console().print(few_shot_table(result))
    write_tables(table, csv=result.write_csv, json=result.write_json)
    say_written(picture)


class _Inputs(NamedTuple):
    """Options of descriptors that need no training."""

    positions: str | None
    scalars: list[str]
    settings: list[str]


def _described(
    model: Path, dataset: Dataset, inputs: _Inputs, device: str, folder: Path
) -> Predictor:
    """The model to refit; descriptors that need no training are made for the dataset."""
    from glassml.inference import Predictor
    from glassml.models import untrained_models
    from glassml.settings import apply_overrides
    from glassml.studies.refit import untrained

    names = untrained_models()
    if str(model) in names and not model.exists():
        file = folder / f"{model}.pt"
        given = named(inputs.settings, "--setting", "VALUE")
        settings = apply_overrides({}, [f"{name}={value}" for name, value in given.items()])
        positions = inputs.positions or "thermal"
        untrained(str(model), dataset, file, positions, inputs.scalars, settings)
        return Predictor(file, device, check_domain=False)
    if any(inputs):
        raise InputError(
            f"--positions, --scalar, --setting: expected one of {', '.join(names)}, as a model "
            f"file has its own inputs; found {model}"
        )
    return _linear(model, device)


def _linear(model: Path, device: str) -> Predictor:
    """The model to refit; refused before any data are read if it has no decoders."""
    from glassml.export import check_decoder
    from glassml.inference import Predictor

    check_decoder(model)
    return Predictor(model, device, check_domain=False)


def _shown_species(asked: str | None, known: Sequence[str]) -> str:
    """The species to show; an unknown name is refused before any data are read."""
    if asked is not None and asked not in known:
        raise InputError(f"--species: {not_one_of(asked, known)}")
    return asked or known[0]


def _is_dataset(name: str) -> bool:
    import h5py

    from glassml.data import shipped_names

    if Path(name).is_file():
        return h5py.is_hdf5(name)
    return name.endswith(_ENDINGS) or name in shipped_names()


def _times(texts: list[str]) -> tuple[dict[str, float], float | None]:
    """Times by file, and the one for all others."""
    named: dict[str, float] = {}
    everywhere = None
    for text in texts:
        name, equals, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            raise InputError(f"--time: expected TIME or NAME=TIME; found {text!r}") from None
        if equals:
            named[name] = value
        else:
            everywhere = value
    return named, everywhere


def _sizes(text: str | None, most: int) -> list[int]:
    if text is None:
        usual = [step * 10**power for power in range(5) for step in (1, 2, 5)]
        return [size for size in usual if size <= most]
    return numbers(text, "--sizes", int)
