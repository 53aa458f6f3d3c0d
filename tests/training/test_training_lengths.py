"""A training whose configuration gives no length finds those of its material, in any unit."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from recorded_progress import Recorded
from systems import moved
from tiny_dataset import labelled, write_dataset

from glassml.data import Configuration, Dataset
from glassml.errors import ConfigError, InputError, OutsideDomainWarning
from glassml.export import load_trained_committee, read_manifest, save_model
from glassml.inference import Predictor, save_untrained
from glassml.studies.refit import refit
from glassml.training import load_trained_model, parse_config, resume, train
from glassml.training.checkpoint import BEST, LAST, read_checkpoint

ANGSTROM = 2.7  # size of a particle
N = 64  # fills the lattice of `liquid`, so that all configurations are alike


def metal(seed: int, **changes: Any) -> Configuration:
    """The tiny liquid in angstrom, every length 2.7 times as large."""
    one = labelled(seed, N)
    assert one.propensity is not None
    return dataclasses.replace(
        one,
        positions=one.positions * ANGSTROM,
        cell=one.cell * ANGSTROM,
        propensity=one.propensity * ANGSTROM,
        length_unit="angstrom",
        provenance={"temperature": 1200.0},
        **changes,
    )


@pytest.fixture
def metals(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "metal.h5", [metal(seed) for seed in range(8)])


def exported(folder: Path, path: Path) -> Path:
    trained = load_trained_model(folder)
    save_model(trained.model, path, training=trained.record)
    return path


def test_the_same_liquid_in_other_units_gives_the_same_model(settings, metals, tmp_path):
    del settings["model"]["dropout"]
    results = {}
    reduced = write_dataset(tmp_path / "lj.h5", [labelled(seed, N) for seed in range(8)])
    for name, data in (("lj", reduced), ("metal", metals)):
        settings["data"]["train"] = str(data)
        settings["output"] = str(tmp_path / name)
        results[name] = train(parse_config(settings))
        written = yaml.safe_load((tmp_path / name / "config.yaml").read_text())
        assert written["model"]["cutoff"] == {"lj": 2.0, "metal": 5.4}[name]
    # Only rounding differs: radial bases, labels and the loss are in units of the material.
    one, other = (results[name].metrics["validation/pearson_mean"] for name in ("lj", "metal"))
    assert one == pytest.approx(other, abs=2e-3)


def test_the_model_file_says_what_it_learnt_from(settings, metals, tmp_path):
    settings["data"]["train"] = str(metals)
    said = Recorded()
    train(parse_config(settings), said)
    assert any("cutoff 5.4 angstrom (" in line and "neighbours" in line for line in said.lines)
    domain = read_manifest(exported(tmp_path / "run", tmp_path / "model.pt")).domain
    assert domain is not None
    assert domain.configurations == 6  # those for training
    assert domain.temperature == (1200.0, 1200.0)
    assert domain.number_density == pytest.approx((1.2 / ANGSTROM**3,) * 2)
    with Dataset(metals) as dataset:  # some of these are for validation
        labels = np.concatenate([configuration.propensity for configuration in dataset])
    assert domain.propensity is not None
    for (low, high), column in zip(domain.propensity, labels.T, strict=True):
        assert column.min() <= low < np.mean(column) < high <= column.max()
    low, high = domain.neighbours
    of_species = np.sum(domain.shells, axis=(1, 2))
    assert low < np.mean(domain.composition, axis=1) @ of_species < high
    committee, record = load_trained_committee([tmp_path / "run"])
    assert committee.domain == domain
    save_model(committee, tmp_path / "committee.pt", training=record)
    assert read_manifest(tmp_path / "committee.pt").domain == domain


@pytest.mark.filterwarnings("error::glassml.errors.OutsideDomainWarning")
def test_predictions_on_its_own_data_are_silent_and_on_others_not(settings, metals, tmp_path):
    settings["data"]["train"] = str(metals)
    train(parse_config(settings))
    predictor = Predictor(exported(tmp_path / "run", tmp_path / "model.pt"), "cpu")
    with Dataset(metals) as dataset:
        here = list(dataset)
    predictor.predict(here)
    assert "(training data: " in predictor.neighbours_note
    thin = moved(here[0], positions=here[0].positions * 1.3, cell=here[0].cell * 1.3)
    with pytest.warns(OutsideDomainWarning, match=r"number density: expected 0.06097 / angstrom"):
        predictor.predict([thin])


def test_a_given_cutoff_is_taken_as_it_is_and_refused_without_neighbours(
    settings, metals, tmp_path
):
    settings["data"]["train"] = str(metals)
    settings["model"]["cutoff"] = 2.0
    with pytest.raises(ConfigError, match=(
        r"model.cutoff: expected a distance within which particles have neighbours; found 2 "
        r"angstrom, .*; the mean spacing of particles is 2.54 angstrom"
    )):  # fmt: skip
        train(parse_config(settings))
    assert not (tmp_path / "run").exists()


def test_droplets_have_no_spacing(settings, tmp_path):
    drops = [metal(seed, pbc=(False, False, False)) for seed in range(4)]
    settings["data"]["train"] = str(write_dataset(tmp_path / "drops.h5", drops))
    with pytest.raises(InputError, match=r"periodic in every direction.*. Set model\.cutoff"):
        train(parse_config(settings))
    settings["model"]["cutoff"] = "five"
    with pytest.raises(ConfigError, match=r"model\.cutoff: expected a finite number"):
        train(parse_config(settings))
    settings["model"]["cutoff"] = 5.4
    train(parse_config(settings))
    trained = load_trained_model(tmp_path / "run")
    assert trained.model.domain is not None
    assert not trained.model.domain.periodic
    assert trained.model.domain.number_density is None


def test_a_run_of_a_version_that_did_not_write_the_cutoff_keeps_it(settings, metals, tmp_path):
    settings["data"]["train"] = str(metals)
    settings["model"]["cutoff"] = 6.0
    settings["training"]["schedule"] = {"milestones": []}
    settings["training"]["epochs"] = 1
    train(parse_config(settings))
    path = tmp_path / "run" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    del config["model"]["cutoff"], config["model"]["radial_unit"]
    path.write_text(yaml.safe_dump(config))
    for name in (BEST, LAST):
        old = read_checkpoint(tmp_path / "run" / name)
        del old["glassml"]["model"]["hyperparameters"]["radial_unit"]
        del old["glassml"]["model"]["domain"]
        torch.save(old, tmp_path / "run" / name)
    # The version before knew no other unit than 1.
    before = load_trained_model(tmp_path / "run").model
    assert (before.cutoff, before.hyperparameters["radial_unit"]) == (6.0, 1.0)
    assert before.domain is None
    resume(tmp_path / "run", ["training.epochs=2"])
    after = load_trained_model(tmp_path / "run").model
    assert (after.cutoff, after.hyperparameters["radial_unit"]) == (6.0, 1.0)


def test_structural_descriptors_are_refitted_in_the_units_of_the_material(metals, tmp_path):
    with Dataset(metals) as dataset:
        save_untrained(
            tmp_path / "blank.pt",
            name="structural",
            species=dataset.species_names,
            length_unit="angstrom",
            spacing=dataset[0].spacing,
            times=dataset[0].times,
        )
        manifest = read_manifest(tmp_path / "blank.pt")
        lengths = [manifest.hyperparameters[x] for x in ("cutoff", "start", "averaging_length")]
        assert lengths == [7.02, 2.16, 2.7]
        refit(Predictor(tmp_path / "blank.pt", "cpu"), dataset, tmp_path / "model.pt")
    domain = read_manifest(tmp_path / "model.pt").domain
    assert domain is not None
    assert domain.configurations == 8
