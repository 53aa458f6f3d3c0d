"""Are given configurations in equilibrium? Measured by runs from them, if this is asked for."""

from __future__ import annotations

import math
from dataclasses import replace

from glassml.simulation.pipeline.equilibrium import Equilibrium, Window, equilibrate
from glassml.simulation.pipeline.given_tasks import check_chains, mean_energy
from glassml.simulation.pipeline.liquid import Liquid
from glassml.simulation.pipeline.stage_runner import StagePlanner
from glassml.work import Task

__all__ = ["given_equilibrium"]


def given_equilibrium(liquid: Liquid, samples: list[Task], runner: StagePlanner) -> Equilibrium:
    """What is known about the equilibrium of given configurations.

    If it is to be checked, the liquid runs from some of them until two windows agree. Then it is in
    equilibrium, but the given configurations need not have been: their mean energy is compared with
    that of the liquid.

    Args:
        liquid: what is simulated.
        samples: the tasks that read the given configurations.
        runner: runs the tasks.
    """
    start = liquid.config.start
    temperature = liquid.config.temperatures[0]
    assert start is not None, "called for given configurations only"
    if not start.check_equilibration:
        return Equilibrium(temperature, [], [], liquid.known_tau)
    chains, tasks = check_chains(liquid)
    runner.run(tasks, tasks, f"begin at {len(chains)} of {len(liquid.given)} configurations")
    runner.require(samples, samples, f"energies of {len(samples)} configurations")
    found = equilibrate(liquid, chains, temperature, runner.require, runner.store)
    energy = mean_energy(samples, runner.store)
    problems = [*found.problems, *_energy_problem(liquid, energy, found.windows[-1])]
    return replace(found, problems=problems, known_tau=start.tau_alpha)


def _energy_problem(liquid: Liquid, energy: float, window: Window) -> list[str]:
    """How the mean energy of the given configurations differs from that of the liquid.

    Configurations from one trajectory may be correlated, so their mean may deviate as much as that
    of a single one.
    """
    error = math.hypot(window.energy_deviation or 0.0, window.energy_error)
    distance = abs(energy - window.energy)
    if distance <= liquid.config.equilibration.energy_tolerance * error:
        return []
    return [
        f"the given configurations have a mean energy per particle of {energy:.5g}; after "
        f"relaxation at this temperature it is {window.energy:.5g}, {distance / error:.1f} "
        "standard deviations away"
    ]
