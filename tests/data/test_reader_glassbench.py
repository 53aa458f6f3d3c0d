"""The GlassBench readers, on files written here after the published description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassml.data import ReadOptions, SpeciesMap, read_configurations
from glassml.data.readers.botan import KOB_ANDERSEN_TIMES
from glassml.errors import InputError

N = 20
BOX = (N / 1.2) ** (1 / 3)
EDGE = 6.0


def read_one(path: Path, file_format: str = "auto", **options: Any):
    (configuration,) = read_configurations(path, file_format, ReadOptions(**options))
    return configuration


def wrapped(positions: np.ndarray) -> np.ndarray:
    return positions - BOX * np.round(positions / BOX)


@pytest.fixture
def arrays(rng: np.random.Generator) -> dict[str, np.ndarray]:
    initial = rng.uniform(-BOX / 2, BOX / 2, (N, 3))
    initial[0] = -0.4999 * BOX  # relaxes across the boundary
    shift = rng.normal(0, 0.05, (N, 3))
    shift[0] = -0.05
    return {
        "types": np.repeat([1, 2], [16, 4]),
        "initial_positions": initial,
        "initial_positions_inherent": wrapped(initial + shift),
        "initial_positions_cage": wrapped(initial - shift),
        "md_prop": rng.uniform(0.1, 2.0, (10, N)),
        "bb_prop": rng.uniform(0.0, 1.0, (10, N)),
    }


@pytest.fixture
def write(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Callable[..., Path]:
    def write(name: str = "T0.50/train/N20T0.50_17.npz", **replaced: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        entries = {key: value for key, value in (arrays | replaced).items() if value is not None}
        np.savez(path, **entries)
        return path

    return write


def test_values(write, arrays):
    configuration = read_one(write())
    np.testing.assert_array_equal(configuration.positions, arrays["initial_positions"])
    assert configuration.number_density == pytest.approx(1.2, rel=1e-14)
    assert configuration.species.tolist() == [0] * 16 + [1] * 4
    assert configuration.species_names == ("A", "B")
    assert configuration.times.tolist() == list(KOB_ANDERSEN_TIMES[0.50])
    np.testing.assert_array_equal(configuration.propensity, arrays["md_prop"].T)
    np.testing.assert_array_equal(configuration.statistics["bond_breaking"], arrays["bb_prop"].T)
    assert configuration.n_runs == 32
    assert configuration.predictions == {}
    assert configuration.name == "N20T0.50_17"
    facts = configuration.provenance
    assert (facts["temperature"], facts["index"], facts["part"]) == (0.50, 17, "train")
    assert "CC-BY-4.0" in facts["citation"]


def test_other_positions_are_images_near_the_first_ones(write, arrays):
    structures = read_one(write()).structures
    for name, values in structures.items():
        shift = values - arrays["initial_positions"]
        assert np.abs(shift).max() < 0.3  # six standard deviations
        # 1e-14: rounding of coordinates of order 1.
        np.testing.assert_allclose(wrapped(values), arrays[f"initial_positions_{name}"], atol=1e-14)
    assert structures["inherent"][0, 0] < -BOX / 2  # across the boundary
    assert set(structures) == {"inherent", "cage"}


@pytest.mark.parametrize("empty", [None, np.zeros((N, 3)), np.full((N, 3), np.nan), np.zeros(0)])
def test_cage_positions_may_be_lacking(write, empty):
    assert set(read_one(write(initial_positions_cage=empty)).structures) == {"inherent"}


def test_types_may_count_from_zero(write, arrays):
    configuration = read_one(write(types=arrays["types"] - 1))
    assert configuration.species.tolist() == [0] * 16 + [1] * 4
    renamed = read_one(write(), species=SpeciesMap(("big", "small")))
    assert renamed.species_names == ("big", "small")


def test_predictions_of_the_test_files(write, rng):
    given = {
        "BOTAN": rng.uniform(0, 1, (10, N)),
        "CAGE": rng.uniform(0, 1, (10, 16)),
        "EPOT": rng.normal(size=N),
        "PSI6": rng.normal(size=16),
    }
    configuration = read_one(write("T0.50/test/N20T0.50_401.npz", **given))
    found = configuration.predictions
    assert set(found) == set(given)
    np.testing.assert_array_equal(found["BOTAN"], given["BOTAN"].T)
    np.testing.assert_array_equal(found["CAGE"][:16], given["CAGE"].T)
    assert np.isnan(found["CAGE"][16:]).all()
    np.testing.assert_array_equal(found["EPOT"], np.repeat(given["EPOT"][:, None], 10, axis=1))
    np.testing.assert_array_equal(found["PSI6"][:16, 3], given["PSI6"])
    assert np.isnan(found["PSI6"][16:]).all()
    assert configuration.provenance["part"] == "test"


def test_another_name_needs_times(write):
    with pytest.raises(
        InputError, match=r"mine.npz: time: expected a known file name, or .*--time"
    ):
        read_one(write("mine.npz"))
    configuration = read_one(write("mine.npz"), times=tuple(range(1, 11)))
    assert configuration.times.tolist() == list(range(1, 11))
    assert "temperature" not in configuration.provenance


@pytest.mark.parametrize(
    ("entry", "change", "message"),
    [
        (
            "types",
            lambda a: a + 1,
            r"expected 1 for A and 2 for B \(or 0 and 1\); .*\[2, 3\]",
        ),
        ("types", lambda a: 3 - a, "expected A, the majority, to be type 1; found 4 of 20"),
        (
            "initial_positions",
            lambda a: a + BOX / 2,
            r"expected coordinates in \[-L/2, L/2\) with L = \[2.554",
        ),
        ("initial_positions", lambda a: a[:-1], r"expected 20 particles, as .* says; found 19"),
        ("initial_positions_inherent", lambda a: a[::-1], "same particles in the same order"),
        ("initial_positions_cage", lambda a: a[:5], r"shape \[20, 3\]; found shape \[5, 3\]"),
        ("md_prop", lambda a: a[:9], "time: expected 9 times"),
        ("md_prop", lambda a: a * np.nan, "expected finite numbers"),
        ("bb_prop", lambda a: a[:9], r"shape \[10, 20\]; found shape \[9, 20\]"),
    ],
)
def test_conventions_are_checked(write, arrays, entry, change, message):
    replaced = {entry: change(arrays[entry])}
    replaced |= {"types": np.repeat([1, 2], [15, 4])} if message.endswith("found 19") else {}
    with pytest.raises(InputError, match=rf"N20T0.50_17.npz: .*{message}"):
        read_one(write(**replaced))


def test_wrong_predictions_are_refused(write):
    with pytest.raises(InputError, match=r"SE3: expected numbers of shape \[10, 20\] or \[20\]"):
        read_one(write(SE3=np.zeros((20, 10))))


@pytest.fixture
def flat(rng: np.random.Generator) -> dict[str, np.ndarray]:
    initial = rng.uniform(-EDGE, 2 * EDGE, (43, 2))  # not wrapped
    return {
        "types": np.repeat([1, 2, 3], [20, 11, 12]),
        "initial_positions": initial,
        "box": np.array(EDGE),
        "positions": initial + rng.normal(0, 0.3, (4, 43, 2)),
    }


def save(path: Path, **entries: Any) -> Path:
    np.savez(path, **{key: value for key, value in entries.items() if value is not None})
    return path


def test_two_dimensional_runs(tmp_path, flat):
    path = save(tmp_path / "N43T0.30_3.npz", **flat)
    configuration = read_one(path, times=(2200.0,), final_positions=True)
    np.testing.assert_array_equal(configuration.positions[:, :2], flat["initial_positions"])
    assert (configuration.positions[:, 2] == 0.0).all()
    assert configuration.pbc == (True, True, False)
    assert configuration.plane == 2
    assert configuration.number_density == pytest.approx(43 / EDGE**2, rel=1e-14)
    assert configuration.species_names == ("A", "B", "C")
    assert np.bincount(configuration.species).tolist() == [20, 11, 12]
    dr = flat["positions"] - flat["initial_positions"]
    # 1e-14: two ways of summing two squares of order 1.
    np.testing.assert_allclose(
        configuration.propensity[:, 0], np.sqrt((dr**2).sum(2)).mean(0), rtol=1e-14
    )
    assert configuration.statistics["mean_displacement"].shape == (43, 1, 3)
    assert configuration.final_positions.shape == (4, 1, 43, 3)
    assert configuration.n_runs == 4
    assert configuration.provenance["temperature"] == 0.30
    with pytest.raises(InputError, match=r"time: expected a known file name, or .*\(--time\)"):
        read_one(path)


def test_two_dimensional_models_in_the_published_box(tmp_path, rng):
    """The published system: 1290 particles, whose box stands in the data record only."""
    edge = 32.8962
    initial = rng.uniform(0, edge, (1290, 2))
    inherent = np.mod(initial + rng.normal(0, 0.05, (1290, 2)), edge)
    labels = rng.uniform(0, 1, (6, 1290))
    path = save(
        tmp_path / "N1290T0.30_141.npz",
        types=np.repeat([1, 2, 3], [600, 330, 360]),
        initial_positions=initial,
        initial_positions_inherent=inherent,
        md_prop=labels,
        bb_prop=labels / 2,
    )
    times = (1.0, 10.0, 100.0, 1000.0, 2200.0, 10000.0)
    configuration = read_one(path, times=times)
    np.testing.assert_array_equal(configuration.propensity, labels.T)
    assert configuration.cell[0, 0] == edge
    shift = configuration.structures["inherent"] - configuration.positions
    assert np.abs(shift).max() < 0.3  # six standard deviations
    assert (shift[:, 2] == 0.0).all()


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"box": None}, "box: expected the edge of the square box, .* published system; found 43"),
        ({"box": np.array([6.0, 7.0])}, r"box: expected the edge of a square box; found \[6.0, 7"),
        ({"box": np.array(-1.0)}, "box: expected the edge of a square box"),
        ({"types": np.repeat([0, 1, 2], [20, 11, 12])}, "types: expected 1, 2 and 3 for A, B and"),
        ({"types": np.repeat([1, 2, 3], [11, 20, 12])}, "types: expected A, the most frequent"),
        ({"positions": np.zeros((0, 43, 2))}, "positions: expected at least one run"),
        ({"positions": np.zeros((4, 43, 3))}, r"positions: expected shape \['any', 43, 2\]"),
    ],
)
def test_two_dimensional_conventions_are_checked(tmp_path, flat, replaced, message):
    path = save(tmp_path / "flat.npz", **(flat | replaced))
    with pytest.raises(InputError, match=f"flat.npz: {message}"):
        read_one(path, "glassbench2d", times=(1.0,))


def test_formats_are_told_apart(write, write_botan, tmp_path, flat):
    formats = [
        read_one(write()).provenance["format"],
        read_one(write_botan()).provenance["format"],
        read_one(save(tmp_path / "flat.npz", **flat), times=(1.0,)).provenance["format"],
    ]
    assert formats == ["glassbench", "botan", "glassbench2d"]
