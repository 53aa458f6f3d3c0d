"""Maps of a report: true and predicted propensity side by side, and their difference."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from glassml.analysis.pictures import draw_slab, drawn_diameters, drawn_limits
from glassml.data import Configuration
from glassml.plotting import COLOUR_MAP, DIFFERENCE_MAP, styled

__all__ = ["map_figure"]

_THICKNESS = 1.0  # in mean distances of neighbours: about one layer
_PANEL = 3.3  # inches


@styled
def map_figure(configuration: Configuration, predicted: np.ndarray, time: int) -> Figure:
    """A slab of the box: true propensity, prediction on the same colour scale, and error.

    Args:
        configuration: N labelled particles.
        predicted: [N] [length], NaN for particles without a prediction.
        time: index of the time of the labels.
    """
    assert configuration.propensity is not None, "a comparison needs labels"
    true = configuration.propensity[:, time]
    known = np.isfinite(predicted)
    low, high = drawn_limits(configuration, true)
    span = float(np.percentile(np.abs(predicted - true)[known], 98)) or 1.0
    panels = (
        ("true", true, COLOUR_MAP, Normalize(low, high)),
        ("predicted", predicted, COLOUR_MAP, Normalize(low, high)),
        ("predicted - true", predicted - true, DIFFERENCE_MAP, Normalize(-span, span)),
    )
    diameters = drawn_diameters(configuration)
    figure = Figure(figsize=(3 * _PANEL, _PANEL + 1.2), layout="constrained")
    axes_row = figure.subplots(1, 3)
    drawn = []
    for axes, (title, values, colours, norm) in zip(axes_row, panels, strict=True):
        discs = draw_slab(
            axes, configuration, np.ma.masked_invalid(values), _THICKNESS * diameters[0], diameters
        )
        shown = mpl.colormaps[colours].with_extremes(bad="0.9")  # no prediction
        discs.set(cmap=shown, norm=norm, linewidths=0.2)
        axes.set_title(title.replace("-", "\N{MINUS SIGN}"))
        axes.set(aspect="equal", xticks=[], yticks=[])
        axes.spines[:].set_visible(False)  # the box itself is drawn
        drawn.append(discs)
    options: dict[str, Any] = {"location": "bottom", "shrink": 0.8, "aspect": 35, "extend": "both"}
    figure.colorbar(drawn[0], ax=axes_row[:2], label="propensity", **options)
    figure.colorbar(
        drawn[2], ax=axes_row[2], label="error", **(options | {"aspect": 17, "shrink": 0.85})
    )
    return figure
