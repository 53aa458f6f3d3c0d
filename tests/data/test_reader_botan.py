"""The BOTAN reader, on files written here and on the published ones."""

from __future__ import annotations

import numpy as np
import pytest

from glassml.data import ReadOptions, SpeciesMap, read_configurations
from glassml.data.readers.botan import KOB_ANDERSEN_TIMES
from glassml.errors import InputError
from glassml.files import sha256_of

BOX = 10.0 ** (1 / 3)  # of 12 particles at number density 1.2


def read_one(path, **options):
    (configuration,) = read_configurations(path, options=ReadOptions(**options))
    return configuration


def test_values(write_botan, botan_arrays):
    path = write_botan()
    configuration = read_one(path)
    np.testing.assert_array_equal(configuration.positions, botan_arrays["initial_positions"])
    assert configuration.species.tolist() == [0] * 9 + [1] * 3
    assert configuration.species_names == ("A", "B")
    assert configuration.n_particles / configuration.volume == pytest.approx(1.2, rel=1e-14)
    assert configuration.times.tolist() == [4120.0]
    assert configuration.n_runs == 3
    assert configuration.name == "isoconfig_N12T0.44_7_tc07"
    assert configuration.provenance["source"] == path.name
    assert configuration.provenance["source_sha256"] == sha256_of(path)
    assert configuration.provenance["temperature"] == 0.44


def test_the_label_is_the_mean_distance_over_the_runs(write_botan, botan_arrays):
    # Particle 0 moves by 3, 4 and 5 in three runs, all others stay.
    runs = np.repeat(botan_arrays["initial_positions"][None], 3, axis=0)
    runs[0, 0] += [1.0, 0.0, 0.0]
    runs[1, 0] += [0.0, -0.3, 0.4]
    configuration = read_one(write_botan(positions=runs))
    # 1e-15: rounding of coordinates of order 1.
    np.testing.assert_allclose(configuration.propensity[0], [(1.0 + 0.5 + 0.0) / 3], atol=1e-15)
    assert (configuration.propensity[1:] == 0.0).all()


def test_further_averages_over_the_runs(write_botan, botan_arrays):
    configuration = read_one(write_botan())
    assert configuration.final_positions is None
    dr = botan_arrays["positions"] - botan_arrays["initial_positions"]
    statistics = configuration.statistics
    # 1e-14: two ways of summing three squares of order 1.
    np.testing.assert_allclose(
        statistics["square_displacement"][:, 0], (dr**2).sum(2).mean(0), rtol=1e-14
    )
    np.testing.assert_allclose(
        statistics["mean_displacement"][:, 0], dr.mean(0), rtol=1e-14, atol=1e-15
    )
    halves = statistics["propensity_halves"][:, 0]
    distance = np.sqrt((dr**2).sum(2))
    np.testing.assert_allclose(halves[:, 0], distance[0], rtol=1e-14)  # three runs: one, and two
    np.testing.assert_allclose(halves[:, 1], distance[1:].mean(0), rtol=1e-14)
    np.testing.assert_allclose(halves @ [1, 2] / 3, configuration.propensity[:, 0], rtol=1e-14)


def test_one_run_has_no_halves(write_botan, botan_arrays):
    configuration = read_one(write_botan(positions=botan_arrays["positions"][:1]))
    assert set(configuration.statistics) == {"square_displacement", "mean_displacement"}


def test_final_positions_on_request(write_botan, botan_arrays):
    configuration = read_one(write_botan(), final_positions=True)
    np.testing.assert_array_equal(configuration.final_positions[:, 0], botan_arrays["positions"])


@pytest.mark.parametrize(
    ("temperature", "time", "expected"),
    [
        ("0.44", "tc07", 4120.0),
        ("0.44", "tc10", 130000.0),
        ("0.50", "tc07", 217.0),
        ("0.56", "tc07", 52.0),
        ("0.64", "tc01", 0.032),
    ],
)
def test_the_file_name_tells_the_time(write_botan, temperature, time, expected):
    path = write_botan(f"isoconfig_N12T{temperature}_1_{time}.npz")
    assert read_one(path).times.tolist() == [expected]


def test_the_seventh_time_is_the_relaxation_time():
    assert [times[6] for times in KOB_ANDERSEN_TIMES.values()] == [4120.0, 217.0, 52.0, 16.5]
    assert all(len(times) == 10 for times in KOB_ANDERSEN_TIMES.values())
    assert all(sorted(times) == list(times) for times in KOB_ANDERSEN_TIMES.values())


@pytest.mark.parametrize(
    "name", ["mine.npz", "isoconfig_N12T0.45_1_tc07.npz", "isoconfig_N12T0.44_1_tc11.npz"]
)
def test_an_unknown_time_must_be_given(write_botan, name):
    path = write_botan(name)
    with pytest.raises(InputError, match=rf"{name}: time: expected a known .*\(--time\)"):
        read_one(path)
    assert read_one(path, times=(2.5,)).times.tolist() == [2.5]


def test_a_given_time_wins(write_botan):
    assert read_one(write_botan(), times=(4000.0,)).times.tolist() == [4000.0]
    with pytest.raises(InputError, match=r"time: expected 1 times .*found \[1.0, 2.0\]"):
        read_one(write_botan(), times=(1.0, 2.0))


def test_species_may_be_renamed(write_botan):
    by_type = read_one(write_botan(), species=SpeciesMap(("big", "small")))
    assert by_type.species_names == ("big", "small")
    by_symbol = read_one(write_botan(), species=SpeciesMap({"B": "small", "A": "big"}))
    assert by_symbol.species_names == ("small", "big")
    assert by_symbol.species.tolist() == [1] * 9 + [0] * 3
    with pytest.raises(InputError, match=r"species: expected one for type 2 "):
        read_one(write_botan(), species=SpeciesMap(("big",)))


def test_missing_scalar(write_botan):
    with pytest.raises(InputError, match=r"expected a scalar 'potential_energy'; found \[\]"):
        read_one(write_botan(), scalars={"potential_energy": "potential_energy"})


@pytest.mark.parametrize("name", ["types", "initial_positions", "positions"])
def test_missing_entry(write_botan, name):
    path = write_botan(**{name: None})
    with pytest.raises(InputError, match=rf"npz: expected an entry '{name}'; found \["):
        list(read_configurations(path, "botan"))


def with_nan(array):
    array = array.copy()
    array[1, 2, 0] = np.nan
    return array


@pytest.mark.parametrize(
    ("entry", "change", "message"),
    [
        ("types", lambda a: a + 1, r"expected 0 for A and 1 for B; found the codes \[1, 2\]"),
        ("types", lambda a: a * 1.0, "expected integers; found type float64"),
        ("types", lambda a: a[1:], r"expected shape \[12\]; found shape \[11\]"),
        (
            "initial_positions",
            lambda a: a - BOX / 2,
            r"expected coordinates in \[0, L\) with L = \[2.15443, .* found .* from -1.0",
        ),
        ("initial_positions", lambda a: a * 1.1, r"expected coordinates in \[0, L\)"),
        ("initial_positions", lambda a: a[:, :2], r"shape \['any', 3\]; found shape \[12, 2\]"),
        ("positions", lambda a: a[0], r"shape \['any', 12, 3\]; found shape \[12, 3\]"),
        ("positions", lambda a: a[..., :2], r"expected shape .* found shape \[3, 12, 2\]"),
        ("positions", lambda a: a[:0], "expected at least one run"),
        ("positions", with_nan, r"expected finite numbers; found nan at index \[1, 2, 0\]"),
        ("positions", lambda a: np.mod(a, BOX), "expected unwrapped positions; found jumps"),
        ("positions", lambda a: a + np.array([BOX, 0, 0]), "positions that start from the initial"),
    ],
)
def test_conventions_are_checked(write_botan, botan_arrays, entry, change, message):
    path = write_botan(**{entry: change(botan_arrays[entry])})
    with pytest.raises(InputError, match=f"tc07.npz: {entry}: .*{message}"):
        read_one(path)


def test_the_number_of_particles_must_fit_the_file_name(write_botan):
    with pytest.raises(InputError, match=r"expected 4096 particles, as the file name .* found 12"):
        read_one(write_botan("isoconfig_N4096T0.44_1_tc07.npz"))


def test_a_damaged_file_of_this_suffix_is_not_called_another_format(write_botan):
    path = write_botan()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="npz: expected a complete npz file"):
        read_one(path)


def test_damaged_files(write_botan, tmp_path):
    path = write_botan()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="npz: expected a complete npz file"):
        list(read_configurations(path, "botan"))
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    path.write_bytes(flipped)
    with pytest.raises(InputError, match="npz: expected a complete npz file"):
        list(read_configurations(path, "botan"))
    path.write_bytes(b"")
    with pytest.raises(InputError, match="npz: expected a complete npz file"):
        list(read_configurations(path, "botan"))
    with pytest.raises(InputError, match=r"absent\.npz: expected a file; found none"):
        list(read_configurations(tmp_path / "absent.npz"))


def test_pickled_objects_in_an_npz_are_refused(write_botan):
    objects = np.array([{"a": 1}] * 12, dtype=object)
    with pytest.raises(InputError, match=r"expected a complete npz .*Object arrays"):
        list(read_configurations(write_botan(types=objects), "botan"))


@pytest.mark.shared_data
def test_published_file(shared_data):
    path = shared_data / "botan_T0.44" / "train" / "isoconfig_N4096T0.44_3_tc07.npz"
    configuration = read_one(path)
    with np.load(path) as archive:
        initial, runs = archive["initial_positions"], archive["positions"]
    assert configuration.n_particles == 4096
    assert np.bincount(configuration.species).tolist() == [3277, 819]
    assert configuration.cell[0, 0] == pytest.approx(15.05658, abs=5e-6)  # as published
    assert configuration.n_runs == 32
    expected = np.sqrt(((runs - initial) ** 2).sum(axis=2)).mean(axis=0)
    # 1e-14: two ways of summing three squares of order 1.
    np.testing.assert_allclose(configuration.propensity[:, 0], expected, rtol=1e-14)
