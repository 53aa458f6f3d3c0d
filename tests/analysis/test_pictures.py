"""Figures: complete, with every particle in its place, and refused for unsuitable input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from systems import liquid, moved

from glassml.analysis import slice_figure, thermo_figure
from glassml.analysis.pictures import draw_slab
from glassml.data import Configuration
from glassml.errors import InputError
from glassml.plotting import log_x_axis, save_figure
from glassml.training.curves import curves_figure
from glassml.training.pearson_metric import metric_name


def _discs(configuration: Configuration, thickness: float) -> set[tuple[float, float, float]]:
    """Position and value of every disc whose centre lies in the box."""
    values = np.arange(configuration.n_particles, dtype=float)
    axes = Figure().subplots()
    collection = draw_slab(axes, configuration, values, thickness, np.array([1.0, 0.6]))
    corner = configuration.cell[:2, :2].sum(axis=0)
    return {
        (round(x, 9), round(y, 9), value)
        for (x, y), value in zip(collection.get_offsets(), collection.get_array(), strict=True)
        if 0 <= x < corner[0] and 0 <= y < corner[1]
    }


def test_the_slab_holds_the_particles_near_its_middle() -> None:
    configuration = liquid(200, seed=1)
    length = configuration.cell[0, 0]
    wrapped = configuration.positions % length
    inside = np.flatnonzero(np.abs(wrapped[:, 2] - length / 2) <= 0.5)
    expected = {(round(wrapped[i, 0], 9), round(wrapped[i, 1], 9), float(i)) for i in inside}
    assert len(expected) > 10
    assert _discs(configuration, thickness=1.0) == expected


def test_the_slab_does_not_depend_on_the_image_a_particle_is_given_in() -> None:
    configuration = liquid(200, seed=1)
    images = np.random.default_rng(0).integers(-2, 3, (200, 3)) * configuration.cell[0, 0]
    other = moved(configuration, positions=configuration.positions + images)
    left, right = (sorted(_discs(c, thickness=1.5)) for c in (configuration, other))
    np.testing.assert_allclose(left, right, atol=1e-8)  # as rounded when they are collected


def test_a_disc_on_an_edge_is_drawn_on_both_sides() -> None:
    one = moved(
        liquid(1),
        positions=np.array([[0.1, 2.0, 2.0]]),
        cell=np.diag([4.0, 4.0, 4.0]),
        species=np.array([0]),
    )
    collection = draw_slab(Figure().subplots(), one, np.ones(1), 1.0, np.array([1.0, 0.6]))
    offsets = np.asarray(collection.get_offsets())
    np.testing.assert_allclose(offsets[np.argsort(offsets[:, 0])], [[0.1, 2.0], [4.1, 2.0]])


@pytest.mark.parametrize("triclinic", [False, True])
def test_a_slice_is_written_as_a_picture(tmp_path: Path, triclinic: bool) -> None:
    configuration = liquid(300, triclinic=triclinic)
    values = np.random.default_rng(0).random(300)
    figure = slice_figure(configuration, values, label="x", title="y")
    save_figure(figure, tmp_path / "slice.png")
    image = imread(tmp_path / "slice.png")
    assert image.shape[:2] == (900, 1080)
    assert len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 100  # many colours
    assert [p.name for p in tmp_path.iterdir()] == ["slice.png"]


@pytest.mark.parametrize("values", [np.ones(3), np.full(60, np.nan), np.ones((60, 2))])
def test_values_that_do_not_fit_are_refused(values: np.ndarray) -> None:
    with pytest.raises(InputError, match="values: expected 60 finite numbers"):
        slice_figure(liquid(60), values)


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
    save_figure(curves_figure(rows, "A", times), tmp_path / "curves.png")
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
