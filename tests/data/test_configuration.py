"""The in-memory type: what it converts, and what it refuses."""

from __future__ import annotations

import re

import numpy as np
import pytest

from glassml.data import Configuration
from glassml.errors import GlassMLError, InputError

MINIMAL = {
    "positions": [[0, 0, 0], [1, 1, 1]],
    "cell": [[3, 0, 0], [0, 3, 0], [0, 0, 3]],
    "species": [0, 1],
    "species_names": ["A", "B"],
}


def test_arrays_get_their_types():
    configuration = Configuration(
        **MINIMAL,
        scalars={"potential_energy": [1, 2]},
        times=[1],
        propensity=[[1], [2]],
    )
    assert configuration.positions.dtype == configuration.cell.dtype == np.float64
    assert configuration.species.dtype == np.int64
    assert configuration.scalars["potential_energy"].dtype == np.float64
    assert configuration.times.dtype == configuration.propensity.dtype == np.float64
    assert configuration.species_names == ("A", "B")
    assert configuration.pbc == (True, True, True)
    assert configuration.n_particles == 2
    assert configuration.volume == pytest.approx(27.0, rel=1e-14)


def test_defaults_are_not_shared():
    one, other = Configuration(**MINIMAL), Configuration(**MINIMAL)
    assert one.scalars == {}
    assert one.scalars is not other.scalars
    assert one.provenance is not other.provenance


def test_left_handed_and_non_periodic_cells_are_accepted():
    cell = [[0, 3, 0], [3, 0, 0], [0, 0, 3]]
    configuration = Configuration(**(MINIMAL | {"cell": cell, "pbc": np.array([0, 1, 1], bool)}))
    assert configuration.pbc == (False, True, True)
    assert configuration.volume == pytest.approx(27.0, rel=1e-14)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flat_liquids_are_refused_and_flat_unit_cells_are_not(axis, rng):
    positions = rng.uniform(0.0, 3.0, (17, 3))
    cell = [[3, 0, 0], [1, 3, 0], [0, -1, 3]]
    fractional = positions / 3.0
    fractional[:, axis] = 0.7
    fields = {"cell": cell, "species": np.zeros(17, int), "species_names": ["A"]}
    message = f"all 17 particles in one plane across lattice direction {axis + 1} .*two-dimensional"
    with pytest.raises(InputError, match=f"positions: expected a three-dim.*{message}"):
        Configuration(**fields, positions=fractional @ np.array(cell))
    fields["species"] = np.zeros(16, int)
    assert Configuration(**fields, positions=fractional[:16] @ np.array(cell)).n_particles == 16


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_two_dimensional_systems_have_no_images_across_their_plane(axis, rng):
    cell = np.array([[3, 0, 0], [1, 4, 0], [0.5, -1, 30]])
    fractional = rng.uniform(0.0, 1.0, (50, 3))
    fractional[:, axis] = 0.25
    flat = Configuration(
        positions=fractional @ cell,
        cell=cell,
        pbc=np.arange(3) != axis,
        species=np.zeros(50, int),
        species_names=["A"],
    )
    assert flat.plane == axis
    area = np.linalg.norm(np.cross(*np.delete(cell, axis, axis=0)))
    assert flat.dimension == 2
    assert flat.number_density == pytest.approx(50 / area, rel=1e-14)
    assert flat.spacing == pytest.approx((area / 50) ** (1 / 2), rel=1e-14)


def test_three_dimensional_systems_have_no_plane():
    configuration = Configuration(**MINIMAL)
    assert configuration.plane is None
    assert configuration.dimension == 3
    assert configuration.number_density == pytest.approx(2 / 27, rel=1e-14)
    assert configuration.spacing == pytest.approx((27 / 2) ** (1 / 3), rel=1e-14)
    # A line of particles lies in many planes.
    line = MINIMAL | {"positions": [[0, 0, 0], [1, 0, 0]], "pbc": (True, False, False)}
    assert Configuration(**line).plane is None


def test_particles_of_a_species():
    configuration = Configuration(**MINIMAL | {"species": [1, 0], "species_names": ("A", "B", "C")})
    assert configuration.of_species("A").tolist() == [False, True]
    assert configuration.of_species("C").tolist() == [False, False]
    with pytest.raises(InputError, match=r"species: expected one of \['A', 'B', 'C'\]; found 'D'"):
        configuration.of_species("D")


LABELLED = {"times": [1.0], "propensity": [[1.0], [1.0]]}


def test_what_else_is_known_of_labelled_particles():
    configuration = Configuration(
        **MINIMAL,
        **LABELLED,
        structures={"inherent": [[0, 0, 1], [1, 1, 0]]},
        statistics={"square_displacement": [[1], [2]], "of_own": np.zeros((2, 1, 7))},
        predictions={"BOTAN": [[1], [np.nan]]},
        final_positions=np.zeros((5, 1, 2, 3), np.float32),
    )
    assert configuration.structures["inherent"].dtype == np.float64
    assert configuration.statistics["square_displacement"].shape == (2, 1)
    assert configuration.statistics["of_own"].shape == (2, 1, 7)
    assert np.isnan(configuration.predictions["BOTAN"][1, 0])
    assert configuration.final_positions.dtype == np.float32  # kept, as they are many


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        (
            {"structures": {"inherent": [[0, 0, 0]]}},
            r"structures\['inherent'\]: expected shape \[2, 3\]; found shape \[1, 3\]",
        ),
        ({"structures": {"": np.zeros((2, 3))}}, "structures: expected names without '/'"),
        (
            {"statistics": {"mean_displacement": np.zeros((2, 1))}},
            r"statistics\['mean_displacement'\]: expected shape \[2, 1, 3\]; found shape \[2, 1\]",
        ),
        (
            {"statistics": {"own": np.zeros((1, 2))}},
            r"statistics\['own'\]: expected shape \[2, 1\]; found shape \[1, 2\]",
        ),
        (
            {"statistics": {"own": np.zeros((2, 1, 3, 3))}},
            r"statistics\['own'\]: expected shape \[2, 1, 3\]",
        ),
        (
            {"statistics": {"square_displacement": [[1.0], [-1.0]]}},
            r"statistics\['square_displacement'\]: expected numbers >= 0; found -1",
        ),
        (
            {"statistics": {"own": [[np.nan], [0.0]]}},
            r"statistics\['own'\]: expected finite numbers; found nan",
        ),
        (
            {"predictions": {"BOTAN": [[np.inf], [0.0]]}},
            r"predictions\['BOTAN'\]: expected finite numbers; found inf",
        ),
        (
            {"predictions": {"BOTAN": [0.0, 1.0]}},
            r"predictions\['BOTAN'\]: expected shape \[2, 1\]; found shape \[2\]",
        ),
        (
            {"final_positions": np.zeros((3, 1, 2, 3)), "n_runs": 4},
            r"final_positions: expected shape \[4, 1, 2, 3\]; found shape \[3, 1, 2, 3\]",
        ),
        (
            {"final_positions": np.zeros((1, 2, 3))},
            r"final_positions: expected shape \[1, 1, 2, 3\]",
        ),
        (
            {"times": None, "propensity": None, "statistics": {"own": np.zeros((2, 1))}},
            "times: expected times and labels, as statistics are given; found none",
        ),
        (
            {"times": None, "propensity": None, "final_positions": np.zeros((3, 1, 2, 3))},
            "times: expected times and labels, as final_positions are given; found none",
        ),
    ],
)
def test_wrong_additions_are_named(replaced, message):
    with pytest.raises(InputError, match=f"^my glass: {message}"):
        Configuration(**(MINIMAL | LABELLED | {"name": "my glass"} | replaced))


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"positions": [[0, 0], [1, 1]]}, r"positions: expected shape \[N, 3\]; .*two-dimensional"),
        ({"positions": [0, 0, 0]}, r"positions: expected shape \[N, 3\]; found shape \[3\]"),
        ({"positions": np.zeros((0, 3))}, "positions: expected at least one particle; found none"),
        ({"positions": [[0, 0, 0], [1, np.nan, 1]]}, r"positions: .* nan at index \[1, 1\]"),
        ({"positions": [["x", 0, 0], [1, 1, 1]]}, "positions: expected numbers"),
        ({"cell": [3, 3, 3]}, r"cell: expected three lattice vectors, .*found shape \[3\]"),
        ({"cell": [[3, 0, 0], [0, 3, 0], [0, 0, 0]]}, "cell: .*found volume 0"),
        ({"cell": [[1, 1, 0], [2, 2, 0], [0, 0, 1]]}, "cell: expected three independent"),
        ({"cell": [[np.inf, 0, 0], [0, 3, 0], [0, 0, 3]]}, r"cell: .* inf at index \[0, 0\]"),
        ({"species": [0, 2]}, r"species: expected indices 0 to 1 .*values from 0 to 2"),
        ({"species": [-1, 0]}, "species: expected indices 0 to 1"),
        ({"species": [0.0, 1.0]}, "species: expected integers"),
        ({"species": [0]}, r"species: expected integers of shape \[2\]"),
        ({"species_names": "AB"}, "species_names: expected different, non-empty names"),
        ({"species_names": ("A", "A")}, "species_names: expected different"),
        ({"species_names": ()}, "species_names: expected different"),
        ({"pbc": (True, True)}, "pbc: expected three booleans"),
        ({"pbc": (0.5, 1.0, 1.0)}, "pbc: expected three booleans"),
        ({"scalars": {"e": [1.0]}}, r"scalars\['e'\]: expected shape \[2\]; found shape \[1\]"),
        ({"scalars": {"e": [1.0, np.nan]}}, r"scalars\['e'\]: expected finite numbers"),
        ({"scalars": {"a/b": [1.0, 2.0]}}, "scalars: expected names without '/'; found 'a/b'"),
        ({"times": [1.0]}, "propensity: expected a value, as times is given"),
        ({"propensity": [[1.0], [1.0]]}, "times: expected a value, as propensity is given"),
        (
            {"times": [2.0, 1.0], "propensity": np.ones((2, 2))},
            "times: expected positive, increasing",
        ),
        ({"times": [0.0], "propensity": np.ones((2, 1))}, "times: expected positive"),
        ({"times": [], "propensity": np.ones((2, 0))}, "times: expected positive"),
        ({"times": [1.0], "propensity": np.ones((1, 2))}, r"propensity: expected shape \[2, 1\]"),
        ({"times": [1.0], "propensity": [[1.0], [-1.0]]}, "propensity: .*>= 0; found -1"),
        ({"n_runs": 0}, "n_runs: expected a positive number of runs; found 0"),
        ({"length_unit": "furlong"}, "length_unit: expected one of .*'lj'.*; found 'furlong'"),
        (
            {"provenance": {"seeds": [1, 2]}},
            "provenance.*'seeds'.* a string or a number; found list",
        ),
    ],
)
def test_wrong_fields_are_named(replaced, message):
    with pytest.raises(InputError, match=f"^my glass: {message}") as caught:
        Configuration(**(MINIMAL | {"name": "my glass"} | replaced))
    assert isinstance(caught.value, GlassMLError)
    assert isinstance(caught.value, ValueError)
    assert not re.search(r"array\(", str(caught.value))
