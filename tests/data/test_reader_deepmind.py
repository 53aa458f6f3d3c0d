"""The DeepMind reader, on files written here and on the published ones."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from glassml.data import ReadOptions, read_configurations
from glassml.errors import InputError


def read_one(path, **options):
    (configuration,) = read_configurations(path, options=ReadOptions(**options))
    return configuration


def mean_distance(initial, runs):
    return np.sqrt(((np.array(runs) - initial) ** 2).sum(axis=2)).mean(axis=0)


def test_values_come_in_order_of_time(write_deepmind, deepmind_content):
    configuration = read_one(write_deepmind())
    assert configuration.times.tolist() == [0.5, 10.0, 20.0]
    runs = deepmind_content["trajectory_target_positions"]
    expected = [mean_distance(deepmind_content["positions"], runs[k]) for k in (0, 2, 1)]
    # 1e-14: two ways of summing three squares of order 1.
    np.testing.assert_allclose(configuration.propensity.T, expected, rtol=1e-14)
    np.testing.assert_array_equal(configuration.positions, deepmind_content["positions"])
    np.testing.assert_array_equal(configuration.cell, np.diag([2.0, 2.1, 2.2]))
    assert configuration.species.tolist() == [0] * 9 + [1] * 3
    assert configuration.n_runs == 3
    assert configuration.provenance["temperature"] == 0.44
    assert configuration.provenance["pressure"] == 2.93


def test_further_averages_come_in_order_of_time(write_deepmind, deepmind_content):
    configuration = read_one(write_deepmind(), final_positions=True)
    runs = np.array(deepmind_content["trajectory_target_positions"])[[0, 2, 1]]
    np.testing.assert_array_equal(configuration.final_positions, runs.swapaxes(0, 1))
    dr = runs - deepmind_content["positions"]
    # 1e-14: two ways of summing three squares of order 1.
    np.testing.assert_allclose(
        configuration.statistics["square_displacement"].T, (dr**2).sum(3).mean(1), rtol=1e-14
    )
    np.testing.assert_allclose(
        configuration.statistics["mean_displacement"].swapaxes(0, 1), dr.mean(1), atol=1e-15
    )
    np.testing.assert_allclose(
        configuration.statistics["propensity_halves"] @ [1, 2] / 3,
        configuration.propensity,
        rtol=1e-14,
    )


def test_averages_need_the_runs_of_all_times(write_deepmind, deepmind_content, rng):
    targets = list(rng.uniform(0, 1, (3, 12)))
    runs = deepmind_content["trajectory_target_positions"]
    whole = read_one(write_deepmind(targets=targets), final_positions=True)
    np.testing.assert_array_equal(whole.propensity[:, 0], targets[0])
    assert set(whole.statistics) == {
        "square_displacement",
        "mean_displacement",
        "propensity_halves",
    }
    partly = write_deepmind(targets=targets, trajectory_target_positions=runs[:1])
    first = read_one(partly, final_positions=True)
    assert first.statistics == {}
    assert first.final_positions is None
    assert first.n_runs == 3


def test_targets_are_taken_as_they_are(write_deepmind, rng):
    targets = list(rng.uniform(0, 1, (3, 12)))
    configuration = read_one(write_deepmind(targets=targets, trajectory_target_positions=None))
    np.testing.assert_array_equal(configuration.propensity.T, [targets[k] for k in (0, 2, 1)])
    assert configuration.n_runs is None


def test_targets_with_runs_of_the_first_time_only(write_deepmind, deepmind_content, rng):
    targets = list(rng.uniform(0, 1, (3, 12)))
    first = deepmind_content["trajectory_target_positions"][:1]
    configuration = read_one(write_deepmind(targets=targets, trajectory_target_positions=first))
    np.testing.assert_array_equal(configuration.propensity[:, 0], targets[0])
    assert configuration.n_runs == 3


def test_nominal_times_are_for_the_labels_in_order(write_deepmind):
    measured = read_one(write_deepmind())
    nominal = read_one(write_deepmind(), times=(1.0, 11.0, 21.0))
    assert nominal.times.tolist() == [1.0, 11.0, 21.0]
    np.testing.assert_array_equal(nominal.propensity, measured.propensity)
    assert "nominal" in nominal.provenance["times"]
    with pytest.raises(InputError, match="time: expected 3 times"):
        read_one(write_deepmind(), times=(1.0,))


def test_levels_reached_in_the_same_frame_count_once(write_deepmind, deepmind_content):
    configuration = read_one(write_deepmind(time_indices=[1, 3, 3]))
    assert configuration.times.tolist() == [0.5, 10.0]
    runs = deepmind_content["trajectory_target_positions"]
    expected = [mean_distance(deepmind_content["positions"], runs[k]) for k in (0, 1)]
    np.testing.assert_allclose(configuration.propensity.T, expected, rtol=1e-14)


@pytest.mark.parametrize("name", ["positions", "types", "box", "time", "time_indices"])
def test_missing_entry(write_deepmind, name):
    with pytest.raises(InputError, match=rf"sample.pickle: expected an entry '{name}'; found \["):
        read_one(write_deepmind(**{name: None}))


def test_missing_labels(write_deepmind):
    with pytest.raises(InputError, match=r"trajectory_target_positions: expected 3 lists.*found 0"):
        read_one(write_deepmind(trajectory_target_positions=None))


@pytest.mark.parametrize(
    ("entry", "change", "message"),
    [
        ("types", lambda a: a + 1, r"expected 0 for A and 1 for B; found the codes \[1, 2\]"),
        (
            "positions",
            lambda a: a - 1.0,
            r"expected coordinates in \[0, L\) with L = \[2.0, 2.1, 2.2\]",
        ),
        ("positions", lambda a: a * np.nan, "expected finite numbers; found nan"),
        ("box", lambda a: a[0], r"expected shape \[3\]; found shape \[\]"),
        ("time_indices", lambda _: [1, 4, 5], r"expected indices below 5; found \[1, 4, 5\]"),
        ("trajectory_target_positions", lambda a: a[:2], "expected 3 lists, .*found 2"),
        ("trajectory_target_positions", lambda _: [1, 2, 3], "expected a list of runs"),
        (
            "trajectory_target_positions",
            lambda a: [a[0], a[1][:2], a[2]],
            r"expected shape \[3, 12, 3\]; found shape \[2, 12, 3\]",
        ),
        (
            "trajectory_target_positions",
            lambda a: [list(np.mod(a[0], [2.0, 2.1, 2.2])), *a[1:]],
            "expected unwrapped positions; found jumps",
        ),
        ("trajectory_target_positions", lambda a: [[], *a[1:]], "at least one run; found none"),
        ("targets", lambda _: np.ones((2, 12)), r"shape \[3, 12\]; found shape \[2, 12\]"),
        ("targets", lambda _: [[1.0], [1.0, 2.0], [1.0]], "expected an array; found"),
        ("targets", lambda _: [["a"] * 12] * 3, "expected numbers; found type"),
    ],
)
def test_conventions_are_checked(write_deepmind, deepmind_content, entry, change, message):
    path = write_deepmind(**{entry: change(deepmind_content.get(entry))})
    with pytest.raises(InputError, match=rf"sample.pickle: {entry}(\[\d\])?: .*{message}"):
        read_one(path)


def test_other_pickles(tmp_path):
    path = tmp_path / "list.pickle"
    path.write_bytes(pickle.dumps([1, 2], protocol=3))
    with pytest.raises(InputError, match=r"list\.pickle: expected a dict; found list"):
        list(read_configurations(path))


@pytest.mark.shared_data
def test_published_trajectories(shared_data):
    path = shared_data / "deepmind" / "test_small.pickle"
    configuration = read_one(path)
    assert configuration.n_particles == 20
    assert configuration.n_runs == 30
    assert configuration.times.shape == (10,)
    # 1/e, the last in the file, is between .4 (4477.035) and .3.
    assert configuration.times[5:8].tolist() == pytest.approx([4477.035, 5375.112, 7747.854])
    # Mean over 30 runs, and over the particles, computed from the file by hand: at the first and
    # the last time, and at 1/e.
    means = configuration.propensity.mean(axis=0)
    assert means[[0, 6, 9]].tolist() == pytest.approx(
        [0.11326972791763643, 0.38462603651031946, 0.8807698915147937], rel=1e-12
    )
    first = [0.09159066, 0.29737858, 0.81481281]
    assert configuration.propensity[0, [0, 6, 9]].tolist() == pytest.approx(first, abs=5e-9)


@pytest.mark.shared_data
def test_published_targets_are_the_mean_distances_of_the_published_runs(shared_data):
    path = shared_data / "deepmind" / "test_large.pickle"
    configuration = read_one(path)
    assert np.bincount(configuration.species).tolist() == [3277, 819]
    assert (np.diff(configuration.propensity.mean(axis=0)) > 0).all()
    content = pickle.loads(path.read_bytes())  # noqa: S301 - a published file of known contents
    runs = content["trajectory_target_positions"][0]
    np.testing.assert_allclose(
        configuration.propensity[:, 0],
        mean_distance(content["positions"], runs),
        rtol=1e-12,  # the makers may have summed in another order
    )


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_of_pickle(tmp_path, deepmind_content, protocol):
    facts = {"temperature": np.float64(0.44), "pressure": np.float32(2.5)}
    path = tmp_path / "sample.pickle"
    path.write_bytes(pickle.dumps(deepmind_content | {"metadata": facts}, protocol=protocol))
    configuration = read_one(path)
    np.testing.assert_array_equal(configuration.positions, deepmind_content["positions"])
    assert configuration.species.tolist() == [0] * 9 + [1] * 3
    assert configuration.provenance["temperature"] == 0.44
    assert configuration.provenance["pressure"] == 2.5
