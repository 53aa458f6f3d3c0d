"""Species maps: from labels to indices, and messages that name both sides."""

from __future__ import annotations

import numpy as np
import pytest

from glassml.data import SpeciesMap
from glassml.errors import InputError


def test_symbols():
    species = SpeciesMap({"H": "A", "He": "B"})
    assert not species.by_type
    assert species.names == ("A", "B")
    indices = species.indices(["He", "H", "H"])
    assert indices.dtype == np.int64
    assert indices.tolist() == [1, 0, 0]


def test_types_count_from_one():
    species = SpeciesMap(("A", "B", "A"))
    assert species.by_type
    assert species.names == ("A", "B")
    assert species.indices(np.array([3, 2, 1])).tolist() == [0, 1, 0]


def test_the_order_is_that_of_the_model():
    species = SpeciesMap({"Zr": "B", "Cu": "A"}, names=("A", "B", "C"))
    assert species.names == ("A", "B", "C")
    assert species.indices(["Cu", "Zr"]).tolist() == [0, 1]


def test_a_map_is_passed_through():
    species = SpeciesMap(("A",))
    assert SpeciesMap.of(species) is species
    assert SpeciesMap.of(["A", "B"]).indices([2]).tolist() == [1]


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("A,B", [1, 2], [0, 1]),
        (" A , B ", [2, 1], [1, 0]),
        ("A", [1, 1], [0, 0]),
        ("H=A,He=B", ["He", "H"], [1, 0]),
        (" Cu = A , Zr = B ", ["Cu", "Zr"], [0, 1]),
    ],
)
def test_parse(text, labels, expected):
    assert SpeciesMap.parse(text).indices(labels).tolist() == expected


def test_a_map_is_checked_against_the_names():
    species = SpeciesMap({"H": "B", "He": "A"})
    ordered = SpeciesMap.of(species, ("A", "B"))
    assert ordered.names == ("A", "B")
    assert ordered.indices(["H", "He"]).tolist() == [1, 0]
    by_type = SpeciesMap.of(SpeciesMap(("B", "A", "B")), ("A", "B"))
    assert by_type.indices([1, 2, 3]).tolist() == [1, 0, 1]
    with pytest.raises(InputError, match=r"type 2: expected one of .*\['A', 'B'\]; found 'C'"):
        SpeciesMap.of(SpeciesMap(("A", "C")), ("A", "B"))


def test_entries_that_occur_nowhere_are_known():
    species = SpeciesMap({"H": "A", "He": "B", "Li": "B"})
    assert species.labels == ("H", "He", "Li")
    assert species.unused == ("symbol H -> A", "symbol He -> B", "symbol Li -> B")
    species.indices(["Li", "Li"])
    species.indices(["H"])
    assert species.unused == ("symbol He -> B",)


def test_a_symbol_that_is_given_twice():
    with pytest.raises(InputError, match=r"expected each symbol once; found 'H=A,He=B,H=B'"):
        SpeciesMap.parse("H=A,He=B,H=B")


@pytest.mark.parametrize("text", ["", "A,", "A=", "=A", "H=A,B", ","])
def test_parse_refuses(text):
    with pytest.raises(InputError, match="species: expected names of the types"):
        SpeciesMap.parse(text)


def test_unknown_symbol_names_both_sides():
    species = SpeciesMap({"H": "A", "He": "B"})
    with pytest.raises(
        InputError,
        match=r"^melt: species: .* for symbol Li \(first at particle 2\); .* H -> A, He -> B\.",
    ):
        species.indices(["H", "He", "Li"], "melt")


def test_more_types_than_species():
    with pytest.raises(InputError, match=r"type 3 \(first at particle 1\).*types 1 -> A, 2 -> B"):
        SpeciesMap(("A", "B")).indices([1, 3])


def test_a_name_that_the_model_does_not_have():
    with pytest.raises(InputError, match=r"type 2: expected one of .*\['A', 'B'\]; found 'C'"):
        SpeciesMap(("A", "C"), names=("A", "B"))


@pytest.mark.parametrize("empty", [{}, ()])
def test_empty_maps_are_refused(empty):
    with pytest.raises(InputError, match="expected at least one species"):
        SpeciesMap(empty)


def test_a_string_is_no_sequence_of_names():
    with pytest.raises(InputError, match=r"found the string 'AB' \(SpeciesMap.parse"):
        SpeciesMap("AB")
