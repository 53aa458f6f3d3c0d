"""Drawing maps: discs coloured by a value, or means along a direction."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import EllipseCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Polygon
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from glassml.analysis.maps.scene import Limits, Panel, Scales, Scene, make_scene
from glassml.analysis.maps.view import View
from glassml.data import Configuration
from glassml.physics.units import Units, measured_in
from glassml.plotting import COLOUR_MAP, DIFFERENCE_MAP, styled

__all__ = ["MapPicture", "map_figure"]

_PANEL = 3.5  # inches, the width of a map
_BAR = 0.42  # inches, the height of a colour bar with its numbers
_EXTENSION = 0.05  # of a colour bar below one map: its pointed tips
_MANY = 5000  # discs: more are drawn as pixels, also in vector graphics
_UNKNOWN = "0.9"


@styled
def map_figure(
    configuration: Configuration,
    panels: Sequence[Panel],
    *,
    view: View | None = None,
    title: str = "",
    units: Units | None = None,
) -> Figure:
    """Maps of a configuration side by side, each species on its own colour scale.

    A slab shows its particles as discs of their size (`particle_diameters`), repeated across
    periodic boundaries; a projection shows means along the direction of view, with a row per
    species. Colour bars reach from the 2nd to the 98th percentile; of errors they are symmetric
    about 0.

    Args:
        configuration: N particles.
        panels: the maps, from left to right.
        view: what is seen; None: a layer in the middle of the box, from above.
        title: heading of the figure.
        units: units of lengths; None: those of the configuration.

    Raises:
        InputError: values that are not one per particle, or of which none is known.
    """
    scene = make_scene(configuration, panels, view or View(), title=title)
    units = units or Units.of(configuration.length_unit)
    names = configuration.species_names
    picture = MapPicture(panels, names, scene, scene.limits, units.length)
    picture.show(scene)
    picture.arrange()
    return picture.figure


class MapPicture:
    """A figure with maps, in which one scene after the other can be shown.

    Args:
        panels: headings, quantities and kinds of the maps; their values are not looked at.
        species_names: names of the species.
        first: a scene, for the shape of the box.
        limits: values at the ends of the colour bars.
        length_unit: how the unit of length is written; "" if it has none.
    """

    def __init__(
        self,
        panels: Sequence[Panel],
        species_names: Sequence[str],
        first: Scene,
        limits: Limits,
        length_unit: str,
    ) -> None:
        self._panels = panels
        self._scales = Scales.of(species_names)
        self._limits = limits
        self._artists: list[Artist] = []
        self._projection = not len(first.places) and first.values[0].ndim == 3
        corners = _corners(first)
        shape = np.ptp(corners, axis=0)
        rows = len(self._scales.names) if self._projection else 1
        height = _PANEL * float(np.clip(shape[1] / shape[0], 0.25, 2.0))
        bars = 1 if self._projection else len(self._scales.names)
        self.figure = Figure(
            figsize=(_PANEL * len(panels) + 0.7, rows * (height + 0.5 + _BAR * (bars + 0.6)) + 0.4),
            # Numbers of neighbouring axes stay apart, and headings.
            layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.07),
        )
        self._axes = self.figure.subplots(
            rows, len(panels), squeeze=False, sharex=True, sharey=True
        )
        for axes in self._axes.flat:
            _frame(axes, corners)
        for axes, panel in zip(self._axes[0], panels, strict=True):
            axes.set_title(panel.title)
        for axes in self._axes[-1]:
            axes.set_xlabel(measured_in(first.axis_names[0], length_unit))
        for axes in self._axes[:, 0]:
            axes.set_ylabel(measured_in(first.axis_names[1], length_unit))
        self._title = self.figure.suptitle(first.title)
        self._draw_bars(first.sizes)

    @styled
    def show(self, scene: Scene) -> None:
        """Draw a scene in place of the one before."""
        for artist in self._artists:
            artist.remove()
        self._artists = []
        # About so many letters fit above each map.
        lines = (textwrap.fill(line, 44 * len(self._panels)) for line in scene.title.split("\n"))
        self._title.set_text("\n".join(lines))
        for k, panel in enumerate(self._panels):
            if self._projection:
                for s, axes in enumerate(self._axes[:, k]):
                    self._show_means(axes, scene, panel, s, scene.values[k][s])
            else:
                self._show_discs(self._axes[0, k], scene, panel, scene.values[k])

    @styled
    def arrange(self) -> None:
        """Find room for everything. As maps are to scale, the layout takes a few rounds."""
        for _ in range(3):
            self.figure.draw_without_rendering()

    def _show_discs(self, axes: Axes, scene: Scene, panel: Panel, values: np.ndarray) -> None:
        colours = np.empty((len(values), 4))
        for s in range(len(self._scales.names)):
            mine = scene.scale == s
            colours[mine] = self._mappable(panel, s).to_rgba(np.ma.masked_invalid(values[mine]))
        box = Polygon(_corners(scene), fill=False, ec="black", lw=1.0)
        discs = EllipseCollection(
            scene.diameters,
            scene.diameters,
            np.zeros(len(values)),
            units="xy",
            offsets=scene.places,
            offset_transform=axes.transData,
            facecolors=colours,
            edgecolors="black",
            linewidths=0.3,
            rasterized=len(values) > _MANY,
        )
        axes.add_collection(discs, autolim=False)
        axes.add_patch(box)
        discs.set_clip_path(box)
        self._artists += [discs, box]

    def _show_means(
        self, axes: Axes, scene: Scene, panel: Panel, s: int, values: np.ndarray
    ) -> None:
        rows, columns = (np.linspace(0, 1, n + 1) for n in values.shape)
        x, y = np.moveaxis(np.stack(np.meshgrid(columns, rows), -1) @ scene.edges, -1, 0)
        mesh = axes.pcolormesh(
            x, y, np.ma.masked_invalid(values), cmap=_colours(panel), norm=self._norm(panel, s),
            rasterized=True,
        )  # fmt: skip
        box = Polygon(_corners(scene), fill=False, ec="black", lw=1.0)
        axes.add_patch(box)
        self._artists += [mesh, box]

    def _draw_bars(self, sizes: np.ndarray) -> None:
        """Colour bars: below the maps one per scale, of projections beside each row."""
        groups: dict[str, list[int]] = {}
        for k, panel in enumerate(self._panels):
            groups.setdefault(panel.quantity, []).append(k)
        present = [s for s, size in enumerate(sizes) if np.isfinite(size)]
        for quantity, columns in groups.items():
            panel = self._panels[columns[0]]
            for place, s in enumerate(reversed(present)):  # each bar is put above those before
                row = self._axes[s if self._projection else 0]
                name = self._scales.names[s]
                if (quantity, name) not in self._limits:
                    continue
                bar = self.figure.colorbar(
                    self._mappable(panel, s),
                    ax=[row[k] for k in columns],
                    location="bottom",
                    aspect=28 * len(columns),
                    shrink=0.82,
                    pad=0.02,
                    extend="both",
                    extendfrac=_EXTENSION / len(columns),
                )
                bar.locator = MaxNLocator(5)
                bar.outline.set_linewidth(0.5)
                bar.ax.tick_params(labelsize=9, pad=2, length=2.5)
                if self._projection or place == 0:
                    bar.set_label(measured_in(quantity, panel.unit))
                _name_bar(bar.ax, name, sizes[s] / np.nanmax(sizes), len(columns))

    def _mappable(self, panel: Panel, s: int) -> ScalarMappable:
        return ScalarMappable(self._norm(panel, s), _colours(panel))

    def _norm(self, panel: Panel, s: int) -> Normalize:
        return Normalize(*self._limits.get((panel.quantity, self._scales.names[s]), (0.0, 1.0)))


def _colours(panel: Panel) -> Colormap:
    name = DIFFERENCE_MAP if panel.signed else COLOUR_MAP
    return mpl.colormaps[name].with_extremes(bad=_UNKNOWN)


def _corners(scene: Scene) -> np.ndarray:
    """The corners of the box [4, 2] [length]."""
    return np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) @ scene.edges


def _frame(axes: Axes, corners: np.ndarray) -> None:
    """Room for the box, to scale."""
    pad = 0.015 * np.ptp(corners, axis=0).max()
    low, high = corners.min(axis=0) - pad, corners.max(axis=0) + pad
    axes.set(aspect="equal", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    axes.spines[:].set_visible(False)  # the box itself is drawn
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _name_bar(axes: Axes, name: str, size: float, columns: int) -> None:
    """The species of a colour bar, with a disc as large as its particles compared with others."""
    left = -_EXTENSION / columns  # the end of the bar's pointed tip
    beside, beyond = (
        axes.transAxes + ScaledTranslation(points / 72, 0, axes.figure.dpi_scale_trans)
        for points in (-9, -18)
    )
    axes.plot(
        [left], [0.5], "o", ms=10 * size, mfc="white", mec="black", mew=0.7,
        transform=beside, clip_on=False,
    )  # fmt: skip
    axes.text(left, 0.5, name, ha="right", va="center", transform=beyond)
