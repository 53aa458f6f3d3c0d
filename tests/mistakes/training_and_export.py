"""Mistakes of training, resuming and exporting."""

from __future__ import annotations

from pathlib import Path

import yaml
from mistakes.place import Place, Section
from systems import liquid, moved

mistake = Section("Training and export")

SETTINGS = {
    "data": {"train": "data.h5", "validation": 0.25, "graph_cache": None},
    "model": {"name": "se3gnn-v2", "l_max": 1, "channels": 2, "n_layers": 1},
    "training": {"epochs": 1, "accelerator": "cpu", "schedule": {"milestones": []}},
    "output": "run",
}


def train(at: Place, *overrides: str, data: bool = True) -> tuple[str, ...]:
    """The arguments of a training in this folder."""
    if data:
        at.dataset()
    return "train", at.write("train.yaml", yaml.safe_dump(SETTINGS)), *overrides


def trained(at: Place) -> Path:
    done = at.command(*train(at))
    assert done.code == 0, done
    return at.folder / "run"


@mistake("The run folder exists already")
def run_exists(at: Place) -> str:
    (at.folder / "run").mkdir()
    at.write("run/config.yaml", "")
    return at.refused(*train(at))


@mistake("`glassmlp` is trained without its scalars")
def no_scalars(at: Place) -> str:
    return at.refused(*train(at), "model={name: glassmlp}")


@mistake("A run is resumed with another network")
def resumed_differently(at: Place) -> str:
    return at.refused("train", "--resume", trained(at), "model.channels=4")


@mistake("A folder that is no run is resumed")
def nothing_to_resume(at: Place) -> str:
    return at.refused("train", "--resume", "run")


@mistake("Datasets were changed since the run was started")
def changed_data(at: Place) -> str:
    folder = trained(at)
    at.dataset(*(at.labelled(seed) for seed in range(10, 14)))
    return at.refused("train", "--resume", folder, "training.epochs=2")


@mistake("Configurations without labels are trained on")
def no_labels(at: Place) -> str:
    at.dataset(*(liquid(60, seed=k, name=f"c{k}") for k in range(4)))
    return at.refused(*train(at, data=False))


@mistake("The same configurations are trained on and validated with")
def validated_on_training_data(at: Place) -> str:
    at.dataset(at.labelled(1), name="validation.h5")
    return at.refused(*train(at, "data.validation=validation.h5"))


@mistake("The batch is larger than the training data")
def batch_too_large(at: Place) -> str:
    return at.refused(*train(at, "training.batch_size=100"))


@mistake("A scalar is read that the dataset does not hold")
def no_such_scalar(at: Place) -> str:
    return at.refused(*train(at, "data.scalars=[charge]"))


@mistake("Averaged positions are trained on that the dataset does not hold")
def no_averages(at: Place) -> str:
    return at.refused(*train(at, "data.positions=average"))


@mistake("A species does not occur in the training data")
def species_without_particles(at: Place) -> str:
    at.dataset(*(moved(at.labelled(k), species=[0] * 50) for k in range(4)))
    return at.refused(*train(at, data=False))


@mistake("A GPU is asked for where there is none")
def no_gpu(at: Place) -> str:
    at.monkeypatch.setattr("torch.cuda.is_available", lambda: False)  # wherever this test runs
    return at.refused(*train(at, "training.accelerator=gpu"))


@mistake("The cutoff is in another unit than the lengths of the data")
def short_cutoff(at: Place) -> str:
    return at.refused(*train(at, "model.cutoff=0.2"))


@mistake("A size of the network is far too large")
def absurd_size(at: Place) -> str:
    return at.refused(*train(at, "model.channels=100000000"))


@mistake("A file that is no run is exported")
def no_run(at: Place) -> str:
    return at.refused("export", at.dataset(), "-o", "model.pt")


@mistake("Tables are asked for that are more accurate than the precision of the file")
def impossible_tolerance(at: Place) -> str:
    return at.refused("export", trained(at), "-o", "model.pt", "--tolerance", "1e-12")


@mistake("One run is given twice as members of a committee")
def member_twice(at: Place) -> str:
    folder = trained(at)
    return at.refused("export", folder, folder, "-o", "model.pt")


@mistake("A task of the benchmark is run without its data")
def benchmark_without_data(at: Place) -> str:
    return at.refused("benchmark", "run", "botan_T0.44", "structural")


@mistake("Predictions take part in the benchmark, and what they were made from is not stated")
def benchmark_reads_nothing(at: Place) -> str:
    at.write("theirs.csv", "configuration,particle,16.5\n")
    return at.refused("benchmark", "run", "shipped_T0.64", "theirs.csv")
