"""Converting many files into one dataset; interruptions."""

from __future__ import annotations

import signal
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from glassml.data import Dataset, convert, find_inputs, summarise
from glassml.errors import InputError
from glassml.progress import Progress

NAMES = [f"isoconfig_N12T0.44_{i}_tc07.npz" for i in (10, 2, 1)]


@pytest.fixture
def folder(write_botan, tmp_path):
    for name in NAMES:
        write_botan(f"set/{name}")
    return tmp_path / "set"


def test_folders_come_in_natural_order(folder):
    (folder / "LICENSE").write_text("")
    expected = [folder / NAMES[k] for k in (2, 1, 0)]
    assert find_inputs([folder]) == expected
    assert find_inputs([str(folder)], "botan") == expected
    assert find_inputs([f"{folder}/*.npz"]) == expected
    assert find_inputs([folder / NAMES[0], f"{folder}/*_1_*"]) == [expected[2], expected[0]]
    assert find_inputs([folder, folder / NAMES[0]]) == expected  # each once


def test_inputs_that_stand_for_no_file(folder):
    with pytest.raises(InputError, match=r"absent: expected a file, a folder or a pattern .* none"):
        find_inputs([folder / "absent"])
    with pytest.raises(InputError, match=r"expected files ending in .pickle, .pkl in this folder"):
        find_inputs([folder], "deepmind")
    with pytest.raises(InputError, match=r"format: expected one of .*found 'shiba'"):
        find_inputs([folder], "shiba")


class Recorded(Progress):
    """Keeps each stage with its total, and the files in the order in which they were done."""

    def __init__(self):
        self.stages, self.done = [], []

    def watch(self, items, what, total=None):
        self.stages.append((what, total))
        for path, prefix in items:
            yield path, prefix
            self.done.append(path)


def test_convert(folder, tmp_path):
    progress = Recorded()
    output = tmp_path / "out" / "data.h5"
    assert convert(find_inputs([folder]), output, progress=progress) == 3
    assert progress.stages == [("converting", 3)]
    assert progress.done == find_inputs([folder])
    dataset = Dataset(output)
    assert dataset.names == tuple(f"isoconfig_N12T0.44_{i}_tc07" for i in (1, 2, 10))
    assert dataset.common_times().tolist() == [4120.0]


def test_limit(folder, tmp_path):
    assert convert(find_inputs([folder]), tmp_path / "data.h5", limit=2) == 2
    with pytest.raises(InputError, match="limit: expected at least 1 configuration; found 0"):
        convert(find_inputs([folder]), tmp_path / "data.h5", limit=0)


def test_formats_may_be_mixed(folder, write_deepmind, tmp_path):
    paths = [folder / NAMES[0], write_deepmind()]
    assert convert(paths, tmp_path / "data.h5") == 2
    with pytest.raises(InputError, match="times: expected the same times in all configurations"):
        Dataset(tmp_path / "data.h5").common_times()


def test_datasets_may_be_merged(folder, tmp_path, same):
    paths = find_inputs([folder])
    convert(paths[:1], tmp_path / "one.h5")
    convert(paths[1:], tmp_path / "two.h5")
    convert([tmp_path / "one.h5", tmp_path / "two.h5"], tmp_path / "both.h5")
    convert(paths, tmp_path / "all.h5")
    both, everything = Dataset(tmp_path / "both.h5"), Dataset(tmp_path / "all.h5")
    assert both.sha256 == everything.sha256
    assert all(same(one, other) for one, other in zip(both, everything, strict=True))


def test_equal_file_names_are_told_apart_by_their_folders(write_botan, tmp_path):
    paths = [write_botan(f"T0.44/{part}/{NAMES[2]}") for part in ("train", "test")]
    convert(paths, tmp_path / "data.h5")
    stem = paths[0].stem
    assert Dataset(tmp_path / "data.h5").names == (f"train-{stem}", f"test-{stem}")


def test_one_bad_file_stops_the_conversion(folder, tmp_path):
    bad = folder / NAMES[0]
    bad.write_bytes(bad.read_bytes()[:100])
    output = tmp_path / "data.h5"
    with pytest.raises(InputError, match=NAMES[0]):
        convert(find_inputs([folder]), output, "botan")
    assert not output.exists()
    assert list(tmp_path.glob(".data*")) == []


def test_output_that_cannot_be_written(folder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write here"):
        convert(find_inputs([folder]), tmp_path / "file" / "data.h5")


WAITING = """
import signal, sys, time
from pathlib import Path
from glassml.data import convert, find_inputs
from glassml.progress import Progress

# Shells start programs in the background with this signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Waiting(Progress):
    def watch(self, items, what, total=None):
        for path, prefix in items:
            yield path, prefix
            print(path, flush=True)
            time.sleep(60)

convert(find_inputs([sys.argv[1]]), sys.argv[2], progress=Waiting())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("existing", [b"", b"an older file"])
def test_an_interrupted_conversion_changes_nothing(folder, tmp_path, how, existing):
    output = tmp_path / "data.h5"
    output.write_bytes(existing)
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, str(folder), str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline().endswith(f"{NAMES[2]}\n")  # one file is converted
        process.send_signal(how)
        process.communicate(timeout=60)
    assert process.returncode == -how
    assert output.read_bytes() == existing
    # A killed process cannot tidy up; what it leaves does not look like a result.
    left = [path.name for path in tmp_path.glob("*data*.h5") if path != output]
    assert all(name.startswith(".data.") and ".partial" in name for name in left)
    assert len(left) == (how == signal.SIGKILL)

    convert(find_inputs([folder]), output)  # the same command, once more
    assert len(Dataset(output)) == 3


@pytest.mark.shared_data
def test_published_configurations(shared_data, tmp_path):
    paths = find_inputs([shared_data / "botan_T0.44" / "train"])
    assert [path.name.split("_")[2] for path in paths] == [str(i) for i in range(1, 11)]
    convert(paths, tmp_path / "data.h5", limit=4)
    summary = summarise(Dataset(tmp_path / "data.h5"))
    assert summary.species_counts == {"A": 4 * 3277, "B": 4 * 819}
    assert summary.number_density == pytest.approx((1.2, 1.2), rel=1e-12)
    assert summary.times == [4120.0]
    means = {row.species: row.mean for row in summary.labels}
    # At the relaxation time A particles have moved by about half a diameter, and B further. The
    # scatter between configurations is a few per cent.
    assert means["A"] == pytest.approx(0.53, abs=0.03)
    assert means["B"] == pytest.approx(0.98, abs=0.06)


def test_few_configurations_are_in_memory(write_botan, tmp_path, rng):
    """The peak does not grow with the number of files, and is that of a few configurations."""
    n, n_runs = 2000, 20
    box = (n / 1.2) ** (1 / 3)
    names = [f"isoconfig_N{n}T0.44_{i}_tc07.npz" for i in range(1, 13)]
    for name in names:
        initial = rng.uniform(0, box, (n, 3))
        write_botan(
            f"big/{name}",
            types=np.repeat([0, 1], [1600, 400]),
            initial_positions=initial,
            positions=initial + rng.normal(0, 0.2, (n_runs, n, 3)),
        )
    paths = [tmp_path / "big" / name for name in names]
    convert(paths[:1], tmp_path / "warm.h5")  # what is imported and kept once
    peaks = {}
    for number in (3, 12):
        tracemalloc.start()
        convert(paths[:number], tmp_path / "data.h5")
        peaks[number] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    one = n_runs * n * 3 * 8  # bytes of the runs, the bulk of a file
    assert peaks[12] < 8 * one
    assert peaks[12] < 1.1 * peaks[3] + 1e5
