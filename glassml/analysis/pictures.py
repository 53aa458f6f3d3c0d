"""Figures of configurations and of thermodynamic output."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from glassml.data import Configuration
from glassml.errors import InputError
from glassml.plotting import COLOUR_MAP, point_marker, series_colour, styled

__all__ = [
    "draw_slab",
    "drawn_diameters",
    "drawn_limits",
    "slice_figure",
    "slices_figure",
    "thermo_figure",
]


@styled
def slice_figure(
    configuration: Configuration,
    values: np.ndarray,
    *,
    label: str = "propensity",
    title: str = "",
    thickness: float | None = None,
    limits: tuple[float, float] | None = None,
    diameters: Sequence[float] | None = None,
) -> Figure:
    """A slab of the box seen from above, with particles coloured by a value.

    The slab is parallel to the first two lattice vectors and lies in the middle of the third. For a
    two-dimensional system all particles are drawn. Particles are to scale, and are repeated across
    periodic boundaries.

    Args:
        configuration: N particles.
        values: [N], what the colours show.
        label: what the values are, for the colour bar.
        title: heading.
        thickness: of the slab [length]; None: 1.2 times the mean distance of neighbours, which
            shows about one layer.
        limits: values at the ends of the colour bar; None: the 2nd and 98th percentile of the most
            numerous species, so that a rarer species does not take up the range of colours.
        diameters: of each species as drawn [length]; None: 1 for the first species, then 0.62,
            0.62^2, ..., times the mean distance of neighbours.

    Raises:
        InputError: the values are not finite, or not one per particle.
    """
    figure = Figure(figsize=(7.2, 6.0), layout="constrained")
    axes = figure.subplots()
    _draw_slice(axes, configuration, values, label, thickness, limits, diameters)
    axes.set_title(title)
    return figure


@styled
def slices_figure(
    configuration: Configuration,
    values: Mapping[str, np.ndarray],
    *,
    title: str = "",
    thickness: float | None = None,
) -> Figure:
    """The same slab several times side by side, with particles coloured by different values.

    Args:
        configuration: N particles.
        values: heading -> what the colours show [N]. Each has its own colour bar, from the 2nd to
            the 98th percentile of the most numerous species.
        title: heading of the figure.
        thickness: as in `slice_figure`.

    Raises:
        InputError: the values are not finite, or not one per particle.
    """
    figure = Figure(figsize=(6.6 * len(values), 6.0), layout="constrained")
    panels = figure.subplots(1, len(values), squeeze=False)[0]
    for axes, (heading, shown) in zip(panels, values.items(), strict=True):
        _draw_slice(axes, configuration, shown, "", thickness, None, None)
        axes.set_title(heading)
    figure.suptitle(title)
    return figure


def _draw_slice(
    axes: Axes,
    configuration: Configuration,
    values: np.ndarray,
    label: str,
    thickness: float | None,
    limits: tuple[float, float] | None,
    diameters: Sequence[float] | None,
) -> None:
    """A slab with its colour bar; arguments as in `slice_figure`."""
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (configuration.n_particles,) or not np.isfinite(values).all():
        raise InputError(
            f"values: expected {configuration.n_particles} finite numbers, one per particle; "
            f"found an array of shape {values.shape}"
        )
    spacing = configuration.spacing
    low, high = drawn_limits(configuration, values) if limits is None else limits
    if diameters is None:
        diameters = drawn_diameters(configuration).tolist()
    thickness = 1.2 * spacing if thickness is None else thickness
    discs = draw_slab(axes, configuration, values, thickness, np.asarray(diameters))
    discs.set(cmap=COLOUR_MAP, norm=Normalize(low, high))
    ends = "both" if limits is None else "neither"
    axes.figure.colorbar(discs, ax=axes, label=label, extend=ends)
    unit = configuration.length_unit
    suffix = "" if unit == "lj" else f" ({unit})"
    axes.set(aspect="equal", xlabel=f"x{suffix}", ylabel=f"y{suffix}")
    axes.spines[:].set_visible(False)  # the box itself is drawn
    _add_species_legend(axes, configuration.species_names, np.asarray(diameters) / spacing)


@styled
def thermo_figure(
    step: np.ndarray,
    columns: Mapping[str, np.ndarray],
    *,
    xlabel: str = "step",
    title: str = "",
) -> Figure:
    """Thermodynamic output against time, with one panel per column.

    Args:
        step: [M], steps or times.
        columns: name of each quantity, which labels its axis -> its values [M].
        xlabel: what ``step`` is.
        title: heading.

    Raises:
        InputError: there is no column, or a column has another length than ``step``.
    """
    if not columns:
        raise InputError("columns: expected at least one quantity to draw; found none")
    for name, values in columns.items():
        if len(values) != len(step):
            raise InputError(
                f"columns: {name}: expected {len(step)} values, one per step; found {len(values)}"
            )
    figure = Figure(figsize=(7.2, 1.2 + 1.9 * len(columns)), layout="constrained")
    panels = figure.subplots(len(columns), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, values) in zip(panels, columns.items(), strict=True):
        axes.plot(step, values, color=series_colour(0), marker=point_marker(len(step)), ms=3)
        axes.set_ylabel(name)
        axes.grid()
        axes.margins(x=0.01)
    panels[-1].set_xlabel(xlabel)
    panels[0].set_title(title)
    figure.align_ylabels(panels)
    return figure


def drawn_limits(configuration: Configuration, values: np.ndarray) -> tuple[float, float]:
    """The 2nd and 98th percentile of the values of the most numerous species."""
    commonest = configuration.species == np.bincount(configuration.species).argmax()
    low, high = np.percentile(values[commonest], (2, 98))
    return float(low), float(high)


def drawn_diameters(configuration: Configuration) -> np.ndarray:
    """For each species [length]: 1, 0.62, 0.62^2, ... times the mean distance of neighbours."""
    return configuration.spacing * 0.62 ** np.arange(len(configuration.species_names))


def draw_slab(
    axes: Axes,
    configuration: Configuration,
    values: np.ndarray,
    thickness: float,
    diameters: np.ndarray,
) -> EllipseCollection:
    """Draw the particles of a slab as discs, and the edge of the box.

    Args:
        axes: to draw on.
        configuration: N particles.
        values: [N], the array of the collection that is returned.
        thickness: of the slab [length].
        diameters: of each species [length].

    Returns:
        The discs, not yet coloured.
    """
    flat = configuration.plane
    order = [0, 1, 2] if flat is None else [*(k for k in range(3) if k != flat), flat]
    cell, pbc = configuration.cell[order], np.array(configuration.pbc)[order]
    fractions = configuration.positions @ np.linalg.inv(cell)
    fractions[:, pbc] %= 1.0
    normal = np.cross(cell[0], cell[1])
    height = abs(cell[2] @ normal) / np.linalg.norm(normal)
    if flat is not None:
        fractions[:, 2] = 0.5  # all particles lie in one plane
    chosen = np.flatnonzero(np.abs(fractions[:, 2] - 0.5) * height <= thickness / 2)
    chosen = chosen[np.argsort(fractions[chosen, 2])]  # the highest are drawn last, on top
    # Images beyond the edges, so that discs on an edge appear on both sides of the box.
    images = itertools.product(*((-1, 0, 1) if periodic else (0,) for periodic in pbc[:2]))
    shifts = np.array([(*image, -0.5) for image in images])
    fractions = (fractions[chosen, None, :] + shifts).reshape(-1, 3)
    particle = np.repeat(chosen, len(shifts))
    plane = _in_plane(cell)
    margin = diameters.max() / np.linalg.norm(plane[:2], axis=1).min()
    near = ((fractions[:, :2] > -margin) & (fractions[:, :2] < 1 + margin)).all(axis=1)
    fractions, particle = fractions[near], particle[near]
    discs = diameters[configuration.species[particle]]
    collection = EllipseCollection(
        discs,
        discs,
        np.zeros(len(discs)),
        units="xy",
        offsets=fractions @ plane,
        offset_transform=axes.transData,
        array=values[particle],
        edgecolors="black",
        linewidths=0.3,
    )
    axes.add_collection(collection)
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) @ plane[:2]
    box = Polygon(corners, fill=False, ec="black", lw=1.2)
    axes.add_patch(box)
    collection.set_clip_path(box)
    pad = 0.02 * np.ptp(corners, axis=0).max()
    axes.set_xlim(corners[:, 0].min() - pad, corners[:, 0].max() + pad)
    axes.set_ylim(corners[:, 1].min() - pad, corners[:, 1].max() + pad)
    return collection


def _in_plane(cell: np.ndarray) -> np.ndarray:
    """The lattice vectors [3, 2] projected on the plane of the first two, the first along x."""
    along = cell[0] / np.linalg.norm(cell[0])
    across = cell[1] - (cell[1] @ along) * along
    return cell @ np.stack([along, across / np.linalg.norm(across)], axis=1)


def _add_species_legend(axes: Axes, names: Sequence[str], sizes: np.ndarray) -> None:
    entries = [
        Line2D([], [], ls="", marker="o", ms=12 * size, mfc="white", mec="black", label=name)
        for name, size in zip(names, sizes, strict=True)
    ]
    axes.legend(
        handles=entries,
        loc="upper left",
        bbox_to_anchor=(0, -0.08),
        ncols=len(names),
        handletextpad=0.2,
    )
