"""What a run is trained on: the split, the statistics, and data that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from systems import moved
from tiny_dataset import TIMES, labelled, write_dataset

from glassml.data import Dataset
from glassml.errors import ConfigError, GlassMLError, InputError
from glassml.training import parse_config
from glassml.training.data_module import DataModule
from glassml.training.split import Split, open_split


def _split(settings: dict[str, Any]) -> Split:
    return open_split(parse_config(settings).data)


def _module(settings: dict[str, Any]) -> DataModule:
    config = parse_config(settings)
    return DataModule(open_split(config.data), config.data, config.training, cutoff=2.0)


def _prepared(settings: dict[str, Any]) -> DataModule:
    module = _module(settings)
    module.prepare()
    return module


def test_a_fraction_is_drawn_from_its_own_seed(settings: dict[str, Any]) -> None:
    first = [s.name for s in _split(settings).validation]
    settings["training"]["seed"] = 5
    assert [s.name for s in _split(settings).validation] == first
    settings["data"]["split_seed"] = 5
    assert [s.name for s in _split(settings).validation] != first
    assert len(first) == 2


def test_names_and_files_choose_the_validation_set(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    settings["data"]["validation"] = ["sample_3"]
    split = _split(settings)
    assert [s.name for s in split.validation] == ["sample_3"]
    assert len(split.train) == 7
    settings["data"]["validation"] = str(write_dataset(tmp_path / "v.h5", [labelled(20)]))
    split = _split(settings)
    assert [s.name for s in split.validation] == ["sample_20"]
    assert len(split.train) == 8


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (["sample_99"], "sample_0.*; found 'sample_99', which 0 of them have"),
        ([f"sample_{k}" for k in range(8)], "with none left to train on"),
        (0.99, "leaves none to train on"),
    ],
)
def test_a_useless_split_is_refused(
    settings: dict[str, Any], validation: Any, message: str
) -> None:
    settings["data"]["validation"] = validation
    with pytest.raises(ConfigError, match=f"data.validation: .*{message}"):
        _split(settings)


def test_validating_on_the_training_data_is_refused(settings: dict[str, Any]) -> None:
    settings["data"]["validation"] = settings["data"]["train"]
    with pytest.raises(ConfigError, match=r"data\.validation: .*tiny\.h5.* with the data of"):
        _split(settings)


def test_one_configuration_on_both_sides_is_refused_under_any_name(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    validation = [labelled(20), moved(labelled(3), name="renamed")]
    settings["data"]["validation"] = str(write_dataset(tmp_path / "v.h5", validation))
    message = r"data\.validation: .*v\.h5.*'renamed' with .* of .*tiny\.h5.*'sample_3'"
    with pytest.raises(ConfigError, match=message):
        _split(settings)
    # A fraction may draw one copy for validation and leave the other one.
    twice = write_dataset(tmp_path / "twice.h5", [labelled(0), moved(labelled(0), name="again")])
    settings["data"] |= {"train": str(twice), "validation": 0.5}
    with pytest.raises(ConfigError, match=r"data\.validation: .*twice\.h5.* with the data of"):
        _split(settings)


def test_training_twice_on_a_configuration_is_refused(
    settings: dict[str, Any], dataset: Path, tmp_path: Path
) -> None:
    settings["data"]["train"] = [str(dataset), str(dataset)]
    with pytest.raises(ConfigError, match=r"data\.train: .*'sample_\d' with the data of"):
        _split(settings)
    other = write_dataset(tmp_path / "v.h5", [labelled(20)])
    settings["data"]["validation"] = str(other)
    with pytest.raises(ConfigError, match=r"data\.train: .*'sample_0' with .* of .*'sample_0'"):
        _split(settings)


def test_statistics_are_those_of_the_training_labels(
    settings: dict[str, Any], dataset: Path
) -> None:
    settings["data"]["scalars"] = ["potential_energy"]
    module = _prepared(settings)
    names = [s.name for s in module.split.train]
    configurations = [Dataset(dataset)[name] for name in names]
    species = np.concatenate([c.species for c in configurations])
    labels = np.concatenate([c.propensity for c in configurations])
    energy = np.concatenate([c.scalars["potential_energy"] for c in configurations])
    statistics = module.statistics
    assert statistics is not None
    for s in range(2):
        np.testing.assert_allclose(statistics.mean[s], labels[species == s].mean(axis=0))
        np.testing.assert_allclose(statistics.scale[s], labels[species == s].std(axis=0))
    np.testing.assert_allclose(statistics.scalar_mean, [energy.mean()])
    np.testing.assert_allclose(statistics.scalar_scale, [energy.std()])


def test_equal_labels_get_a_scale_of_one(settings: dict[str, Any], tmp_path: Path) -> None:
    same = [
        moved(labelled(k), propensity=np.full((50, 2), 0.3), name=f"same_{k}") for k in range(4)
    ]
    settings["data"]["train"] = str(write_dataset(tmp_path / "same.h5", same))
    statistics = _prepared(settings).statistics
    assert statistics is not None
    assert torch.equal(statistics.scale, torch.ones(2, 2, dtype=torch.float64))


def test_cached_graphs_are_those_built_on_demand(settings: dict[str, Any]) -> None:
    kept = _prepared(settings)
    settings["data"]["cache"] = False
    fresh = _prepared(settings)
    for index in range(len(kept.train_set)):
        left, right = kept.train_set[index], fresh.train_set[index]
        assert left.keys() == right.keys()
        assert torch.equal(left.edge_vector, right.edge_vector)
        assert torch.equal(left.y, right.y)
    assert kept.train_set[0] is kept.train_set[0]
    assert fresh.train_set[0] is not fresh.train_set[0]


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_second_run_searches_for_no_edges(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch, in_memory: bool
) -> None:
    settings["data"]["cache"] = in_memory
    first = _prepared(settings)
    before = [first.train_set[k] for k in range(len(first.train_set))]

    def searched(*_: object, **__: object) -> None:
        raise AssertionError("the edges are on disk")

    monkeypatch.setattr("glassml.physics.neighbours._search", searched)
    again = [first.train_set[k] for k in range(len(first.train_set))]  # the second epoch
    second = _prepared(settings)
    other_run = [second.train_set[k] for k in range(len(second.train_set))]
    for graphs in (again, other_run):
        for left, right in zip(before, graphs, strict=True):
            assert left.keys() == right.keys()
            for name in left.keys():  # noqa: SIM118 - Data is no mapping
                assert left[name] is right[name] or torch.equal(left[name], right[name])


def test_the_same_positions_with_other_data_are_told(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    """As after adding energies to a dataset that is also used without them."""
    richer = moved(labelled(3), predictions={"other": np.ones((50, 2))}, name="richer")
    settings["data"]["validation"] = str(write_dataset(tmp_path / "v.h5", [richer]))
    with pytest.raises(ConfigError, match=r"'richer' with the positions of .*'sample_3'"):
        _prepared(settings)


def test_nothing_is_kept_on_disk_if_not_wanted(settings: dict[str, Any], graph_cache: Path) -> None:
    settings["data"]["graph_cache"] = None
    _prepared(settings)
    assert not graph_cache.exists()


def test_the_cache_may_be_anywhere(
    settings: dict[str, Any], graph_cache: Path, tmp_path: Path
) -> None:
    settings["data"]["graph_cache"] = str(tmp_path / "here")
    _prepared(settings)
    assert len(list((tmp_path / "here").glob("*.npz"))) == 8
    assert not graph_cache.exists()


def test_order_depends_on_seed_and_epoch_alone(settings: dict[str, Any]) -> None:
    def order(epoch: int) -> list[int]:
        sampler = _module(settings).train_dataloader().sampler
        sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        return list(sampler)

    assert order(3) == order(3)
    assert order(3) != order(4)
    assert sorted(order(3)) == list(range(6))


def _mixed_times(path: Path) -> list[str]:
    other = moved(labelled(1), times=TIMES * 2)
    return [str(write_dataset(path / "mixed.h5", [labelled(0), other, labelled(2)]))]


def _unlabelled(path: Path) -> list[str]:
    bare = moved(labelled(1), times=None, propensity=None)
    return [str(write_dataset(path / "bare.h5", [labelled(0), bare, labelled(2)]))]


def _two_units(path: Path) -> list[str]:
    other = [moved(labelled(k), length_unit="angstrom") for k in (3, 4)]
    first = write_dataset(path / "lj.h5", [labelled(0), labelled(1)])
    return [str(first), str(write_dataset(path / "angstrom.h5", other))]


def _absent_species(path: Path) -> list[str]:
    three = [moved(labelled(k), species_names=("A", "B", "C")) for k in range(4)]
    return [str(write_dataset(path / "three.h5", three))]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_mixed_times, "mixed.h5: configuration 'sample_1': times: expected 0.5, 100.0"),
        (_unlabelled, "bare.h5: configuration 'sample_1': expected labels"),
        (_two_units, "angstrom.h5: .*length unit: expected lj .* found angstrom"),
        (_absent_species, "three.h5: expected particles of species 'C'"),
    ],
)
def test_data_that_do_not_fit_together_are_refused(
    settings: dict[str, Any], tmp_path: Path, make: Any, message: str
) -> None:
    settings["data"] |= {"train": make(tmp_path), "validation": 0.4}
    with pytest.raises(InputError, match=message):
        _prepared(settings)


def test_an_unknown_scalar_is_named_with_those_there_are(settings: dict[str, Any]) -> None:
    settings["data"]["scalars"] = ["inherent_energy"]
    with pytest.raises(InputError, match=r"data\.scalars: .*potential_energy.*'inherent_energy'"):
        _prepared(settings)


def test_a_missing_file_is_named(settings: dict[str, Any]) -> None:
    settings["data"]["train"] = "nowhere.h5"
    with pytest.raises(GlassMLError, match=r"nowhere\.h5"):
        _split(settings)
