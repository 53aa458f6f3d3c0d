"""The HDF5 dataset: exact, whole or absent, readable by many."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import h5py
import numpy as np
import pytest
from file_formats import documented

from glassml.data import REVERSED_FROM, Configuration, Dataset, DatasetWriter, summarise
from glassml.data.rearranging import parts_by_key
from glassml.data.storage import OutputStream, content_hash
from glassml.errors import InputError


@pytest.fixture
def write(tmp_path):
    def write(configurations, name="data.h5"):
        path = tmp_path / name
        with DatasetWriter(path) as writer:
            for configuration in configurations:
                writer.add(configuration)
        return path

    return write


@pytest.fixture
def configurations(make_complete):
    return [make_complete(name=name, n=n) for name, n in (("ten", 10), ("two", 2), ("b", 3))]


def test_what_identifies_a_configuration_is_read_without_it(write, configurations):
    start = replace(configurations[0], provenance={REVERSED_FROM: "f" * 64}, name="run")
    with Dataset(write([*configurations, start])) as dataset:
        expected = {c.name: c.positions_sha256 for c in dataset}
        assert dataset.positions_sha256 == expected
        assert len(set(expected.values())) == 3  # "run" has the positions of "ten"
        assert [dataset.reversed_from(name) for name in dataset.names] == [None] * 3 + ["f" * 64]


def test_damaged_positions_are_named(write, configurations):
    path = write(configurations)
    with h5py.File(path, "a") as file:
        del file["configurations/two/positions"]
    with pytest.raises(InputError, match=r"configurations/two: .*found damage"):
        _ = Dataset(path).positions_sha256


def test_round_trip_is_exact(write, configurations, same):
    with Dataset(write(configurations)) as dataset:
        assert len(dataset) == 3
        assert dataset.names == ("ten", "two", "b")  # the order of writing
        assert dataset.species_names == ("A", "B")
        assert dataset.length_unit == "lj"
        for index, (expected, found) in enumerate(zip(configurations, dataset, strict=True)):
            assert same(found, expected)
            assert same(dataset[index], expected)
            assert same(dataset[index - 3], expected)
            assert same(dataset[expected.name], expected)
        with pytest.raises(IndexError):
            dataset[3]
        with pytest.raises(KeyError, match="no configuration 'three'"):
            dataset["three"]


def test_optional_fields_may_be_absent(write, make_configuration, same):
    bare = make_configuration(
        **{name: {} for name in ("scalars", "structures", "statistics", "predictions")},
        **dict.fromkeys(("times", "propensity", "n_runs")),
        provenance={},
        length_unit="nm",
    )
    found = Dataset(write([bare]))[0]
    assert same(found, bare)
    assert found.length_unit == "nm"


def test_provenance_keeps_its_types(write, make_configuration):
    provenance = {"text": "a/b ü", "integer": 2**40, "number": 0.1}
    found = Dataset(write([make_configuration(provenance=provenance)]))[0].provenance
    assert found == provenance
    assert [type(found[key]) for key in provenance] == [str, int, float]


def test_checksum_is_of_the_contents(write, configurations):
    first = Dataset(write(configurations, "a.h5")).sha256
    assert first == Dataset(write(configurations, "b.h5")).sha256
    retold = [replace(c, provenance={"source": "elsewhere"}) for c in configurations]
    assert first == Dataset(write(retold, "c.h5")).sha256
    moved = configurations[1].positions.copy()
    moved[0, 0] = np.nextafter(moved[0, 0], 10.0)
    others = [
        [
            replace(configurations[0], positions=configurations[0].positions + 1),
            *configurations[1:],
        ],
        [configurations[0], replace(configurations[1], positions=moved), configurations[2]],
        [replace(configurations[0], n_runs=5), *configurations[1:]],
        [replace(configurations[0], scalars={}), *configurations[1:]],
        [replace(configurations[0], structures={}), *configurations[1:]],
        [replace(configurations[0], statistics={}), *configurations[1:]],
        [replace(configurations[0], predictions={}), *configurations[1:]],
        [
            replace(configurations[0], final_positions=np.zeros((4, 2, 10, 3))),
            *configurations[1:],
        ],
        [replace(configurations[0], name="other"), *configurations[1:]],
        [replace(c, species_names=("B", "A")) for c in configurations],
        configurations[:2],
        configurations[::-1],
    ]
    hashes = {Dataset(write(other, "d.h5")).sha256 for other in others}
    assert len(hashes | {first}) == len(others) + 1


def test_checksum_of_one_configuration(write, make_configuration):
    one = make_configuration(name="one")
    twin = replace(one, name="twin", provenance={"origin": "elsewhere"})
    other = replace(one, name="other", positions=one.positions + 0.125)
    dataset = Dataset(write([one, twin, other]))
    assert dataset.checksum("one") == dataset.checksum("twin") == content_hash(one)
    assert dataset.checksum("other") == content_hash(other) != content_hash(one)
    with pytest.raises(InputError, match="expected the name of a configuration; found 'absent'"):
        dataset.checksum("absent")


def test_times(write, make_configuration):
    one = make_configuration(name="one")
    assert Dataset(write([one, replace(one, name="two")])).common_times().tolist() == [0.5, 4.0]
    rounded = replace(one, name="two", times=[0.5, 4.000002])  # printed alike
    assert Dataset(write([one, rounded])).common_times().tolist() == [0.5, 4.0]
    mixed = write([one, replace(one, name="two", times=[0.5, 5.0])])
    with pytest.raises(InputError, match=r"\[0.5, 4.0\] in one but \[0.5, 5.0\] in two"):
        Dataset(mixed).common_times()
    unlabelled = write([one, replace(one, name="two", times=None, propensity=None)])
    with pytest.raises(InputError, match="two: propensity: expected labels; found an unlabelled"):
        Dataset(unlabelled).common_times()


def test_configurations_must_belong_together(write, make_configuration, tmp_path):
    one = make_configuration(name="one")
    cases = {
        r"two: species_names: expected \('A', 'B'\) as in one, .*found \('B', 'A'\)": replace(
            one, name="two", species_names=("B", "A")
        ),
        r"two: length_unit: expected 'lj' as in one, .*found 'nm'": replace(
            one, name="two", length_unit="nm"
        ),
        r"name: expected different names; found two configurations 'one'": one,
        r"name: expected a name without '/'; found 'a/b'": replace(one, name="a/b"),
        r"name: expected a name without '/'; found ''": replace(one, name=""),
    }
    for message, other in cases.items():
        with pytest.raises(InputError, match=message):
            write([one, other])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_written_when_the_block_fails(write, make_configuration, tmp_path, error):
    path = write([make_configuration(name="old")])

    def write_some_and_fail():
        with DatasetWriter(path) as writer:
            writer.add(make_configuration(name="new"))
            raise error

    with pytest.raises(error):
        write_some_and_fail()
    assert Dataset(path).names == ("old",)
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_while_hdf5_writes_comes_afterwards(
    write, make_configuration, tmp_path, monkeypatch
):
    """An exception in the stream would end in a segmentation fault."""
    path = write([make_configuration(name="old")])
    of_stream = OutputStream.write

    def interrupted(self, data):
        os.kill(os.getpid(), signal.SIGINT)
        return of_stream(self, data)

    monkeypatch.setattr(OutputStream, "write", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            write([make_configuration(name="new")])
    finally:
        signal.signal(signal.SIGINT, before)
    assert Dataset(path).names == ("old",)
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_dataset_is_refused(tmp_path):
    writer = DatasetWriter(tmp_path / "empty.h5")
    with pytest.raises(InputError, match=r"empty\.h5: expected configurations .* none"), writer:
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_writer_must_be_opened(tmp_path, make_configuration):
    with pytest.raises(InputError, match="found a writer that is not open"):
        DatasetWriter(tmp_path / "data.h5").add(make_configuration())


def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path):
    script = """
        import resource, signal, sys
        import numpy as np
        from glassml.data import Configuration, DatasetWriter
        from glassml.errors import InputError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        rng = np.random.default_rng(1)
        try:
            with DatasetWriter(sys.argv[1]) as writer:
                for k in range(10):
                    writer.add(Configuration(positions=rng.uniform(size=(200, 3)), cell=np.eye(3),
                        species=np.zeros(200, int), species_names=("A",), name=str(k)))
        except InputError as error:
            print(error)
    """
    path = tmp_path / "out" / "data.h5"
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.stdout.startswith(f"{path}: cannot write here (File too large)")
    assert finished.stderr == ""  # no noise from HDF5's destructors
    assert finished.returncode == 0
    assert list(path.parent.iterdir()) == []


def test_files_that_are_no_datasets(tmp_path, write, make_configuration):
    with pytest.raises(InputError, match=r"absent\.h5: expected a dataset; found no such file"):
        Dataset(tmp_path / "absent.h5")
    text = tmp_path / "text.h5"
    text.write_text("not HDF5")
    with pytest.raises(InputError, match=r"text\.h5: expected an HDF5 dataset; found a damaged"):
        Dataset(text)
    other = tmp_path / "other.h5"
    h5py.File(other, "w").close()
    with pytest.raises(InputError, match=r"other\.h5: format: .*'glassml-dataset'; found None"):
        Dataset(other)
    path = write([make_configuration()])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"data\.h5: expected an HDF5 dataset; found a damaged"):
        Dataset(path)


def test_unknown_format_version(write, make_configuration):
    path = write([make_configuration()])
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 3
    with pytest.raises(
        InputError, match="format_version: expected 1 or 2; found 3, written by glassml"
    ):
        Dataset(path)


def test_missing_parts(write, make_configuration):
    path = write([make_configuration()])
    with h5py.File(path, "r+") as file:
        del file["configurations/sample/cell"]
    with pytest.raises(InputError, match=r"configurations/sample: .*found damage .*cell"):
        Dataset(path)[0]
    with h5py.File(path, "r+") as file:
        del file["configurations/sample"]
    with pytest.raises(InputError, match="expected configurations; found none"):
        Dataset(path)
    with h5py.File(path, "r+") as file:
        del file.attrs["length_unit"]
    with pytest.raises(InputError, match=r"found a damaged dataset .*length_unit"):
        Dataset(path)


def test_changed_values_are_noticed(write, make_configuration):
    path = write([make_configuration()])
    with h5py.File(path, "r+") as file:
        file["configurations/sample/propensity"][0, 0] += 0.1
    dataset = Dataset(path)
    with pytest.raises(InputError, match=r"sample: .* found others, by their checksum"):
        dataset.verify(dataset[0])
    with pytest.raises(InputError, match=r"sample: .* found others, by their checksum"):
        summarise(dataset)


def read_names_and_sums(dataset, repeats=20):
    sums = [[c.positions.sum() for c in dataset] for _ in range(repeats)]
    return dataset.names, sums[0], all(s == sums[0] for s in sums)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_several_processes_read_at_once(write, configurations, method):
    dataset = Dataset(write(configurations))
    expected = read_names_and_sums(dataset)  # the file is open when the others start
    assert expected[2]
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = [pool.apply_async(read_names_and_sums, (dataset,)) for _ in range(4)]
        assert read_names_and_sums(dataset) == expected
        assert [result.get(timeout=60) for result in results] == [expected] * 4


def test_a_forked_process_opens_the_file_for_itself(write, configurations, same):
    dataset = Dataset(write(configurations))
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(read_names_and_sums(dataset)))
    child.start()
    expected = read_names_and_sums(dataset)
    assert receiver.recv() == expected
    child.join(timeout=60)
    assert child.exitcode == 0
    assert same(dataset[0], configurations[0])  # the parent's file is still open


def test_a_dataset_may_be_pickled_and_closed(write, configurations, same):
    dataset = Dataset(write(configurations))
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - made in this line
    dataset.close()
    assert same(copy[0], configurations[0])
    assert same(dataset[0], configurations[0])  # opens again


def test_summary(write, make_configuration):
    one = make_configuration(name="one", n=4, propensity=[[1, 2], [3, 4], [5, 6], [7, 8]])
    two = make_configuration(
        name="two", n=2, propensity=[[9, 10], [1, 2]], n_runs=30, provenance={"source": "x"}
    )
    dataset = Dataset(write([one, two]))
    summary = summarise(dataset)
    assert summary.sha256 == dataset.sha256
    assert (summary.n_configurations, summary.n_labelled) == (2, 2)
    assert summary.n_particles == (2, 4)
    assert summary.species_counts == {"A": 3, "B": 3}
    assert summary.number_density == pytest.approx((2 / 60, 4 / 60), rel=1e-14)
    assert summary.times == [0.5, 4.0]
    assert summary.n_runs == (30, 32)
    assert summary.scalars == ["potential_energy"]
    assert summary.provenance == {
        "source": ["a test", "x"],
        "seed": [7],
        "temperature": [0.44],
    }
    rows = {(row.species, row.time): row for row in summary.labels}
    assert list(rows) == [("A", 0.5), ("A", 4.0), ("B", 0.5), ("B", 4.0)]
    a = rows["A", 0.5]  # the labels 1, 5 and 9
    assert (a.count, a.mean, a.minimum, a.maximum) == (3, 5.0, 1.0, 9.0)
    assert a.std == pytest.approx(np.std([1, 5, 9]), rel=1e-14)
    b = rows["B", 4.0]  # 4, 8 and 2
    assert (b.count, b.mean) == (3, pytest.approx(14 / 3, rel=1e-14))
    assert b.std == pytest.approx(np.std([4, 8, 2]), rel=1e-14)


def test_times_that_differ_by_rounding_are_one_time_in_a_summary(write, make_configuration):
    one = make_configuration(name="one")
    summary = summarise(Dataset(write([one, replace(one, name="two", times=[0.5, 4.000002])])))
    assert summary.times == [0.5, 4.0]
    assert [(row.species, row.time, row.count) for row in summary.labels] == [
        *(("A", 0.5, 6), ("A", 4.0, 6), ("B", 0.5, 4), ("B", 4.0, 4)),
    ]


def test_summary_of_unlabelled_and_of_mixed_data(write, make_configuration):
    bare = make_configuration(name="bare", times=None, propensity=None, n_runs=None)
    summary = summarise(Dataset(write([bare])))
    assert (summary.times, summary.labels, summary.n_runs) == ([], [], None)
    one = make_configuration(name="one")
    summary = summarise(Dataset(write([one, replace(one, name="two", times=[0.5, 5.0])])))
    assert summary.times is None
    assert [(row.species, row.time, row.count) for row in summary.labels] == [
        *(("A", 0.5, 6), ("A", 4.0, 3), ("A", 5.0, 3)),
        *(("B", 0.5, 4), ("B", 4.0, 2), ("B", 5.0, 2)),
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_final_positions_are_read_on_request(write, make_complete, same, rng, dtype):
    final = rng.normal(size=(4, 2, 5, 3)).astype(dtype)
    moved = make_complete(final_positions=final, name="moved")
    with Dataset(write([moved, make_complete(name="still")])) as dataset:
        assert dataset["moved"].final_positions is None
        assert same(dataset["moved"], replace(moved, final_positions=None))
        found = dataset.read("moved", final_positions=True)
        assert same(found, moved)
        assert found.final_positions.dtype == dtype
        assert dataset.read("still", final_positions=True).final_positions is None
        assert [dataset.has_final_positions(name) for name in dataset.names] == [True, False]
        dataset.verify(found)
        dataset.verify(dataset["moved"])  # which needs nothing that was not read
        summary = summarise(dataset)
    assert summary.n_final_positions == 1


def test_damage_of_final_positions_is_found(write, make_complete):
    path = write([make_complete(final_positions=np.zeros((4, 2, 5, 3)))])
    with h5py.File(path, "r+") as file:
        file["configurations/sample/final_positions"][0, 0, 0, 0] = 1.0
    dataset = Dataset(path)
    dataset.verify(dataset["sample"])
    with pytest.raises(InputError, match=r"sample: .* found others, by their checksum"):
        dataset.verify(dataset.read("sample", final_positions=True))


def test_version_1_is_read(tmp_path, same):
    """As glassml 0.1 wrote it; the checksum is the one that it computed."""
    one = Configuration(
        positions=[[0.25, 0, 0], [1, 2, 1.5]],
        cell=4 * np.eye(3),
        species=[0, 1],
        species_names=("A", "B"),
        times=[1.0, 2.5],
        propensity=[[0.5, 1.0], [0.125, 0.25]],
        n_runs=32,
        scalars={"potential_energy": [-6.5, -7.0]},
        name="one",
        provenance={"temperature": 0.44},
    )
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(format="glassml-dataset", format_version=1, glassml_version="0.1.0")
        file.attrs.update(species_names=("A", "B"), length_unit="lj")
        group = file.create_group("configurations", track_order=True).create_group("one")
        for name in ("positions", "cell", "species", "times", "propensity"):
            group[name] = getattr(one, name)
        group["scalars/potential_energy"] = one.scalars["potential_energy"]
        group.create_group("provenance").attrs["temperature"] = 0.44
        group.attrs.update(pbc=[True] * 3, n_runs=32, sha256=V1_CHECKSUM)
    dataset = Dataset(path)
    assert same(dataset[0], one)
    assert dataset.description == {}
    assert summarise(dataset).structures == {}  # which checks the checksum too


V1_CHECKSUM = "b905608db24652e1e2a4d67554b96d6b52f68feedab23378ef340215b7b2245c"


def test_description(tmp_path, make_complete):
    description = {
        "system": {"name": "kob_andersen", "masses": [1, 1.5], "shifted": True, "note": None},
        "warnings": ["T = 0.3: not equilibrated", "few runs"],
        "input": "pair_style lj/cut 2.5\n" * 10_000,  # larger than an attribute of fixed length
    }
    path = tmp_path / "described.h5"
    with DatasetWriter(path, description) as writer:
        writer.add(make_complete())
    dataset = Dataset(path)
    assert dataset.description == description
    assert summarise(dataset).warnings == description["warnings"]


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"warnings": "one"}, "warnings: expected a list of texts; found 'one'"),
        ({"warnings": [1]}, r"warnings: expected a list of texts; found \[1\]"),
        ({"box": np.eye(3)}, "expected nested mappings of texts and finite numbers"),
        ({"energy": float("nan")}, "expected nested mappings of texts and finite numbers"),
        ({0.44: "temperature"}, "expected texts as names; found other keys"),
    ],
)
def test_descriptions_are_plain(tmp_path, description, message):
    with pytest.raises(InputError, match=rf"data\.h5: description: {message}"):
        DatasetWriter(tmp_path / "data.h5", description)


def test_configurations_are_copied_as_they_are(tmp_path, write, make_complete, same):
    final = np.arange(4 * 2 * 5 * 3.0).reshape(4, 2, 5, 3)
    source = Dataset(write([make_complete(final_positions=final)], "source.h5"))
    with DatasetWriter(tmp_path / "copy.h5") as writer:
        writer.copy(source, "sample")
        writer.copy(source, "sample", "again")
        with pytest.raises(InputError, match="found two configurations 'again'"):
            writer.copy(source, "sample", "again")
    copy = Dataset(tmp_path / "copy.h5")
    for name in ("sample", "again"):
        found = copy.read(name, final_positions=True)
        copy.verify(found)
        assert same(replace(found, name="sample"), source.read(0, final_positions=True))
    other = make_complete(species_names=("B", "A"), name="other")
    with DatasetWriter(tmp_path / "mixed.h5") as writer:
        writer.add(other)
        with pytest.raises(InputError, match="sample: species_names: expected"):
            writer.copy(source, "sample")


def test_noise_ceiling(write, make_complete, rng):
    """Labels of 2 x 100 runs: the halves tell how well the infinite average can be known."""
    configurations, truths = [], []
    for index in range(3):
        truth = 1.0 + index + rng.normal(0, 0.2, (4000, 2))
        halves = truth[:, :, None] + rng.normal(0, [[0.1], [0.4]], (4000, 2, 2))
        halves = np.abs(halves)
        configurations.append(
            make_complete(
                n=4000,
                propensity=halves.mean(axis=2),
                statistics={"propensity_halves": halves},
                name=str(index),
            )
        )
        truths.append(truth)
    summary = summarise(Dataset(write(configurations)))
    truth = np.concatenate(truths)
    labels = np.concatenate([c.propensity for c in configurations])
    species = np.concatenate([c.species for c in configurations])
    for row in summary.labels:
        chosen = species == ("A", "B").index(row.species)
        column = [0.5, 4.0].index(row.time)
        expected = np.corrcoef(truth[chosen, column], labels[chosen, column])[0, 1]
        # 6000 particles tell a correlation r to (1 - r^2) / sqrt(6000) = 0.002 at most here.
        assert row.noise_ceiling == pytest.approx(expected, abs=0.004)
    assert len(summary.labels) == 4


def test_no_noise_ceiling_without_halves_of_every_label(write, make_complete):
    whole = make_complete(name="whole", n=50)
    mixed = summarise(Dataset(write([whole, make_complete(name="bare", statistics={})])))
    assert [row.noise_ceiling for row in mixed.labels] == [None] * 4
    still = make_complete(statistics={"propensity_halves": np.ones((5, 2, 2))})
    assert [row.noise_ceiling for row in summarise(Dataset(write([still]))).labels] == [None] * 4


@pytest.mark.parametrize("text", ["{", "3", "[1]"])
def test_damaged_descriptions_are_told(write, make_configuration, text):
    path = write([make_configuration()])
    with h5py.File(path, "r+") as file:
        file.attrs["description"] = text
    with pytest.raises(InputError, match=r"data\.h5: expected species, .*found a damaged dataset"):
        Dataset(path)


def test_text_attributes_may_be_bytes(write, make_configuration, same):
    """Other programs store text of fixed length, which h5py gives as bytes."""
    configuration = make_configuration()
    path = write([configuration])
    with h5py.File(path, "r+") as file:
        stored = file["configurations/sample"]
        for owner in (file, stored, stored["provenance"]):
            for name, value in owner.attrs.items():
                if isinstance(value, str):
                    owner.attrs[name] = np.bytes_(value)
        file.attrs["species_names"] = np.array([b"A", b"B"])
        assert isinstance(file.attrs["format"], bytes)
    with Dataset(path) as dataset:
        found = dataset[0]
        assert same(found, configuration)
        dataset.verify(found)
        assert (dataset.species_names, dataset.length_unit) == (("A", "B"), "lj")
        assert parts_by_key(dataset, "source") == {"sourcea-test": ["sample"]}


@pytest.mark.parametrize(
    ("owner", "name", "value", "message"),
    [
        ("/", "species_names", "AB", "expected a list of names; found 'AB'"),
        ("configurations/sample", "pbc", np.bytes_("TTF"), "pbc: expected three truth values"),
        ("configurations/sample", "pbc", [1, 1, 2], "pbc: expected three truth values"),
    ],
)
def test_attributes_that_python_would_misread(
    write, make_configuration, owner, name, value, message
):
    path = write([make_configuration()])
    with h5py.File(path, "r+") as file:
        file[owner].attrs[name] = value
    with pytest.raises(InputError, match=message):
        Dataset(path)[0]


def test_the_reference_names_everything_in_a_file(write, make_complete):
    final = np.zeros((4, 2, 5, 3))
    everything = make_complete(final_positions=final)
    names = []
    with h5py.File(write([everything])) as file:
        names += file.attrs
        group = file["configurations/sample"]
        group.visititems(lambda name, item: names.extend([name, *item.attrs]))
        names += group.attrs
    known = documented("Datasets")
    mappings = {name.split("/")[0] for name in known if name.endswith("/<name>")}
    expected = {name for name in names if name.split("/")[0] not in mappings}
    assert {"positions", "final_positions", "n_runs", "description", "seed"} <= expected
    assert expected - {"source", "seed"} <= known  # these two are provenance of this test
    assert mappings == {"scalars", "structures", "statistics", "predictions"}
    inside = {
        name.split("/")[1] for name in names if name.split("/")[0] in mappings and "/" in name
    }
    assert inside - {"BOTAN"} <= known  # the name of another model
