"""The table of docs/results/domain_limits.md: systems inside and outside the domain of a model.

python examples/domain/table.py WORK

The domain is that of the shipped data, the Kob-Andersen liquid at T = 0.64. LAMMPS makes the other
systems in the folder WORK; those that are there already are kept. 25 minutes of one core.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from glassml.data import Configuration, Dataset, configuration_from_atoms, open_frames
from glassml.domain import Domain, Measured, domain_of, measured, outside
from glassml.domain.structure import counting_noise, departure
from glassml.graph import build_graph
from glassml.simulation.lammps import run_lammps

HERE = Path(__file__).parent
CUTOFF = 2.0
NAMES = ("A", "B")

# Temperature, density, number of particles, fraction of B.
SYSTEMS = [
    *((temperature, 1.2, 1000, 0.2) for temperature in (0.64, 0.56, 0.5, 0.7, 0.8, 1.0, 2.0)),
    *((0.64, 1.2, n, 0.2) for n in (64, 216)),
    *((0.64, density, 1000, 0.2) for density in (1.1, 1.15, 1.18, 1.22, 1.25)),
    *((0.64, 1.2, 1000, fraction) for fraction in (0.22, 0.25, 0.35)),
]


def simulated(folder: Path, system: tuple[float, float, int, float]) -> list[Configuration]:
    """Configurations of a system, which LAMMPS makes if they are not there."""
    temperature, density, n, fraction = system
    dump = folder / f"T{temperature:g}_rho{density:g}_N{n}_B{fraction:g}.dump"
    if not dump.is_file():
        values = {"T": temperature, "rho": density, "n": n, "b": fraction, "file": "partial.dump"}
        run_lammps(HERE / "in.liquid", cwd=folder, variables=values)
        (folder / "partial.dump").rename(dump)
    frames = open_frames(dump).frames
    return [configuration_from_atoms(atoms, NAMES, name=name) for name, atoms in frames]


def row(name: str, systems: Sequence[Measured], domain: Domain) -> str:
    """One line: how far the systems are from the domain, and the quantities that lie outside."""
    reference, behind = np.array(domain.shells), np.array(domain.particles)
    found = [departure(one.structure, reference, behind) for one in systems]
    noise = [counting_noise(one.structure, reference, behind) for one in systems]
    said = []
    for one in systems:
        quantities = [o.quantity for o in outside(one, domain, NAMES, CUTOFF, "lj")]
        said.append(", ".join(quantities) or "inside")
    counts = [f"{text} ({said.count(text)} of {len(said)})" for text in dict.fromkeys(said)]
    neighbours = np.mean([one.structure.neighbours for one in systems])
    limit = domain.spread + 0.04 + np.mean(noise) / 2
    return (
        f"| {name} | {neighbours:.2f} | {min(found):.3f} to {max(found):.3f} | {limit:.3f} | "
        f"{'; '.join(counts)} |"
    )


def main(folder: Path) -> None:
    """Print the table."""
    folder.mkdir(parents=True, exist_ok=True)

    def measure(configuration: Configuration) -> Measured:
        return measured(configuration, build_graph(configuration, CUTOFF), 2, CUTOFF)

    with Dataset("kob_andersen_T0.64") as dataset:
        known = [measure(configuration) for configuration in dataset]
    half = len(known) // 2
    domain = domain_of(known[:half])
    print("| system | neighbours | departure | limit | found outside |")
    print("| --- | --- | --- | --- | --- |")
    print(row("shipped data, T = 0.64, the other half", known[half:], domain))
    for system in SYSTEMS:
        temperature, density, n, fraction = system
        name = f"T = {temperature:g}, density {density:g}, N = {n}, {fraction:.0%} B"
        here = simulated(folder, system)
        print(row(name, [measure(one) for one in here], domain), flush=True)
    print("\n| learnt from | neighbours | departure | limit | shipped data found outside |")
    print("| --- | --- | --- | --- | --- |")
    for n in (64, 216, 1000):
        frames = [measure(one) for one in simulated(folder, (0.64, 1.2, n, 0.2))]
        for number in (1, 2, len(frames)):
            name = f"{number} configuration{'s' * (number > 1)} with N = {n}"
            print(row(name, known, domain_of(frames[:number])), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
