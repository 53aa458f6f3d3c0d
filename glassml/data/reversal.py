"""More labelled configurations from an isoconfigurational ensemble: its runs, reversed in time.

Newton's equations are symmetric under time reversal. A run that leads from configuration A to B in
the time t leads, with all velocities reversed, from B to A. In equilibrium, both happen equally
often. So the end B of a run is an equilibrium configuration like any other, and the distance of
each of its particles to its place in A is the displacement in one run from B. The propensity of B
is the mean of |x_A - x_B| over the ends A of all runs from B; one term of this mean is known. Such
a label has the noise of a single run (R = 1), but each original configuration gives R of them.

This is valid if

- the start is in equilibrium: not in a liquid that ages, is sheared or is driven by a moving field;
- the dynamics obey detailed balance: Newton's equations with velocities drawn from the Maxwell
  distribution of the temperature, and Langevin's. With a Nose-Hoover thermostat whose own variables
  start at zero in every run, this holds except during the first damping times;
- the volume is constant: with a barostat, a run ends in another box than the one that is stored;
- labels are distances between the stored positions. A moving centre of mass is no problem, as it
  moves in both directions. Averages over cage centres or inherent structures of a run are labels of
  another kind.

The last condition is checked: the mean over all runs must be the propensity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from glassml.data.configuration import REVERSED_FROM, Configuration
from glassml.data.dataset import Dataset, DatasetWriter
from glassml.errors import InputError
from glassml.physics import column_of
from glassml.progress import SILENT, Progress

__all__ = ["reverse_dataset", "reversed_runs"]

_ROUNDING = 1e-3  # of the largest label; labels of another definition differ by far more


def reversed_runs(
    configuration: Configuration, time: float | None = None, runs: int | None = None
) -> Iterator[Configuration]:
    """The ends of a configuration's runs at one time, labelled by their displacement.

    Args:
        configuration: N particles with labels and ``final_positions`` [R, T, N, 3] [length].
        time: one of its times [time]; None if it has only one.
        runs: take the first ``runs`` of the R runs; None for all.

    Yields:
        For each run, the configuration at its end: ``positions`` [N, 3] [length], not wrapped, and
        labels [N, 1] at this time with ``n_runs`` 1. Scalars, other structures and predictions
        belong to the start and are left out.

    Raises:
        InputError: there are no final positions, no labels at this time, fewer runs, or labels
            that are not the distances to the final positions.
    """
    final = configuration.final_positions
    if final is None or configuration.times is None:
        raise InputError(
            f"{configuration.name}: final_positions: expected the ends of the runs; found none "
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
    progress: Progress = SILENT,
) -> int:
    """Write the reversed runs of all configurations of a dataset (see `reversed_runs`).

    Args:
        path: a dataset with final positions.
        output: the dataset to write.
        time: see `reversed_runs`.
        runs: see `reversed_runs`.
        progress: of the configurations of ``path``.

    Returns:
        The number of configurations that were written.

    Raises:
        InputError: see `reversed_runs`, or a file cannot be read or written.
    """
    with Dataset(path) as dataset:
        origin = {"file": dataset.path.name, "sha256": dataset.sha256}
        with DatasetWriter(output, {**dataset.description, "reversed": origin}) as writer:
            for name in progress.watch(dataset.names, "reversing", len(dataset)):
                configuration = dataset.read(name, final_positions=True)
                for end in reversed_runs(configuration, time, runs):
                    writer.add(end)
            return writer.n_configurations


def _column(configuration: Configuration, time: float | None) -> int:
    times = np.asarray(configuration.times)
    known = ", ".join(f"{t:g}" for t in times)
    if time is None:
        if len(times) == 1:
            return 0
        raise InputError(
            f"{configuration.name}: time: expected one of {known}, as a reversed run gives a label "
            "at one time; found none"
        )
    column = column_of(time, times)
    if column is None:
        raise InputError(f"{configuration.name}: time: expected one of {known}; found {time:g}")
    return column


def _check_labels(configuration: Configuration, column: int, distances: np.ndarray) -> None:
    """Check that the labels are the mean of the distances [R, N], as reversed labels are."""
    if configuration.propensity is None or configuration.n_runs not in (None, len(distances)):
        return  # the labels are averages over further runs
    labels = configuration.propensity[:, column]
    off = np.abs(distances.mean(axis=0) - labels)
    if off.max() > _ROUNDING * np.abs(labels).max():
        worst = int(off.argmax())
        raise InputError(
            f"{configuration.name}: propensity: expected the mean distance to the final positions, "
            f"as in reversed runs; found {labels[worst]:.4g} for particle {worst}, but "
            f"{distances[:, worst].mean():.4g} from the final positions. These labels are of "
            "another kind, or the positions are wrapped"
        )


def _lasting(configuration: Configuration) -> dict[str, str | int | float]:
    """The entries of the provenance that describe the system and not this one structure."""
    passing = ("quench_", "cage_", "average_")
    return {k: v for k, v in configuration.provenance.items() if not k.startswith(passing)}
