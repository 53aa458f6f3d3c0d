"""The most accurate models from ten configurations: `python recipe.py FOLDER_OF_BOTAN -o WORK`.

First makes the data: inherent structures of the configurations and of the ends of their runs or,
with `--positions average`, averages over successive windows of short runs from all of these. Then
cross-validates a network, ridge regression on structural descriptors and the average of the two;
with averaged positions also the mean prediction for several successive windows. Ridge regression is
also done without each of the scalars. Finally writes a committee: the networks of all folds, and a
ridge regression on all data that has the same weight as all networks together. `--scalars` chooses
other inputs of network, ridge and committee, `--setting` other sizes of the descriptors. What is
there already is not made again, so an interrupted run can be continued. Nothing is chosen on
held-out configurations: the penalty of the ridge regression comes from the training configurations,
and the network is that of the last epoch.
Afterwards combine.py scores models of both kinds of positions together.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from held_out import HeldOut, Scores, table
from ridge import Material, choices, columns_of, ridge_predictions, structural_material

from glassml.analysis.predictions import predict_windows
from glassml.cli.models import measured_domain
from glassml.data import (
    Configuration,
    Dataset,
    ReadOptions,
    Window,
    convert,
    find_inputs,
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
    Origins,
    ReversedRuns,
    RidgeFit,
    Side,
    TrainingRecord,
)
from glassml.scores import Score
from glassml.settings import apply_overrides
from glassml.simulation import average_file, kob_andersen, quench_file
from glassml.studies.refit import untrained
from glassml.training import TrainConfig, load_config, load_trained_model, resume, train

HERE = Path(__file__).resolve().parent
NETWORKS = {"inherent": HERE / "network.yaml", "average": HERE / "network_average.yaml"}
SCALARS = {
    "inherent": ("inherent_energy", "potential_energy", "inherent_displacement"),
    "average": ("average_energy", "average_displacement", "vibration"),
}
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
        sizes: hyperparameters of the descriptors as NAME=VALUE, where they are not the defaults.
    """

    work: Path
    positions: str
    scalars: tuple[str, ...] | None = None
    sizes: tuple[str, ...] = ()

    @property
    def data(self) -> Path:
        """The configurations."""
        return self.work / f"{self.positions}.h5"

    @property
    def reversed(self) -> Path:
        """Their reversed runs."""
        return self.work / f"{self.positions}_reversed.h5"

    @property
    def left_out(self) -> list[str]:
        """Scalars that the models do not read."""
        return [name for name in SCALARS[self.positions] if name not in self.settings.data.scalars]

    @cached_property
    def settings(self) -> TrainConfig:
        """The settings of the network."""
        scalars = [] if self.scalars is None else [f"data.scalars=[{', '.join(self.scalars)}]"]
        return load_config(NETWORKS[self.positions], scalars)

    @property
    def models(self) -> Path:
        """The folder of what is fitted: one for every choice of inputs."""
        scalars = ["default"] if self.scalars is None else self.scalars
        return self.work / "-".join([self.positions, *scalars, *self.sizes])

    @property
    def descriptors(self) -> Path:
        """`structural` with all scalars, not fitted to anything."""
        return self.work / "-".join([f"{self.positions}_structural", *self.sizes, "blank.pt"])

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Those of the descriptors."""
        return apply_overrides({}, list(self.sizes))


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


def material_of(recipe: Recipe) -> Material:
    """What ridge regressions with any inputs are fitted from; made once."""
    return structural_material(
        recipe.data,
        recipe.reversed,
        recipe.descriptors,
        recipe.positions,
        SCALARS[recipe.positions],
        LABEL_NOISE,
        recipe.hyperparameters,
    )


def write_ridge(recipe: Recipe, material: Material, scores: Scores) -> Path:
    """The model file of a ridge regression on all configurations, with the recipe's inputs."""
    blank, file = recipe.models / "structural.pt", recipe.models / "ridge.pt"
    with Dataset(recipe.data) as dataset:
        untrained(
            "structural",
            dataset,
            blank,
            recipe.positions,
            recipe.settings.data.scalars,
            recipe.hyperparameters,
        )
    everything = list(range(len(material.moments)))
    decoders = material.without(recipe.left_out).decoders(everything)
    kept = [material.columns.index(name) for name in columns_of(blank)]
    replace_decoder(
        blank,
        file,
        times=material.moments.times,
        weight=np.stack([fit.weight[:, kept] for fit in decoders.fits]),
        bias=np.stack([fit.bias for fit in decoders.fits]),
        training=ridge_record(recipe, everything, decoders.penalties).model_copy(
            update={
                "accuracy": accuracy(
                    scores["ridge", 1],
                    material.moments.times[0],
                    "cross-validation: ridge regressions that have not seen the configurations "
                    "they predict, from one window where positions are averaged; errors by leaving "
                    "out one configuration. The file holds a ridge regression on all of them, so "
                    "none is left to test it on",
                )
            }
        ),
        domain=measured_domain(blank, [str(recipe.data)]),
    )
    return file


def accuracy(found: dict[str, tuple[float, float]], time: float, protocol: str) -> Accuracy:
    """Scores of A particles as a model file keeps them."""
    kind_of_error = "standard error over configurations"
    return Accuracy(
        protocol=protocol,
        scores=tuple(
            Score(
                species="A", time=time, kind=kind, value=value,
                error=error, error_kind=kind_of_error,
            )
            for kind, (value, error) in found.items()
        ),
    )  # fmt: skip


def ridge_record(recipe: Recipe, chosen: list[int], penalties: np.ndarray) -> TrainingRecord:
    """The training record of a ridge regression, for its model file."""
    with Dataset(recipe.data) as dataset, Dataset(recipe.reversed) as runs:
        origins, known = Origins(), []
        for configuration in (dataset[i] for i in chosen):
            origins.add(configuration)
            known.append(KnownConfiguration.of(configuration))
        starts = tuple(str(configuration.positions_sha256) for configuration in known)
        began = [KnownConfiguration.of(run).reversed_from for run in runs]
        data = (DataFile.of(dataset, "configurations"), DataFile.of(runs, "reversed runs"))
    return TrainingRecord(
        data=data,
        origin=origins.summary(),
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


def each_window(predictor: Predictor, configuration: Configuration, output: str) -> np.ndarray:
    """An output [W, N, C] for each window of averaged positions (for other positions W = 1)."""
    windows = predict_windows(predictor, configuration, (output,))
    return np.stack([window[output] for window in windows])


def train_networks(recipe: Recipe, number: int, seeds: int) -> dict[tuple[str, ...], list[Path]]:
    """The run folders, one per seed, for the names of each set of held-out configurations."""
    recipe.models.mkdir(exist_ok=True)
    with Dataset(recipe.data) as dataset:
        folds = folds_of(list(dataset.names), number)
    return {
        tuple(held_out): [train_network(recipe, fold, held_out, seed) for seed in range(seeds)]
        for fold, held_out in enumerate(folds)
    }


def cross_validate(
    recipe: Recipe, material: Material, networks: dict[tuple[str, ...], list[Path]]
) -> HeldOut:
    """Predict what each network and ridge regression has not seen."""
    found = HeldOut()
    ridges = {"ridge": material.without(recipe.left_out)} | {
        f"ridge without {', '.join(names)}": material.without([*recipe.left_out, *names])
        for names in choices(recipe.settings.data.scalars)
    }
    structural = Predictor(material.blank)
    with Dataset(recipe.data) as dataset:
        for held_out, folders in networks.items():
            members = [predictor_of(recipe, folder) for folder in folders]
            chosen = [i for i, name in enumerate(dataset.names) if name not in held_out]
            fits = {name: moments.decoders(chosen).fits for name, moments in ridges.items()}
            for name in held_out:
                configuration = dataset[name]
                descriptors = each_window(structural, configuration, "descriptors")
                of_ridges = {
                    name: ridge_predictions(descriptors, configuration.species, of_species)
                    for name, of_species in fits.items()
                }
                of_networks = [each_window(one, configuration, "propensity") for one in members]
                predictions = of_ridges | combined(of_networks, of_ridges["ridge"])
                of_windows = {
                    (model, n): values[:n].mean(axis=0)
                    for model, values in predictions.items()
                    for n in SCORED
                    if n <= len(values)
                }
                found.add(name, configuration, of_windows)
    return found


def combined(networks: list[np.ndarray], ridge: np.ndarray) -> dict[str, np.ndarray]:
    """Predictions of the members and of their averages, in which the ridge has half the weight."""
    result = {f"network, seed {seed}": values for seed, values in enumerate(networks)}
    if networks:
        mean = np.mean(networks, axis=0)
        result["average of a network and the ridge"] = (networks[0] + ridge) / 2
    if len(networks) > 1:
        result[f"average of {len(networks)} networks"] = mean
        result["average of the networks and the ridge"] = (mean + ridge) / 2
    return result


def write_committee(networks: list[Path], ridge: Path, scores: Scores, output: Path) -> None:
    """Networks and ridge in one file, with the cross-validated accuracy of a pair of them."""
    trained = [load_trained_model(folder / LAST) for folder in networks]
    members = [*(run.model for run in trained), restored_model(ridge)]
    weights = [0.5 / len(trained)] * len(trained) + [0.5]
    found = accuracy(
        scores["average of a network and the ridge", 1],
        members[0].times[0],
        "cross-validation: the average of a network and a ridge regression that have not seen the "
        "configurations they predict; errors by leaving out one configuration. The file holds the "
        "networks of all folds and a ridge regression on all configurations, so there is none left "
        "to test it on",
    )
    records = (*(run.record for run in trained), read_manifest(ridge).training)
    save_model(
        Committee(members, weights).eval(),
        output,
        training=TrainingRecord(members=records, accuracy=found),
    )


def main() -> None:
    """Make the data; for every choice of inputs cross-validate, write the table and a committee."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inputs", help="folder of BOTAN's files")
    parser.add_argument("-o", "--output", type=Path, default=Path("few_configurations"))
    parser.add_argument("--positions", choices=NETWORKS, default="inherent")
    parser.add_argument(
        "--scalars",
        action="append",
        type=lambda names: tuple(names.split(",")),
        help="inputs, separated by commas; may be repeated; default: the network's",
    )
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument(
        "--seeds", type=int, default=1, help="networks in each fold; 0: only the ridge regression"
    )
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a hyperparameter of the descriptors, such as cutoff=2.0; may be repeated",
    )
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    recipes = [
        Recipe(arguments.output, arguments.positions, scalars, tuple(arguments.setting))
        for scalars in arguments.scalars or [None]
    ]
    make_data(arguments.inputs, recipes[0])
    trained = [train_networks(recipe, arguments.folds, arguments.seeds) for recipe in recipes]
    material = material_of(recipes[0])
    for recipe, networks in zip(recipes, trained, strict=True):
        held_out = cross_validate(recipe, material, networks)
        scores = held_out.scores()
        rows = table(scores)
        with atomic_write(recipe.models / "scores.md") as partial:
            partial.write_text(rows + "\n", encoding="utf-8")
        print(f"{recipe.models.name}\n{rows}", flush=True)
        ridge = write_ridge(recipe, material, scores)
        if arguments.seeds:  # one network per fold is enough for the file: that of the first seed
            first = [of_fold[0] for of_fold in networks.values()]
            write_committee(first, ridge, scores, recipe.models / "committee.pt")
        held_out.save(recipe.models / "held_out.npz")


if __name__ == "__main__":
    main()
