"""The main job: predict which particles of a Kob-Andersen liquid will move, and check it.

Run by `make demo`, or `python examples/demo/run.py [OUTPUT_FOLDER]` after `glassml build`. In the
first part a model predicts on the labelled dataset that ships with glassml, whose configurations it
has not seen. In the second, LAMMPS brings a liquid to equilibrium at the temperature that the model
learnt from (`in.kob_andersen` beside this file), and the model predicts while it moves. Then runs
from the last configuration with new velocities (`in.runs`) show how far particles really move.
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
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console

from glassml.analysis import (
    Comparison,
    MapFrames,
    MapInput,
    ModelPredictions,
    Panel,
    compare,
    map_figure,
    thermo_figure,
)
from glassml.analysis.correlation import pearson_all
from glassml.analysis.report.figures import pearson_figure
from glassml.data import Configuration, Dataset, configuration_from_atoms
from glassml.errors import GlassMLError
from glassml.export import Manifest, read_manifest
from glassml.inference import Predictor
from glassml.physics import isoconfigurational_averages, same_time
from glassml.plotting import save_figure
from glassml.pretrained import pretrained_path
from glassml.progress import TerminalProgress
from glassml.scores import find_score
from glassml.simulation import LammpsRun, find_lammps, read_thermo, run_lammps

HERE = Path(__file__).resolve().parent
LABELLED = "kob_andersen_T0.64"  # a dataset of ten configurations
SNAPSHOT_MODEL = "kob_andersen_T0.64_multitime"  # reads single configurations, learnt from others
SHOWN_TIME = 1.65  # of the labels in the picture
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


SIZES = {"full": Size(14, 10_000, 4000, 8), "tiny": Size(8, 1000, 2000, 2)}


def predict_labelled(folder: Path, console: Console) -> Comparison:
    """Predict on the shipped dataset, and draw maps and the accuracy against time."""
    dataset, predictor = Dataset(LABELLED), Predictor(SNAPSHOT_MODEL)
    console.print(f"1. {SNAPSHOT_MODEL} on the labelled dataset {LABELLED}, unseen in training")
    source = ModelPredictions(predictor, dataset, SNAPSHOT_MODEL)
    found = compare(dataset, [source], resamples=50, progress=TerminalProgress(console))
    save_figure(pearson_figure(found, (), dataset.species_names[0]), folder / "pearson.png")
    frame = MapFrames(
        MapInput(path=LABELLED, index="0", predictor=predictor, time=SHOWN_TIME)
    ).only()
    save_figure(
        map_figure(frame.configuration, frame.panels, title=frame.title), folder / "labelled.png"
    )
    return found


def summary(found: Comparison) -> str:
    """The Pearson coefficients at the time of the picture, and the highest that noise allows."""
    parts = []
    for ceiling in found.ceilings:
        if same_time(ceiling.time, SHOWN_TIME):
            scores = found.evaluations[0].scores
            score = find_score(scores, ceiling.species, SHOWN_TIME, "pearson", "all")
            assert score is not None, "the model predicts this time"
            parts.append(f"{ceiling.species} {score.value:.2f} of at most {ceiling.all:.2f}")
    return (
        f"   Pearson coefficient at t = {SHOWN_TIME:g}, {found.configurations} configurations: "
        f"{', '.join(parts)}"
    )


def observe(size: Size, model: Path, column: int, folder: Path, console: Console) -> LammpsRun:
    """Run the liquid on up to two ranks, with a progress bar that follows its log."""
    ranks = 2 if find_lammps().mpiexec and (os.cpu_count() or 1) > 1 else 1
    console.print(
        f"2. LAMMPS, {ranks} rank(s), {size.cells**3} particles: fix glassml with {model.stem}"
    )
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
    console.print(f"   {size.runs} runs from the last configuration with new velocities")

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


def save_small(figure: Figure, path: Path) -> None:
    """Write a PNG with 256 colours, which takes a third of the space. The README shows it."""
    save_figure(figure, path)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def draw(
    run: LammpsRun,
    configuration: Configuration,
    predicted: np.ndarray,
    measured: np.ndarray,
    column: int,
    folder: Path,
) -> None:
    """A slab coloured by measurement, prediction and error, and curves over the run."""
    slab = map_figure(
        configuration,
        [
            Panel("measured by runs with new velocities", measured),
            Panel("predicted by fix glassml", predicted),
            Panel("predicted \N{MINUS SIGN} measured", predicted - measured, "error", signed=True),
        ],
        title=f"Kob-Andersen liquid at T = 0.64: propensity at t = {TIME:g}",
    )
    save_figure(slab, folder / "simulated.png")
    front = map_figure(
        configuration,
        [
            Panel("predicted while LAMMPS runs", predicted),
            Panel("measured by runs with new velocities", measured),
        ],
        title=f"How far will each particle move within {TIME:g} time units?",
    )
    save_small(front, folder / "demo.png")
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
    """Predict on labelled data and in a simulation, draw, and say where the results are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", nargs="?", type=Path, default=Path("demo-output"))
    parser.add_argument(
        "--size", choices=SIZES, default="full", help="tiny: only shows that it works"
    )
    arguments = parser.parse_args()
    console, folder = Console(), arguments.output.absolute()
    size = SIZES[arguments.size]
    model = pretrained_path(MODEL)
    manifest = read_manifest(model)
    column = manifest.times.index(TIME) + 1
    try:
        console.print(summary(predict_labelled(folder, console)))
        run = observe(size, model, column, folder, console)
        configuration, predicted = read_prediction(folder, manifest, column)
        measured = measure(size, folder, configuration.positions, console)
        draw(run, configuration, predicted, measured, column, folder)
    except GlassMLError as error:
        sys.exit(f"error: {error}")
    pearson = pearson_all([predicted[:, None]], [measured[:, None]], [configuration.species], 2)
    console.print(
        f"   Pearson coefficient at t = {TIME:g} (the noise of {size.runs} runs lowers it): "
        f"A {pearson[0, 0]:.2f}, B {pearson[1, 0]:.2f}"
    )
    console.print(f"Results in {folder}:")
    for name, meaning in {
        "labelled.png": "labelled data: true, predicted, error",
        "pearson.png": "accuracy against time, noise ceiling",
        "simulated.png": "simulation: measured, predicted, error",
        "demo.png": "simulation: predicted and measured, as in README",
        "thermo.png": "temperature, energy, mean prediction",
        "propensity.lammpstrj": "LAMMPS dump with the predictions",
        "log.lammps": "log of LAMMPS, with those of fix glassml",
    }.items():
        console.print(f"  {name:22}{meaning}")


if __name__ == "__main__":
    main()
