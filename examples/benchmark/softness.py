"""Softness for each fold: `python softness.py TASK --temperature 0.64 --time 1000 -o FOLDER`.

The entry softness.yaml of the benchmark, copied into FOLDER, reads the model files. For each fold,
a Kob-Andersen liquid runs in LAMMPS from the first training configuration, at its temperature and
volume, and softness is learnt from this trajectory (`glassml softness`). 4096 particles for 400
units of time are about five minutes of one core.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from glassml.data import Configuration, SpeciesMap
from glassml.errors import GlassMLError
from glassml.simulation import kob_andersen, run_lammps
from glassml.simulation.exchange import start_commands, write_data
from glassml.studies.benchmark import load_task, open_task
from glassml.studies.softness import SoftnessOptions, train_softness

RUN = """\
velocity all create {temperature} {seed} dist gaussian
fix bath all nvt temp {temperature} {temperature} $(100*dt)
variable interval equal round(1/dt)
dump run all custom ${{interval}} run.part id type x y z ix iy iz
dump_modify run time yes sort id
variable steps equal round({time}/dt)
run ${{steps}}
"""


def main() -> None:
    """One trajectory and one model file for each fold."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("task", help="name of a task of glassml benchmark")
    parser.add_argument("--data", help="its dataset, unless it comes with glassml")
    parser.add_argument("--temperature", type=float, required=True, help="of the configurations")
    parser.add_argument("--truncation", default="shifted", help="of the potential")
    parser.add_argument("--time", type=float, required=True, help="length of a trajectory")
    parser.add_argument("--training-threshold", type=float, help="see glassml softness")
    parser.add_argument("--quiet", type=float, help="see glassml softness")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the files")
    options = parser.parse_args()
    task = load_task(options.task)
    opened = open_task(task, {task.data: options.data} if options.data else {}, options.output)
    for split in opened.splits:
        model = options.output / f"softness_{split.number}.pt"
        if model.is_file():
            continue
        trajectory = options.output / f"run-{split.number}" / "run.dump"
        if not trajectory.is_file():
            simulate(opened.data[split.train[0]], trajectory, split.number, options)
        learning = SoftnessOptions(
            quiet=options.quiet,
            training_threshold=options.training_threshold,
            species=SpeciesMap(opened.data.species_names),
        )
        for one in train_softness([trajectory], model, learning).species:
            print(f"fold {split.number}, {one.species}: accuracy {one.accuracy[0]:.3f}")


def simulate(start: Configuration, target: Path, seed: int, options: argparse.Namespace) -> None:
    """A trajectory in equilibrium from a configuration; the file is complete or absent."""
    system, folder = kob_andersen(options.truncation), target.parent
    folder.mkdir(parents=True, exist_ok=True)
    write_data(folder / "start.data", start, system)
    commands = RUN.format(temperature=options.temperature, seed=seed, time=options.time)
    script = start_commands(system, "start.data") + commands
    run_lammps(script, cwd=folder, env={"OMP_NUM_THREADS": "1"}, plugin=False)
    (folder / "run.part").replace(target)


if __name__ == "__main__":
    try:
        main()
    except GlassMLError as error:
        sys.exit(f"error: {error}")
