"""`glassml data convert` and `glassml data info`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glassml.cli.app import app
from glassml.data import Dataset, DatasetWriter
from glassml.errors import InputError

NAMES = [f"isoconfig_N12T0.44_{i}_tc07.npz" for i in (10, 2)]


@pytest.fixture
def run():
    runner = CliRunner(env={"COLUMNS": "100"})

    def run(*arguments):
        return runner.invoke(app, ["data", *map(str, arguments)])

    return run


@pytest.fixture
def folder(write_botan, tmp_path):
    for name in NAMES:
        write_botan(f"set/{name}")
    return tmp_path / "set"


@pytest.fixture
def output(tmp_path):
    return tmp_path / "data.h5"


def test_convert_a_folder(run, folder, output):
    result = run("convert", folder, "-o", output)
    assert result.exit_code == 0
    assert f"{output}: 2 configurations" in result.output.replace("\n", "")
    assert Dataset(output).names == ("isoconfig_N12T0.44_2_tc07", "isoconfig_N12T0.44_10_tc07")


def test_options_reach_the_reader(run, write_botan, tmp_path, output):
    write_botan("mine.npz")
    result = run(
        *("convert", tmp_path / "*.npz", "-o", output, "--format", "botan", "--time", "2.5"),
        *("--species", "big,small", "--length-unit", "nm", "--limit", "1"),
    )
    assert result.exit_code == 0
    (configuration,) = Dataset(output)
    assert configuration.times.tolist() == [2.5]
    assert configuration.species_names == ("big", "small")
    assert configuration.length_unit == "nm"


def test_several_nominal_times(run, write_deepmind, output):
    path = write_deepmind()
    assert (
        run("convert", path, "-o", output, *["--time", "1", "--time", "2", "--time", "3"]).exit_code
        == 0
    )
    assert Dataset(output).common_times().tolist() == [1.0, 2.0, 3.0]


def test_scalars(run, tmp_path, output):
    path = tmp_path / "melt.dump"
    path.write_text(
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
        "ITEM: ATOMS id type x y z c_pe c_q\n1 1 0 0 0 -1 5\n2 2 1 1 1 -2 6\n"
    )
    arguments = ["--species", "A,B", "--scalar", "potential_energy=c_pe", "--scalar", "c_q"]
    assert run("convert", path, "-o", output, *arguments).exit_code == 0
    scalars = Dataset(output)[0].scalars
    assert {name: values.tolist() for name, values in scalars.items()} == {
        "potential_energy": [-1.0, -2.0],
        "c_q": [5.0, 6.0],
    }


def test_an_existing_file_is_kept(run, folder, output):
    output.write_text("precious")
    result = run("convert", folder, "-o", output)
    assert isinstance(result.exception, InputError)
    assert "found one that exists" in str(result.exception)
    assert output.read_text() == "precious"
    assert run("convert", folder, "-o", output, "--overwrite").exit_code == 0
    assert len(Dataset(output)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "shiba"], "format: expected one of"),
        (["--species", "A=,B"], "species: expected names"),
        (["--limit", "0"], "limit: expected at least 1"),
        (["--time", "1", "--time", "2"], "time: expected 1 times"),
        (["--scalar", "energy"], "expected a scalar 'energy'"),
        (["--length-unit", "inch"], "length_unit: expected one of"),
    ],
)
def test_mistakes(run, folder, output, arguments, message):
    result = run("convert", folder, "-o", output, *arguments)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert not output.exists()


def test_info(run, folder, output):
    run("convert", folder, "-o", output)
    result = run("info", output)
    assert result.exit_code == 0
    for text in ("2 (2 with labels)", "A: 18, B: 6", "4120", "1.2", "Shiba", "temperature"):
        assert text in result.output


def test_info_for_programs(run, folder, output):
    run("convert", folder, "-o", output)
    facts = json.loads(run("info", output, "--json").output)
    dataset = Dataset(output)
    assert facts["sha256"] == dataset.sha256
    assert facts["n_configurations"] == 2
    assert facts["n_particles"] == [12, 12]
    assert facts["species_counts"] == {"A": 18, "B": 6}
    assert facts["times"] == [4120.0]
    assert facts["n_runs"] == [3, 3]
    assert facts["provenance"]["source"] == NAMES[::-1]
    labels = {(row["species"], row["time"]): row for row in facts["labels"]}
    expected = dataset[0].propensity[:9].mean() / 2 + dataset[1].propensity[:9].mean() / 2
    assert labels["A", 4120.0]["mean"] == pytest.approx(expected, rel=1e-14)
    assert labels["A", 4120.0]["count"] == 18


def test_info_of_unlabelled_data_and_of_mixed_times(run, write_deepmind, tmp_path, output):
    one = write_deepmind("one.pickle")
    two = write_deepmind("two.pickle", time=[0.0, 0.6, 1.5, 10.0, 20.0])
    run("convert", one, two, "-o", output)
    assert "differ between configurations" in run("info", output).output
    assert json.loads(run("info", output, "--json").output)["times"] is None
    path = tmp_path / "cu.xyz"
    path.write_text('1\nLattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3\nCu 0 0 0\n')
    assert run("convert", path, "-o", output, "--overwrite", "--species", "Cu=A").exit_code == 0
    assert "none (unlabelled)" in run("info", output).output


def test_the_command_itself(folder, output):
    command = [str(Path(sys.executable).with_name("glassml")), "data"]
    converted = subprocess.run(
        [*command, "convert", str(folder), "-o", str(output)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (converted.returncode, converted.stderr) == (0, "")
    assert converted.stdout == f"{output}: 2 configurations\n"
    failed = subprocess.run(
        [*command, "info", str(folder / NAMES[0])], capture_output=True, text=True, timeout=120
    )
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"error: {folder / NAMES[0]}: expected an HDF5 dataset")
    assert "Traceback" not in failed.stderr


def test_info_on_a_folder(run, folder):
    result = run("info", folder)
    assert isinstance(result.exception, InputError)
    assert f"{folder}: expected a dataset; found a folder" in str(result.exception)


def test_info_shows_warnings_and_what_else_is_known(run, make_complete, output):
    with DatasetWriter(output, {"warnings": ["T = 0.3 [not] equilibrated"]}) as writer:
        writer.add(make_complete(n=40))
        writer.add(make_complete(n=40, predictions={}, name="second"))
    printed = run("info", output).output
    assert printed.startswith("warning: T = 0.3 [not] equilibrated\n")
    for text in ("inherent", "mean_displacement", "BOTAN (1 of 2)", "noise ceiling"):
        assert text in printed
    facts = json.loads(run("info", output, "--json").output)
    assert facts["warnings"] == ["T = 0.3 [not] equilibrated"]
    assert facts["structures"] == {"inherent": 2}
    assert facts["predictions"] == {"BOTAN": 1}
    assert set(facts["statistics"]) == {
        "square_displacement",
        "mean_displacement",
        "propensity_halves",
    }


def test_labels_and_directions_reach_the_reader(run, tmp_path, output):
    rows = "".join(f"{i + 1} 1 {i % 5} {i // 5} 0\n" for i in range(25))
    (tmp_path / "flat.dump").write_text(
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n25\nITEM: BOX BOUNDS pp pp pp\n0 5\n0 5\n0 1\n"
        f"ITEM: ATOMS id type x y z\n{rows}"
    )
    (tmp_path / "flat.txt").write_text("".join(f"{i + 1} {i / 25}\n" for i in range(25)))
    result = run(
        *("convert", tmp_path / "flat.dump", "-o", output, "--species", "A", "--time", "3"),
        *("--labels", tmp_path / "{stem}.txt", "--pbc", "T,t,F"),
    )
    assert result.exit_code == 0
    (configuration,) = Dataset(output)
    assert configuration.propensity[:, 0].tolist() == [i / 25 for i in range(25)]
    assert configuration.plane == 2
    printed = run("info", output).output
    assert "dimensions" in printed
    wrong = run("convert", tmp_path / "flat.dump", "-o", output, "--overwrite", "--pbc", "T,T")
    assert "--pbc: expected T or F for each lattice direction" in str(wrong.exception)


def test_final_positions_are_kept_on_request(run, folder, output, tmp_path):
    assert run("convert", folder, "-o", output, "--final-positions").exit_code == 0
    name = Dataset(output).names[0]
    assert Dataset(output).has_final_positions(name)
    # And when the dataset is converted in its turn, again on request only.
    again = tmp_path / "again.h5"
    assert run("convert", output, "-o", again).exit_code == 0
    assert not Dataset(again).has_final_positions(name)
    assert run("convert", output, "-o", again, "--final-positions", "--overwrite").exit_code == 0
    assert Dataset(again).sha256 == Dataset(output).sha256


@pytest.fixture
def ten(make_complete, output):
    with DatasetWriter(output) as writer:
        for k in range(10):
            provenance = {"temperature": 0.44 if k < 3 else 0.5}
            writer.add(make_complete(name=f"c{k}", provenance=provenance))
    return output


def test_split(run, ten, tmp_path):
    arguments = ("split", ten, "--part", "train=0.7", "--part", "test=2", "--seed", "1")
    result = run(*arguments)
    assert result.exit_code == 0
    train, test = Dataset(tmp_path / "data_train.h5"), Dataset(tmp_path / "data_test.h5")
    assert (len(train), len(test)) == (7, 2)
    assert not set(train.names) & set(test.names)
    assert "in no part: 1 configurations" in result.output
    assert train.description["split"]["seed"] == 1
    assert train.description["split"]["sizes"] == {"train": 7, "test": 2}
    assert "found one that exists" in str(run(*arguments).exception)
    assert run(*arguments, "--overwrite").exit_code == 0
    assert run("split", ten, "--by", "temperature", "-o", tmp_path / "parts").exit_code == 0
    assert len(Dataset(tmp_path / "parts" / "data_temperature0.44.h5")) == 3
    assert len(Dataset(tmp_path / "parts" / "data_temperature0.5.h5")) == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected either --part"),
        (["--part", "a=1", "--by", "x"], "expected either --part"),
        (["--part", "train"], "--part: expected NAME=SIZE"),
        (["--part", "a/b=0.5"], "--part: expected NAME=SIZE"),
        (["--part", "a=half"], "--part: expected NAME=SIZE"),
        (["--part", "a=1", "--part", "a=2"], "found 'a' twice"),
    ],
)
def test_split_mistakes(run, ten, tmp_path, arguments, message):
    result = run("split", ten, *arguments)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert sorted(tmp_path.glob("*.h5")) == [ten]


def test_merge(run, ten, tmp_path):
    run("split", ten, "--part", "a=0.5", "--part", "b=0.5")
    merged = tmp_path / "merged.h5"
    parts = [tmp_path / "data_a.h5", tmp_path / "data_b.h5"]
    result = run("merge", *parts, "-o", merged)
    assert result.exit_code == 0
    assert f"{merged}: 10 configurations" in result.output.replace("\n", "")
    assert sorted(Dataset(merged).names) == sorted(Dataset(ten).names)
    assert "found one that exists" in str(run("merge", *parts, "-o", merged).exception)


def test_validate(run, folder, output, ten):
    bad = run("validate", ten, "--min-distance", "0.1")  # numbers drawn at random
    assert bad.exit_code == 1
    assert f"{ten}: c0: labels: expected propensity <|dr|> at least" in bad.output
    assert "complaints" in bad.output
    run("convert", folder, "-o", output, "--overwrite", "--limit", "1")
    good = run("validate", output, "--min-distance", "1e-6")
    assert good.exit_code == 0
    assert f"{output}: 1 configurations, good" in good.output.replace("\n", "")
    wrong = run("validate", output, "--min-distance", "-1")
    assert "--min-distance: expected a positive length" in str(wrong.exception)
