"""Labels from a trajectory against isoconfigurational ones at equal cost: `python compare.py WORK`.

Two trajectories of the Kob-Andersen liquid at T = 0.64 begin from configurations that ship with
glassml. Frames of the first are training data, labelled in two ways: by the trajectory itself
(`glassml data label`), and by ensembles of runs from them. Frames of the second, with ensembles,
are the test. The same regression on averaged positions (`structural`) is fitted to frames drawn at
random. Windows come from short runs with new velocities, as those of the trajectory would share a
stretch of it with its labels. The cost of labels is the time that had to be simulated for them, in
units of the time of the labels: M + 1 for M successive frames of a trajectory, and C (R + 1) for C
frames with R runs each, as the frames come from a trajectory too. The short runs are the same for
both and are not counted.

All trials are written to WORK/trials.csv, means with standard deviations over trials to
WORK/curve.csv, and the curve to WORK/curve.png. An interrupted comparison continues where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from glassml.data import (
    Configuration,
    Dataset,
    DatasetWriter,
    LabelOptions,
    SpeciesMap,
    Window,
    label_trajectory,
)
from glassml.files import atomic_write
from glassml.inference import Predictor
from glassml.physics import isoconfigurational_averages
from glassml.progress import Progress, TerminalProgress
from glassml.simulation import average_file, kob_andersen, run_lammps
from glassml.simulation.exchange import (
    dump_commands,
    read_snapshot,
    start_commands,
    write_data,
)
from glassml.studies.descriptor_moments import DescriptorMoments, read_descriptor_moments
from glassml.studies.refit import untrained
from glassml.tables import write_csv

TEMPERATURE = 0.64
STEP = 0.005
BETWEEN_SAMPLES = 20  # steps
UNWRAPPED = ("xu", "yu", "zu")
SCALARS = ("average_energy", "vibration", "average_displacement")
DYNAMICS = (
    "velocity all create {T} {seed} mom yes rot no dist gaussian\nfix nve all nve\n"
    "fix bath all langevin {T} {T} 10.0 {seed}\n"
)


def simulate(start: Configuration, output: Path, seed: int, steps: int, every: int) -> None:
    """A trajectory with a frame every ``every`` steps."""
    system = kob_andersen()
    with TemporaryDirectory(dir=output.parent) as folder:
        write_data(Path(folder) / "start.data", start, system)
        run_lammps(
            start_commands(system, "start.data")
            + DYNAMICS.format(T=TEMPERATURE, seed=seed)
            + f"run {5 * every}\nreset_timestep 0\n"
            + f"dump frames all custom {every} run.dump.gz id type xu yu zu\n"
            + f"dump_modify frames time yes\nrun {steps}\n",
            cwd=folder,
        )
        (Path(folder) / "run.dump.gz").replace(output)


def ensemble(start: Configuration, runs: int, steps: int, seed: int) -> np.ndarray:
    """Displacements [R, N, 3] [length] in runs with new velocities, without the drift."""
    system = kob_andersen()
    with TemporaryDirectory() as folder:
        write_data(Path(folder) / "start.data", start, system)
        script = "".join(
            "clear\n"
            + start_commands(system, "start.data")
            + DYNAMICS.format(T=TEMPERATURE, seed=seed + run)
            + dump_commands("before", f"before{run}.dump", "xu yu zu")
            + f"run {steps}\n"
            + dump_commands("after", f"after{run}.dump", "xu yu zu")
            for run in range(runs)
        )
        run_lammps(script, cwd=folder)
        ways = []
        for run in range(runs):
            before, after = (
                np.stack(
                    [read_snapshot(Path(folder) / f"{name}{run}.dump")[x] for x in UNWRAPPED], 1
                )
                for name in ("before", "after")
            )
            ways.append(after - before)
    displacements = np.array(ways)
    return np.asarray(displacements - displacements.mean(axis=1, keepdims=True))


def with_ensembles(
    frames: Dataset, output: Path, number: int, runs: int, steps: int, progress: Progress
) -> None:
    """A dataset of the first frames, labelled by ensembles; each ensemble is kept on disk."""
    store = output.with_suffix("")
    store.mkdir(exist_ok=True)
    with DatasetWriter(output) as writer:
        for k in progress.watch(range(number), output.stem, number):
            file = store / f"{frames.names[k]}.npy"
            if not file.exists():
                with atomic_write(file) as partial:
                    np.save(partial, ensemble(frames[k], runs, steps, 1000 * (k + 1)))
            writer.add(labelled(frames[k], np.load(file)))


def labelled(frame: Configuration, displacements: np.ndarray) -> Configuration:
    """A frame with labels from an ensemble [R, N, 3]."""
    averages = isoconfigurational_averages(displacements)
    statistics = {name: values[:, None] for name, values in averages.items()}
    return replace(
        frame,
        propensity=statistics.pop("propensity"),
        statistics=statistics,
        n_runs=len(displacements),
    )


def fewer_runs(full: Path, output: Path, runs: int) -> None:
    """The same frames with the first runs of each ensemble only."""
    with Dataset(full) as dataset, DatasetWriter(output) as writer:
        for frame in dataset:
            ways = np.load(full.with_suffix("") / f"{frame.name}.npy")
            writer.add(labelled(frame, ways[:runs]))


def make_data(work: Path, options: argparse.Namespace, progress: Progress) -> dict[int, Path]:
    """All datasets: number of runs -> training data; 2 are those of the trajectory, 0 the test."""
    steps = round(options.time / STEP)
    starts = Dataset("kob_andersen_T0.64")
    for name, start, number in (("train", 0, options.frames), ("test", -1, options.test)):
        run, frames = work / f"{name}.dump.gz", work / f"{name}_frames.h5"
        if not run.exists():
            progress.say(f"{name}: {number} frames, a simulation of {(number + 1) * steps} steps")
            length = (number + 1) * steps
            simulate(starts[start], run, 7 + start, length, steps)
        if not frames.exists():
            # Windows of the trajectory would share a stretch of it with the labels.
            plain = work / f"{name}_labels.h5"
            options_of_labels = LabelOptions(times=(options.time,), species=SpeciesMap.parse("A,B"))
            label_trajectory([run], plain, options_of_labels, progress)
            window = Window(interval=BETWEEN_SAMPLES * STEP, samples=options.samples)
            average_file(plain, frames, kob_andersen(), window=window, temperature=TEMPERATURE)
    found = {2: work / "train_frames.h5", 0: work / "test.h5"}
    for name, number, key in (
        ("train", options.configurations, options.runs),
        ("test", options.test, 0),
    ):
        output = work / f"{name}.h5"
        if not output.exists():
            with Dataset(work / f"{name}_frames.h5") as dataset:
                with_ensembles(dataset, output, number, options.runs, steps, progress)
        found[key] = output
    few = max(options.runs // 4, 3)
    if few < options.runs:
        found[few] = work / "train_few.h5"
        fewer_runs(work / "train.h5", found[few], few)
    return found


def trials(
    moments: DescriptorMoments, test: DescriptorMoments, runs: int, sizes: Sequence[int], draws: int
) -> Iterator[dict[str, Any]]:
    """One row per trial and species: fits to frames drawn at random, tested on all of ``test``."""
    for size in sizes:
        # Successive frames of the trajectory, as its cost is that of a stretch of it.
        for draw in range(draws if size < len(moments) else 1):  # of all frames there is one choice
            rng = np.random.default_rng([draw, size, runs])
            if runs == 2:
                begin = int(rng.integers(len(moments) - size + 1))
                chosen, cost = list(range(begin, begin + size)), size + 1
            else:
                chosen = sorted(rng.permutation(len(moments))[:size].tolist())
                cost = size * (runs + 1)
            pooled, mean = test.pearson(range(len(test)), moments.decoders(chosen).fits)
            for s, species in enumerate(moments.species):
                yield {
                    "labels": "trajectory" if runs == 2 else f"{runs} runs",
                    "frames": size, "cost": cost, "draw": draw, "species": species,
                    "pearson_all": float(pooled[s, 0]), "pearson_mean": float(mean[s, 0]),
                }  # fmt: skip


def curve(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means and standard deviations over the trials of the same labels, frames and species."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(
            tuple(row[k] for k in ("labels", "frames", "cost", "species")), []
        ).append(row)
    result = []
    for (labels, frames, cost, species), group in groups.items():
        point = {"labels": labels, "frames": frames, "cost": cost, "species": species}
        for name in ("pearson_all", "pearson_mean"):
            values = [row[name] for row in group]
            deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
            point |= {name: float(np.mean(values)), f"{name}_std": deviation}
        result.append({**point, "trials": len(group)})
    return result


def draw_curve(points: Sequence[dict[str, Any]], path: Path) -> None:
    """Pearson coefficient of A particles against the cost."""
    from matplotlib.figure import Figure

    from glassml.plotting import save_figure

    figure = Figure(figsize=(5.5, 4), layout="constrained")
    axes = figure.subplots()
    for labels in dict.fromkeys(point["labels"] for point in points):
        mine = [p for p in points if p["labels"] == labels and p["species"] == "A"]
        axes.errorbar(
            [p["cost"] for p in mine],
            [p["pearson_mean"] for p in mine],
            [p["pearson_mean_std"] for p in mine],
            marker="o", capsize=3, label=labels,
        )  # fmt: skip
    axes.set(
        xscale="log", xlabel="simulated time / time of the labels", ylabel="Pearson coefficient"
    )
    axes.legend(title="labels from")
    save_figure(figure, path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the data that are not there yet, fit and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("work", type=Path)
    parser.add_argument("--time", type=float, default=16.5, help="of the labels")
    parser.add_argument("--frames", type=int, default=330, help="of the trajectory")
    parser.add_argument("--configurations", type=int, default=10, help="with ensembles")
    parser.add_argument("--runs", type=int, default=32, help="of each ensemble; 3 or more")
    parser.add_argument("--test", type=int, default=10, help="frames to test on")
    parser.add_argument("--samples", type=int, default=20, help="of each window")
    parser.add_argument("--draws", type=int, default=10, help="trials of each size")
    options = parser.parse_args(arguments)
    if options.runs < 3:
        parser.error(f"--runs: expected 3 or more, as the trajectory has 2; found {options.runs}")
    options.work.mkdir(parents=True, exist_ok=True)
    progress = TerminalProgress()
    found = make_data(options.work, options, progress)
    with TemporaryDirectory() as folder:
        model = Path(folder) / "structural.pt"
        untrained("structural", Dataset(found[2]), model, "average", SCALARS)
        moments = {
            runs: read_descriptor_moments(Predictor(model), Dataset(path), progress=progress)
            for runs, path in found.items()
        }
    test = moments.pop(0)
    rows = []
    for runs, of_runs in moments.items():
        powers = [2**k for k in range(1, 12) if 2**k < len(of_runs)]
        rows += list(trials(of_runs, test, runs, [*powers, len(of_runs)], options.draws))
    write_csv(rows, options.work / "trials.csv")
    points = curve(rows)
    write_csv(points, options.work / "curve.csv")
    draw_curve(points, options.work / "curve.png")
    for point in points:
        several = f" ± {point['pearson_mean_std']:.3f}" if point["trials"] > 1 else ""
        print(
            f"{point['labels']:>10} {point['frames']:4d} frames, cost {point['cost']:5d}, "
            f"{point['species']}: {point['pearson_mean']:.3f}{several}"
        )


if __name__ == "__main__":
    main()
