"""The main job: LAMMPS runs a Kob-Andersen liquid while glassml predicts who will move.

Run by `make demo`, or `python examples/demo/run.py [OUTPUT_FOLDER]` after `glassml build`. The
liquid is brought to equilibrium at the temperature that the model learnt from (`in.kob_andersen`
beside this file), and the model predicts while it moves. Then the prediction is put to the test:
runs from the last configuration with new velocities (`in.runs`) show how far particles really move.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from rich.console import Console

from glassml.analysis import Panel, map_figure, thermo_figure
from glassml.analysis.correlation import pearson_all
from glassml.data import Configuration, configuration_from_atoms
from glassml.errors import GlassMLError
from glassml.export import Manifest, read_manifest
from glassml.physics import isoconfigurational_averages
from glassml.plotting import save_figure
from glassml.pretrained import pretrained_path
from glassml.progress import TerminalProgress
from glassml.simulation import LammpsRun, find_lammps, read_thermo, run_lammps

HERE = Path(__file__).resolve().parent
MODEL = "kob_andersen_T0.64_long"
TIME = 16.5  # of the prediction; twice the relaxation time
TIMESTEP = 0.005


@dataclass(frozen=True)
class Size:
    """How much is simulated.

    Attributes:
        cells: the cube of it is the number of particles.
        settle: steps at the final temperature before predictions begin.
        observe: steps with predictions.
        runs: runs with new velocities from the last configuration.
    """

    cells: int
    settle: int
    observe: int
    runs: int


SIZES = {"full": Size(16, 10_000, 4000, 8), "tiny": Size(8, 1000, 2000, 2)}


def observe(size: Size, model: Path, column: int, folder: Path, console: Console) -> LammpsRun:
    """Run the liquid on up to two ranks, with a progress bar that follows its log."""
    ranks = 2 if find_lammps().mpiexec and (os.cpu_count() or 1) > 1 else 1
    console.print(f"LAMMPS, {ranks} rank(s): in.kob_andersen with fix glassml and {model.name}")
    variables = {
        "model": model,
        "column": column,
        "cells": size.cells,
        "t_settle": size.settle,
        "t_observe": size.observe,
    }
    stage = TerminalProgress(console).stage("melt, cool, settle, observe", size.observe)
    with stage as advance, ThreadPoolExecutor(1) as pool:
        job: Future[LammpsRun] = pool.submit(
            run_lammps, HERE / "in.kob_andersen", ranks=ranks, cwd=folder, variables=variables
        )
        done = 0
        while not job.done():
            wait([job], timeout=1.0)
            before, done = done, observed_steps(folder / "log.lammps")
            advance(done - before)
    return job.result()


def observed_steps(log: Path) -> int:
    """The last step in a log that is being written; 0 before predictions begin."""
    try:
        sections = read_thermo(log)
    except GlassMLError:
        return 0  # not yet there
    return int(sections[-1]["Step"][-1]) if len(sections) > 3 and sections[-1]["Step"] else 0


def measure(size: Size, folder: Path, start: np.ndarray, console: Console) -> np.ndarray:
    """The propensity [N] [length] that runs with new velocities find, in the order of ids.

    Args:
        size: says how many runs.
        folder: where in.kob_andersen has left its restart file.
        start: [N, 3] [length], where the runs begin, not wrapped.
        console: shows how many runs are done.
    """
    steps = round(TIME / TIMESTEP)
    console.print(f"{size.runs} runs from the last configuration with new velocities")

    def end(seed: int) -> np.ndarray:
        place = folder / "runs" / str(seed)
        variables = {"start": folder / "start.restart", "seed": seed, "steps": steps}
        alone = {"OMP_NUM_THREADS": "1"}
        run_lammps(HERE / "in.runs", cwd=place, variables=variables, env=alone)
        return ase.io.read(place / "end.lammpstrj").positions

    stage = TerminalProgress(console).stage("isoconfigurational runs", size.runs)
    with stage as advance, ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(end, seed) for seed in range(1, size.runs + 1)]
        for _ in as_completed(jobs):
            advance(1)
    displacements = np.stack([job.result() for job in jobs]) - start
    return isoconfigurational_averages(displacements)["propensity"]


def read_prediction(
    folder: Path, manifest: Manifest, column: int
) -> tuple[Configuration, np.ndarray]:
    """The last configuration, not wrapped, and its predicted propensity [N] [length]."""
    last = ase.io.read(folder / "propensity.lammpstrj", index=-1)
    configuration = configuration_from_atoms(last, species=manifest.species)
    return configuration, last.arrays[f"f_ml[{column}]"].ravel()


def draw(
    run: LammpsRun,
    configuration: Configuration,
    predicted: np.ndarray,
    measured: np.ndarray,
    column: int,
    folder: Path,
) -> None:
    """A slab coloured by prediction and by measurement, and curves over the run."""
    slab = map_figure(
        configuration,
        [
            Panel("measured by runs with new velocities", measured),
            Panel("predicted by fix glassml", predicted),
        ],
        title=f"Kob-Andersen liquid at T = 0.64: propensity at t = {TIME:g}",
    )
    save_figure(slab, folder / "slice.png")
    # At step 0 no window of positions is full, so there is no prediction.
    found = {name: values[1:] for name, values in run.thermo()[-1].items()}
    curves = thermo_figure(
        np.array(found["Time"]),
        {
            "temperature": found["Temp"],
            "potential energy\nper particle": found["PotEng"],
            "mean predicted\npropensity, all": found[f"f_ml[{column}]"],
            "mean predicted\npropensity, A": found["c_mean_A"],
        },
        xlabel="time",
        title="In equilibrium at T = 0.64",
    )
    save_figure(curves, folder / "thermo.png")


def main() -> None:
    """Simulate, test the prediction, draw, and say where the results are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", nargs="?", type=Path, default=Path("demo-output"))
    parser.add_argument(
        "--size", choices=SIZES, default="full", help="tiny: only shows that it works"
    )
    arguments = parser.parse_args()
    console, folder, size = Console(), arguments.output.absolute(), SIZES[arguments.size]
    model = pretrained_path(MODEL)
    manifest = read_manifest(model)
    column = manifest.times.index(TIME) + 1
    try:
        run = observe(size, model, column, folder, console)
        configuration, predicted = read_prediction(folder, manifest, column)
        measured = measure(size, folder, configuration.positions, console)
        draw(run, configuration, predicted, measured, column, folder)
    except GlassMLError as error:
        sys.exit(f"error: {error}")
    pearson = pearson_all([predicted[:, None]], [measured[:, None]], [configuration.species], 2)
    console.print(
        f"Pearson coefficient of prediction and measurement ({size.runs} runs, whose noise lowers "
        f"it): A {pearson[0, 0]:.2f}, B {pearson[1, 0]:.2f}"
    )
    console.print(f"Results in {folder}:")
    for name, meaning in {
        "slice.png": "a slab of the box, coloured by predicted and by measured propensity",
        "thermo.png": "temperature, energy and mean prediction over the run",
        "propensity.lammpstrj": "LAMMPS dump with the predicted propensity of every particle",
        "log.lammps": "the log, with the lines of fix glassml about the model",
    }.items():
        console.print(f"  {name:22}{meaning}")


if __name__ == "__main__":
    main()
