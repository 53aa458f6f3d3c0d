"""Mistakes on the command line and in configuration files."""

from __future__ import annotations

import numpy as np
from mistakes.place import Place, Section
from trajectories import random_walk, write_trajectory

mistake = Section("Commands and settings")

TRAIN = "data:\n  train: data.h5\noutput: run\n"
SIMULATE = """
system: {name: kob-andersen}
particles: 160
temperatures: [2.0]
replicas: 1
configurations: 1
separation: 1
cooling: {melt_time: 1, time: 1}
ensemble: {runs: 2, times: [0.1, 1]}
"""


def train(at: Place, *overrides: str, text: str = TRAIN) -> str:
    return at.refused("train", at.write("train.yaml", text), *overrides)


def simulate(at: Place, *overrides: str) -> str:
    return at.refused("simulate", at.write("run.yaml", SIMULATE), "output=run", *overrides)


@mistake("The name of a command is misspelt")
def no_command(at: Place) -> str:
    return at.refused("predcit", "run.dump")


@mistake("The output is not given")
def no_output(at: Place) -> str:
    return at.refused("predict", "run.dump", "-m", at.models())


@mistake("The output exists already")
def output_exists(at: Place) -> str:
    at.dump()
    return at.refused("data", "convert", "run.dump", "--species", "A,B", "-o", at.dataset())


@mistake("The name of a setting is misspelt")
def misspelt_setting(at: Place) -> str:
    return train(at, "training.epoch=3")


@mistake("The name of a section is misspelt")
def misspelt_section(at: Place) -> str:
    return train(at, text=TRAIN + "trainings:\n  epochs: 3\n")


@mistake("A setting that is needed is missing")
def missing_setting(at: Place) -> str:
    return train(at, text="output: run\n")


@mistake("A setting has a value of the wrong kind")
def wrong_kind(at: Place) -> str:
    return train(at, "training.epochs=many")


@mistake("A configuration file is indented with tabs")
def tabs(at: Place) -> str:
    return train(at, text="data:\n\ttrain: data.h5\n")


@mistake("A setting on the command line has no `=`")
def no_equals(at: Place) -> str:
    return train(at, "training.epochs", "3")


@mistake("The name of a network is misspelt")
def misspelt_network(at: Place) -> str:
    return train(at, "model.name=se3gnn-v")


@mistake("Softness is to be trained on labels")
def softness_from_labels(at: Place) -> str:
    return train(at, "model.name=softness")


@mistake("Softness is learnt from a trajectory that is too short")
def short_trajectory(at: Place) -> str:
    write_trajectory(at.folder / "run.dump", random_walk(np.full(64, 0.1), 9))
    options = ("--frame-interval", "0.5", "--species", "A,B", "-o", "softness.pt")
    return at.refused("softness", "run.dump", *options)


@mistake("A hyperparameter of the network is misspelt")
def misspelt_hyperparameter(at: Place) -> str:
    return train(at, "model.chanels=4")


@mistake("The number of epochs is not that of the stages")
def epochs_of_stages(at: Place) -> str:
    return train(at, "training.epochs=5", "training.stages=[{epochs: 3}, {epochs: 4}]")


@mistake("The name of a liquid is misspelt")
def misspelt_liquid(at: Place) -> str:
    return simulate(at, "system.name=kob-anderson")


@mistake("The box of a liquid to simulate is smaller than twice the cutoff")
def small_box(at: Place) -> str:
    return simulate(at, "particles=100")


@mistake("The density is a mass per volume")
def mass_density(at: Place) -> str:
    return simulate(at, "number_density=1200")


@mistake("Times of labels are not in order")
def times_in_disorder(at: Place) -> str:
    return simulate(at, "ensemble.times=[1, 0.1]")


@mistake("Temperatures to cool through are given from cold to hot")
def from_cold_to_hot(at: Place) -> str:
    return simulate(at, "temperatures=[1.0, 2.0]")


@mistake("The name of a stage is misspelt")
def misspelt_stage(at: Place) -> str:
    return simulate(at, "--until", "equilibration")


@mistake("A quantity is asked for that the model does not predict")
def no_such_quantity(at: Place) -> str:
    options = ("--species", "A,B", "--quantity", "mobility")
    return at.refused(*at.predict(at.dump().name, *options))


@mistake("The name of a device is wrong")
def no_such_device(at: Place) -> str:
    return at.refused(*at.predict(at.dump().name, "--species", "A,B", "--device", "gpu"))


@mistake("`--pbc` does not have a letter for each direction")
def short_pbc(at: Place) -> str:
    return at.refused(*at.predict(at.dump().name, "--pbc", "T"))


@mistake("`--index` is no number or slice")
def wrong_index(at: Place) -> str:
    return at.refused(*at.predict(at.dump().name, "--species", "A,B", "--index", "last"))


@mistake("A time is asked for at which there are no labels")
def no_such_time(at: Place) -> str:
    model, data = at.model(times=(0.5, 100.0)), at.dataset()
    return at.refused("evaluate", model, data, "--time", "7", "-o", "report")


@mistake("A model is evaluated on labels at other times than it predicts")
def other_times(at: Place) -> str:
    return at.refused("evaluate", at.model(), at.dataset())


@mistake("A picture is drawn of positions alone")
def nothing_to_draw(at: Place) -> str:
    return at.refused("plot", at.dump().name, "--species", "A,B", "-o", "out.png")


@mistake("Interactions are not given")
def no_interactions(at: Place) -> str:
    return at.refused("quench", at.dump().name, "-o", "quenched.h5", "--species", "A,B")


@mistake("Interactions are not those with which the data were made")
def other_interactions(at: Place) -> str:
    arguments = ("quench", "kob_andersen_T0.64", "-o", "quenched.h5", "--system", "wahnstrom")
    return at.refused(*arguments)


@mistake("The temperature of averaged positions is not known")
def no_temperature(at: Place) -> str:
    options = ("-o", "averaged.h5", "--species", "A,B", "--system", "kob-andersen")
    return at.refused("average", at.dump().name, *options)
