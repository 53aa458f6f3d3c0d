"""Every kind of wrong data is found, and good data are not complained about."""

from __future__ import annotations

import re
from dataclasses import replace

import h5py
import numpy as np
import pytest
from systems import liquid

from glassml.data import Configuration, Dataset, DatasetWriter, complaints
from glassml.physics import isoconfigurational_averages


def good(seed: int = 0, **replaced: object) -> Configuration:
    """A liquid with consistent averages over five runs at two times."""
    system = liquid(40, seed=seed, name=f"good{seed}")
    rng = np.random.default_rng(seed)
    final = system.positions + rng.normal(0, [[[[0.1]], [[0.4]]]], (5, 2, 40, 3))
    averages = [isoconfigurational_averages(final[:, t] - system.positions) for t in (0, 1)]
    stacked = {key: np.stack([at[key] for at in averages], axis=1) for key in averages[0]}
    return replace(
        system,
        times=[1.0, 10.0],
        propensity=stacked.pop("propensity"),
        statistics=stacked,
        n_runs=5,
        final_positions=final,
        structures={"inherent": system.positions + 0.01},
        **replaced,
    )


@pytest.fixture
def check(tmp_path):
    def check(*configurations, **options):
        path = tmp_path / "data.h5"
        with DatasetWriter(path) as writer:
            for configuration in configurations:
                writer.add(configuration)
        return [str(c) for c in complaints(Dataset(path), **options)]

    return check


def test_good_data(check):
    assert check(good(0), good(1), replace(good(2), n_runs=None)) == []
    # As published data are: rounded to single precision.
    rounded = {k: v.astype(np.float32) for k, v in good(3).statistics.items()}
    assert check(replace(good(3), statistics=rounded)) == []


def shifted(values, amount):
    values = np.array(values)
    values[7, ..., 1] += amount
    return values


def both(values):
    return np.repeat(values[:, :, None], 2, axis=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: {"positions": np.concatenate([c.positions[:1] + 0.01, c.positions[:-1]])},
            r"positions: expected particles at least 0.282 apart; found 1 pair.* 0 and 1 at 0.0173",
        ),
        (
            lambda c: {"structures": {"inherent": np.repeat(c.positions[:1], 40, axis=0)}},
            r"structures\['inherent'\]: expected particles at least",
        ),
        (
            lambda c: {
                "structures": {"cage": c.positions + c.cell[0] * [[1]] * (c.species > 0)[:, None]}
            },
            r"structures\['cage'\]: expected the images nearest .* more than half a box away",
        ),
        (
            lambda c: {"statistics": {"mean_displacement": np.full((40, 2, 3), 9.0)}},
            r"expected propensity .* at least as long as mean_displacement .* 80 of 80",
        ),
        (
            lambda c: {"statistics": {"square_displacement": c.propensity**2 * 0.99}},
            r"expected square_displacement <|dr|\^2> at least",
        ),
        (
            lambda c: {
                "statistics": {
                    "propensity_halves": np.repeat(shifted(c.propensity, 0.1)[:, :, None], 2, 2)
                }
            },
            "expected propensity as the mean of its propensity_halves; found 1 of 80 .* 7, time 1",
        ),
        (
            lambda c: {
                "n_runs": None,
                "final_positions": None,
                "statistics": {
                    "propensity_halves": np.repeat(shifted(c.propensity, 0.1)[:, :, None], 2, 2)
                },
            },
            "expected propensity between its propensity_halves; found 1 of 80",
        ),
        (
            lambda c: {"propensity": shifted(c.propensity, 0.1), "statistics": {}},
            "expected propensity as computed from final_positions; found 1 of 40",
        ),
        (
            lambda c: {"propensity": 0 * c.propensity, "statistics": {}, "final_positions": None},
            "propensity: expected particles that move; found zeros only",
        ),
    ],
)
def test_wrong_data_are_named(check, change, message):
    configuration = good()
    configuration = replace(configuration, **change(configuration))
    found = check(configuration)
    assert len(found) >= 1
    assert any(re.search(f"good0: .*{message}", text) for text in found), found


def test_densities_and_copies(check):
    others = [good(seed) for seed in (1, 2)]
    wide = replace(good(3), cell=1.2 * good(3).cell)
    copy = replace(others[0], name="copy")
    found = check(*others, wide, copy)
    assert found == [
        "copy: expected new data; found those of good1",
        f"good3: number density: expected about 1.2, the median; found {1.2 / 1.2**3:.4g}",
    ]


def test_the_smallest_distance_may_be_given(check):
    assert check(good(), smallest_distance=0.5) == []
    (found,) = check(good(), smallest_distance=0.9)[:1]
    assert "positions: expected particles at least 0.9 apart" in found


def test_damage_is_a_complaint_and_the_rest_is_checked(tmp_path):
    path = tmp_path / "data.h5"
    with DatasetWriter(path) as writer:
        for seed in range(4):
            writer.add(good(seed))
    with h5py.File(path, "r+") as file:
        file["configurations/good0/positions"][0, 0] += 0.5
        file["configurations/good1/propensity"][0, 0] = np.nan
        file["configurations/good3/final_positions"][0, 0, 0, 0] += 0.5
    found = [str(c) for c in complaints(Dataset(path))]
    assert [text.partition(":")[0] for text in found] == ["good0", "good1", "good3"]
    assert "found others, by their checksum" in found[0]
    assert "expected finite numbers; found nan" in found[1]
    assert "found others, by their checksum" in found[2]
