"""Molecular dynamics in ASE while a glassml model observes: `python md_with_observer.py MODEL`.

A binary liquid moves under ASE's Lennard-Jones potential; every few steps the model predicts the
propensity of each particle and the frame goes into an extxyz file that OVITO and ASE read. With
mass 1, ASE's units are LJ units if 1 Angstrom is called sigma and 1 eV epsilon. Any calculator can
take the place of Lennard-Jones; this one treats both species alike, so it shows how a model is
attached and not how a real mixture behaves.
"""

from __future__ import annotations

import argparse

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.io import write
from ase.md.langevin import Langevin

from glassml.calculators import GlassMLCalculator
from glassml.inference import Predictor

DENSITY = 1.2
TEMPERATURE = 1.0
TIME_STEP = 0.004


def binary_crystal(cells: int, seed: int) -> Atoms:
    """A face-centred cubic start; type 1 (four fifths) is A, type 2 is B."""
    rng = np.random.default_rng(seed)
    atoms = bulk("H", "fcc", a=(4 / DENSITY) ** (1 / 3), cubic=True).repeat(cells)
    atoms.numbers[rng.permutation(len(atoms))[: len(atoms) // 5]] = 2
    atoms.set_masses(np.ones(len(atoms)))
    atoms.set_velocities(rng.normal(scale=np.sqrt(TEMPERATURE), size=(len(atoms), 3)))
    return atoms


def main() -> None:
    """Run the dynamics and write the annotated trajectory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="model file with two species, in LJ units")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--every", type=int, default=50, help="steps between predictions")
    parser.add_argument("--cells", type=int, default=4, help="unit cells along each edge")
    parser.add_argument("-o", "--output", default="md.extxyz", help="extxyz file to write")
    options = parser.parse_args()

    atoms = binary_crystal(options.cells, seed=1)
    base = LennardJones(sigma=1.0, epsilon=1.0, rc=2.5, smooth=True)
    predictor = Predictor(options.model)
    calculator = GlassMLCalculator(predictor, base=base, species=predictor.manifest.species)
    atoms.calc = calculator

    kelvin = TEMPERATURE / units.kB
    rng = np.random.default_rng(2)
    dynamics = Langevin(atoms, TIME_STEP, temperature_K=kelvin, friction=1.0, rng=rng, fixcm=False)

    def observe() -> None:
        calculator.annotate(atoms)
        write(options.output, atoms, append=dynamics.nsteps > 0)
        mean = calculator.get_propensity(atoms).mean(axis=0)
        print(f"step {dynamics.nsteps:5d}  mean propensity {np.round(mean, 4)}")

    dynamics.attach(observe, interval=options.every)
    dynamics.run(options.steps)


if __name__ == "__main__":
    main()
