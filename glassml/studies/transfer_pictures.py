"""Pictures of transfer matrices and few-shot curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from glassml.errors import InputError, not_one_of
from glassml.plotting import save_figure
from glassml.studies.few_shot import FewShot
from glassml.studies.transfer import PublishedCell, Transfer

__all__ = ["few_shot_picture", "transfer_picture"]

_KINDS = {"all": "all particles pooled", "mean": "mean over configurations"}


def transfer_picture(
    result: Transfer,
    path: str | Path,
    species: str,
    published: Sequence[PublishedCell] = (),
) -> None:
    """Draw the matrices of Pearson coefficients with the numbers in their cells.

    Above the two of these models (``all`` and ``mean``), below any published ones, all on one
    colour scale. A star marks cells with configurations that the model has seen in training.

    Args:
        result: of `glassml.studies.transfer.transfer`.
        path: PNG (or other image) file to write.
        species: the species that is shown.
        published: coefficients to compare with.

    Raises:
        InputError: no dataset has such a species.
    """
    known = list(dict.fromkeys(cell.species for cell in result.cells))
    if species not in known:
        raise InputError(f"species: {not_one_of(species, known)}")
    stars = {(c.model, c.dataset) for c in result.cells if c.seen}
    seen = np.array([[(m, d) in stars for d in result.datasets] for m in result.models])
    own = [
        (
            f"these models: {text}",
            result.models,
            result.datasets,
            result.matrix(kind, species),
            seen,
        )
        for kind, text in _KINDS.items()
    ]
    theirs = _published_matrices(published)
    panels = [*own, *theirs]
    rows = -(-len(panels) // 2)
    wide = 2.2 + 0.85 * max(len(p[2]) for p in panels)
    high = [1.5 + 0.55 * max(len(p[1]) for p in panels[2 * r : 2 * r + 2]) for r in range(rows)]
    figure = Figure(figsize=(2 * wide + 1.0, sum(high) + 0.4), layout="constrained")
    grid = figure.subplots(rows, 2, squeeze=False, height_ratios=high)
    values = np.concatenate([p[3].ravel() for p in panels])
    finite = values[np.isfinite(values)]
    norm = Normalize(*((finite.min(), finite.max()) if len(finite) else (0.0, 1.0)))
    for axes, panel in zip(grid.ravel(), panels, strict=False):
        _draw_matrix(axes, *panel, norm)
    for axes in grid.ravel()[len(panels) :]:
        axes.axis("off")
    figure.colorbar(ScalarMappable(norm, "viridis"), ax=grid, label="Pearson coefficient")
    note = "; *: the model has seen configurations of this dataset" if seen.any() else ""
    figure.suptitle(f"Transfer, species {species}{note}", fontsize="medium")
    save_figure(figure, path)


def few_shot_picture(
    results: Sequence[FewShot], path: str | Path, species: str, time: float
) -> None:
    """Draw accuracy against the number of configurations that decoders are refitted to.

    Args:
        results: few-shot curves of one or several models.
        path: PNG (or other image) file to write.
        species: the species that is shown.
        time: time [time] of the labels that is shown.

    Raises:
        InputError: no curve has this species and time.
    """
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    colours = colormaps["tab10"].colors  # type: ignore[attr-defined]
    sizes: set[int] = set()
    for result, colour in zip(results, colours * len(results), strict=False):
        chosen = [s for s in result.scores if s.species == species and s.time == time]
        if not any(score.configurations for score in chosen):
            known = dict.fromkeys((s.species, s.time) for s in result.scores)
            shown = ", ".join(f"{name} at {t:g}" for name, t in known)
            raise InputError(
                f"expected a species and time of the labels ({shown}); found {species} at {time:g}"
            )
        fitted = [s for s in chosen if s.configurations]
        sizes |= {s.configurations for s in fitted}
        for axes, kind in zip(panels, _KINDS, strict=True):
            axes.errorbar(
                [s.configurations for s in fitted],
                [getattr(s, f"pearson_{kind}") for s in fitted],
                [np.nan_to_num(getattr(s, f"pearson_{kind}_std")) for s in fitted],
                fmt="o-", ms=4, lw=1.4, capsize=3, color=colour, label=f"{result.model}, refitted",
            )  # fmt: skip
            for score in chosen:
                value = getattr(score, f"pearson_{kind}")
                if score.configurations == 0 and np.isfinite(value):
                    label = f"{result.model}, as it is{' (has seen them)' if result.seen else ''}"
                    axes.axhline(value, color=colour, lw=1.2, ls="--", label=label)
    for axes, text in zip(panels, _KINDS.values(), strict=True):
        axes.set(xscale="log", xlabel="configurations that decoders are fitted to", title=text)
        axes.xaxis.set_major_locator(FixedLocator(sorted(sizes)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("Pearson coefficient")
    panels[0].legend(frameon=False, fontsize="small")
    first = results[0]
    on = first.test or "the other configurations"
    figure.suptitle(
        f"{first.dataset}, species {species}, t = {time:g}; tested on {on}; bars: over choices",
        fontsize="medium",
    )
    save_figure(figure, path)


def _published_matrices(
    cells: Sequence[PublishedCell],
) -> list[tuple[str, tuple[str, ...], tuple[str, ...], np.ndarray, np.ndarray]]:
    panels = []
    for model, kind in dict.fromkeys((c.model, c.kind) for c in cells):
        chosen = {
            (c.trained, c.tested): c.pearson for c in cells if (c.model, c.kind) == (model, kind)
        }
        trained, tested = (sorted({key[k] for key in chosen}) for k in (0, 1))
        matrix = np.array([[chosen.get((a, b), np.nan) for b in tested] for a in trained])
        title = f"published, {model}: {_KINDS.get(kind, kind)}"
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
    axes.imshow(values, norm=norm, cmap="viridis", aspect="auto")
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
    axes.set(xlabel="tested on", ylabel="model")
    axes.set_title(title, fontsize="medium")
