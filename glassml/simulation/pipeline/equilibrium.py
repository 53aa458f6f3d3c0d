"""Equilibration: windows of a trajectory, until the last two of them agree."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassml.physics import relaxation_time
from glassml.simulation.pipeline.liquid import Liquid
from glassml.simulation.pipeline.simulate_config import Duration
from glassml.simulation.pipeline.stage_tasks import Chain
from glassml.work import Store, Task

__all__ = ["Equilibrium", "Window", "equilibrate"]

_FIRST_WINDOW = 1000  # time steps; while tau_alpha is unknown, each window is twice the one before
_LENGTH_SLACK = 0.9  # tau_alpha is known to about ten per cent: tolerate windows shorter by that


@dataclass(frozen=True)
class Window:
    """The measurements in a window, averaged over the replicas.

    Attributes:
        length: length of the window [time].
        times: lags [time].
        f_s: self-intermediate scattering function at these lags [-].
        tau_alpha: where f_s falls to 1/e [time]; None if it does not.
        energy: mean potential energy per particle [energy].
        energy_error: its standard error [energy].
        temperature: mean kinetic temperature.
        energy_deviation: standard deviation of the potential energy per particle in time [energy];
            only if configurations were given.
    """

    length: float
    times: list[float]
    f_s: list[float]
    tau_alpha: float | None
    energy: float
    energy_error: float
    temperature: float
    energy_deviation: float | None = None


@dataclass(frozen=True)
class Equilibrium:
    """The outcome of the equilibration at one temperature.

    Attributes:
        temperature: the temperature.
        windows: in order; the last two were compared. Empty if nothing was measured, as
            configurations are given.
        problems: why the liquid is not equilibrated, in words; empty if it is.
        known_tau: relaxation time [time] that was given; None: it is measured.
    """

    temperature: float
    windows: list[Window]
    problems: list[str]
    known_tau: float | None = None

    @property
    def tau_alpha(self) -> float | None:
        """Relaxation time [time], averaged over the last two windows; None if not reached."""
        if self.known_tau is not None:
            return self.known_tau
        known = [w.tau_alpha for w in self.windows[-2:] if w.tau_alpha is not None]
        return None if not known else float(np.mean(known))

    @property
    def is_equilibrated(self) -> bool:
        """Whether all checks were passed."""
        return not self.problems

    def record(self) -> dict[str, Any]:
        """The entry for the dataset's description."""
        known = {} if self.tau_alpha is None else {"tau_alpha": self.tau_alpha}
        if not self.windows:
            return {"temperature": self.temperature, "checked": False, **known}
        last = self.windows[-1]
        shown = ("length", "tau_alpha", "energy", "energy_error", "temperature")
        return {
            "temperature": self.temperature,
            "equilibrated": self.is_equilibrated,
            "problems": self.problems,
            **known,
            "windows": [
                {k: getattr(w, k) for k in shown if getattr(w, k) is not None} for w in self.windows
            ],
            "f_s": {"times": last.times, "values": last.f_s},
        }


def equilibrate(
    liquid: Liquid,
    chains: Sequence[Chain],
    temperature: float,
    require: Callable[[list[Task], list[Task], str], None],
    store: Store,
) -> Equilibrium:
    """Cool all replicas to a temperature and run them until two windows agree.

    Given configurations have this temperature already.

    Args:
        liquid: what is simulated.
        chains: the replicas, which are extended.
        temperature: to cool to.
        require: makes sure that results exist; called with the tasks whose results are needed, with
            these and all tasks that they may depend on, and with a description for people.
        store: store of the simulation.
    """
    tasks: list[Task] = []
    cooling = liquid.steps(liquid.config.cooling.time, 10_000)
    for chain in [] if liquid.given else chains:
        name = f"{chain.prefix(temperature)}-cool"
        tasks += chain.extend("equilibrate", name, cooling, temperature)
    windows: list[Window] = []
    spent = 0
    while True:
        steps = _next_length(liquid, windows)
        if windows and spent + steps > liquid.budget:
            steps = liquid.budget - spent  # a window shorter than the last one shows nothing new
            if steps < liquid.steps(windows[-1].length, 0):
                return Equilibrium(temperature, windows, _problems(liquid, windows))
        measures = []
        for chain in chains:
            name = f"{chain.prefix(temperature)}-window{len(windows) + 1}"
            pieces, measure = chain.window(name, steps)
            tasks += pieces
            measures.append(measure)
        what = f"T = {temperature:g}: window {len(windows) + 1}, {steps * liquid.timestep:g} long"
        require(measures, [*tasks, *measures], what)
        windows.append(_mean_window(measures, store))
        spent += steps
        if not _problems(liquid, windows):
            return Equilibrium(temperature, windows, [])


def _next_length(liquid: Liquid, windows: list[Window]) -> int:
    """Time steps of the next window."""
    wanted = liquid.config.equilibration.length
    if not wanted.in_tau:
        return liquid.steps(wanted.value / 2, 0)
    if not windows:
        return min(_FIRST_WINDOW, liquid.budget)
    last = liquid.steps(windows[-1].length, 0)
    if windows[-1].tau_alpha is None:
        return 2 * last
    return max(last, liquid.steps(wanted.time(windows[-1].tau_alpha) / 2, 0))


def _problems(liquid: Liquid, windows: list[Window]) -> list[str]:
    """How the last two windows differ, or that they are too short."""
    settings = liquid.config.equilibration
    if len(windows) < 2:
        return ["only one window fits into the budget"]
    before, last = windows[-2:]
    if before.tau_alpha is None or last.tau_alpha is None:
        return [
            f"F_s(k = {liquid.wave_number:g}, t) has not decayed to 1/e within "
            f"{last.times[-1]:g}, half of a window: it is still {last.f_s[-1]:.2f}"
        ]
    found = _too_short(settings.length, windows)
    change = abs(math.log(last.tau_alpha / before.tau_alpha))
    if change > math.log1p(settings.tau_tolerance):
        found.append(
            f"tau_alpha changes from {before.tau_alpha:.3g} to {last.tau_alpha:.3g} between two "
            "windows"
        )
    error = math.hypot(before.energy_error, last.energy_error)
    drift = last.energy - before.energy
    if abs(drift) > settings.energy_tolerance * error:
        found.append(
            f"the energy per particle drifts by {drift:.2g} between two windows, "
            f"{abs(drift) / error:.1f} standard errors"
        )
    return found


def _too_short(wanted: Duration, windows: list[Window]) -> list[str]:
    last = windows[-1]
    shortest = min(window.length for window in windows[-2:])
    needed = wanted.time(last.tau_alpha) / 2
    if shortest >= _LENGTH_SLACK * needed:
        return []
    return [f"expected two windows of {needed:.3g} each; found one of {shortest:.3g}"]


def _mean_window(measures: list[Task], store: Store) -> Window:
    """The measurements in a window, averaged over the replicas."""
    results = [
        json.loads(store.path(task, task.outputs[0]).read_text(encoding="utf-8"))
        for task in measures
    ]
    times = results[0]["times"]
    f_s = np.mean([r["f_s"] for r in results], axis=0)
    return Window(
        length=results[0]["length"],
        times=times,
        f_s=f_s.tolist(),
        tau_alpha=relaxation_time(np.array(times), f_s),
        energy=float(np.mean([r["energy"] for r in results])),
        energy_error=float(
            np.sqrt(np.sum([r["energy_error"] ** 2 for r in results])) / len(results)
        ),
        temperature=float(np.mean([r["temperature"] for r in results])),
        energy_deviation=results[0].get("energy_deviation"),
    )
