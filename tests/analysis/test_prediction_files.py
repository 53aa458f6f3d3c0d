"""Predictions from a file, and which files are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from systems import liquid, moved

from glassml.analysis import FilePredictions
from glassml.analysis.prediction_files import PredictionFile
from glassml.data import Dataset, DatasetWriter
from glassml.errors import InputError

N = 30
TIMES = np.array([1.0, 10.0])


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    rng = np.random.default_rng(0)
    with DatasetWriter(tmp_path / "d.h5") as writer:
        for k in range(2):
            fields = {"times": TIMES, "propensity": rng.random((N, 2)), "name": f"c{k}"}
            writer.add(moved(liquid(N, seed=k), **fields))
    return Dataset(tmp_path / "d.h5")


def _arrays(dataset: Dataset) -> dict[str, np.ndarray]:
    """Rows of both configurations in random order."""
    names = np.repeat(dataset.names, N)
    particles = np.tile(np.arange(N), 2)
    order = np.random.default_rng(1).permutation(2 * N)
    values = np.arange(2.0 * N)[:, None] + np.array([0.0, 0.5])
    return {
        "configuration": names[order],
        "particle": particles[order],
        "times": TIMES,
        "propensity": values[order],
    }


def _write_csv(path: Path, arrays: dict[str, np.ndarray]) -> None:
    lines = ["configuration,particle," + ",".join(f"{t:g}" for t in arrays["times"])]
    for row in zip(arrays["configuration"], arrays["particle"], arrays["propensity"], strict=True):
        lines.append(f"{row[0]},{row[1]}," + ",".join(map(str, row[2])))
    path.write_text("\n".join(lines) + "\n")


def _write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(path, **arrays)


each_format = pytest.mark.parametrize(
    ("name", "write"), [("p.csv", _write_csv), ("p.npz", _write_npz)]
)


@each_format
def test_rows_in_any_order_find_their_particles(
    dataset: Dataset, tmp_path: Path, name: str, write: Callable
) -> None:
    write(tmp_path / name, _arrays(dataset))
    file = PredictionFile(tmp_path / name, dataset)
    for k, configuration in enumerate(dataset):
        expected = N * k + np.arange(float(N))[:, None] + np.array([0.0, 0.5])
        np.testing.assert_array_equal(file.of(configuration), expected)


@each_format
def test_configurations_species_and_times_may_be_left_out(
    dataset: Dataset, tmp_path: Path, name: str, write: Callable
) -> None:
    arrays = _arrays(dataset)
    of_a = (dataset[0].species == 0)[arrays["particle"]] & (arrays["configuration"] == "c0")
    rows = {key: arrays[key][of_a] for key in ("configuration", "particle")}
    write(
        tmp_path / name, {**rows, "times": TIMES[1:], "propensity": arrays["propensity"][of_a, 1:]}
    )
    source = FilePredictions("ours", tmp_path / name, dataset)
    assert source.predict(dataset[1]) is None
    found = source.predict(dataset[0])
    assert found is not None
    assert np.isnan(found.propensity[:, 0]).all()
    np.testing.assert_array_equal(np.isfinite(found.propensity[:, 1]), dataset[0].species == 0)


@each_format
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a["configuration"].__setitem__(0, "x9"), "expected names of .*found 'x9'"),
        (lambda a: a["particle"].__setitem__(0, N), f"from 0 to {N - 1}; found {N}"),
        (lambda a: a["particle"].__setitem__(slice(None), 3), "one row per particle"),
        (lambda a: a["times"].__setitem__(0, 10.0), "different positive times"),
        (lambda a: a["times"].__setitem__(slice(None), [3.0, 4.0]), r"predicts \(3, 4\); found 1"),
        (lambda a: a["propensity"].__setitem__((0, 1), np.nan), "finite predictions"),
    ],
)
def test_wrong_contents_are_refused(
    dataset: Dataset, tmp_path: Path, name: str, write: Callable, change: Callable, message: str
) -> None:
    arrays = {key: values.copy() for key, values in _arrays(dataset).items()}
    change(arrays)
    write(tmp_path / name, arrays)
    with pytest.raises(InputError, match=message):  # noqa: PT012 - which of the two finds it
        source = FilePredictions("ours", tmp_path / name, dataset)
        for configuration in dataset:
            source.predict(configuration)


@each_format
def test_a_particle_that_is_missing_is_noticed(
    dataset: Dataset, tmp_path: Path, name: str, write: Callable
) -> None:
    arrays = _arrays(dataset)
    rows = {key: arrays[key][1:] for key in ("configuration", "particle", "propensity")}
    write(tmp_path / name, {**rows, "times": TIMES})
    file = PredictionFile(tmp_path / name, dataset)
    with pytest.raises(InputError, match=r"expected rows of all \d+ particles of species"):
        file.of(dataset[str(arrays["configuration"][0])])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.txt", "x", r"ends in \.csv or \.npz"),
        ("p.csv", "", "found nothing and 0 rows"),
        ("p.csv", "particle,configuration,1\n0,c0,2\n", "expected the columns configuration"),
        ("p.csv", "configuration,particle,late\nc0,0,2\n", "expected times as headings"),
        ("p.csv", "configuration,particle,1\nc0,0\n", "line 2: expected 3 values; found 2"),
        ("p.csv", "configuration,particle,1\nc0,zero,2\n", "expected numbers after the first"),
        ("p.npz", "no archive", "expected a complete npz file"),
    ],
)
def test_other_files_are_refused(
    dataset: Dataset, tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        PredictionFile(tmp_path / name, dataset)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": None}, "found configuration, particle, propensity"),
        ({"particle": np.zeros(3, dtype=int)}, r"found shapes \[3\] and \[60, 2\]"),
        ({"particle": np.zeros(60)}, "found <U2, float64 and float64"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(
    dataset: Dataset, tmp_path: Path, changes: dict, message: str
) -> None:
    arrays = {k: v for k, v in (_arrays(dataset) | changes).items() if v is not None}
    _write_npz(tmp_path / "p.npz", arrays)
    with pytest.raises(InputError, match=message):
        PredictionFile(tmp_path / "p.npz", dataset)
