"""`glassml evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassml.cli.interruption import this_command
from glassml.cli.options import Device, Seed, ShownSpecies, Tables, Trust, named, output_option
from glassml.cli.output import check_tables, say_note, say_written, write_tables

if TYPE_CHECKING:
    from glassml.analysis import Comparison
    from glassml.analysis.predictions import PredictionSource

__all__ = ["evaluate"]

_Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="[MODEL]... DATASET",
        help="Model files or names of shipped models, then the dataset. No model is needed where "
        "there are other predictions.",
        show_default=False,
    ),
]
_Output = Annotated[
    Path | None,
    output_option("FOLDER", "Write a report there: report.html, numbers and figures."),
]
_Seeds = Annotated[
    bool,
    typer.Option("--seeds", help="The models differ in their seed only: average over them too."),
]
_Windows = Annotated[
    int,
    typer.Option(
        metavar="K",
        min=1,
        help="For models of averaged positions: also evaluate predictions that are averaged over "
        "the first K windows of each configuration.",
    ),
]
_Predictions = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FILE",
        help="Predictions of another model, as npz or CSV. May be repeated.",
    ),
]
_Published = Annotated[
    list[str] | None,
    typer.Option(
        metavar="T|FILE",
        help="Published curves for the report: a temperature of the Kob-Andersen liquid (0.44, "
        "0.50, 0.56, 0.64), for datasets of this liquid alone; or a CSV file with columns "
        "model,t,metric,pearson. May be repeated.",
    ),
]
_Resamples = Annotated[
    int, typer.Option(metavar="N", help="Resamples of configurations for the error bars.")
]
_Time = Annotated[
    list[float] | None,
    typer.Option(
        metavar="TIME",
        help="Time of maps, calibration and G4 in the report. May be repeated.",
        show_default="that of the largest chi4 of the labels",
    ),
]
_Threshold = Annotated[
    float | None,
    typer.Option(
        metavar="LENGTH",
        help="Propensity at which a particle counts as half mobile, for chi4 and G4.",
        show_default="0.44 in LJ units; in other units chi4 and G4 need it",
    ),
]


def evaluate(
    files: _Files,
    output: _Output = None,
    table: Tables = None,
    seeds: _Seeds = False,
    windows: _Windows = 1,
    predictions: _Predictions = None,
    published: _Published = None,
    resamples: _Resamples = 200,
    seed: Seed = 0,
    species: ShownSpecies = None,
    time: _Time = None,
    threshold: _Threshold = None,
    device: Device = "auto",
    trust: Trust = False,
) -> None:
    """Compare predictions with the labels of a dataset; -o writes a report with figures.

    Pearson and Spearman coefficients per species and time, over the particles of all configurations
    (`all`) and within each configuration, then averaged (`mean`). Error bars are in brackets:
    0.467(12) means 0.467 +- 0.012. Where the noise of the labels is known, Pearson coefficients are
    also given without it (`corrected`). Predictions that the dataset holds are evaluated too.

    Examples, the table alone and a report:

        glassml evaluate kob_andersen_T0.64_multitime kob_andersen_T0.64
        glassml evaluate kob_andersen_T0.64_multitime kob_andersen_T0.64 -o report --published 0.64
    """
    import glassml.analysis as analysis
    from glassml.data import Dataset
    from glassml.progress import TerminalProgress

    check_tables(table)
    _check_apart(seeds, windows)
    _check_report(output, published=published, species=species, time=time, threshold=threshold)
    dataset = Dataset(files[-1])
    options = analysis.ReportOptions(
        species=species,
        times=tuple(time or ()),
        published=tuple(analysis.published(choice) for choice in published or []),
        command=this_command(),
    )
    if output is not None:
        options.check(dataset, output)
    models, given = files[:-1], _paths(predictions or [])
    sources = analysis.open_sources(dataset, models, given, device, windows, trust=trust)
    suited = analysis.FourPointCollector.suited
    comparison = analysis.compare(
        dataset,
        sources,
        seeds=seeds,
        resamples=resamples,
        seed=seed,
        four_point=None if output is None else suited(dataset, species, threshold),
        progress=TerminalProgress(),
    )
    _show(comparison, sources)
    for note in [*comparison.four_point_notes, *options.notes(dataset)]:
        say_note(f"{note}.")
    write_tables(table, csv=comparison.write_csv, json=comparison.write_json)
    if output is not None:
        say_written(analysis.write_report(comparison, dataset, output, options))


def _show(comparison: Comparison, sources: Sequence[PredictionSource]) -> None:
    """Print the scores of each set of predictions, and how many neighbours each model saw."""
    from rich.console import Console

    from glassml.analysis import ModelPredictions, evaluation_table

    console = Console()
    for evaluation in comparison.evaluations:
        console.print(evaluation_table(comparison, evaluation))
    for source in sources:
        if isinstance(source, ModelPredictions) and source.kind == "model":
            typer.echo(f"{source.name}: {source.predictor.neighbours_note}")


def _check_apart(seeds: bool, windows: int) -> None:
    """Refuse averages over seeds and over windows together."""
    from glassml.errors import InputError

    if seeds and windows > 1:
        raise InputError("--seeds, --windows: expected one of them; found both")


def _check_report(output: Path | None, **options: Any) -> None:
    """Refuse options that would have no effect without a report."""
    from glassml.errors import InputError

    given = ", ".join(f"--{name}" for name, value in options.items() if value not in (None, []))
    if output is None and given:
        raise InputError(f"{given}: expected a folder for the report (-o FOLDER); found none")


def _paths(texts: list[str]) -> dict[str, Path]:
    pairs = named(texts, "--predictions", "FILE")
    return {name: Path(file) for name, file in pairs.items()}
