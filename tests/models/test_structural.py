"""Averaged structural descriptors: closed forms, symmetries, files, and LAMMPS' view of them.

Symmetries hold to 1e-10 in float64, as those of the networks (test_se3gnn.py).
"""

from __future__ import annotations

from pathlib import Path

import freud
import numpy as np
import pytest
import torch
from systems import liquid, moved, rotation

from glassml.data import Configuration
from glassml.errors import ConfigError, ModelFileError
from glassml.export import restored_model, save_model
from glassml.graph import build_graph, first_edge
from glassml.inference import Predictor
from glassml.models import GlassModel, build
from glassml.physics import find_neighbours

EXACT = 1e-10


def outputs(model: GlassModel, configuration: Configuration) -> dict[str, np.ndarray]:
    """Every output in float64."""
    model = model.double().eval()
    names = [s.name for s in model.scalar_inputs]
    graph = build_graph(configuration, model.cutoff, names, torch.float64)
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    with torch.no_grad():
        state = model.encode(graph.species, graph.scalars, graph.edge_vector, sender, pointer)
        return {o.name: getattr(model, o.name)(state).numpy() for o in model.outputs}


def columns_of(model: GlassModel) -> list[str]:
    return list(next(o for o in model.outputs if o.name == "descriptors").columns)


def test_one_neighbour():
    """Shells 0.5 wide from 1.0 to 2.0: at r = 1.2 the first counts 0.6, the second 0.4."""
    pair = Configuration(
        positions=np.array([[0.0, 0.0, 0.0], [0.0, 0.72, 0.96]]),
        cell=20 * np.eye(3),
        species=[0, 1],
        species_names=("A", "B"),
        scalars={"inherent_energy": np.array([-7.0, -5.0])},
    )
    model = build(
        "structural",
        cutoff=2.0,
        start=1.0,
        shells=2,
        angular_shells=2,
        l_max=2,
        averages=1,
        scalar_inputs=("inherent_energy",),
    )
    found = dict(zip(columns_of(model), outputs(model, pair)["descriptors"].T, strict=True))
    tight = {"rtol": 1e-12, "atol": 1e-14}
    np.testing.assert_allclose(found["density_B_shell=0_average=0"], [0.6, 0.0], **tight)
    np.testing.assert_allclose(found["density_B_shell=1_average=0"], [0.4, 0.0], **tight)
    np.testing.assert_allclose(found["density_A_shell=0_average=0"], [0.0, 0.6], **tight)
    # Harmonics of one direction have the norm sqrt(2 l + 1).
    np.testing.assert_allclose(found["norm_l=1_B_shell=0_average=0"], [0.6 * 3**0.5, 0], **tight)
    np.testing.assert_allclose(found["norm_l=2_B_shell=1_average=0"], [0.4 * 5**0.5, 0], **tight)
    weight = np.exp(-1.2) - np.exp(-2.0)
    means = (np.array([-7.0, -5.0]) + weight * np.array([-5.0, -7.0])) / (1 + weight)
    np.testing.assert_allclose(found["inherent_energy_average=1"], means, rtol=1e-12)


@pytest.mark.parametrize("triclinic", [False, True])
def test_norms_are_bond_order_parameters(triclinic: bool) -> None:
    """Against Steinhardt's q_l in freud, with the same weights f(r_ij) of the neighbours.

    freud's q_l is the norm of a weighted mean of harmonics, times sqrt(4 pi / (2 l + 1)). Ours is
    the norm of the weighted sum of harmonics that are sqrt(4 pi) larger: q_l sqrt(2 l + 1) sum f.
    """
    system = liquid(60, seed=4, triclinic=triclinic)
    start, cutoff, shells = 0.5, 1.7, 3
    model = build(
        "structural", cutoff=cutoff, start=start, angular_shells=shells, l_max=6, averages=0
    )
    descriptors = outputs(model, system)["descriptors"]
    found = dict(zip(columns_of(model), descriptors.T, strict=True))
    pairs = find_neighbours(system.positions, system.cell, system.pbc, cutoff)
    distance = np.linalg.norm(pairs.vector, axis=1)
    knots = np.linspace(start, cutoff, shells + 1)
    box = freud.box.Box.from_matrix(system.cell.T)
    for species, name in enumerate(system.species_names):
        for shell in range(shells):
            weight = np.interp(distance, knots, np.eye(shells + 1)[shell])
            chosen = (system.species[pairs.sender] == species) & (weight > 0)
            sums = np.bincount(pairs.receiver[chosen], weight[chosen], minlength=60)
            neighbours = freud.locality.NeighborList.from_arrays(
                60, 60, pairs.receiver[chosen], pairs.sender[chosen], pairs.vector[chosen],
                weights=weight[chosen],
            )  # fmt: skip
            for l in range(1, 7):
                theirs = freud.order.Steinhardt(l, weighted=True)
                theirs.compute((box, system.positions), neighbors=neighbours)
                expected = np.nan_to_num(theirs.particle_order) * np.sqrt(2 * l + 1) * sums
                # freud takes polar angles from arccos in float32, which loses half of the digits
                # for vectors along z: 3e-4 of a harmonic. Most norms agree to 1e-5.
                np.testing.assert_allclose(
                    found[f"norm_l={l}_{name}_shell={shell}_average=0"], expected, rtol=0, atol=1e-3
                )
                assert expected.max() > 0.5


@pytest.fixture(scope="module")
def model() -> GlassModel:
    torch.manual_seed(2)
    return build("structural", times=(1.0, 5.0), averages=2, scalar_inputs=("energy",))


@pytest.fixture(scope="module")
def system() -> Configuration:
    return liquid(80, seed=5, scalars={"energy": np.random.default_rng(1).normal(size=80)})


def test_rotation_translation_and_permutation(model: GlassModel, system: Configuration):
    expected = outputs(model, system)
    turn = rotation(4)
    order = np.random.default_rng(3).permutation(system.n_particles)
    turned = moved(
        system,
        positions=(system.positions @ turn.T + [0.3, -2.0, 9.0])[order],
        cell=system.cell @ turn.T,
        species=system.species[order],
        scalars={"energy": system.scalars["energy"][order]},
    )
    for name, values in outputs(model, turned).items():
        np.testing.assert_allclose(values, expected[name][order], rtol=EXACT, atol=EXACT)


def test_nothing_jumps_at_the_cutoff(model: GlassModel):
    def at(r: float) -> np.ndarray:
        pair = Configuration(
            positions=np.array([[0.0, 0.0, 0.0], [r, 0.0, 0.0]]),
            cell=20 * np.eye(3),
            species=[0, 1],
            species_names=("A", "B"),
            scalars={"energy": np.array([1.0, 3.0])},
        )
        return outputs(model, pair)["descriptors"]

    jump = np.abs(at(model.cutoff - 1e-7) - at(model.cutoff + 1e-7)).max()
    assert jump < 1e-4  # slopes are at most some hundred; a step would be of order one
    assert np.abs(at(model.cutoff - 0.05) - at(model.cutoff + 1e-7)).max() > 1e-3


def test_an_isolated_particle_keeps_its_scalars(model: GlassModel):
    alone = Configuration(
        positions=np.zeros((1, 3)),
        cell=20 * np.eye(3),
        species=[1],
        species_names=("A", "B"),
        scalars={"energy": np.array([2.5])},
    )
    found = outputs(model, alone)["descriptors"][0]
    names = columns_of(model)
    expected = [2.5 if name.startswith("energy") else 0.0 for name in names]
    np.testing.assert_allclose(found, expected, rtol=EXACT)


def test_file_and_back(model: GlassModel, system: Configuration, tmp_path: Path):
    save_model(model, tmp_path / "m.pt", dtype="float64")
    found = Predictor(tmp_path / "m.pt", device="cpu").predict([system])[0]["propensity"]
    expected = outputs(model, system)["propensity"]
    np.testing.assert_allclose(found, expected, rtol=EXACT)
    again = outputs(restored_model(tmp_path / "m.pt"), system)["propensity"]
    np.testing.assert_allclose(again, expected, rtol=EXACT)


def test_networks_are_not_restored(tmp_path: Path):
    torch.manual_seed(0)
    save_model(build("se3gnn-v2", l_max=1, channels=2, n_layers=2).eval(), tmp_path / "m.pt")
    with pytest.raises(ModelFileError, match=r"found se3gnn-v2\. Give its run folder"):
        restored_model(tmp_path / "m.pt")


def test_constants_of_earlier_versions_do_not_hinder_restoring(tmp_path: Path) -> None:
    model = build("structural", cutoff=1.5)
    model.register_buffer("shell_table", torch.ones(3))
    save_model(model, tmp_path / "m.pt")
    restored = restored_model(tmp_path / "m.pt")
    assert torch.equal(restored.decoder.weight, model.decoder.weight)


def test_a_file_that_calculates_otherwise_is_not_restored(tmp_path: Path) -> None:
    model = build("structural", cutoff=1.5)
    model.one_hot *= 2  # which a new model would have as it was
    save_model(model, tmp_path / "m.pt")
    with pytest.raises(ModelFileError, match=r"m.pt: expected a model that its parameters desc.*"):
        restored_model(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"l_max": 0}, "l_max: expected a whole number from 1 to 11; found 0"),
        ({"l_max": 99}, "l_max: expected a whole number from 1 to 11; found 99"),
        ({"shells": 0}, "shells"),
        ({"averages": -1}, "averages"),
        ({"shells": 10**9}, "shells: expected a whole number from 1 to 1000; found"),
        ({"angular_shells": 10**9}, "angular_shells: expected a whole number from 1 to 1000"),
        ({"averages": 10**9}, "averages: expected a whole number from 0 to 999; found"),
        (
            {"shells": 1000, "averages": 999},
            "at most 65536 descriptors of .*; found",
        ),
        ({"averaging_length": 1e300}, "averaging_length: expected a positive length of at most"),
        ({"start": 3.0}, "start: expected a distance below the cutoff"),
        ({"averaging_length": 0.0}, "averaging_length"),
    ],
)
def test_bad_settings_are_named(settings: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        build("structural", **settings)
