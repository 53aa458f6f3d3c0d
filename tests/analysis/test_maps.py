"""Maps: every particle in its place, as large as it is, coloured on the scale of its species."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.image import imread
from systems import liquid, moved

from glassml.analysis import Panel, View, map_figure
from glassml.analysis.maps.scene import Scene, joint_limits, make_scene
from glassml.analysis.maps.view import means_along, particle_diameters, plane_of_view
from glassml.data import Configuration, Dataset
from glassml.errors import InputError
from glassml.physics import first_peak, pair_distribution
from glassml.plotting import save_figure

A, B = "A", "B"


def seen(configuration: Configuration, thickness: float, **view: float) -> set[tuple[float, ...]]:
    """Position and index of every disc whose centre lies in the box."""
    values = np.arange(configuration.n_particles, dtype=float)
    scene = make_scene(configuration, [Panel("x", values)], View(thickness=thickness, **view))
    fractions = scene.places @ np.linalg.inv(scene.edges)
    return {
        (round(x, 9), round(y, 9), value)
        for (x, y), (u, v), value in zip(scene.places, fractions, scene.values[0], strict=True)
        if 0 <= u < 1 and 0 <= v < 1
    }


@pytest.mark.parametrize(("axis", "across", "position"), [(2, (0, 1), 0.5), (0, (1, 2), 0.9)])
def test_a_slab_holds_the_particles_near_its_middle(
    axis: int, across: tuple[int, int], position: float
) -> None:
    configuration = liquid(200, seed=1)
    length = configuration.cell[0, 0]
    wrapped = configuration.positions % length
    away = (wrapped[:, axis] / length - position + 0.5) % 1.0 - 0.5  # 0.9 is near the upper edge
    inside = np.flatnonzero(np.abs(away) * length <= 0.5)
    places = np.round(wrapped[:, across], 9)
    expected = {(*places[i].tolist(), float(i)) for i in inside}
    assert len(expected) > 10
    assert seen(configuration, 1.0, axis=axis, position=position) == expected


@pytest.mark.parametrize("triclinic", [False, True])
def test_the_slab_does_not_depend_on_the_image_a_particle_is_given_in(triclinic: bool) -> None:
    configuration = liquid(200, seed=1, triclinic=triclinic)
    images = np.random.default_rng(0).integers(-2, 3, (200, 3)) @ configuration.cell
    other = moved(configuration, positions=configuration.positions + images)
    left, right = (sorted(seen(c, thickness=1.5)) for c in (configuration, other))
    np.testing.assert_allclose(left, right, atol=1e-8)  # as rounded when they are collected


def test_particles_of_a_leaning_box_are_drawn_where_they_are() -> None:
    """Looked at along z, the coordinates in the plane are x and y, as LAMMPS has them."""
    configuration = liquid(200, seed=1, triclinic=True)
    scene = make_scene(configuration, [Panel("x", np.arange(200.0))], View(thickness=2.0))
    cell = configuration.cell
    assert scene.axis_names == ("x", "y")
    assert len(scene.places) > 30
    for place, k in zip(scene.places, scene.values[0].astype(int), strict=True):
        # An image of the particle: that one of the third lattice vector which is nearest to the
        # middle of the box, and any of the first two.
        third = np.round((configuration.positions[k] @ np.linalg.inv(cell))[2] - 0.5)
        image = configuration.positions[k] - (third + 0.5) * cell[2]
        whole = np.linalg.solve(cell[:2, :2].T, place - image[:2])
        np.testing.assert_allclose(whole, np.round(whole), atol=1e-8)


def test_a_disc_on_an_edge_is_drawn_on_both_sides() -> None:
    one = moved(
        liquid(1),
        positions=np.array([[0.1, 2.0, 2.0]]),
        cell=np.diag([4.0, 4.0, 4.0]),
        species=np.array([0]),
        scalars={"diameter": np.array([1.0])},
    )
    scene = make_scene(one, [Panel("x", np.ones(1))], View(thickness=1.0))
    np.testing.assert_allclose(
        scene.places[np.argsort(scene.places[:, 0])], [[0.1, 2.0], [4.1, 2.0]]
    )


def test_discs_are_as_large_as_the_particles() -> None:
    """By a column of radii; else by the first peaks of g(r)."""
    radii = np.linspace(0.3, 0.5, 60)
    given = moved(liquid(60), scalars={"radius": radii})
    np.testing.assert_array_equal(particle_diameters(given), 2 * radii)
    scene = make_scene(given, [Panel("x", np.arange(60.0))], View(thickness=9.0))
    np.testing.assert_array_equal(scene.diameters, 2 * radii[scene.values[0].astype(int)])
    c = Dataset("kob_andersen_T0.64")[0]
    found = particle_diameters(c)
    a, b = (np.unique(found[c.of_species(name)]).item() for name in (A, B))
    peaks = {
        name: first_peak(
            *pair_distribution(
                c.positions, c.cell, c.pbc, c.of_species(A), c.of_species(name), 1.5, 75
            )
        )[0]
        for name in (A, B)
    }
    # Bins are 0.02 wide in both, and those of the sizes are smoothed over two.
    assert a == pytest.approx(peaks[A], abs=0.04)
    assert (a + b) / 2 == pytest.approx(peaks[B], abs=0.04)


def colours_of(figure: Figure, panel: int) -> np.ndarray:
    (discs,) = (c for c in figure.axes[panel].collections if isinstance(c, EllipseCollection))
    return np.asarray(discs.get_facecolor())


def test_each_species_has_its_own_scale_and_unknown_values_are_grey() -> None:
    """B moves a hundred times as far as A: both show all colours."""
    configuration = moved(liquid(400, seed=2), length_unit="angstrom")
    rng = np.random.default_rng(0)
    values = rng.uniform(1.0, 2.0, 400) * np.where(configuration.species == 0, 1.0, 100.0)
    values[rng.permutation(400)[:20]] = np.nan
    view = View(thickness=configuration.cell[2, 2])
    panels = [Panel("true", values, unit="\u00c5")]
    scene = make_scene(configuration, panels, view)
    colours = colours_of(map_figure(configuration, panels, view=view), 0)
    shown = scene.values[0]
    grey = np.isnan(shown)
    assert grey.sum() >= 20  # every particle is in the slab
    np.testing.assert_allclose(colours[grey], [to_rgba("0.9")] * grey.sum())
    for s in (0, 1):
        mine = (scene.scale == s) & ~grey
        low, high = scene.limits["propensity", (A, B)[s]]
        known = values[(configuration.species == s) & np.isfinite(values)]
        np.testing.assert_allclose((low, high), np.percentile(known, (2, 98)))
        expected = mpl.colormaps["viridis"]((shown[mine] - low) / (high - low))
        np.testing.assert_allclose(colours[mine], expected)
        assert np.ptp(colours[mine][:, 1]) > 0.8  # dark blue to yellow


def test_errors_are_centred_at_zero() -> None:
    configuration = liquid(200)
    error = np.random.default_rng(0).normal(0.5, 0.1, 200)  # all predicted too high
    scene = make_scene(configuration, [Panel("e", error, "error", signed=True)], View())
    for name in (A, B):
        low, high = scene.limits["error", name]
        assert low == -high
        assert high > 0.5


def test_colour_bars_name_quantity_unit_and_species() -> None:
    configuration = moved(liquid(200), length_unit="angstrom")
    values = np.random.default_rng(0).random(200)
    panels = [Panel("true", values, unit="\u00c5"), Panel("c_q", values, "c_q")]
    figure = map_figure(configuration, panels, title="heading")
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels.count("x (\u00c5)") == 2
    assert labels.count("propensity (\u00c5)") == 1  # below the last of two bars
    assert labels.count("c_q") == 1  # its unit is not known
    named = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert sorted(named) == [A, A, B, B]
    assert figure.get_suptitle() == "heading"


def test_many_species_share_one_scale() -> None:
    names = tuple("abcdef")
    species = np.arange(120) % 6
    configuration = moved(liquid(120), species=species, species_names=names)
    scene = make_scene(configuration, [Panel("x", np.arange(120.0))], View())
    assert list(scene.limits) == [("propensity", "all 6 species")]


def test_a_projection_is_a_mean_along_the_direction_of_view() -> None:
    """Of a value that is a function of x alone; and of one that is the same everywhere."""
    configuration = liquid(4000, seed=3)
    length = configuration.cell[0, 0]
    plane = plane_of_view(configuration, View(axis=2))
    wave = np.cos(2 * np.pi * configuration.positions[:, 0] / length)
    chosen = configuration.species == 0
    spacing = configuration.spacing
    found = means_along(plane, wave, chosen, None, spacing)
    x = (np.arange(found.shape[1]) + 0.5) / found.shape[1]
    # The Gaussian of width s lowers a wave of number k by exp(-(k s)^2 / 2). Each pixel averages
    # about 4000 * 0.8 * 4 pi s^2 / L^2 = 90 particles, that scatter by s k in the wave.
    damping = np.exp(-((2 * np.pi / length * spacing / 2) ** 2) / 2)
    np.testing.assert_allclose(found.mean(axis=0), damping * np.cos(2 * np.pi * x), atol=0.03)
    same = means_along(plane, np.full(4000, 7.0), chosen, None, spacing)
    np.testing.assert_allclose(same, 7.0)
    # Particles outside the slab do not count.
    height = plane.depth
    edge = means_along(plane, (np.abs(height) < length / 4).astype(float), chosen, length / 2, 1.0)
    np.testing.assert_allclose(edge, 1.0)


def test_limits_of_a_movie_are_those_of_most_frames() -> None:
    """The frame before the first prediction, which is zero everywhere, does not count."""
    configuration = liquid(100)
    values = np.random.default_rng(0).uniform(1, 2, 100)
    scenes: list[Scene] = [
        make_scene(configuration, [Panel("x", v)], View())
        for v in (0 * values, values, values, values + 0.1)
    ]
    for name in (A, B):
        np.testing.assert_allclose(
            joint_limits(scenes)["propensity", name],
            scenes[1].limits["propensity", name],
            atol=0.06,
        )


@pytest.mark.parametrize("triclinic", [False, True])
@pytest.mark.parametrize("projection", [False, True])
def test_a_map_is_written_as_a_picture(tmp_path: Path, triclinic: bool, projection: bool) -> None:
    configuration = liquid(300, triclinic=triclinic)
    values = np.random.default_rng(0).random(300)
    panels = [Panel("true", values), Panel("predicted", values**2)]
    view = View(projection=projection)
    save_figure(map_figure(configuration, panels, view=view, title="y"), tmp_path / "map.png")
    image = imread(tmp_path / "map.png")
    assert image.shape[1] == round((2 * 3.5 + 0.7) * 150)
    assert len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 100  # many colours
    assert [p.name for p in tmp_path.iterdir()] == ["map.png"]


@pytest.mark.parametrize("values", [np.ones(3), np.full(60, np.nan), np.ones((60, 2))])
def test_values_that_do_not_fit_are_refused(values: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"values: x: expected (60|a finite) number"):
        map_figure(liquid(60), [Panel("x", values)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axis": 3}, "axis: expected 0, 1 or 2; found 3"),
        ({"position": 1.5}, "position: expected a fraction"),
        ({"thickness": 0.0}, "thickness: expected a positive length; found 0"),
    ],
)
def test_views_that_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        View(**options)  # type: ignore[arg-type]
