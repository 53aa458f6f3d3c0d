"""`glassml models`: the models that ship with glassml, their files and their cards."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassml.cli.options import AsJson, Model, ModelOutput, Trust
from glassml.cli.output import say_written

if TYPE_CHECKING:
    from rich.table import Table

    from glassml.domain import Domain
    from glassml.inference import ModelSummary

__all__ = ["app", "card", "domain", "fetch_path", "info", "list_models", "measured_domain"]

app = typer.Typer(
    help="List the trained models that ship with glassml, read their cards, find their files.",
    no_args_is_help=True,
)


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the trained models that ship with glassml.

    Pearson is the coefficient within each configuration, averaged over configurations, for the
    first species at each time. The card of a model states the configurations and the kind of error.

    For example:

        glassml models list
    """
    from rich.console import Console

    from glassml.inference import shipped_models

    models = shipped_models()
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(model) for model in models], indent=2))
        return
    console = Console(highlight=False)
    console.print(_table(models))
    console.print("Card of a model: glassml models info NAME", markup=False)


@app.command()
def info(model: Model, as_json: AsJson = False) -> None:
    """Show the card of a model, then the contents of its file as `glassml info` does.

    For example:

        glassml models info kob_andersen_T0.44
    """
    from rich.console import Console
    from rich.markdown import Markdown

    from glassml.cli.info import show
    from glassml.export import model_path, read_manifest
    from glassml.inference import facts_in
    from glassml.pretrained import card_path

    path = card_path(model_path(model))
    read_manifest(model)
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if facts_in(text) and not as_json:  # otherwise it is another kind of page
        Console(highlight=False).print(Markdown(text))
    show(model, as_json)


@app.command("fetch-path")
def fetch_path(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of a shipped model.", show_default=False)
    ],
) -> None:
    """Print the path of the file of a shipped model, and nothing else.

    For scripts and LAMMPS: `lmp -in in.liquid -var model $(glassml models fetch-path NAME)`.

    For example:

        glassml models fetch-path kob_andersen_T0.44
    """
    from glassml.pretrained import pretrained_path

    typer.echo(pretrained_path(name))


@app.command()
def card(model: Model) -> None:
    """Write or update the card beside a model file: MODEL.md for MODEL.pt.

    The table of facts is made from the model file. People write the rest of a card: it is left as
    it is, and a new card has empty headings.

    For example:

        glassml models card model.pt
    """
    from glassml.inference import write_card

    say_written(write_card(model))


@app.command()
def domain(
    model: Model,
    datasets: Annotated[
        list[str],
        typer.Argument(
            metavar="DATASET...",
            help="Datasets that the model was trained on, or others of the same liquid.",
            show_default=False,
        ),
    ],
    output: ModelOutput,
    trust: Trust = False,
) -> None:
    """Write a copy of a model file that states what its training data were like.

    Files of older versions do not state it, so no engine can warn where the model is used on
    something else. New files of `glassml export` and `glassml refit` state it already.

    For example:

        glassml models domain kob_andersen_T0.64_multitime kob_andersen_T0.64 -o new.pt
    """
    from rich.console import Console

    from glassml.export import read_manifest, rewrite_manifest

    found = measured_domain(model, datasets, trust=trust)
    manifest = read_manifest(model)
    rewrite_manifest(model, output, domain=found)
    for quantity, value in found.facts(manifest.species, manifest.length_unit).items():
        Console(highlight=False).print(f"{quantity}: {value}", markup=False)
    say_written(output)


def measured_domain(model: Path, datasets: Sequence[str], *, trust: bool = False) -> Domain:
    """What datasets are like, as a model reads them.

    Raises:
        ConfigError: they are in another unit of length than the cutoff of the model.
    """
    from glassml.data import Dataset
    from glassml.domain import check_neighbours, domain_of, labels_at
    from glassml.inference import Predictor
    from glassml.progress import TerminalProgress

    predictor = Predictor(model, "cpu", check_domain=False, trust=trust)
    opened = [Dataset(name) for name in datasets]
    every = (configuration for dataset in opened for configuration in dataset)
    watched = TerminalProgress().watch(every, "measuring", sum(map(len, opened)))
    outputs = {entry.name: entry for entry in predictor.manifest.outputs}
    times = outputs["propensity"].times or () if "propensity" in outputs else ()
    systems, labels = [], []
    for configuration in watched:
        systems.append(predictor.measure(configuration))
        labels.append(labels_at(configuration, times))
    found = domain_of(systems, labels if times else None)
    manifest = predictor.manifest
    check_neighbours(found, manifest.cutoff, manifest.length_unit, f"{model}: cutoff")
    return found


def _table(models: list[ModelSummary]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("system, input, size", overflow="fold")
    table.add_column("time", no_wrap=True, justify="right")
    table.add_column("Pearson", no_wrap=True)
    for model in models:
        about = (
            model.system or "unknown system",
            f"T = {model.temperature or 'unknown'}",
            model.input,
            f"{model.kilobytes:.0f} kB",
        )
        cells = (
            model.name,
            "\n".join(about),
            "\n".join(f"{time:g}" for time in model.times),
            "\n".join(model.pearson),
        )
        table.add_row(*map(Text, cells), end_section=True)
    return table
