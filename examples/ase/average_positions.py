"""Propensities from averaged positions during ASE's dynamics: `python average_positions.py MODEL`.

A binary liquid moves under ASE's Lennard-Jones potential. The observer takes samples of the
positions, averages the last ones before each evaluation, which takes the vibrations out, and
predicts the propensity of each particle. The frames go into an extxyz file, with the mean of the
last predictions and their spread. As in md_with_observer.py, ASE's units are LJ units if 1 Angstrom
is called sigma and 1 eV epsilon, and any calculator can take the place of Lennard-Jones.
"""

from __future__ import annotations

import argparse

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.io import write
from ase.md.langevin import Langevin

from glassml.calculators import PropensityObserver
from glassml.inference import Predictor

DENSITY = 1.2
TEMPERATURE = 1.0
TIME_STEP = 0.005


def binary_crystal(cells: int, seed: int) -> Atoms:
    """A face-centred cubic start; type 1 (four fifths) is A, type 2 is B."""
    rng = np.random.default_rng(seed)
    atoms = bulk("H", "fcc", a=(4 / DENSITY) ** (1 / 3), cubic=True).repeat(cells)
    atoms.numbers[rng.permutation(len(atoms))[: len(atoms) // 5]] = 2
    atoms.set_masses(np.ones(len(atoms)))
    atoms.set_velocities(rng.normal(scale=np.sqrt(TEMPERATURE), size=(len(atoms), 3)))
    return atoms


def main() -> None:
    """Run the dynamics and write a frame with each evaluation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="model of averaged positions, two species, in LJ units")
    parser.add_argument("--windows", type=int, default=4, help="number of evaluations")
    parser.add_argument("--cells", type=int, default=4, help="unit cells along each edge")
    parser.add_argument("-o", "--output", default="averaged.extxyz", help="extxyz file to write")
    options = parser.parse_args()

    predictor = Predictor(options.model)
    window = predictor.manifest.window
    if window is None:
        raise SystemExit(f"{options.model} reads no averages: see md_with_observer.py")
    steps = round(window.interval / TIME_STEP)  # from one sample to the next

    atoms = binary_crystal(options.cells, seed=1)
    atoms.calc = LennardJones(sigma=1.0, epsilon=1.0, rc=2.5, smooth=True)
    kelvin = TEMPERATURE / units.kB
    rng = np.random.default_rng(2)
    dynamics = Langevin(atoms, TIME_STEP, temperature_K=kelvin, friction=1.0, rng=rng, fixcm=False)

    def write_frame(observer: PropensityObserver) -> None:
        write(options.output, observer.annotate(), append=observer.evaluations > 1)
        mean = observer.results["propensity"].mean(axis=0)
        print(f"step {dynamics.nsteps:5d}  mean propensity {np.round(mean, 4)}")

    observer = PropensityObserver(
        atoms,
        predictor,
        species=predictor.manifest.species,
        smooth=4,
        dynamics=dynamics,
        interval=steps,
        time_unit=1.0,
        callback=write_frame,
    )
    dynamics.attach(observer, interval=steps)
    dynamics.run(options.windows * window.samples * steps)


if __name__ == "__main__":
    main()
