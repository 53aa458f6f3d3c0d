"""Cage centres for a dataset: `python cages.py DATASET OUTPUT.h5 --temperature 0.64`.

The entry cage.yaml of the benchmark reads them. Each configuration of a Kob-Andersen liquid takes a
run of LAMMPS, at its own temperature, in which no particle leaves the sphere around its start
(`glassml.simulation.cage_structure`); 20 000 steps with 4096 particles are about a minute.
"""

from __future__ import annotations

import argparse

from glassml.data import Dataset, DatasetWriter, dataset_path
from glassml.progress import TerminalProgress
from glassml.simulation import cage_structure, kob_andersen


def main() -> None:
    """Add cage centres to every configuration."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("dataset", help="a dataset, or the name of one that ships with glassml")
    parser.add_argument("output", help="the new dataset")
    parser.add_argument("--temperature", type=float, required=True, help="of the configurations")
    parser.add_argument("--steps", type=int, default=20_000, help="over which is averaged")
    options = parser.parse_args()
    dataset, system = Dataset(dataset_path(options.dataset)), kob_andersen()
    with DatasetWriter(options.output, dataset.description) as writer:
        watched = TerminalProgress().watch(dataset, "cage centres", len(dataset))
        for seed, configuration in enumerate(watched, 1):
            found = cage_structure(
                configuration, system, options.temperature, seed=seed, n_steps=options.steps
            )
            writer.add(found)
            print(f"{found.name}: error of a centre {found.provenance['cage_error']:.3f}")


if __name__ == "__main__":
    main()
