"""`glassml transfer`, `glassml refit` and `glassml few-shot`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassml.cli.output import say_written, write_wanted
from glassml.errors import InputError

if TYPE_CHECKING:
    from glassml.data import Dataset
    from glassml.inference import Predictor

__all__ = ["few_shot", "refit", "transfer"]

_UNTRAINED = "structural"  # a model whose descriptors need no training

_Json = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the numbers as JSON.")]
_Csv = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the numbers as CSV.")]
_Picture = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw a picture (PNG, SVG, PDF).")
]
_Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:N or auto.")]
_Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="Model file, or the name of a shipped model.")
]
_Species = Annotated[
    str | None, typer.Option(help="Species that is shown and drawn. Default: the first.")
]
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
        help="Time to use, of one model or dataset (NAME: its file) or of all that are not "
        "named; once for each. Default: the only one, or the one nearest to tau_alpha.",
    ),
]
_Published = Annotated[
    Path | None,
    typer.Option(
        metavar="CSV",
        help="Draw published coefficients below: columns model, T_train, T_test, pearson and "
        "metric (all or mean).",
    ),
]
_Positions = Annotated[
    str | None,
    typer.Option(help="For structural: thermal, inherent or cage.", show_default="thermal"),
]
_Scalars = Annotated[
    list[str] | None,
    typer.Option(help="For structural: a per-particle scalar it is given; once for each."),
]
_Reversed = Annotated[
    Path | None,
    typer.Option(
        "--reversed", help="Dataset of `glassml data reverse` from DATASET, fitted to as well."
    ),
]
_LabelNoise = Annotated[
    float, typer.Option(min=0, help="Labels of R runs count R / (R + this) in the fit.")
]
_Test = Annotated[
    Path | None,
    typer.Option(metavar="DATASET", help="Test on these. Default: the configurations not drawn."),
]
_Sizes = Annotated[
    str | None,
    typer.Option(
        help="Numbers of configurations, joined by commas. Default: 1, 2, 5, 10, 20, ... as "
        "far as the dataset goes."
    ),
]
_Draws = Annotated[int, typer.Option(help="Random choices of configurations a size.")]
_Seed = Annotated[int, typer.Option(help="Seed of the choices.")]
_SpeciesDrawn = Annotated[
    str | None, typer.Option(help="Species that is drawn. Default: the first.")
]
_TimeDrawn = Annotated[
    float | None,
    typer.Option(help="Time that is drawn. Default: the only one, or nearest to tau_alpha."),
]
_Dataset = Annotated[Path, typer.Argument(metavar="DATASET", help="Labelled configurations.")]
_ENDINGS = (".h5", ".hdf5")


def transfer(
    files: _Files,
    time: _Times = None,
    species: _Species = None,
    published: _Published = None,
    json: _Json = None,
    csv: _Csv = None,
    picture: _Picture = None,
    device: _Device = "auto",
) -> None:
    """Evaluate every model on every dataset: the transfer matrix.

    Pearson coefficients at the structural relaxation time tau_alpha, which is another one at every
    temperature: the model's predictions at its own against the labels at that of the dataset.

    Example: `glassml transfer T0.44.pt T0.50.pt T0.44.h5 T0.50.h5 --picture transfer.png`
    """
    from rich.console import Console

    from glassml.data import Dataset
    from glassml.inference import Predictor
    from glassml.plotting import check_image, save_figure
    from glassml.progress import TerminalProgress
    from glassml.scores import KINDS
    from glassml.studies.transfer import read_published_transfer, transfer_table
    from glassml.studies.transfer import transfer as evaluate_all

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
    models = [Predictor(name, device) for name in names]
    result = evaluate_all(models, datasets, times, everywhere, TerminalProgress())
    console = Console()
    if picture is not None:
        from glassml.studies.transfer_pictures import transfer_figure

        save_figure(transfer_figure(result, shown, theirs), picture)
    for kind in KINDS:
        console.print(transfer_table(result, shown, kind))
    write_wanted((result.write_json, json), (result.write_csv, csv))
    say_written(picture)


def refit(
    model: _Model,
    dataset: _Dataset,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="NEW.pt", help="Model file to write.")
    ],
    positions: _Positions = None,
    scalar: _Scalars = None,
    reversed_runs: _Reversed = None,
    label_noise: _LabelNoise = 0.0,
    json: _Json = None,
    csv: _Csv = None,
    device: _Device = "auto",
) -> None:
    """Transfer learning in seconds: fit a model's linear decoders to a dataset.

    MODEL may also be `structural`: classical averaged descriptors, which need no training.

    The network stays as it is; the new file predicts the times of DATASET and runs wherever the old
    one does. Ridge regression in closed form, a decoder for each species and time; the penalty is
    the one that predicts best when each configuration in turn is left out. The numbers shown are of
    the configurations left out. Test the new file on other data with `glassml evaluate`.

    Example: `glassml refit kob_andersen_T0.44 T0.50.h5 -o T0.50.pt`
    """
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from glassml.data import Dataset
    from glassml.progress import TerminalProgress
    from glassml.studies.refit import refit as fit_decoders
    from glassml.studies.refit import refit_table

    opened = Dataset(dataset)
    runs = None if reversed_runs is None else Dataset(reversed_runs)
    with TemporaryDirectory() as folder:
        predictor = _described(model, opened, positions, scalar, device, Path(folder))
        result = fit_decoders(
            predictor,
            opened,
            output,
            reversed_runs=runs,
            label_noise=label_noise,
            progress=TerminalProgress(),
        )
    Console().print(refit_table(result))
    write_wanted((result.write_json, json), (result.write_csv, csv))
    say_written(output)


def few_shot(
    model: _Model,
    dataset: _Dataset,
    test: _Test = None,
    sizes: _Sizes = None,
    draws: _Draws = 20,
    seed: _Seed = 0,
    species: _SpeciesDrawn = None,
    time: _TimeDrawn = None,
    json: _Json = None,
    csv: _Csv = None,
    picture: _Picture = None,
    device: _Device = "auto",
) -> None:
    """Refit a model's decoders to 1, 2, 5, 10, ... configurations and test them on others.

    Mean and standard deviation over random choices; where the model predicts the labels' times, the
    model as it is stands beside them.

    Example: `glassml few-shot kob_andersen_T0.44 T0.50.h5 --picture few.png`
    """
    from rich.console import Console

    from glassml.analysis.times import relaxation_time_of
    from glassml.data import Dataset
    from glassml.plotting import check_image, save_figure
    from glassml.progress import TerminalProgress
    from glassml.studies.few_shot import few_shot as refit_to_few
    from glassml.studies.few_shot import few_shot_table

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
    write_wanted((result.write_json, json), (result.write_csv, csv))
    say_written(picture)


def _described(
    model: Path,
    dataset: Dataset,
    positions: str | None,
    scalars: list[str] | None,
    device: str,
    folder: Path,
) -> Predictor:
    """The model to refit; descriptors that need no training are made for the dataset."""
    from glassml.inference import Predictor
    from glassml.studies.refit import untrained

    if str(model) == _UNTRAINED and not model.exists():
        file = folder / f"{_UNTRAINED}.pt"
        untrained(_UNTRAINED, dataset, file, positions or "thermal", scalars or [])
        return Predictor(file, device)
    if positions is not None or scalars:
        raise InputError(
            f"--positions, --scalar: are settings of `{_UNTRAINED}`; a model file brings its own"
        )
    return _linear(model, device)


def _linear(model: Path, device: str) -> Predictor:
    """The model, if it has decoders to refit; says so before any data are read."""
    from glassml.export import check_decoder
    from glassml.inference import Predictor

    check_decoder(model)
    return Predictor(model, device)


def _shown_species(asked: str | None, known: Sequence[str]) -> str:
    """The species that is shown; says so before any data are read if there is none such."""
    if asked is not None and asked not in known:
        raise InputError(f"--species: expected one of {', '.join(known)}; found {asked!r}")
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
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            f"--sizes: expected whole numbers joined by commas; found {text!r}"
        ) from None
