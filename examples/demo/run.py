"""The main job: LAMMPS cools a Kob-Andersen liquid while glassml predicts who will move.

Run by `make demo`, or `python examples/demo/run.py [OUTPUT_FOLDER]` after `glassml build`. Compares
a model that ships with glassml to the labels of the dataset that ships with it, runs
`in.kob_andersen` beside this file with another one, and draws the results.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import ase.io
import numpy as np
from rich.console import Console

from glassml.analysis import slice_figure, thermo_figure
from glassml.analysis.correlation import pearson_mean
from glassml.data import Dataset, configuration_from_atoms
from glassml.errors import GlassMLError
from glassml.export import Manifest, read_manifest
from glassml.inference import Predictor
from glassml.plotting import save_figure
from glassml.pretrained import pretrained_path
from glassml.progress import TerminalProgress
from glassml.simulation import LammpsRun, find_lammps, read_thermo, run_lammps

INPUT = Path(__file__).with_name("in.kob_andersen")
STEPS = {"t_cool": 12000, "t_age": 8000}
DATASET = "kob_andersen_T0.64"
COMPARED = "kob_andersen_T0.64_multitime"


def compare(console: Console) -> None:
    """The Pearson coefficients of A particles, at all times that model and dataset share."""
    predictor, configurations = Predictor(COMPARED), list(Dataset(DATASET))
    common = [t for t in configurations[0].times if t in predictor.manifest.times]
    columns = [predictor.manifest.times.index(t) for t in common]
    rows = [list(configurations[0].times).index(t) for t in common]
    found = [f["propensity"][:, columns] for f in predictor.predict(configurations)]
    labels = [c.propensity[:, rows] for c in configurations]
    species = [c.species for c in configurations]
    pearson = pearson_mean(found, labels, species, n_species=2)[0]
    coefficients = ", ".join(f"{r:.2f} at t = {t:g}" for t, r in zip(common, pearson, strict=True))
    console.print(
        f"{COMPARED} on the dataset {DATASET} ({len(configurations)} configurations, not "
        f"seen in training): Pearson coefficient of A particles {coefficients}"
    )


def simulate(model: Path, folder: Path, console: Console) -> LammpsRun:
    """Run the input script on up to two ranks, with a progress bar that follows its log."""
    ranks = 2 if find_lammps().mpiexec and (os.cpu_count() or 1) > 1 else 1
    console.print(f"LAMMPS, {ranks} rank(s): {INPUT.name} with fix glassml and {model.name}")
    variables = {"model": model, **STEPS}
    stage = TerminalProgress(console).stage("melt, cool, age", sum(STEPS.values()))
    with stage as advance, ThreadPoolExecutor(1) as pool:
        job: Future[LammpsRun] = pool.submit(
            run_lammps, INPUT, ranks=ranks, cwd=folder, variables=variables
        )
        done = 0
        while not job.done():
            wait([job], timeout=1.0)
            before, done = done, last_step(folder / "log.lammps")
            advance(done - before)
    return job.result()


def last_step(log: Path) -> int:
    """The last step in a log that is being written; 0 while the liquid is still molten."""
    try:
        sections = read_thermo(log)
    except GlassMLError:
        return 0  # not yet there
    return int(sections[-1]["Step"][-1]) if len(sections) > 1 and sections[-1]["Step"] else 0


def draw(run: LammpsRun, manifest: Manifest, folder: Path) -> None:
    """A slab of the last configuration coloured by its prediction, and curves over the run."""
    last = ase.io.read(folder / "propensity.lammpstrj", index=-1)
    configuration = configuration_from_atoms(last, species=manifest.species)
    time = manifest.times[0]
    slab = slice_figure(
        configuration,
        last.arrays["f_ml[1]"].ravel(),
        label=f"predicted propensity at t = {time:g} (colours span those of A)",
        title="Kob-Andersen liquid, aged at T = 0.44: who will move?",
    )
    save_figure(slab, folder / "slice.png")
    cooling, ageing = run.thermo()[-2:]
    joined = {name: np.r_[cooling[name], ageing[name][1:]] for name in ageing}
    curves = thermo_figure(
        joined["Time"],
        {
            "temperature": joined["Temp"],
            "potential energy\nper particle": joined["PotEng"],
            "mean predicted\npropensity, all": joined["f_ml[1]"],
            "mean predicted\npropensity, A": joined["c_mean_A"],
        },
        xlabel="time",
        title="Cooled from T = 2 to 0.44, then aged",
    )
    save_figure(curves, folder / "thermo.png")


def main() -> None:
    """Simulate, draw, and say where the results are."""
    console = Console()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output").absolute()
    model = pretrained_path("kob_andersen_T0.44")
    try:
        compare(console)
        run = simulate(model, folder, console)
        draw(run, read_manifest(model), folder)
    except GlassMLError as error:
        sys.exit(f"error: {error}")
    console.print(f"Results in {folder}:")
    for name, meaning in {
        "slice.png": "a slab of the box, coloured by predicted propensity",
        "thermo.png": "temperature, energy and mean prediction over the run",
        "propensity.lammpstrj": "LAMMPS dump with the propensity of every particle",
        "log.lammps": "the log, with the lines of fix glassml about the model",
    }.items():
        console.print(f"  {name:22}{meaning}")


if __name__ == "__main__":
    main()
