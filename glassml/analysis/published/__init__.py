"""Published accuracies of other models, for comparison."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glassml.analysis.published.material import Material
from glassml.errors import InputError
from glassml.scores import KINDS

__all__ = [
    "SIMULATIONS",
    "Curve",
    "Material",
    "PublishedCurves",
    "published",
    "published_temperatures",
]

#: The name of the simulations among the names of models that predict them.
SIMULATIONS = "MD"

_FOLDER = Path(__file__).parent
_CITATION = (
    "G. Jung et al., Roadmap on machine learning glassy liquids, data record GlassBench, "
    "doi:10.5281/zenodo.10118191, CC-BY-4.0 (three-dimensional Kob-Andersen mixture, N = 4096, "
    "type A); EIGNN: X. Jiang, Z. Tian, K. Li, W. Hu, Enhancing the Prediction of Glass Dynamics "
    "by Incorporating the Direction of Deviation from Equilibrium Positions (same test set)"
)
_DESCRIPTORS = frozenset({"SBO", "SBO_CG", "DEN", "EPOT", "PSI6"})
_COLUMNS = ("model", "t", "metric", "pearson")

#: Times and values of a curve, in ascending order of time.
Curve = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class PublishedCurves:
    """Published accuracies against time.

    Attributes:
        name: name of the curves, for captions.
        citation: publication of the curves.
        pearson: (model, "all" or "mean") -> times [time] and Pearson coefficients [-].
        noise_ceiling: times [time] and the highest pooled coefficient [-], if known.
        chi4: source -> times [time] and chi4 [-]; `SIMULATIONS` or a model.
        descriptors: the models that are single structural descriptors.
        material: what they were measured on, None if that is unknown.
    """

    name: str
    citation: str
    pearson: Mapping[tuple[str, str], Curve]
    noise_ceiling: Curve | None = None
    chi4: Mapping[str, Curve] = field(default_factory=dict)
    descriptors: frozenset[str] = frozenset()
    material: Material | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """Names of trained models, then of descriptors, each in the order of the file."""
        names = dict.fromkeys(model for model, _ in self.pearson)
        return tuple(sorted(names, key=lambda name: name in self.descriptors))


def published_temperatures() -> tuple[float, ...]:
    """The temperatures whose published curves come with the package."""
    return tuple(sorted({float(row["T"]) for row in _rows(_FOLDER / "pearson.csv")}))


def published(choice: str | Path) -> PublishedCurves:
    """The published curves of a temperature or in a file.

    Args:
        choice: one of `published_temperatures`, as text; or a CSV file with the columns ``model``,
            ``t`` [time], ``metric`` ("all" or "mean") and ``pearson`` [-].

    Raises:
        InputError: there are no curves of that temperature, or the file does not hold such columns.
    """
    try:
        temperature = float(str(choice))
    except ValueError:
        return _from_file(Path(choice))
    known = published_temperatures()
    if not any(math.isclose(temperature, t) for t in known):
        raise InputError(
            f"--published: expected one of the temperatures {', '.join(f'{t:g}' for t in known)} "
            f"or a CSV file; found {choice}"
        )

    def rows(file: str) -> list[dict[str, str]]:
        return [r for r in _rows(_FOLDER / file) if math.isclose(float(r["T"]), temperature)]

    ceiling = [(float(r["t"]), float(r["rhomax"])) for r in rows("noise_ceiling.csv")]
    chi4: dict[str, list[tuple[float, float]]] = {}
    for r in rows("chi4.csv"):
        chi4.setdefault(r["source"], []).append((float(r["t"]), float(r["chi4"])))
    return PublishedCurves(
        name=f"GlassBench, T = {temperature:g}",
        citation=_CITATION,
        pearson=_pearson(rows("pearson.csv"), _FOLDER / "pearson.csv"),
        noise_ceiling=_curve(ceiling) if ceiling else None,
        chi4={source: _curve(points) for source, points in chi4.items()},
        descriptors=_DESCRIPTORS,
        material=Material(temperature),
    )


def _from_file(path: Path) -> PublishedCurves:
    rows = list(_rows(path))
    if not rows:
        raise InputError(f"{path}: expected rows of published numbers; found none")
    missing = [name for name in _COLUMNS if name not in rows[0]]
    if missing:
        raise InputError(
            f"{path}: expected the columns {', '.join(_COLUMNS)}; found no column {missing[0]!r}"
        )
    return PublishedCurves(path.stem, str(path.name), _pearson(rows, path))


def _pearson(rows: list[dict[str, str]], path: Path) -> dict[tuple[str, str], Curve]:
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number, row in enumerate(rows, start=2):  # the first line is the header
        if row["metric"] not in KINDS:
            raise InputError(
                f"{path}: line {number}: metric: expected {' or '.join(KINDS)}; found "
                f"{row['metric']!r}"
            )
        try:
            time, value = float(row["t"]), float(row["pearson"])
        except (TypeError, ValueError):
            time, value = math.nan, math.nan
        if not (0 < time < math.inf and -1 <= value <= 1):
            raise InputError(
                f"{path}: line {number}: expected a positive t and a pearson from -1 to 1; found "
                f"{row['t']!r} and {row['pearson']!r}"
            )
        points.setdefault((row["model"], row["metric"]), []).append((time, value))
    return {key: _curve(values) for key, values in points.items()}


def _curve(points: list[tuple[float, float]]) -> Curve:
    times, values = zip(*sorted(points), strict=True)
    return times, values


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            yield from csv.DictReader(stream)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: expected a CSV file of published numbers; {error}") from None
