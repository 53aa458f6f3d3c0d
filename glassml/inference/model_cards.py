"""Model cards: what to know about a model file before trusting it.

A card is a Markdown page beside the file. People write it, except for one table between two marks,
which is made from the manifest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from glassml.errors import InputError
from glassml.export.archive import model_path, read_manifest
from glassml.export.manifest import Manifest
from glassml.files import atomic_write, sha256_of
from glassml.models.scalar_inputs import KNOWN_SCALARS
from glassml.physics.units import length_name
from glassml.pretrained import card_path, pretrained_names
from glassml.provenance import Hyperplane, ImportedWeights, TrainingRecord

__all__ = [
    "CARD_SECTIONS",
    "ModelSummary",
    "card_facts",
    "facts_in",
    "shipped_models",
    "summary_of",
    "window_facts",
    "write_card",
]

_BEGIN = "<!-- made from the manifest by `glassml models card`: do not edit -->"
_END = "<!-- end of what is made from the manifest -->"
_TO_WRITE = "(to be written)"

# Scalars that show how particles move. All others of known meaning are structure.
_SHORT_TIME_DYNAMICS = ("vibration", "average_displacement")

#: The headings of a model card under which people write, in this order.
CARD_SECTIONS = (
    "Data",
    "Training",
    "Accuracy",
    "Where not to trust it",
    "Licence and attribution",
)


@dataclass(frozen=True)
class ModelSummary:
    """A line of `glassml models list`.

    Attributes:
        name: name of the file without ``.pt``.
        system: what it was trained on; "" if the manifest does not say.
        temperature: of the training data.
        times: times of the propensity [time].
        input: positions, and the scalars that it needs.
        pearson: accuracy for the first species, one text per time.
        kilobytes: size of the file.
    """

    name: str
    system: str
    temperature: str
    times: tuple[float, ...]
    input: str
    pearson: tuple[str, ...]
    kilobytes: float


def shipped_models() -> list[ModelSummary]:
    """The models that come with the package."""
    return [summary_of(name) for name in pretrained_names()]


def summary_of(model: str | Path) -> ModelSummary:
    """The line of a model in `glassml models list`.

    Args:
        model: model file, or name of a shipped model.

    Raises:
        ModelFileError: see `read_manifest`.
    """
    path, manifest = model_path(model), read_manifest(model)
    accuracy = manifest.training.coefficients()
    first = manifest.species[0]
    found = [accuracy and accuracy.find(first, time, "mean") for time in manifest.times]
    return ModelSummary(
        name=path.name.removesuffix(".pt"),
        system=_joined(manifest.training.systems),
        temperature=_joined(manifest.training.temperatures),
        times=manifest.times,
        input=_input(manifest),
        pearson=tuple("not measured" if c is None else str(c) for c in found),
        kilobytes=path.stat().st_size / 1000,
    )


def card_facts(model: str | Path) -> str:
    """The facts in a manifest and about its file, as a Markdown table between a card's marks.

    Raises:
        ModelFileError: see `summary_of`.
    """
    path, manifest = model_path(model), read_manifest(model)
    rows = [*_model_rows(manifest), *_training_rows(manifest.training), *_file_rows(path, manifest)]
    table = [f"| {name} | {_cell(value)} |" for name, value in rows if value]
    return "\n".join([_BEGIN, "", "| | |", "| --- | --- |", *table, "", _END])


def facts_in(card: str) -> str:
    """The part of a card that is made from the manifest, "" if there is none."""
    begin, end = card.find(_BEGIN), card.find(_END)
    return card[begin : end + len(_END)] if 0 <= begin < end else ""


def write_card(model: str | Path) -> Path:
    """Write or renew the table in the card beside a model file.

    If there is no card yet, it also writes the headings for the text that people add.

    Returns:
        The card.

    Raises:
        ModelFileError: see `summary_of`.
        InputError: a file of the card's name exists and lacks the marks of the table.
    """
    path = model_path(model)
    card, facts = card_path(path), card_facts(path)
    if card.exists():
        text = card.read_text(encoding="utf-8")
        if not facts_in(text):
            raise InputError(
                f"{card}: expected a model card with the line {_BEGIN!r} and, after the table, "
                f"{_END!r}; found none. Add both lines or rename the file"
            )
        text = text.replace(facts_in(text), facts)
    else:
        sections = [f"## {name}\n\n{_TO_WRITE}" for name in CARD_SECTIONS]
        title = f"# {path.name.removesuffix('.pt')}"
        text = "\n\n".join([title, _TO_WRITE, facts, *sections]) + "\n"
    with atomic_write(card) as partial:
        partial.write_text(text, encoding="utf-8")
    return card


def window_facts(manifest: Manifest) -> dict[str, str]:
    """How a model's averages are made, and which of its inputs are structure; {} without averages.

    The vibrations of a particle in its cage, and how far it is from its mean position, show how it
    moves within a short time. A model that reads them does not predict from structure alone.
    """
    if manifest.window is None:
        return {}
    known = [scalar.name for scalar in manifest.scalar_inputs if scalar.name in KNOWN_SCALARS]
    inputs = [f"{manifest.positions} positions", *known]
    dynamic = [name for name in inputs if name in _SHORT_TIME_DYNAMICS]
    means = {
        "average positions": "average positions (means over the window)",
        "average_energy": "average_energy (mean of energies over the window)",
    }
    structure = [means.get(name, name) for name in inputs if name not in dynamic]
    return {
        "window": str(manifest.window),
        "structure": _joined(structure),
        "short-time dynamics": _joined(dynamic) or "none",
    }


Rows = Iterator[tuple[str, str]]


def _model_rows(manifest: Manifest) -> Rows:
    members = [m["model"] for m in manifest.hyperparameters.get("members", [])]
    kinds = ", ".join(f"{members.count(name)} {name}" for name in dict.fromkeys(members))
    yield "model", manifest.model + (f" of {kinds}" if members else "")
    yield "parameters", f"{manifest.n_parameters:,}"
    yield "system", _joined(manifest.training.systems)
    yield "temperature", _joined(manifest.training.temperatures)
    yield "species", " ".join(manifest.species)
    yield "times", ", ".join(f"{t:g}" for t in manifest.times)
    yield "input", _input(manifest)
    yield from window_facts(manifest).items()
    yield "cutoff", f"{manifest.cutoff:g} {length_name(manifest.length_unit)}"
    yield "message-passing steps", str(manifest.n_steps)
    if not manifest.rotation_invariant:
        yield "symmetry", "depends on the directions of the axes"
    yield "outputs", ", ".join(f"`{o.name}`" for o in manifest.outputs)
    yield "outputs for pairs", ", ".join(f"`{o.name}`" for o in manifest.edge_outputs)


def _training_rows(record: TrainingRecord) -> Rows:
    if record.imported is not None:
        yield from _imported_rows(record.imported)
    untrained = _joined([f"`{name}`" for name in record.untrained_outputs])
    yield "not trained", f"{untrained}: values mean nothing" if untrained else ""
    for plane in record.hyperplanes:
        yield f"hyperplane of {plane.species}", _shown_hyperplane(plane)
    yield "trained on", _trained_on(record)
    yield "validated on", _validated_on(record)
    for file in record.data_files:
        what = "reversed runs" if file.role == "reversed runs" else "data"
        yield what, f"{file.file}, SHA-256 `{file.sha256}`"
    yield "source of the data", _joined(record.citations)
    accuracy = record.coefficients()
    if accuracy is None:
        yield "accuracy", "not measured"
        return
    for score in accuracy.scores:
        statistic = score.statistic.capitalize()
        yield f"{statistic} `{score.kind}`, {score.species}, t = {score.time:g}", str(score)
    yield "measured on", accuracy.protocol


def _shown_hyperplane(plane: Hyperplane) -> str:
    accuracy = f"{plane.accuracy:.3f} ± {plane.accuracy_error:.3f}"
    return (
        f"fitted to {plane.particles} particles; {accuracy} of those in {plane.parts} parts of the "
        "trajectory, each left out in turn, are on the right side"
    )


def _imported_rows(weights: ImportedWeights) -> Rows:
    for file in weights.files:
        yield "weights", f"{file.file}, SHA-256 `{file.sha256}`"
    yield "weights published in", weights.published or "(unknown)"
    yield "licence of the weights", weights.licence or ""
    yield "weights trained on", weights.trained_on or "(unknown)"


def _trained_on(record: TrainingRecord) -> str:
    """Numbers of configurations and reversed runs; for a committee per member and in all."""
    numbers = sorted({part.train.number for part in record.parts} - {0})
    if not numbers:
        return ""
    text = f"{_joined(numbers, ' or ')} configurations"
    together = len({name for part in record.parts for name in part.train.names})
    if record.members and together:
        text += f" per member, {together} in all"
    runs = sorted({part.reversed_runs.number for part in record.parts if part.reversed_runs})
    if runs:
        text += f", and {_joined(runs, ' or ')} of their runs backwards"
    return text + (f", {_joined(record.n_runs)} runs behind each label" if record.n_runs else "")


def _validated_on(record: TrainingRecord) -> str:
    """Number of configurations that chose the epoch; "" if other members trained on them all."""
    numbers = sorted({part.validation.number for part in record.parts} - {0})
    trained = {name for part in record.parts for name in part.train.names}
    held_out = {name for part in record.parts for name in part.validation.names}
    if not numbers or (held_out and held_out <= trained):
        return ""
    return f"{_joined(numbers, ' or ')} configurations"


def _file_rows(path: Path, manifest: Manifest) -> Rows:
    size = path.stat().st_size / 1000
    yield "file", f"{size:.0f} kB, {manifest.dtype}, SHA-256 `{sha256_of(path)}`"
    table = manifest.radial_table
    if table is not None:
        within = f"outputs within {table.measured_error:.1e} of the trained network's"
        yield "radial tables", f"{table.knots} knots, {within}"
    yield "written by", f"glassml {manifest.glassml_version}"
    for citation in manifest.citations:
        yield "cite", citation


def _input(manifest: Manifest) -> str:
    positions = f"{manifest.positions} positions"
    return ", ".join([positions, *(scalar.name for scalar in manifest.scalar_inputs)])


def _joined(values: Sequence[str | float], by: str = ", ") -> str:
    return by.join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
