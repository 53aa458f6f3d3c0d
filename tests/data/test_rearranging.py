"""Parts of datasets, and several datasets in one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glassml.data import (
    Dataset,
    DatasetWriter,
    convert,
    merge_datasets,
    parts_by_key,
    parts_by_size,
)
from glassml.errors import InputError


@pytest.fixture
def write(tmp_path):
    def write(configurations, name="data.h5", description=None):
        with DatasetWriter(tmp_path / name, description) as writer:
            for configuration in configurations:
                writer.add(configuration)
        return Dataset(tmp_path / name)

    return write


@pytest.fixture
def ten(write, make_complete):
    made = [
        make_complete(name=f"c{k}", provenance={"temperature": 0.5 if k < 4 else 0.44, "part": "x"})
        for k in range(10)
    ]
    return write(made, description={"system": "KA", "warnings": ["few runs"]})


def test_parts_are_drawn_from_the_seed_and_never_mix(ten):
    parts = parts_by_size(ten, {"train": 0.6, "test": 0.2, "rest": 2}, seed=3)
    assert [len(names) for names in parts.values()] == [6, 2, 2]
    everything = [name for names in parts.values() for name in names]
    assert sorted(everything) == sorted(ten.names)
    for names in parts.values():
        assert names == sorted(names, key=ten.names.index)
    assert parts == parts_by_size(ten, {"train": 0.6, "test": 0.2, "rest": 2}, seed=3)
    assert parts != parts_by_size(ten, {"train": 0.6, "test": 0.2, "rest": 2}, seed=4)


def test_fractions_that_sum_to_one_take_everything(ten):
    parts = parts_by_size(ten, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})
    assert sorted(len(names) for names in parts.values()) == [3, 3, 4]
    assert [len(names) for names in parts_by_size(ten, {"all": 1.0}).values()] == [10]
    assert [len(names) for names in parts_by_size(ten, {"one": 1}).values()] == [1]


def test_the_same_positions_stay_together(write, make_configuration):
    """The labels of one configuration at several times, as in BOTAN's files."""
    made = []
    for k in range(6):
        first = make_configuration(name=f"c{k}-early")
        made += [first, replace(first, name=f"c{k}-late", times=[5.0, 6.0])]
    dataset = write(made)
    for seed in range(5):
        for names in parts_by_size(dataset, {"train": 0.5, "test": 0.5}, seed).values():
            assert len(names) == 6
            stems = [name.partition("-")[0] for name in names]
            assert all(stems.count(stem) == 2 for stem in stems)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"a": 0.7, "b": 0.7}, "expected at most 10 configurations together; found a: 7, b: 7"),
        ({"a": 11}, "expected at most 10"),
        ({"a": 0.01}, "part a: expected at least one of the 10 .* none .a fraction of 0.01"),
        ({"a": -1}, "part a: expected a number of configurations, or a fraction below 1"),
        ({"a": 1.5}, "part a: expected a number of configurations, or a fraction below 1"),
        ({"a": float("nan")}, "part a: expected a number of configurations"),
    ],
)
def test_impossible_sizes(ten, sizes, message):
    with pytest.raises(InputError, match=message):
        parts_by_size(ten, sizes)


def test_parts_by_provenance(ten):
    parts = parts_by_key(ten, "temperature")
    assert parts == {
        "temperature0.5": ["c0", "c1", "c2", "c3"],
        "temperature0.44": ["c4", "c5", "c6", "c7", "c8", "c9"],
    }
    with pytest.raises(InputError, match=r"c0: provenance: expected an entry 'seed'; found \["):
        parts_by_key(ten, "seed")


def test_merging_keeps_everything(write, make_complete, same, tmp_path):
    final = np.ones((4, 2, 5, 3), np.float32)
    one = make_complete(name="one", final_positions=final)
    two = make_complete(name="two")
    write([one], "a.h5", {"run": 1, "warnings": ["w1", "w2"]})
    write([two, replace(two, name="one", n_runs=4, positions=two.positions + 0.125)], "b.h5")
    output = tmp_path / "all.h5"
    assert merge_datasets([tmp_path / "a.h5", tmp_path / "b.h5"], output) == 3
    merged = Dataset(output)
    assert merged.names == ("one", "two", "b-one")
    assert same(merged.read("one", final_positions=True), one)
    assert same(merged["two"], two)
    assert merged.description["warnings"] == ["w1", "w2"]
    assert [m["file"] for m in merged.description["merged"]] == ["a.h5", "b.h5"]
    assert merged.description["merged"][0]["description"]["run"] == 1


def test_equal_descriptions_are_kept(write, make_complete, tmp_path):
    for name in ("a", "b"):
        write([make_complete(name=name)], f"{name}.h5", {"run": 1})
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    merge_datasets(paths, tmp_path / "merged.h5")
    assert Dataset(tmp_path / "merged.h5").description == {"run": 1}
    convert(paths, tmp_path / "converted.h5")
    assert Dataset(tmp_path / "converted.h5").description == {"run": 1}


@pytest.mark.parametrize(
    ("replaced", "message", "forgivable"),
    [
        ({"species_names": ("A", "C")}, "species_names: expected", False),
        ({"length_unit": "nm"}, "length_unit: expected 'lj'", False),
        ({"species": [0, 0, 0, 0, 1]}, r"composition: expected \[0.6, 0.4\] as in .*one", True),
        ({"cell": 4.5 * np.eye(3)}, "number density: expected 0.08", True),
        ({"times": [0.5, 5.0]}, r"times of the labels: expected \[0.5, 4.0\]", True),
    ],
)
def test_other_systems_are_refused(
    write, make_configuration, tmp_path, replaced, message, forgivable
):
    write([make_configuration(name="one")], "a.h5")
    write([make_configuration(name="two", **replaced)], "b.h5")
    paths, output = [tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "all.h5"
    with pytest.raises(InputError, match=message) as caught:
        merge_datasets(paths, output)
    assert ("--allow-different" in str(caught.value)) == forgivable
    assert not output.exists()


def test_differences_may_be_allowed(write, make_configuration, tmp_path):
    write([make_configuration(name="one")], "a.h5")
    write([make_configuration(name="two", times=[0.5, 5.0], cell=4.5 * np.eye(3))], "b.h5")
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    assert merge_datasets(paths, tmp_path / "all.h5", allow_different=True) == 2


def test_times_may_differ_by_rounding(write, make_configuration, tmp_path):
    write([make_configuration(name="one")], "a.h5")
    write([make_configuration(name="two", times=[0.5, 4.000002])], "b.h5")
    assert merge_datasets([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "all.h5") == 2


def test_the_same_data_twice_are_refused(write, make_configuration, tmp_path):
    one = make_configuration(name="one")
    write([one], "a.h5")
    write([replace(one, name="renamed", provenance={})], "b.h5")
    with pytest.raises(InputError, match=r"b\.h5: renamed: expected new data; found .*a\.h5: one"):
        merge_datasets([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "all.h5")
