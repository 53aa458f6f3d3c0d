"""Writing a report into a folder."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from glassml.analysis.comparison import Comparison
from glassml.analysis.four_point_curves import LABELS
from glassml.analysis.maps import Panel, map_figure
from glassml.analysis.metrics import calibration
from glassml.analysis.report import figures
from glassml.analysis.report.options import ReportOptions, chosen_species, chosen_times
from glassml.analysis.report.page import Picture, Section, render
from glassml.data import Configuration, Dataset
from glassml.errors import InputError
from glassml.files import atomic_folder
from glassml.physics.four_point import STEEPNESS
from glassml.physics.units import Units, measured_in, with_unit
from glassml.plotting import save_figure
from glassml.scores import error_kinds
from glassml.tables import write_csv

__all__ = ["write_report"]

_PAGE = "report.html"


def write_report(
    comparison: Comparison,
    dataset: Dataset,
    folder: str | Path,
    options: ReportOptions | None = None,
) -> Path:
    """Write ``report.html``, the numbers as JSON and CSV, and each figure as PNG and SVG.

    Args:
        comparison: what was evaluated.
        dataset: the same dataset, for the maps.
        folder: made if it does not exist; files of an earlier report are replaced, all at the end.
        options: what to show.

    Returns:
        The page.

    Raises:
        InputError: an unknown species or time, or the folder cannot be written.
    """
    options = options or ReportOptions()
    options.check(dataset, folder)
    target = Path(folder)
    species = chosen_species(options, comparison.species_names)
    times = chosen_times(options, comparison.times) or (
        _time_of_most_variation(comparison, species),
    )
    with atomic_folder(target) as partial:
        _write_numbers(comparison, partial, species)
        sections = []
        for section in _sections(comparison, dataset, options, species, times):
            pictures = [
                Picture(name, _saved(figure, partial / "figures" / name), caption)
                for name, figure, caption in section.drawn
            ]
            sections.append(Section(section.title, pictures, section.spreads, section.notes))
        made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
        published, command = options.published, options.command
        text = render(comparison, dataset, published, sections, species, command, made)
        (partial / _PAGE).write_text(text, encoding="utf-8")
    return target / _PAGE


@dataclass(frozen=True)
class _Drawn:
    """A section's figures with their file names and captions, not yet written."""

    title: str
    drawn: list[tuple[str, Figure, str]]
    spreads: bool = False
    notes: tuple[str, ...] = ()


def _time_of_most_variation(comparison: Comparison, species: str) -> float:
    """The predicted time at which the labels vary most."""
    s = comparison.species_names.index(species)
    found = comparison.collected
    labels = np.concatenate(
        [y[kinds == s] for y, kinds in zip(found.labels, found.species, strict=True)]
    )
    if not len(labels):
        raise InputError(
            f"{comparison.dataset}: expected particles of species {species}; found none"
        )
    with np.errstate(invalid="ignore"):
        variation = np.nan_to_num(labels.std(axis=0) / labels.mean(axis=0))
    if comparison.four_point is not None and comparison.four_point.chi4:
        variation = comparison.four_point.chi4[LABELS]
    predicted = [
        any(len(found.pooled(name, s, t)[0]) for name in comparison.names)
        for t in range(len(comparison.times))
    ]
    return comparison.times[int(np.argmax(np.where(predicted, variation, -1.0)))]


def _sections(
    comparison: Comparison,
    dataset: Dataset,
    options: ReportOptions,
    species: str,
    times: Sequence[float],
) -> Iterator[_Drawn]:
    figure = figures.pearson_figure(comparison, options.published, species)
    yield _Drawn(
        "Correlation",
        [("pearson", figure, _pearson_caption(comparison, options, species))],
        notes=tuple(options.notes(dataset)),
    )
    curves = comparison.four_point
    if curves is not None and (curves.chi4 or curves.r is not None):
        drawn = [
            (
                f"four_point_t{time:g}",
                figures.four_point_figure(comparison, options.published, time),
                _four_point_caption(comparison, options),
            )
            for time in times
        ]
        yield _Drawn("Dynamic heterogeneity", drawn, notes=comparison.four_point_notes)
    else:
        yield _Drawn("Dynamic heterogeneity", [], notes=comparison.four_point_notes)
    yield _Drawn("Calibration and distributions", _of_times(comparison, species, times))
    if comparison.spreads:
        caption = (
            f"Root mean square error of {species} particles against the standard deviation that "
            "the model predicts, in bins of equally many particles. On the dashed line the spread "
            "equals the error. Labels are averages over a finite number of runs, so errors do not "
            "vanish with the spread."
        )
        drawn = [
            (f"spread_t{time:g}", figures.spread_figure(comparison, species, time), caption)
            for time in times
        ]
        yield _Drawn("Does the spread predict the error?", drawn, spreads=True)
    yield _Drawn("Maps", _maps(comparison, dataset, times))


def _of_times(
    comparison: Comparison, species: str, times: Sequence[float]
) -> list[tuple[str, Figure, str]]:
    drawn = []
    for time in times:
        at = f"{species} particles at t = {with_unit(time, comparison.units.time)}"
        drawn += [
            (
                f"calibration_t{time:g}",
                figures.calibration_figure(comparison, species, time),
                f"True against predicted propensity of {at}. Dots: mean of the labels in bins of "
                "equally many particles; bars: their standard deviation. Where dots lie on the "
                "dashed diagonal, predictions are right on average. Grey: number of particles, "
                "on a logarithmic scale.",
            ),
            (
                f"distribution_t{time:g}",
                figures.distribution_figure(comparison, species, time),
                f"Distributions of the labels (grey) and of the predictions for {at}. The overlap "
                "is the integral of the smaller of the two densities: 1 for equal distributions.",
            ),
        ]
    return drawn


def _maps(
    comparison: Comparison, dataset: Dataset, times: Sequence[float]
) -> list[tuple[str, Figure, str]]:
    drawn = []
    for name in comparison.names:
        if name in comparison.seed_models[1:]:
            continue  # maps of different seeds look alike, so one is enough
        for time in times:
            t = comparison.times.index(time)
            found = _first_predicted(comparison, dataset, name, t)
            if found is None:
                continue
            configuration, predicted = found
            drawn.append(
                (
                    f"map_{_file_name(name)}_t{time:g}",
                    _map(configuration, predicted, t),
                    f"{name}: a layer through the middle of configuration {configuration.name} at "
                    f"t = {with_unit(time, comparison.units.time)}. Left and centre: true and "
                    "predicted propensity on the same scale. Right: their difference. Each species "
                    "has its own scale, for the inner 96 per cent of its labels. Discs are as "
                    "large as the particles; grey ones have no prediction.",
                )
            )
    return drawn


def _map(configuration: Configuration, predicted: np.ndarray, t: int) -> Figure:
    assert configuration.propensity is not None, "a comparison needs labels"
    true, unit = configuration.propensity[:, t], Units.of(configuration.length_unit).length
    return map_figure(
        configuration,
        [
            Panel("true", true, unit=unit),
            Panel("predicted", predicted, unit=unit),
            Panel(
                "predicted \N{MINUS SIGN} true", predicted - true, "error", signed=True, unit=unit
            ),
        ],
    )


def _first_predicted(
    comparison: Comparison, dataset: Dataset, name: str, t: int
) -> tuple[Configuration, np.ndarray] | None:
    for c, predicted in enumerate(comparison.collected.predictions[name]):
        if predicted is not None and np.isfinite(predicted[:, t]).any():
            return dataset[c], predicted[:, t]
    return None


def _pearson_caption(comparison: Comparison, options: ReportOptions, species: str) -> str:
    text = (
        "Pearson coefficient of predicted and true propensity against the time of the labels. all: "
        "particles of all configurations pooled; mean: within each configuration, then averaged. "
    )
    if comparison.configurations > 1 and comparison.resamples:
        text += (
            "Error bars: standard deviation over "
            f"{comparison.resamples} bootstrap resamples of the {comparison.configurations} "
            "configurations"
        )
        if comparison.seed_models:
            text += f"; for the mean of seeds: {error_kinds(comparison.evaluations[0].scores)}"
        text += ". "
    elif comparison.configurations == 1:
        text += "One configuration does not show how configurations differ: no error bars. "
    if any(np.isfinite(c.all) for c in comparison.ceilings):
        text += (
            "Noise ceiling: the highest coefficient that the finite number of isoconfigurational "
            "runs allows, from the correlation of labels of two halves of the runs. "
        )
    if options.published:
        names = "; ".join(curves.name for curves in options.published)
        text += f"Grey, for {species}: published curves ({names})."
    return text


def _four_point_caption(comparison: Comparison, options: ReportOptions) -> str:
    curves = comparison.four_point
    assert curves is not None, "the caption belongs to a figure of these curves"
    text = (
        f"Four-point functions of {curves.species} particles, of "
        f"c = (tanh({STEEPNESS:g} (m/{curves.threshold:g} \N{MINUS SIGN} 1)) + 1)/2 with "
        f"the propensity {measured_in('m', comparison.units.length)}. "
    )
    if curves.chi4:
        text += (
            "χ₄ = N (⟨Q²⟩ \N{MINUS SIGN} ⟨Q⟩²), where Q is the mean of c in a configuration of N "
            "particles. "
        )
    if curves.r is not None:
        text += (
            "G₄: correlation of c \N{MINUS SIGN} ⟨c⟩ of particles at distance r, normalised like "
            "g(r), which is 1 for an ideal gas. "
        )
    text += "Error bars and bands: bootstrap over configurations. "
    if any(c.chi4 for c in options.published):
        text += (
            "Grey: published χ₄, as their authors computed it; it depends on the size of the "
            "system and on the threshold."
        )
    return text


def _write_numbers(comparison: Comparison, folder: Path, species: str) -> None:
    comparison.write_json(folder / "scores.json")
    comparison.write_csv(folder / "scores.csv")
    write_csv(comparison.sample_rows(), folder / "overlaps.csv")
    if rows := comparison.corrected_rows():
        write_csv(rows, folder / "corrected.csv")
    if comparison.four_point is not None:
        for name, rows in comparison.four_point.rows().items():
            if rows:
                write_csv(rows, folder / f"{name}.csv")
    rows = []
    s = comparison.species_names.index(species)
    for name in comparison.names:
        for t, time in enumerate(comparison.times):
            x, y = comparison.collected.pooled(name, s, t)
            if not len(x):
                continue
            bins = calibration(x, y)
            columns = zip(bins.predicted, bins.true, bins.spread, bins.count, strict=True)
            rows += [
                {"model": name, "species": species, "time": time, "predicted": float(p),
                 "true": float(m), "true_std": float(d), "particles": int(n)}
                for p, m, d, n in columns
            ]  # fmt: skip
    if rows:
        write_csv(rows, folder / "calibration.csv")


def _saved(figure: Figure, path: Path) -> str:
    """Write a figure as PNG and SVG.

    Returns:
        The SVG as a data URL, for a self-contained page.
    """
    png, svg = (path.parent / f"{path.name}.{ending}" for ending in ("png", "svg"))
    save_figure(figure, png)
    figure.set_layout_engine("none")  # the layout is done; repeating it takes longer than drawing
    save_figure(figure, svg)
    return "data:image/svg+xml;base64," + base64.b64encode(svg.read_bytes()).decode("ascii")


def _file_name(name: str) -> str:
    """The name of a set of predictions, as a part of a file name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
