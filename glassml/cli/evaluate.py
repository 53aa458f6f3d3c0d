"""`glassml evaluate`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from glassml.cli.output import say_written, write_wanted

__all__ = ["evaluate"]

# The options, as Typer reads them.
_Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="[MODEL]... DATASET",
        help="Model files of `glassml export` or names of shipped models, and at last the dataset "
        "of `glassml data convert`. No model is needed where there are other predictions.",
        show_default=False,
    ),
]
_Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FOLDER", help="Write report.html, numbers and figures there."
    ),
]
_Json = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the numbers as JSON.")]
_Csv = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the numbers as CSV.")]
_Seeds = Annotated[
    bool,
    typer.Option("--seeds", help="The models differ in their seed only: also average over them."),
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
        "0.50, 0.56, 0.64), or a CSV file with model,t,metric,pearson. May be repeated.",
    ),
]
_Resamples = Annotated[int, typer.Option(help="Resamples of configurations for error bars.")]
_Seed = Annotated[int, typer.Option(min=0, help="Seed of the resamples.")]
_Species = Annotated[
    str | None, typer.Option(help="Species of the report's figures. Default: the first.")
]
_Time = Annotated[
    list[float] | None,
    typer.Option(
        help="Time of maps, calibration and G4 in the report; may be repeated. Default: that of "
        "the largest chi4 of the labels."
    ),
]
_Threshold = Annotated[
    float | None,
    typer.Option(
        help="Propensity at which a particle counts half as mobile, for chi4 and G4. Default: 0.44 "
        "if lengths are in LJ units; else there are no chi4 and G4."
    ),
]
_Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:N or auto.")]


def evaluate(
    files: _Files,
    output: _Output = None,
    json: _Json = None,
    csv: _Csv = None,
    seeds: _Seeds = False,
    predictions: _Predictions = None,
    published: _Published = None,
    resamples: _Resamples = 200,
    seed: _Seed = 0,
    species: _Species = None,
    time: _Time = None,
    threshold: _Threshold = None,
    device: _Device = "auto",
) -> None:
    """Compare predictions with the labels of a dataset; -o writes a report with figures.

    Pearson and Spearman coefficients per species and time, of all particles pooled (`all`) and
    within each configuration, then averaged (`mean`), with error bars in brackets: 0.467(12) is
    0.467 +- 0.012. Predictions that the dataset holds are evaluated too.

    Example: `glassml evaluate model.pt test.h5 -o report --published 0.44`
    """
    from rich.console import Console

    import glassml.analysis as analysis
    from glassml.data import Dataset
    from glassml.progress import TerminalProgress

    if output is None:
        _refuse({"published": published, "species": species, "time": time, "threshold": threshold})
    dataset = Dataset(files[-1])
    options = analysis.ReportOptions(
        species=species,
        times=tuple(time or ()),
        published=tuple(analysis.published(choice) for choice in published or []),
        command=shlex.join(["glassml", *sys.argv[1:]]),
    )
    if output is not None:
        options.check(dataset, output)
    comparison = analysis.compare(
        dataset,
        analysis.open_sources(dataset, files[:-1], _pairs(predictions or []), device),
        seeds=seeds,
        resamples=resamples,
        seed=seed,
        four_point=analysis.FourPointCollector.suited(dataset, species, threshold)
        if output is not None
        else None,
        progress=TerminalProgress(),
    )
    console = Console()
    for evaluation in comparison.evaluations:
        console.print(analysis.evaluation_table(comparison, evaluation))
    write_wanted((comparison.write_json, json), (comparison.write_csv, csv))
    if output is not None:
        say_written(analysis.write_report(comparison, dataset, output, options))


def _refuse(options: dict[str, Any]) -> None:
    """Options that would have no effect."""
    from glassml.errors import InputError

    given = ", ".join(f"--{name}" for name, value in options.items() if value not in (None, []))
    if given:
        raise InputError(f"{given}: of the report only; expected a folder for it (-o FOLDER)")


def _pairs(texts: list[str]) -> dict[str, Path]:
    from glassml.errors import InputError

    pairs: dict[str, Path] = {}
    for text in texts:
        name, _, path = (part.strip() for part in text.partition("="))
        if not name or not path or name in pairs:
            raise InputError(
                f"--predictions: expected NAME=FILE with different names; found {text!r}"
            )
        pairs[name] = Path(path)
    return pairs
