"""The physics of Kob-Andersen data against the literature: `python literature.py [INPUT...]`.

INPUT is anything that `glassml data convert` takes: files, folders, patterns, or names of shipped
datasets; the default is the one that ships with glassml. Prints one table for each input: density,
potential energy, first peaks of the pair distribution functions, relaxation and ballistic motion,
each beside the published value. Quantities that an input lacks are left out; `glassml quench` adds
energies. `--temperature` gives the temperature if a file does not state it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from glassml.data import (
    Configuration,
    Dataset,
    ReadOptions,
    find_inputs,
    read_configurations,
    shipped_names,
    shipped_path,
)
from glassml.errors import GlassMLError, InputError
from glassml.physics import (
    ballistic_displacement,
    find_neighbours,
    first_peak,
    pair_distribution,
    self_intermediate_scattering,
)

# Phys. Rev. Lett. 129, 245501 (2022), N = 10000, number density 1.2, T = 0.45, potential shifted at
# 2.5 sigma of each pair; the numbers of its reference data that come with gamdpy 0.8.2.
REFERENCE_T = 0.45
REFERENCE_ENERGY = -7.0120
REFERENCE_HEAT_CAPACITY = 2.118  # of the potential energy, at constant volume, per particle
REFERENCE_PEAKS = {"AA": 1.068, "AB": 0.879, "BB": 1.385}
REFERENCE_F_S = {2097.15: 0.257, 4194.3: 0.130}  # k = 7.25, A
WAVE_NUMBER = 7.25
# GlassBench (10.5281/zenodo.10118191): the seventh time of each temperature, called tau_alpha.
GLASSBENCH_TAU = {0.44: 4120.0, 0.50: 217.0, 0.56: 52.0, 0.64: 16.5}


@dataclass(frozen=True)
class Row:
    """A quantity, what was measured, and what is published."""

    quantity: str
    measured: str
    published: str


def published_energy(temperature: float) -> float:
    """Potential energy per particle: the reference, along the law of Rosenfeld and Tarazona.

    They find that it grows as T^(3/5) at constant density, Mol. Phys. 95, 141 (1998).
    """
    slope = REFERENCE_HEAT_CAPACITY / (0.6 * REFERENCE_T**-0.4)
    return REFERENCE_ENERGY + slope * (temperature**0.6 - REFERENCE_T**0.6)


def with_error(values: list[float] | np.ndarray) -> str:
    """Mean and standard error over configurations."""
    mean, n = np.mean(values), len(values)
    return f"{mean:.4f}" if n < 2 else f"{mean:.4f} +- {np.std(values, ddof=1) / np.sqrt(n):.4f}"


def energies(configurations: list[Configuration], temperature: float) -> Iterator[Row]:
    """Potential energies per particle, thermal and inherent."""
    scalars = configurations[0].scalars
    if "potential_energy" in scalars:
        thermal = [c.scalars["potential_energy"].mean() for c in configurations]
        expected = f"{published_energy(temperature):.3f}"
        yield Row("potential energy per particle", with_error(thermal), expected)
    if "inherent_energy" in scalars:
        inherent = [c.scalars["inherent_energy"].mean() for c in configurations]
        yield Row("inherent energy per particle", with_error(inherent), "")


def peaks(configurations: list[Configuration]) -> Iterator[Row]:
    """Places and heights of the first peaks of g(r)."""
    for pair, expected in REFERENCE_PEAKS.items():
        # BB is a broad peak of few particles, and the next one at 1.7 is nearly as high.
        bins = 155 if "A" in pair else 62
        curves = [
            pair_distribution(
                c.positions, c.cell, c.pbc, *map(c.of_species, pair), r_max=1.55, n_bins=bins
            )
            for c in configurations
        ]
        position, height = first_peak(curves[0][0], np.mean([g for _, g in curves], axis=0))
        yield Row(f"first peak of g_{pair}", f"{position:.3f} (height {height:.2f})", f"{expected}")


def relaxation(configurations: list[Configuration], temperature: float, path: str) -> Iterator[Row]:
    """tau_alpha of the equilibration, and F_s at the time that GlassBench calls tau_alpha."""
    tau = configurations[0].provenance.get("tau_alpha")
    if tau is not None:
        yield Row("tau_alpha: F_s(7.25, t) of A = 1/e", f"{tau:.2f}", "")
    f_s = dict(curve(configurations, path))
    time = GLASSBENCH_TAU.get(temperature)
    if time is None or not f_s or not min(f_s) <= time <= max(f_s):
        return
    times = np.array(sorted(f_s))
    value = np.interp(np.log(time), np.log(times), [f_s[t] for t in times])
    yield Row(f"F_s(7.25, {time:g}) of A, tau_alpha of GlassBench", f"{value:.3f}", "")


def curve(configurations: list[Configuration], path: str) -> Iterator[tuple[float, float]]:
    """Times and F_s of A: from the final positions of the runs, or from the equilibration."""
    first = configurations[0]
    if first.final_positions is not None and first.times is not None:
        for i, time in enumerate(first.times.tolist()):
            values = [
                self_intermediate_scattering(
                    (c.final_positions[:, i] - c.positions)[:, c.species == 0], WAVE_NUMBER
                ).mean()
                for c in configurations
                if c.final_positions is not None
            ]
            yield time, float(np.mean(values))
    elif path.endswith(".h5"):
        found = Dataset(path).description.get("equilibration", {}).get("f_s", {})
        yield from zip(found.get("times", []), found.get("values", []), strict=True)


def einstein_frequency(configuration: Configuration) -> float:
    """The mean of Omega^2 = sum_j (V'' + 2 V' / r) / 3 over particles [1 / time^2], masses 1."""
    epsilon, sigma = np.array([[1.0, 1.5], [1.5, 0.5]]), np.array([[1.0, 0.8], [0.8, 0.88]])
    j, i, vector = find_neighbours(
        configuration.positions, configuration.cell, configuration.pbc, cutoff=2.5
    )
    r = np.linalg.norm(vector, axis=1)
    a, b = configuration.species[i], configuration.species[j]
    chosen = r < 2.5 * sigma[a, b]
    x, scale = (r / sigma[a, b])[chosen], (epsilon / sigma**2)[a, b][chosen]
    laplacian = 4 * scale * (132 * x**-14 - 30 * x**-8)
    return float(laplacian.sum() / (3 * configuration.n_particles))


def ballistic(
    configurations: list[Configuration], temperature: float, timestep: float
) -> Iterator[Row]:
    """The mean of |dr| at the first time, relative to free flight, and to second order in time.

    Forces slow the flight down: <|dr|> = sqrt(8 T / pi) t (1 - Omega^2 t^2 / 24 + ...). Velocity
    Verlet with a time step h makes it faster by 1 + Omega^2 h^2 / 6: a harmonic oscillator's
    amplitude is then v / (omega sqrt(1 - omega^2 h^2 / 4)), and its frequency
    omega (1 + omega^2 h^2 / 24).
    """
    first = configurations[0]
    if first.times is None or first.propensity is None or not first.n_runs:
        return
    time = float(first.times[0])
    omega2 = np.mean([einstein_frequency(c) for c in configurations])
    if omega2 * time**2 > 1:
        return  # far from ballistic
    ratio = [
        c.propensity[:, 0].mean() / float(ballistic_displacement(time, temperature))
        for c in configurations
        if c.propensity is not None
    ]
    # The momentum of a run is zero: one particle's share of the energy is missing.
    expected = 1 - omega2 * time**2 / 24 + omega2 * timestep**2 / 6 - 0.5 / first.n_particles
    yield Row(f"<|dr|> / (sqrt(8 T / pi) t) at t = {time:g}", with_error(ratio), f"{expected:.4f}")


def table(path: str, limit: int | None, temperature: float | None) -> list[str]:
    """All that is known of one input, as lines of Markdown."""
    options = ReadOptions(final_positions=True)
    found = [c for file in inputs(path) for c in read_configurations(file, options=options)]
    found = list(islice(found, limit))
    if temperature is None:
        if "temperature" not in found[0].provenance:
            raise InputError(f"{path}: expected --temperature, as the file does not state it")
        temperature = float(found[0].provenance["temperature"])
    density = np.mean([c.number_density for c in found])
    rows = [
        Row("number density", f"{density:.4f}", "1.2"),
        *energies(found, temperature),
        *peaks(found),
        *relaxation(found, temperature, str(inputs(path)[0])),
        *ballistic(found, temperature, timestep_of(str(inputs(path)[0]))),
    ]
    head = f"{path}: {len(found)} configurations of {found[0].n_particles}, T = {temperature:g}"
    lines = [head, "", "| quantity | here | published |", "| --- | --- | --- |"]
    return [*lines, *(f"| {r.quantity} | {r.measured} | {r.published} |" for r in rows), ""]


def timestep_of(path: str) -> float:
    """That of a dataset of `glassml simulate`; 0 for other files, which do not state it."""
    return float(Dataset(path).description.get("timestep", 0.0)) if path.endswith(".h5") else 0.0


def inputs(path: str) -> list:
    """The files that a path, or the name of a shipped dataset, stands for."""
    return [shipped_path(path)] if path in shipped_names() else find_inputs([path])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", nargs="*", default=["kob_andersen_T0.64"])
    parser.add_argument("--limit", type=int, help="use at most this many configurations")
    parser.add_argument("--temperature", type=float)
    arguments = parser.parse_args()
    try:
        for path in arguments.input:
            print("\n".join(table(path, arguments.limit, arguments.temperature)))
    except GlassMLError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
