"""More labelled configurations from the runs of an isoconfigurational ensemble, run backwards.

Newton's equations are the same backwards: a run that leads from configuration A to B in the time
t leads, with all velocities reversed, from B to A. In equilibrium both happen equally often. So the
end B of a run is an equilibrium configuration like any other, and the distance of each of its
particles to where it was in A is the displacement in one run from B:

    <|x_A - x_B|> over all A that runs from B lead to = propensity of B,

of which one term is known. Such a label is as noisy as R = 1 makes it, but there are R of them for
each configuration that was run from. It holds

- where the start is in equilibrium: not while a liquid ages, under shear or in a field that moves;
- where the dynamics keep detailed balance: Newton's equations with velocities drawn from the
  Maxwell distribution of the temperature, and Langevin's. A Nose-Hoover thermostat whose own
  variables begin at zero in every run does so but for the first damping times;
- at constant volume: a run with a barostat ends in another box than the one that is kept;
- where labels are distances between the stored positions. If the centre of mass moves, it does so
  on both ways. Averages over cage centres or inherent structures of the run are other labels.

The last point is checked: the mean over all runs has to be the propensity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from glassml.data.configuration import Configuration
from glassml.data.dataset import Dataset, DatasetWriter
from glassml.errors import InputError

__all__ = ["REVERSED_FROM", "reverse_dataset", "reversed_runs"]

_ROUNDING = 1e-3  # of the largest label: far above rounding, far below another definition
REVERSED_FROM = "reversed_from"  # in the provenance: hash of the positions that the run began from


def reversed_runs(
    configuration: Configuration, time: float | None = None, runs: int | None = None
) -> Iterator[Configuration]:
    """The ends of a configuration's runs at one time, labelled by the way back.

    Args:
        configuration: N particles with labels and ``final_positions`` [R, T, N, 3] [length].
        time: one of its times [time]; None where it has only one.
        runs: how many of the R runs to take, the first ones; None for all.

    Yields:
        For each run the configuration it ended in: ``positions`` [N, 3] [length], not wrapped,
        labels [N, 1] at this time with ``n_runs`` 1. Scalars, other structures and predictions
        belong to the start and are left out.

    Raises:
        InputError: there are no final positions, no labels at this time, fewer runs, or labels
            that are not the distances to the final positions.
    """
    final = configuration.final_positions
    if final is None or configuration.times is None:
        raise InputError(
            f"{configuration.name}: final_positions: expected where each run ended; found none "
            "(`glassml data convert --final-positions` keeps them)"
        )
    column = _column(configuration, time)
    if runs is not None and not 0 < runs <= len(final):
        raise InputError(
            f"{configuration.name}: runs: expected a number from 1 to {len(final)}; found {runs}"
        )
    start = configuration.positions_sha256
    ends = final[:, column].astype(np.float64)
    distances = np.linalg.norm(configuration.positions - ends, axis=2)
    _check_labels(configuration, column, distances)
    for run, (end, distance) in enumerate(zip(ends[:runs], distances, strict=False)):
        yield replace(
            configuration,
            positions=end,
            times=configuration.times[[column]],
            propensity=distance[:, None],
            n_runs=1,
            scalars={},
            structures={},
            statistics={},
            predictions={},
            final_positions=None,
            name=f"{configuration.name}_reversed_{run:03d}",
            provenance={
                **_lasting(configuration),
                REVERSED_FROM: start,
                "reversed_run": run,
                "reversed_time": float(configuration.times[column]),
            },
        )


def reverse_dataset(
    path: str | Path,
    output: str | Path,
    *,
    time: float | None = None,
    runs: int | None = None,
    on_configuration: Callable[[], None] = lambda: None,
) -> int:
    """Write the reversed runs of all configurations of a dataset (see `reversed_runs`).

    Args:
        path: dataset with final positions.
        output: dataset to write.
        time: see `reversed_runs`.
        runs: see `reversed_runs`.
        on_configuration: called after each configuration of ``path``.

    Returns:
        How many configurations were written.

    Raises:
        InputError: see `reversed_runs`, or a file cannot be read or written.
    """
    with Dataset(path) as dataset:
        origin = {"file": dataset.path.name, "sha256": dataset.sha256}
        with DatasetWriter(output, {**dataset.description, "reversed": origin}) as writer:
            for name in dataset.names:
                configuration = dataset.read(name, final_positions=True)
                for end in reversed_runs(configuration, time, runs):
                    writer.add(end)
                on_configuration()
            return writer.n_configurations


def _column(configuration: Configuration, time: float | None) -> int:
    times = np.asarray(configuration.times)
    known = ", ".join(f"{t:g}" for t in times)
    if time is None:
        if len(times) == 1:
            return 0
        raise InputError(
            f"{configuration.name}: time: expected one of {known}, as every run gives one label "
            "and that is for one time; found none chosen"
        )
    close = np.flatnonzero(np.isclose(times, time, rtol=1e-6, atol=0.0))
    if not len(close):
        raise InputError(f"{configuration.name}: time: expected one of {known}; found {time:g}")
    return int(close[0])


def _check_labels(configuration: Configuration, column: int, distances: np.ndarray) -> None:
    """The way back is a label of the same kind only if the labels are such distances [R, N]."""
    if configuration.propensity is None or configuration.n_runs not in (None, len(distances)):
        return  # averages over other runs, too
    labels = configuration.propensity[:, column]
    off = np.abs(distances.mean(axis=0) - labels)
    if off.max() > _ROUNDING * np.abs(labels).max():
        worst = int(off.argmax())
        raise InputError(
            f"{configuration.name}: propensity: expected the mean distance to the final positions, "
            f"which reversed labels are; found {labels[worst]:.4g} for particle "
            f"{worst} and {distances[:, worst].mean():.4g} from the final positions. These labels "
            "are of another kind, or the positions are wrapped"
        )


def _lasting(configuration: Configuration) -> dict[str, str | int | float]:
    """What the provenance says of the system and not of this one structure."""
    passing = ("quench_", "cage_")
    return {k: v for k, v in configuration.provenance.items() if not k.startswith(passing)}
