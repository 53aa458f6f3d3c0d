"""Figures of numbers: complete, the same each time, and refused for unsuitable input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from glassml.analysis import thermo_figure
from glassml.errors import InputError
from glassml.plotting import log_x_axis, save_figure
from glassml.training.curves import curves_figure
from glassml.training.pearson_metric import metric_name


def test_thermo_curves_are_written(tmp_path: Path) -> None:
    step = np.arange(100)
    figure = thermo_figure(step, {"T": np.sin(step), "E": np.cos(step)})
    save_figure(figure, tmp_path / "thermo.png")
    assert imread(tmp_path / "thermo.png").shape[0] > 600


@pytest.mark.parametrize(
    ("columns", "message"),
    [({}, "columns: expected at least one"), ({"T": np.ones(3)}, "T: expected 5 values")],
)
def test_thermo_columns_that_do_not_fit_are_refused(
    columns: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        thermo_figure(np.arange(5), columns)


@pytest.mark.parametrize("n_times", [1, 10])
def test_learning_curves_are_written(tmp_path: Path, n_times: int) -> None:
    times = [0.5 * 4.0**k for k in range(n_times)]
    rows = [
        {"epoch": epoch, "train/loss": 2.0 / epoch, "validation/loss": 2.5 / epoch}
        | {metric_name("validation", "mean", "A", t): 1 - 1 / epoch for t in times}
        for epoch in range(1, 6)
    ]
    figure = curves_figure(rows, "A", times, "ps")
    words = [text.get_text() for text in figure.findobj(Text)]
    assert ("$t$ = 0.5 ps" if n_times == 1 else "time $t$ (ps)") in words
    save_figure(figure, tmp_path / "curves.png")
    assert imread(tmp_path / "curves.png").shape[:2] == (630, 1500)


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_same_figure_gives_the_same_file(tmp_path: Path, ending: str) -> None:
    step = np.arange(9)
    for name in ("one", "other"):
        save_figure(thermo_figure(step, {"T": np.sin(step)}), tmp_path / f"{name}.{ending}")
    one, other = (tmp_path / f"{name}.{ending}" for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


def test_a_narrow_logarithmic_axis_names_its_values() -> None:
    for values, expected in (((2.0, 5.0), ["2", "5"]), ((2.0, 50.0), [])):
        axes = Figure().subplots()
        log_x_axis(axes, values)
        named = [text.get_text() for text in axes.get_xticklabels()]
        assert axes.get_xscale() == "log"
        assert [name for name in named if name in {"2", "5", "50"}] == expected
