"""The most accurate models from ten configurations: `python recipe.py FOLDER_OF_BOTAN -o WORK`.

First makes the data: inherent structures of the configurations and of the ends of their runs or,
with `--positions average`, averages over successive windows of short runs from all of these. Then
cross-validates a network, ridge regression on structural descriptors and the average of the two;
with averaged positions also the mean prediction for several successive windows. Finally writes a
committee: the networks of all folds, and a ridge regression on all data that has the same weight as
all networks together. What is there already is not made again, so an interrupted run can be
continued. Nothing is chosen on held-out configurations: the penalty of the ridge regression comes
from the training configurations, and the network is that of the last epoch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from glassml.analysis.correlation import pearson_all, pearson_mean
from glassml.data import (
    Configuration,
    Dataset,
    ReadOptions,
    Window,
    convert,
    find_inputs,
    number_of_windows,
    reverse_dataset,
)
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
from glassml.simulation import average_file, kob_andersen, quench_file
from glassml.studies.descriptor_moments import DescriptorMoments, read_descriptor_moments
from glassml.studies.refit import untrained
from glassml.training import TrainConfig, load_config, load_trained_model, resume, train

HERE = Path(__file__).resolve().parent
NETWORKS = {"inherent": HERE / "network.yaml", "average": HERE / "network_average.yaml"}
LABEL_NOISE = 12.0
LAST = "checkpoints/last.ckpt"
FORCE_TOLERANCE = 1e-5
WINDOW = Window(interval=0.1, samples=20)
WINDOWS, WINDOWS_OF_RUNS = 16, 4  # successive windows of a configuration and of a reversed run
SCORED = (1, 4, 8, 16)


@dataclass(frozen=True)
class Recipe:
    """What is made from the data, and where.

    Attributes:
        work: folder of everything that is written.
        positions: `inherent` or `average`.
        scalars: inputs of the models; None: those of the network's file of settings.
    """

    work: Path
    positions: str
    scalars: tuple[str, ...] | None = None

    @property
    def data(self) -> Path:
        """The configurations."""
        return self.work / f"{self.positions}.h5"

    @property
    def reversed(self) -> Path:
        """Their reversed runs."""
        return self.work / f"{self.positions}_reversed.h5"

    @cached_property
    def settings(self) -> TrainConfig:
        """The settings of the network."""
        scalars = [] if self.scalars is None else [f"data.scalars=[{', '.join(self.scalars)}]"]
        return load_config(NETWORKS[self.positions], scalars)

    @property
    def models(self) -> Path:
        """The folder of what is fitted: one for every choice of inputs."""
        return self.work / "-".join([self.positions, *(self.scalars or ["default"])])


def make_data(inputs: str, recipe: Recipe) -> None:
    """Datasets of the configurations and of their reversed runs, with the positions needed."""
    plain, runs, back = (recipe.work / f"{name}.h5" for name in ("plain", "runs", "reversed"))
    if not plain.exists():
        convert(find_inputs([inputs]), plain)
    if not back.exists():
        convert(find_inputs([inputs]), runs, options=ReadOptions(final_positions=True))
        reverse_dataset(runs, back)
    for source, output, windows in (
        (plain, recipe.data, WINDOWS),
        (back, recipe.reversed, WINDOWS_OF_RUNS),
    ):
        if output.exists():
            continue
        if recipe.positions == "inherent":
            quench_file(source, output, kob_andersen(), force_tolerance=FORCE_TOLERANCE)
        else:
            average_file(source, output, kob_andersen(), window=WINDOW, n_windows=windows)


def folds_of(names: list[str], number: int) -> list[list[str]]:
    """Neighbouring configurations (by number) are held out together."""
    ordered = sorted(names, key=lambda name: int(name.split("_")[2]))
    return [list(part) for part in np.array_split(ordered, number)]


def train_network(recipe: Recipe, fold: int, held_out: list[str], seed: int) -> Path:
    """The run folder of the network that has not seen these configurations."""
    folder = recipe.models / "networks" / f"fold{fold}_seed{seed}"
    if (folder / LAST).exists():
        resume(folder, progress=TerminalProgress())
        return folder
    settings = [
        f"data.train={recipe.data}",
        f"data.reversed={recipe.reversed}",
        f"data.scalars=[{', '.join(recipe.settings.data.scalars)}]",
        f"data.validation=[{', '.join(held_out)}]",
        f"training.seed={seed}",
        f"output={folder}",
    ]
    train(load_config(NETWORKS[recipe.positions], settings), TerminalProgress())
    return folder


def structural_material(recipe: Recipe) -> tuple[Path, DescriptorMoments]:
    """The moments of the descriptors, from which all ridge regressions are fitted."""
    settings = recipe.settings.data
    with Dataset(recipe.data) as dataset, Dataset(recipe.reversed) as runs:
        blank = recipe.models / "structural.pt"
        untrained("structural", dataset, blank, settings.positions, settings.scalars)
        material = read_descriptor_moments(
            Predictor(blank), dataset, reversed_runs=runs, label_noise=LABEL_NOISE
        )
    return blank, material


def fit_ridge(
    recipe: Recipe, name: str, held_out: list[str], blank: Path, material: DescriptorMoments
) -> Path:
    """The model file of the ridge regression that has not seen these configurations."""
    names = material.dataset.names
    chosen = [i for i, name in enumerate(names) if name not in held_out]
    decoders = material.decoders(chosen)
    file = recipe.models / "ridge" / f"{name}.pt"
    file.parent.mkdir(exist_ok=True)
    replace_decoder(
        blank,
        file,
        times=material.times,
        weight=np.stack([f.weight for f in decoders.fits]),
        bias=np.stack([f.bias for f in decoders.fits]),
        training=ridge_record(recipe, chosen, decoders.penalties),
    )
    return file


def ridge_record(recipe: Recipe, chosen: list[int], penalties: np.ndarray) -> TrainingRecord:
    """The training record of a ridge regression, for its model file."""
    with Dataset(recipe.data) as dataset, Dataset(recipe.reversed) as runs:
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


def predictor_of(recipe: Recipe, folder: Path) -> Predictor:
    """The exported network of the last epoch."""
    file = recipe.models / "exported" / f"{folder.name}.pt"
    file.parent.mkdir(exist_ok=True)
    trained = load_trained_model(folder / LAST)
    save_model(trained.model, file, training=trained.record)
    return Predictor(file)


def predictions(predictor: Predictor, configuration: Configuration) -> dict[int, np.ndarray]:
    """For each number of windows, the mean prediction [N, T] [length] for the first ones."""
    windows = max(number_of_windows(configuration), 1)
    each = [
        predictor.predict([configuration], window=k)[0]["propensity"] for k in range(1, windows + 1)
    ]
    return {n: np.mean(each[:n], axis=0) for n in SCORED if n <= windows}


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


def cross_validate(recipe: Recipe, number: int, seeds: int) -> tuple[list[Path], Path, dict]:
    """Train and fit each fold; return the networks, a ridge on everything, and the scores."""
    recipe.models.mkdir(exist_ok=True)
    blank, material = structural_material(recipe)
    found: dict[tuple[str, int], list[np.ndarray]] = {}
    labels, species, networks = [], [], []
    with Dataset(recipe.data) as dataset:
        for fold, held_out in enumerate(folds_of(list(dataset.names), number)):
            of_fold = [train_network(recipe, fold, held_out, seed) for seed in range(seeds)]
            ridge = Predictor(fit_ridge(recipe, f"fold{fold}", held_out, blank, material))
            members = [predictor_of(recipe, folder) for folder in of_fold]
            networks += of_fold
            for name in held_out:
                configuration = dataset[name]
                of_ridge = predictions(ridge, configuration)
                each = [predictions(member, configuration) for member in members]
                for n, values in of_ridge.items():
                    for key, combination in combined([e[n] for e in each], values).items():
                        found.setdefault((key, n), []).append(combination)
                labels.append(np.asarray(configuration.propensity))
                species.append(configuration.species)
    everything = fit_ridge(recipe, "all", [], blank, material)
    return networks, everything, {key: score(v, labels, species) for key, v in found.items()}


def combined(networks: list[np.ndarray], ridge: np.ndarray) -> dict[str, np.ndarray]:
    """Predictions of the members and of their averages, in which the ridge has half the weight."""
    result = {f"network, seed {seed}": values for seed, values in enumerate(networks)}
    result["ridge"] = ridge
    if networks:
        mean = np.mean(networks, axis=0)
        result["average of a network and the ridge"] = (networks[0] + ridge) / 2
    if len(networks) > 1:
        result[f"average of {len(networks)} networks"] = mean
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
            for kind, (value, error) in scores["average of a network and the ridge", 1].items()
        ),
    )
    records = (*(run.record for run in trained), read_manifest(ridge).training)
    save_model(
        Committee(members, weights).eval(),
        output,
        training=TrainingRecord(members=records, accuracy=accuracy),
    )


def table(scores: dict[tuple[str, int], dict[str, tuple[float, float]]]) -> list[str]:
    """The scores as lines of a table."""
    rows = ["| model | windows | `mean` | `all` |", "| --- | --- | --- | --- |"]
    for (name, windows), kinds in scores.items():
        values = " | ".join(f"{value:.3f} ± {error:.3f}" for value, error in kinds.values())
        rows.append(f"| {name} | {windows} | {values} |")
    return rows


def main() -> None:
    """Make the data, cross-validate, write the table and the committee."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inputs", help="folder of BOTAN's files")
    parser.add_argument("-o", "--output", type=Path, default=Path("few_configurations"))
    parser.add_argument("--positions", choices=NETWORKS, default="inherent")
    parser.add_argument("--scalars", help="inputs, separated by commas; default: the network's")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument(
        "--seeds", type=int, default=1, help="networks in each fold; 0: only the ridge regression"
    )
    arguments = parser.parse_args()
    scalars = None if arguments.scalars is None else tuple(arguments.scalars.split(","))
    recipe = Recipe(arguments.output, arguments.positions, scalars)
    recipe.work.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    make_data(arguments.inputs, recipe)
    networks, ridge, scores = cross_validate(recipe, arguments.folds, arguments.seeds)
    minutes = (time.perf_counter() - start) / 60
    rows = table(scores)
    rows.append(
        f"\n{minutes:.0f} minutes for what was not done before, {torch.get_num_threads()} threads."
    )
    with atomic_write(recipe.models / "scores.md") as partial:
        partial.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print("\n".join(rows))
    if networks:  # one network per fold is enough for the file: that of the first seed
        first = networks[:: arguments.seeds]
        write_committee(first, ridge, scores, recipe.models / "committee.pt")


if __name__ == "__main__":
    main()
