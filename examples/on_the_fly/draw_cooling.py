"""Draw what in.cooling computed: `python draw_cooling.py log.lammps -o cooling.png`.

Mean, variance, mobile fraction, Q and chi4 of the predicted propensity of A particles against
temperature, beside the potential energy. Each value is an average over the second half of the stay
at a temperature; dashes are single evaluations. Grey: temperatures at which the model was not
trained, where its numbers are no predictions.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glassml.errors import GlassMLError, InputError
from glassml.export import read_manifest
from glassml.plotting import save_figure, series_colour, styled
from glassml.simulation import read_thermo

# Columns of thermo output and what they are. All but chi4 are averaged over evaluations.
CHI4 = "f_ml[5]"
PANELS = {
    "PotEng": "potential energy per particle",
    "f_ml[1]": "mean propensity",
    "f_ml[2]": "variance of the propensity",
    "f_ml[3]": "mobile fraction",
    "f_ml[4]": "Q, mean of the mobility c",
    CHI4: r"$\chi_4$ over evaluations",
}
NEAR = 0.05  # of the temperature of the training: what counts as the same is a choice

Section = Mapping[str, Sequence[float]]


def stays(log: str | Path) -> list[Section]:
    """Thermo output of the stays at one temperature: every second run after the melt.

    Raises:
        InputError: it is not a complete log of in.cooling.
    """
    _melt, *runs = read_thermo(log)
    found = runs[1::2]
    if not found or len(runs) % 2 or any(name not in found[0] for name in PANELS):
        raise InputError(
            f"{log}: expected the log of a complete run of in.cooling; found {len(runs)} run(s) "
            f"after the melt, with columns {', '.join(runs[0]) if runs else 'none'}"
        )
    return found


def at_each_temperature(sections: Sequence[Section], name: str) -> np.ndarray:
    """The value of a column at each temperature."""
    columns = [np.asarray(section[name]) for section in sections]
    if name == CHI4:
        return np.array([column[-1] for column in columns])
    return np.array([column[len(column) // 2 :].mean() for column in columns])


@styled
def cooling_figure(sections: Sequence[Section], trained_at: Sequence[float]) -> Figure:
    """One panel per column of PANELS, against the mean temperature of each stay.

    Args:
        sections: see `stays`.
        trained_at: temperatures that the model was trained at.
    """
    temperature = at_each_temperature(sections, "Temp")
    figure = Figure(figsize=(8.6, 9.0), layout="constrained")
    panels = figure.subplots(3, 2, sharex=True)
    for axes, (name, label) in zip(panels.flat, PANELS.items(), strict=True):
        shade_untrained(axes, temperature, trained_at)
        # Single evaluations show how much a value fluctuates at one temperature.
        for section, t in zip(sections, temperature, strict=True):
            values = section[name][len(section[name]) // 2 :] if name != CHI4 else []
            axes.plot([t] * len(values), values, "_", color="0.55", ms=7, mew=0.5)
        axes.plot(
            temperature, at_each_temperature(sections, name), "o-", color=series_colour(0), zorder=3
        )
        axes.set_ylabel(label)
    for axes in panels[-1]:
        axes.set_xlabel("temperature")
    known = ", ".join(f"{t:g}" for t in trained_at)
    figure.suptitle(
        f"Kob-Andersen liquid cooled in steps; the model was trained at T = {known}.\n"
        "Grey: other temperatures, where its numbers are no predictions."
    )
    return figure


def shade_untrained(axes: Axes, temperature: np.ndarray, trained_at: Sequence[float]) -> None:
    """Grey, but for temperatures that hardly differ from those of the training."""
    margin = 0.03 * np.ptp(temperature)
    low, high = temperature.min() - margin, temperature.max() + margin
    axes.set_facecolor("0.93")
    for t in trained_at:
        axes.axvspan(t * (1 - NEAR), t * (1 + NEAR), color="white", lw=0, zorder=0)
    axes.set_xlim(low, high)


def main() -> None:
    """Draw the log that is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("log", type=Path, help="log file of in.cooling")
    parser.add_argument("--model", default="kob_andersen_T0.44", help="the model of the run")
    parser.add_argument("-o", "--output", type=Path, default=Path("cooling.png"))
    options = parser.parse_args()
    try:
        trained_at = read_manifest(options.model).training.temperatures
        save_figure(cooling_figure(stays(options.log), trained_at), options.output)
    except GlassMLError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
