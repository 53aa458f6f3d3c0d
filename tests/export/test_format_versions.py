"""Model files of format 1 run as before, and those that ship now differ from them in words only."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from glassml_ase import GlassMLCalculator

from glassml.data import (
    Configuration,
    Dataset,
    atoms_from_configuration,
    convert,
    find_inputs,
)
from glassml.errors import ModelFileError
from glassml.export import read_manifest, rewrite_manifest, save_model
from glassml.inference import Predictor
from glassml.models import build
from glassml.pretrained import pretrained_names, pretrained_path
from glassml.provenance import Side, TrainingRecord

SEVEN = {"species": "A", "time": 1.0, "kind": "mean", "value": 7}
FORMAT_1 = Path(__file__).parent / "format_1"
each_model = pytest.mark.parametrize("name", sorted(path.stem for path in FORMAT_1.glob("*.pt")))


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    """With what the models read: the shipped dataset has inherent structures and energies."""
    return Dataset("kob_andersen_T0.64")[0]


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def manifest_text(path: Path) -> dict[str, Any]:
    found = entries(path)
    return json.loads(next(v for k, v in found.items() if k.endswith("/extra/manifest.json")))


def test_all_shipped_models_of_format_1_are_kept() -> None:
    names = {path.stem for path in FORMAT_1.glob("*.pt")}
    assert names <= set(pretrained_names())
    assert len(names) == 3
    for name in names:
        assert manifest_text(FORMAT_1 / f"{name}.pt")["format_version"] == 1
        assert manifest_text(pretrained_path(name))["format_version"] == 3


@each_model
def test_code_and_tensors_are_the_same_bytes(name: str) -> None:
    old, new = entries(FORMAT_1 / f"{name}.pt"), entries(pretrained_path(name))
    assert list(old) == list(new)
    assert [key for key in old if old[key] != new[key]] == ["archive/extra/manifest.json"]


@each_model
def test_predictions_are_those_of_before(name: str, configuration: Configuration) -> None:
    old = Predictor(FORMAT_1 / f"{name}.pt", device="cpu")
    new = Predictor(pretrained_path(name), device="cpu")
    outputs = [output.name for output in old.manifest.outputs]
    before, after = (p.predict([configuration], outputs)[0] for p in (old, new))
    for output in outputs:
        np.testing.assert_array_equal(before[output], after[output])
    with np.load(FORMAT_1 / "propensity.npz") as stored:
        written = stored[name]
    # Of the code that wrote format 1. Other processors add in another order, in float32: with other
    # vector instructions, or none, the largest difference was 2e-5 of the largest value, in the
    # committee, whose ridge regression adds large terms of both signs; in the networks 5e-7.
    largest = np.abs(written).max(axis=0)
    np.testing.assert_allclose(before["propensity"] / largest, written / largest, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["kob_andersen_T0.44", "kob_andersen_T0.64_multitime"])
def test_both_formats_in_the_ase_calculator(name: str, configuration: Configuration) -> None:
    atoms = atoms_from_configuration(configuration)
    found = [
        GlassMLCalculator(path, species=("A", "B"), device="cpu").get_property("propensity", atoms)
        for path in (FORMAT_1 / f"{name}.pt", pretrained_path(name))
    ]
    np.testing.assert_array_equal(*found)


@each_model
def test_facts_of_the_old_manifest_are_in_the_new_one(name: str) -> None:
    """Read as JSON, without the code that migrates."""
    old, new = manifest_text(FORMAT_1 / f"{name}.pt"), manifest_text(pretrained_path(name))
    changed = {"format_version", "training", "domain", "window"}  # null windows are stated now
    assert {k: v for k, v in old.items() if k not in changed} == {
        k: v for k, v in new.items() if k not in changed
    }
    before, after = old["training"], new["training"]
    assert after["accuracy"]["protocol"] == before["accuracy"]["protocol"]
    numbers = ("species", "time", "kind", "value", "error")
    assert [tuple(score[key] for key in numbers) for score in after["accuracy"]["scores"]] == [
        tuple(entry[key] for key in numbers) for entry in before["accuracy"]["pearson"]
    ]
    members = before.get("members", [before])
    assert len(after.get("members", [after])) == len(members)
    for member, record in zip(members, after.get("members", [after]), strict=True):
        check_member(member, record)


def check_member(member: dict[str, Any], record: dict[str, Any]) -> None:
    for stage in ("train", "validation"):
        known = record.get(stage, {}).get("configurations", [])
        assert [configuration["name"] for configuration in known] == member[stage]
        number = member.get(f"{stage}_configurations", len(member[stage]))
        assert record.get(stage, {}).get("number", 0) == number
        metrics = member.get("metrics", {})
        # What was called the loss of the training was weighted.
        loss = {"train": "weighted_loss", "validation": "loss"}[stage]
        assert record.get(stage, {}).get(loss) == metrics.get(f"{stage}/loss")
        named = {
            f"{stage}/pearson_{s['kind']}/{s['species']}/t={s['time']:.10g}": s["value"]
            for s in record.get(stage, {}).get("scores", [])
        }
        assert named == {k: v for k, v in metrics.items() if k.startswith(stage) and "/t=" in k}
    for new, old in zip(record.get("data", []), member.get("data", []), strict=True):
        assert {k: new[k] for k in old} == old
    assert record.get("reversed_runs", {}).get("number", 0) == member.get("reversed_runs", 0)
    for key in ("epoch", "split", "versions"):
        assert record.get(key) == member.get(key)
    origin = member.get("origin", {})
    for entry in set(origin) - {"n_runs", "reversed_from"}:
        assert record["origin"][entry] == origin[entry]
    assert record.get("origin", {}).get("n_runs", []) == [
        n for n in origin.get("n_runs", []) if n > 1
    ]
    starts = record.get("reversed_runs", {}).get("starts", [])
    assert sorted(starts) == origin.get("reversed_from", [])
    assert {**record.get("ridge", {}), **record.get("recipe", {})} == member["recipe"]


@each_model
def test_the_shipped_record_is_the_migrated_one_with_more_known(name: str) -> None:
    """Hashes of positions where the data could be made again, and what errors are."""
    old = read_manifest(FORMAT_1 / f"{name}.pt").training
    new = read_manifest(pretrained_path(name)).training
    assert without_hashes(new) == without_hashes(old)
    known = [c for part in new.parts for c in part.train.configurations]
    assert all((c.positions_sha256 is not None) == ("T0.44" in name) for c in known)


def without_hashes(record: TrainingRecord) -> TrainingRecord:
    def bare(side: Side) -> Side:
        known = (c.model_copy(update={"positions_sha256": None}) for c in side.configurations)
        return side.model_copy(update={"configurations": tuple(known)})

    update: dict[str, Any] = {
        "train": bare(record.train),
        "validation": bare(record.validation),
        "members": tuple(without_hashes(member) for member in record.members),
    }
    if record.reversed_runs is not None:
        starts = tuple(sorted(record.reversed_runs.starts))
        update["reversed_runs"] = record.reversed_runs.model_copy(update={"starts": starts})
    if record.accuracy is not None:
        scores = (
            s.model_copy(update={"error_kind": "unspecified"}) for s in record.accuracy.scores
        )
        update["accuracy"] = record.accuracy.model_copy(update={"scores": tuple(scores)})
    return record.model_copy(update=update)


@pytest.mark.shared_data
def test_shipped_models_recognise_their_data(shared_data: Path, tmp_path: Path) -> None:
    inputs = find_inputs([str(shared_data / "botan_T0.44" / "train")])
    convert(inputs[:7], tmp_path / "part.h5")  # not the dataset that they were trained on
    part = Dataset(tmp_path / "part.h5")
    for name in ("kob_andersen_T0.44", "kob_andersen_T0.44_inherent"):
        assert read_manifest(name).training.seen(part) == part.names
    # The old file knows where reversed runs began, which is where it was trained and not validated.
    old = read_manifest(FORMAT_1 / "kob_andersen_T0.44.pt").training
    held_out = {f"isoconfig_N4096T0.44_{k}_tc07" for k in (5, 7)}
    assert set(old.seen(part)) == set(part.names) - held_out


def test_a_manifest_is_rewritten_in_place(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes((FORMAT_1 / "kob_andersen_T0.44.pt").read_bytes())
    before = read_manifest(path)
    assert before.format_version == 1
    returned = rewrite_manifest(path, path)
    assert read_manifest(path) == returned
    assert returned == before.model_copy(update={"format_version": 5})
    training = TrainingRecord(epoch=3)
    rewrite_manifest(path, tmp_path / "other.pt", training=training)
    assert read_manifest(tmp_path / "other.pt").training == training
    assert read_manifest(path) == returned


def with_manifest(path: Path, change: dict[str, Any]) -> Path:
    found = entries(path)
    found["archive/extra/manifest.json"] = json.dumps(manifest_text(path) | change).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for key, value in found.items():
            archive.writestr(key, value)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 6}, "expected 1, 2, 3, 4 and 5, which this glassml knows; found 6"),
        ({"format_version": 0}, "expected 1, 2, 3, 4 and 5, which this glassml knows; found 0"),
        (
            {"format_version": 1, "training": {"epoch": "last", "colour": "red"}},
            "manifest.json: field 'training.epoch': expected a whole number; found 'last'",
        ),
        (
            {"format_version": 1, "training": {"accuracy": {"pearson": []}}},
            "manifest.json: field 'training.accuracy.protocol': expected a value; found nothing",
        ),
        (
            {"format_version": 1, "training": {"accuracy": {"protocol": "x", "pearson": [SEVEN]}}},
            "field 'training.accuracy.pearson.0.value': expected a number less than or equal to 1",
        ),
        (
            {"training": {"accuracy": {"protocol": "x", "scores": [SEVEN]}}},
            "field 'training.accuracy.scores.0.value': expected at most 1; found 7",
        ),
        (
            {"training": {"accuracy": {"protocol": "x", "scores": [SEVEN | {"kind": "x"}]}}},
            "field 'training.accuracy.scores.0.kind': expected 'all' or 'mean'; found 'x'",
        ),
        (
            {"training": {"epoch": "last"}},
            "manifest.json: field 'training.epoch': expected a whole number; found 'last'",
        ),
        (
            {"training": {"data": [], "train_configurations": 8}},
            "manifest.json: field 'training.train_configurations': expected no such field",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    save_model(build("analytic"), tmp_path / "m.pt")
    path = with_manifest(tmp_path / "m.pt", change)
    with pytest.raises(ModelFileError) as caught:
        read_manifest(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_of_format_1_without_training(tmp_path: Path) -> None:
    save_model(build("analytic"), tmp_path / "m.pt")
    path = with_manifest(tmp_path / "m.pt", {"format_version": 1, "training": {}})
    assert read_manifest(path).training == TrainingRecord()


def test_a_file_of_format_1_with_entries_of_the_users_own(tmp_path: Path) -> None:
    """The function that wrote format 1 took any entries, and such a file ran in LAMMPS."""
    save_model(build("analytic"), tmp_path / "m.pt")
    path = with_manifest(tmp_path / "m.pt", {"format_version": 1, "training": {"colour": "red"}})
    assert read_manifest(path).training == TrainingRecord(notes={"colour": "red"})
