"""The tasks of given configurations: into LAMMPS, and runs that check their equilibrium."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glassml.data import Configuration
from glassml.simulation.exchange import LammpsFrame, data_text, types_of
from glassml.simulation.lammps import read_thermo
from glassml.simulation.pipeline.lammps_task import lammps_task
from glassml.simulation.pipeline.liquid import Liquid
from glassml.simulation.pipeline.measurements import check_box
from glassml.simulation.pipeline.scripts import given_script
from glassml.simulation.pipeline.stage_tasks import Chain, LiquidSample, State, box_facts
from glassml.work import Store, Task

__all__ = ["check_chains", "given_sample", "mean_energy"]


def given_sample(liquid: Liquid, index: int) -> tuple[LiquidSample, Task]:
    """A configuration of the dataset that was given, and the task that reads it into LAMMPS.

    Args:
        liquid: what is simulated.
        index: number of the configuration: 0, 1, ...
    """
    temperature = liquid.config.temperatures[0]
    name = f"T{temperature:g}-{index + 1:04d}"
    given = liquid.given[index]
    task = _read_task(liquid, "sample", f"{name}-given", given)
    return LiquidSample(name, temperature, 0, State(task.outputs[0], task.key), given), task


def check_chains(liquid: Liquid) -> tuple[list[Chain], list[Task]]:
    """Trajectories that begin at given configurations with new velocities, one per replica.

    The configurations are evenly spaced among those that are given. Their particles are sorted by
    type, as those of all trajectories are.
    """
    chains, tasks = [], []
    temperature = liquid.config.temperatures[0]
    chosen = np.linspace(0, len(liquid.given) - 1, liquid.config.replicas).round().astype(int)
    for replica, index in enumerate(chosen.tolist(), start=1):
        given = liquid.given[index]
        order = np.argsort(types_of(given, liquid.system), kind="stable")
        ordered = replace(
            given,
            positions=given.positions[order],
            species=given.species[order],
            scalars={name: values[order] for name, values in given.scalars.items()},
        )
        name = f"T{temperature:g}-replica{replica}-given"
        task = _read_task(liquid, "equilibrate", name, ordered, (temperature, liquid.seed(name)))
        chains.append(Chain(liquid, replica, State(task.outputs[0], task.key), temperature))
        tasks.append(task)
    return chains, tasks


def mean_energy(tasks: list[Task], store: Store) -> float:
    """Mean potential energy per particle of given configurations [energy]."""
    runs = (read_thermo(store.path(task, "log.lammps"))[-1] for task in tasks)
    return float(np.mean([run["PotEng"][0] for run in runs]))


def _read_task(
    liquid: Liquid,
    stage: str,
    name: str,
    configuration: Configuration,
    velocities: tuple[float, int] | None = None,
) -> Task:
    # The text is part of the task's key, which must not depend on where the file lies.
    text, frame = data_text(configuration, liquid.system, title=name)
    return lammps_task(
        stage=stage,
        name=name,
        script=given_script(liquid, name, velocities),
        outputs=(f"{name}.restart",),
        files={f"{name}.data": text},
        evaluate=check_box,
        parameters={
            "box_length": _width(frame, liquid.system.dimension),
            "particles": configuration.n_particles,
            "density": configuration.number_density,
            **box_facts(liquid),
        },
    )


def _width(frame: LammpsFrame, dimension: int) -> float:
    """The smallest distance between opposite faces of the box [length]."""
    distances = 1 / np.linalg.norm(np.linalg.inv(frame.cell), axis=0)
    return float(distances[:dimension].min())
