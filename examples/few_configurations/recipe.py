"""The most accurate model from ten configurations: `python recipe.py FOLDER_OF_BOTAN -o WORK`.

First makes the data: inherent structures of the configurations and of the ends of their runs. Then
cross-validates a network, ridge regression on structural descriptors and the average of the two.
Finally writes a committee: the networks of all folds, and a ridge regression on all data that has
the same weight as all networks together. Networks that are already trained are skipped, so an
interrupted run can be continued. Nothing is chosen on held-out configurations: the penalty of the
ridge regression comes from the training configurations, and the network is that of the last epoch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from glassml.analysis.correlation import pearson_all, pearson_mean
from glassml.data import Dataset, ReadOptions, convert, find_inputs, reverse_dataset
from glassml.export import read_manifest, replace_decoder, restored_model, save_model
from glassml.files import atomic_write
from glassml.inference import Predictor
from glassml.models import Committee
from glassml.progress import TerminalProgress
from glassml.provenance import (
    Accuracy,
    DataFile,
    KnownConfiguration,
    ReversedRuns,
    RidgeFit,
    Side,
    TrainingRecord,
)
from glassml.scores import Score
from glassml.simulation import kob_andersen, quench_file
from glassml.studies.descriptor_moments import DescriptorMoments, read_descriptor_moments
from glassml.studies.refit import untrained
from glassml.training import load_config, load_trained_model, resume, train

HERE = Path(__file__).resolve().parent
LABEL_NOISE = 12.0
LAST = "checkpoints/last.ckpt"
FORCE_TOLERANCE = 1e-5


def make_data(inputs: str, work: Path) -> tuple[Path, Path]:
    """Datasets of the configurations and of their reversed runs, both quenched."""
    runs, back = work / "runs.h5", work / "reversed.h5"
    quenched, quenched_back = work / "botan.h5", work / "botan_reversed.h5"
    system = kob_andersen()
    if not quenched.exists():
        convert(find_inputs([inputs]), work / "plain.h5")
        quench_file(work / "plain.h5", quenched, system, force_tolerance=FORCE_TOLERANCE)
    if not quenched_back.exists():
        if not back.exists():
            convert(find_inputs([inputs]), runs, options=ReadOptions(final_positions=True))
            reverse_dataset(runs, back)
        quench_file(back, quenched_back, system, force_tolerance=FORCE_TOLERANCE)
    return quenched, quenched_back


def folds_of(names: list[str], number: int) -> list[list[str]]:
    """Neighbouring configurations (by number) are held out together."""
    ordered = sorted(names, key=lambda name: int(name.split("_")[2]))
    return [list(part) for part in np.array_split(ordered, number)]


def train_network(work: Path, fold: int, held_out: list[str], seed: int) -> Path:
    """The run folder of the network that has not seen these configurations."""
    folder = work / "networks" / f"fold{fold}_seed{seed}"
    if (folder / LAST).exists():
        resume(folder, progress=TerminalProgress())
        return folder
    settings = [
        f"data.train={work / 'botan.h5'}",
        f"data.reversed={work / 'botan_reversed.h5'}",
        f"data.validation=[{', '.join(held_out)}]",
        f"training.seed={seed}",
        f"output={folder}",
    ]
    train(load_config(HERE / "network.yaml", settings), TerminalProgress())
    return folder


def structural_material(work: Path) -> tuple[Path, DescriptorMoments]:
    """The moments of the descriptors, from which all ridge regressions are fitted."""
    settings = load_config(HERE / "network.yaml")
    with Dataset(work / "botan.h5") as dataset, Dataset(work / "botan_reversed.h5") as runs:
        blank = work / "structural.pt"
        untrained("structural", dataset, blank, settings.data.positions, settings.data.scalars)
        predictor = Predictor(blank)
        material = read_descriptor_moments(
            predictor, dataset, reversed_runs=runs, label_noise=LABEL_NOISE
        )
    return blank, material


def fit_ridge(
    work: Path, name: str, held_out: list[str], blank: Path, material: DescriptorMoments
) -> Path:
    """The model file of the ridge regression that has not seen these configurations."""
    names = material.dataset.names
    chosen = [i for i, name in enumerate(names) if name not in held_out]
    decoders = material.decoders(chosen)
    file = work / "ridge" / f"{name}.pt"
    file.parent.mkdir(exist_ok=True)
    replace_decoder(
        blank,
        file,
        times=material.times,
        weight=np.stack([f.weight for f in decoders.fits]),
        bias=np.stack([f.bias for f in decoders.fits]),
        training=ridge_record(work, chosen, decoders.penalties),
    )
    return file


def ridge_record(work: Path, chosen: list[int], penalties: np.ndarray) -> TrainingRecord:
    """The training record of a ridge regression, for its model file."""
    with Dataset(work / "botan.h5") as dataset, Dataset(work / "botan_reversed.h5") as runs:
        known = [KnownConfiguration.of(dataset[i]) for i in chosen]
        starts = tuple(str(configuration.positions_sha256) for configuration in known)
        began = [KnownConfiguration.of(run).reversed_from for run in runs]
        data = (DataFile.of(dataset, "configurations"), DataFile.of(runs, "reversed runs"))
    return TrainingRecord(
        data=data,
        train=Side.of(known),
        reversed_runs=ReversedRuns(number=sum(map(starts.count, began)), starts=starts),
        ridge=RidgeFit(
            decoders="ridge regression on the descriptors, reversed runs included",
            penalties=penalties.tolist(),
            label_noise=LABEL_NOISE,
        ),
    )


def predictor_of(work: Path, folder: Path) -> Predictor:
    """The exported network of the last epoch."""
    file = work / "exported" / f"{folder.name}.pt"
    file.parent.mkdir(exist_ok=True)
    trained = load_trained_model(folder / LAST)
    save_model(trained.model, file, training=trained.record)
    return Predictor(file)


def score(
    predictions: list[np.ndarray], labels: list[np.ndarray], species: list[np.ndarray]
) -> dict[str, tuple[float, float]]:
    """Coefficients of A particles, each with its standard error by leaving out configurations."""

    def of(pearson: Callable, left_out: int | None) -> float:
        kept = [i for i in range(len(labels)) if i != left_out]
        parts = ([values[i] for i in kept] for values in (predictions, labels, species))
        return float(pearson(*parts, 2)[0, 0])

    n = len(labels)
    result = {}
    for name, pearson in (("mean", pearson_mean), ("all", pearson_all)):
        parts = [of(pearson, i) for i in range(n)]
        result[name] = (of(pearson, None), float(np.sqrt((n - 1) * np.var(parts))))
    return result


def cross_validate(work: Path, number: int, seeds: int) -> tuple[list[Path], Path, dict]:
    """Train and fit each fold; return the networks, a ridge on everything, and the scores."""
    blank, material = structural_material(work)
    found: dict[str, list[np.ndarray]] = {}
    labels, species, networks = [], [], []
    with Dataset(work / "botan.h5") as dataset:
        for fold, held_out in enumerate(folds_of(list(dataset.names), number)):
            of_fold = [train_network(work, fold, held_out, seed) for seed in range(seeds)]
            ridge = Predictor(fit_ridge(work, f"fold{fold}", held_out, blank, material))
            members = [predictor_of(work, folder) for folder in of_fold]
            networks += of_fold
            for name in held_out:
                configuration = dataset[name]
                of_ridge = ridge.predict([configuration])[0]["propensity"]
                each = [m.predict([configuration])[0]["propensity"] for m in members]
                for key, values in combined(each, of_ridge).items():
                    found.setdefault(key, []).append(values)
                labels.append(np.asarray(configuration.propensity))
                species.append(configuration.species)
    everything = fit_ridge(work, "all", [], blank, material)
    return networks, everything, {key: score(v, labels, species) for key, v in found.items()}


def combined(networks: list[np.ndarray], ridge: np.ndarray) -> dict[str, np.ndarray]:
    """Predictions of the members and of their averages, in which the ridge has half the weight."""
    mean = np.mean(networks, axis=0)
    result = {f"network, seed {seed}": values for seed, values in enumerate(networks)}
    if len(networks) > 1:
        result[f"average of {len(networks)} networks"] = mean
    result["ridge"] = ridge
    result["average of a network and the ridge"] = (networks[0] + ridge) / 2
    if len(networks) > 1:
        result["average of the networks and the ridge"] = (mean + ridge) / 2
    return result


def write_committee(networks: list[Path], ridge: Path, scores: dict, output: Path) -> None:
    """Networks and ridge in one file, with the cross-validated accuracy of a pair of them."""
    trained = [load_trained_model(folder / LAST) for folder in networks]
    members = [*(run.model for run in trained), restored_model(ridge)]
    weights = [0.5 / len(trained)] * len(trained) + [0.5]
    accuracy = Accuracy(
        protocol="cross-validation: the average of a network and a ridge regression that have "
        "not seen the configurations they predict; errors by leaving out one configuration. The "
        "file holds the networks of all folds and a ridge regression on all configurations, so "
        "there is none left to test it on",
        scores=tuple(
            Score(
                species="A",
                time=members[0].times[0],
                kind=kind,
                value=value,
                error=error,
                error_kind="standard error over configurations",
            )
            for kind, (value, error) in scores["average of a network and the ridge"].items()
        ),
    )
    records = (*(run.record for run in trained), read_manifest(ridge).training)
    save_model(
        Committee(members, weights).eval(),
        output,
        training=TrainingRecord(members=records, accuracy=accuracy),
    )


def main() -> None:
    """Make the data, cross-validate, write the table and the committee."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inputs", help="folder of BOTAN's files")
    parser.add_argument("-o", "--output", type=Path, default=Path("few_configurations"))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1, help="networks in each fold")
    arguments = parser.parse_args()
    work = arguments.output
    work.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    make_data(arguments.inputs, work)
    networks, ridge, scores = cross_validate(work, arguments.folds, arguments.seeds)
    minutes = (time.perf_counter() - start) / 60
    rows = ["| model | `mean` | `all` |", "| --- | --- | --- |"]
    rows += [
        f"| {name} | " + " | ".join(f"{v:.3f} ± {e:.3f}" for v, e in kinds.values()) + " |"
        for name, kinds in scores.items()
    ]
    rows.append(
        f"\n{minutes:.0f} minutes for what was not done before, {torch.get_num_threads()} threads."
    )
    with atomic_write(work / "scores.md") as partial:
        partial.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print("\n".join(rows))
    # One network per fold is enough for the file: that of the first seed.
    write_committee(networks[:: arguments.seeds], ridge, scores, work / "committee.pt")


if __name__ == "__main__":
    main()
