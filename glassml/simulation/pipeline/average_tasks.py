"""Averaged positions in a simulation: short runs of each configuration, or windows of its runs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from glassml.data import Configuration, Window, with_windows
from glassml.errors import ConfigError, InputError
from glassml.physics import AveragedPositions
from glassml.simulation.pipeline.lammps_task import lammps_task
from glassml.simulation.pipeline.liquid import Liquid, ensemble_steps
from glassml.simulation.pipeline.measurements import measure_average
from glassml.simulation.pipeline.scripts import short_run_script
from glassml.simulation.pipeline.stage_tasks import LiquidSample, run_samples
from glassml.simulation.short_runs import drawn_temperature, steps_between_samples
from glassml.work import Task

__all__ = ["average_task", "check_average", "with_averages"]


def check_average(liquid: Liquid) -> None:
    """Refuse settings of averages that do not fit the others, before hours of work.

    Raises:
        ConfigError: the interval is no multiple of the time step, or windows of runs are wanted
            and there are no runs, or they are too short or not of constant energy.
    """
    average = liquid.config.average
    if average is None:
        return
    try:
        steps_between_samples(liquid.sampling_interval, liquid.timestep)
    except InputError as error:
        raise ConfigError(f"average.{error}") from None
    if average.windows != "runs":
        return
    ensemble = liquid.config.ensemble
    if ensemble is None:
        raise ConfigError(
            "average.windows: expected a number, as there are no isoconfigurational runs "
            "(ensemble: null); found 'runs'"
        )
    if ensemble.dynamics != "nve":
        raise ConfigError(
            "average.windows: expected a number, as windows at the beginning of runs need runs of "
            f"constant energy, and ensemble.dynamics is {ensemble.dynamics}; found 'runs'. Windows "
            "of a given number come from short runs of constant energy"
        )
    if not any(duration.in_tau for duration in ensemble.durations):
        run_samples(liquid, ensemble_steps(ensemble, liquid.timestep, None)[-1])


def average_task(liquid: Liquid, sample: LiquidSample) -> Task | None:
    """A short run from a configuration with new velocities, and its windows.

    None if there are no averages, or if they come from the isoconfigurational runs.
    """
    average = liquid.config.average
    if average is None or average.windows == "runs":
        return None
    name = f"{sample.name}-average"
    n, dimension = liquid.n_particles, liquid.system.dimension
    every = steps_between_samples(liquid.sampling_interval, liquid.timestep)
    steps = [every * k for k in range(average.windows * average.samples)]
    drawn = drawn_temperature(sample.temperature, n, dimension, liquid.seed(f"{name}/energy"))
    return lammps_task(
        stage="structure",
        name=name,
        script=short_run_script(
            liquid, name, sample.state.file, drawn, liquid.seed(name), every, steps[-1]
        ),
        outputs=(f"{name}.npz",),
        inputs={sample.state.file: sample.state.key},
        evaluate=measure_average,
        parameters={
            "samples": steps,
            "windows": average.windows,
            **({"dimension": 2} if dimension == 2 else {}),
        },
        cost=float(steps[-1] * n),
    )


def with_averages(
    configuration: Configuration,
    arrays: Mapping[str, np.ndarray],
    window: Window,
    prefix: str = "",
) -> Configuration:
    """The configuration with averages over windows.

    Args:
        configuration: N particles.
        arrays: shift [W, N, 3], vibration [W, N], energy [W, N] and path [W, N, 3], as evaluators
            write them.
        window: interval between samples and their number.
        prefix: of the names of the arrays.
    """
    parts = (arrays[prefix + name] for name in AveragedPositions._fields)
    windows = [AveragedPositions(*window) for window in zip(*parts, strict=True)]
    return with_windows(configuration, windows, window)
