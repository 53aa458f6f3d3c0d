"""Inherent energy against propensity: `python inherent_energy.py INPUT... -o inherent.h5`.

Quenches labelled configurations (files, folders or patterns, as `glassml data convert` takes them),
checks that each is at a local minimum, and prints two tables: the largest force and the energies of
each configuration, and the Pearson coefficient of the inherent energy with the propensity of the A
particles at the last time. Particles of low energy move little, so it is positive. If the output
exists already, the script only prints the tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from glassml.analysis.correlation import pearson_all, pearson_mean
from glassml.data import Configuration, Dataset, convert, find_inputs
from glassml.physics import find_neighbours
from glassml.progress import TerminalProgress
from glassml.simulation import TRUNCATIONS, kob_andersen, quench_file

Average = Callable[[Configuration, np.ndarray], np.ndarray]


def neighbours(
    configuration: Configuration, cutoff: float, own: bool = True
) -> tuple[np.ndarray, ...]:
    """Pairs i, j and distances in the inherent structure, with ``own`` also i, i at distance 0."""
    j, i, vector = find_neighbours(
        configuration.structures["inherent"], configuration.cell, configuration.pbc, cutoff
    )
    r = np.linalg.norm(vector, axis=1)
    if own:
        everyone = np.arange(configuration.n_particles)
        i, j, r = np.append(i, everyone), np.append(j, everyone), np.append(r, 0.0 * everyone)
    return i, j, r


def within(
    cutoff: float, *, own: bool = True, species: str | None = None, times: int = 1
) -> Average:
    """Means over the particle itself and its neighbours nearer than a cutoff, repeated."""

    def average(configuration: Configuration, values: np.ndarray) -> np.ndarray:
        i, j, _ = neighbours(configuration, cutoff, own)
        if species is not None:
            chosen = configuration.species[j] == configuration.species_names.index(species)
            i, j = i[chosen], j[chosen]
        for _ in range(times):
            values = np.bincount(i, values[j], len(values)) / np.bincount(i, minlength=len(values))
        return values

    return average


def exponential(length: float) -> Average:
    """Means over all particles with the weights exp(-r / length), to six sigma."""

    def average(configuration: Configuration, values: np.ndarray) -> np.ndarray:
        i, j, r = neighbours(configuration, 6.0)
        weights = np.exp(-r / length)
        return np.bincount(i, weights * values[j]) / np.bincount(i, weights)

    return average


METRICS = (pearson_mean, pearson_all)
VARIANTS: dict[str, tuple[str, Average]] = {
    "the particle's own": ("inherent_energy", lambda _, values: values),
    "mean within 1.5": ("inherent_energy", within(1.5)),
    "mean within 2": ("inherent_energy", within(2.0)),
    "mean within 2, without its own": ("inherent_energy", within(2.0, own=False)),
    "mean within 2, A particles only": ("inherent_energy", within(2.0, species="A")),
    "mean within 2, thermal energy": ("potential_energy", within(2.0)),
    "mean within 2.5": ("inherent_energy", within(2.5)),
    "mean within 3": ("inherent_energy", within(3.0)),
    "mean within 2, twice": ("inherent_energy", within(2.0, times=2)),
    "weights exp(-r)": ("inherent_energy", exponential(1.0)),
    "weights exp(-r / 2)": ("inherent_energy", exponential(2.0)),
}


def quenched(inputs: list[str], output: Path, truncation: str) -> Dataset:
    """The dataset of all inputs with their inherent structures."""
    if not output.exists():
        with TemporaryDirectory() as folder:
            raw = Path(folder) / "raw.h5"
            convert(find_inputs(inputs), raw)
            quench_file(raw, output, kob_andersen(truncation), progress=TerminalProgress())
    return Dataset(output)


def table_of_energies(configurations: list[Configuration]) -> list[str]:
    """A row for each configuration."""
    rows = [
        "| configuration | thermal energy | inherent energy | largest force | iterations |",
        "| --- | --- | --- | --- | --- |",
    ]
    for configuration in configurations:
        thermal, inherent = (
            configuration.scalars[name].mean() for name in ("potential_energy", "inherent_energy")
        )
        force = configuration.provenance["quench_largest_force"]
        iterations = configuration.provenance["quench_iterations"]
        cells = (configuration.name, f"{thermal:.4f}", f"{inherent:.4f}", f"{force:.1e}")
        rows.append(f"| {' | '.join(cells)} | {iterations} |")
    return rows


def with_error(
    pearson: Callable[..., np.ndarray],
    values: list[np.ndarray],
    configurations: list[Configuration],
) -> str:
    """The coefficient of the A particles, with its standard error by leaving out one at a time."""
    labels = [configuration.propensity[:, [-1]] for configuration in configurations]
    species = [configuration.species for configuration in configurations]
    n_species = len(configurations[0].species_names)

    def of_all_but(left_out: int | None) -> float:
        chosen = [
            [array for index, array in enumerate(arrays) if index != left_out]
            for arrays in (values, labels, species)
        ]
        return float(pearson(*chosen, n_species)[0, 0])

    n = len(configurations)
    parts = [of_all_but(index) for index in range(n)] if n > 1 else [np.nan]
    return f"{of_all_but(None):.3f} ± {np.sqrt((n - 1) * np.var(parts)):.3f}"


def table_of_correlations(configurations: list[Configuration]) -> list[str]:
    """A row for each way of averaging the energy."""
    rows = ["| energy | `mean` | `all` |", "| --- | --- | --- |"]
    for name, (scalar, average) in VARIANTS.items():
        values = [average(c, c.scalars[scalar])[:, None] for c in configurations]
        cells = [with_error(pearson, values, configurations) for pearson in METRICS]
        rows.append(f"| {name} | {cells[0]} | {cells[1]} |")
    return rows


def main() -> None:
    """Quench, check and correlate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inputs", nargs="+", metavar="INPUT")
    parser.add_argument("-o", "--output", type=Path, default=Path("inherent.h5"))
    parser.add_argument("--truncation", choices=TRUNCATIONS, default="shifted")
    arguments = parser.parse_args()
    with quenched(arguments.inputs, arguments.output, arguments.truncation) as dataset:
        configurations = list(dataset)
    print("\n".join(table_of_energies(configurations)))
    time = configurations[0].times[-1]
    print(f"\nPearson coefficient with the propensity of A particles at t = {time:g}:\n")
    print("\n".join(table_of_correlations(configurations)))


if __name__ == "__main__":
    main()
