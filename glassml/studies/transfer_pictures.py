"""Figures of transfer matrices and few-shot curves."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from glassml.errors import InputError, not_one_of
from glassml.physics import same_time
from glassml.physics.units import with_unit
from glassml.plotting import COLOUR_MAP, REFERENCE, log_x_axis, series_colour, styled
from glassml.scores import KINDS, error_kinds, find_score
from glassml.studies.few_shot import FewShot
from glassml.studies.transfer import PublishedCell, Transfer

__all__ = ["few_shot_figure", "transfer_figure"]

# Title, names of rows, names of columns, values, and a mask of the values to mark with a star.
_Matrix = tuple[str, Sequence[str], Sequence[str], np.ndarray, np.ndarray]


@styled
def transfer_figure(
    result: Transfer, species: str, published: Sequence[PublishedCell] = ()
) -> Figure:
    """The matrices of Pearson coefficients, with the numbers in their cells.

    The upper two show these models (``all`` and ``mean``), the lower ones published coefficients,
    all on one colour scale. A star marks cells with configurations that the model was trained or
    validated on.

    Args:
        result: returned by `glassml.studies.transfer.transfer`.
        species: the species that is shown.
        published: coefficients to compare with.

    Raises:
        InputError: no dataset has such a species.
    """
    known = list(dict.fromkeys(s.species for cell in result.cells for s in cell.scores))
    if species not in known:
        raise InputError(f"species: {not_one_of(species, known)}")
    seen = np.array(
        [[result.cell(m, d).seen_in_training > 0 for d in result.datasets] for m in result.models]
    )
    panels: list[_Matrix] = [
        (
            f"these models: {text}",
            result.models,
            result.datasets,
            result.matrix(kind, species),
            seen,
        )
        for kind, text in KINDS.items()
    ]
    panels += _published_matrices(published)
    rows = -(-len(panels) // 2)
    width = 2.2 + 0.85 * max(len(p[2]) for p in panels)
    heights = [1.5 + 0.55 * max(len(p[1]) for p in panels[2 * r : 2 * r + 2]) for r in range(rows)]
    figure = Figure(figsize=(2 * width + 1.0, sum(heights) + 0.4), layout="constrained")
    grid = figure.subplots(rows, 2, squeeze=False, height_ratios=heights)
    values = np.concatenate([p[3].ravel() for p in panels])
    finite = values[np.isfinite(values)]
    norm = Normalize(*((finite.min(), finite.max()) if len(finite) else (0.0, 1.0)))
    for axes, panel in zip(grid.ravel(), panels, strict=False):
        _draw_matrix(axes, *panel, norm)
    for axes in grid.ravel()[len(panels) :]:
        axes.axis("off")
    figure.colorbar(ScalarMappable(norm, COLOUR_MAP), ax=grid, label="Pearson coefficient")
    note = "; *: the model has seen configurations of this dataset" if seen.any() else ""
    figure.suptitle(f"Transfer, species {species}{note}")
    return figure


@styled
def few_shot_figure(results: Sequence[FewShot], species: str, time: float) -> Figure:
    """Accuracy against the number of configurations that decoders are refitted to.

    Args:
        results: few-shot curves of one or several models.
        species: the species that is shown.
        time: the time [time] of the labels that is shown.

    Raises:
        InputError: no curve has this species and time.
    """
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for k, result in enumerate(results):
        _check_shown(result, species, time)
        for axes, kind in zip(panels, KINDS, strict=True):
            found = [
                (point.size, score)
                for point in result.points
                if (score := find_score(point.scores, species, time, "pearson", kind)) is not None
            ]
            fitted = [(size, score) for size, score in found if size > 0]
            axes.errorbar(
                [size for size, _ in fitted],
                [score.value for _, score in fitted],
                [score.error or 0.0 for _, score in fitted],
                fmt="o-", color=series_colour(k), label=f"{result.model}, refitted",
            )  # fmt: skip
            for _, score in found[: len(found) - len(fitted)]:
                label = f"{result.model}, as it is"
                label += " (has seen them)" if result.seen_in_training else ""
                style = REFERENCE | {"color": series_colour(k), "lw": 1.2}
                if np.isfinite(score.value):
                    axes.axhline(score.value, **style, label=label)
    sizes = {point.size for result in results for point in result.points if point.size > 0}
    for axes, text in zip(panels, KINDS.values(), strict=True):
        log_x_axis(axes, sizes, always=True)
        axes.set(xlabel="configurations that decoders are fitted to", title=text)
        axes.grid()
    panels[0].set_ylabel("Pearson coefficient")
    panels[0].legend()
    first = results[0]
    on = first.test or "the other configurations"
    points = itertools.chain.from_iterable(result.points for result in results)
    kinds = error_kinds(score for point in points for score in point.scores)
    bars = f"; bars: {kinds}" if kinds else ""
    at = with_unit(time, first.time_unit)
    figure.suptitle(f"{first.dataset}, species {species}, $t$ = {at}; tested on {on}{bars}")
    return figure


def _check_shown(result: FewShot, species: str, time: float) -> None:
    known = dict.fromkeys((s.species, s.time) for p in result.points if p.size for s in p.scores)
    if not any(name == species and same_time(t, time) for name, t in known):
        shown = ", ".join(f"{name} at {t:g}" for name, t in known)
        raise InputError(
            f"expected a species and time of the labels ({shown}); found {species} at {time:g}"
        )


def _published_matrices(cells: Sequence[PublishedCell]) -> list[_Matrix]:
    descriptions: dict[str, str] = dict(KINDS.items())
    panels: list[_Matrix] = []
    for model, kind in dict.fromkeys((c.model, c.kind) for c in cells):
        chosen = {
            (c.trained, c.tested): c.pearson for c in cells if (c.model, c.kind) == (model, kind)
        }
        trained, tested = (sorted({key[k] for key in chosen}) for k in (0, 1))
        matrix = np.array([[chosen.get((a, b), np.nan) for b in tested] for a in trained])
        title = f"published, {model}: {descriptions.get(kind, kind)}"
        labels = (tuple(f"T = {t}" for t in trained), tuple(f"T = {t}" for t in tested))
        panels.append((title, *labels, matrix, np.zeros(matrix.shape, dtype=bool)))
    return panels


def _draw_matrix(
    axes: Axes,
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: np.ndarray,
    starred: np.ndarray,
    norm: Normalize,
) -> None:
    axes.imshow(values, norm=norm, cmap=COLOUR_MAP, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = f"{value:.3f}{'*' if starred[i, j] else ''}"
            dark = norm(value) < 0.6
            axes.text(j, i, text, ha="center", va="center", color="white" if dark else "black")
    slanted = max(map(len, columns)) > 9
    axes.set_xticks(
        range(len(columns)),
        columns,
        rotation=25 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else None,
    )
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="tested on", ylabel="model", title=title)
