"""Model files: what is written is what runs, and damaged files are refused by name."""

from __future__ import annotations

import dataclasses
import json
import pickle
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from file_formats import documented
from systems import liquid

from glassml.errors import InputError, ModelFileError
from glassml.export import read_manifest, save_model
from glassml.graph import build_graph, first_edge
from glassml.inference import Predictor
from glassml.models import build


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("exported") / "small.pt"
    save_model(build("se3gnn-v2", n_layers=2, channels=4, times=(0.5, 3.0)), path)
    return path


@pytest.fixture
def small(exported: Path, tmp_path: Path) -> Path:
    """A copy, which a test may damage."""
    return Path(shutil.copy(exported, tmp_path))


def _rewrite(path: Path, change: object) -> None:
    """Replace the manifest inside a model file."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = next(n for n in entries if n.endswith("extra/manifest.json"))
    entries[name] = json.dumps(change(json.loads(entries[name]))).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for key, value in entries.items():
            archive.writestr(key, value)


@pytest.mark.parametrize("name", ["se3gnn-v1", "se3gnn-v2", "analytic"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
def test_exported_model_predicts_what_the_model_does(
    tmp_path: Path, name: str, dtype: str, tolerance: float
) -> None:
    torch.manual_seed(0)
    settings = {} if name == "analytic" else {"n_layers": 2, "l_max": 2}
    model = build(name, times=(1.0, 4.0), **settings).eval()
    save_model(model, tmp_path / "m.pt", dtype=dtype, radial="exact")
    system = liquid()
    found = Predictor(tmp_path / "m.pt", device="cpu").predict(
        [system], outputs=[o.name for o in model.outputs]
    )[0]
    graph = build_graph(system, model.cutoff, dtype=torch.float64)
    sender, receiver = graph.edge_index
    pointer = first_edge(receiver, graph.num_nodes)
    with torch.no_grad():
        state = model.double().encode(
            graph.species, graph.scalars, graph.edge_vector, sender, pointer
        )
        for output in model.outputs:
            expected = getattr(model, output.name)(state).numpy()
            assert found[output.name].dtype == dtype
            scale = np.abs(expected).max()
            np.testing.assert_allclose(found[output.name], expected, atol=tolerance * scale)
            assert found[output.name].shape[1] == len(output.columns)


def test_several_configurations_in_one_batch_equal_each_alone(small: Path) -> None:
    predictor = Predictor(small, device="cpu")
    systems = [liquid(30, seed=1), liquid(45, seed=2)]
    together = predictor.predict(systems)
    for system, values in zip(systems, together, strict=True):
        alone = predictor.predict([system])[0]["propensity"]
        np.testing.assert_allclose(values["propensity"], alone, rtol=1e-5, atol=1e-5)


def test_species_are_matched_by_name_not_by_order(small: Path) -> None:
    system = liquid(30)
    renamed = dataclasses.replace(system, species=1 - system.species, species_names=("B", "A"))
    predictor = Predictor(small, device="cpu")
    np.testing.assert_array_equal(
        predictor.predict([system])[0]["propensity"], predictor.predict([renamed])[0]["propensity"]
    )


def test_a_model_file_tells_nothing_of_the_machine_that_wrote_it(small: Path) -> None:
    with zipfile.ZipFile(small) as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    folders = [str(Path(torch.__file__).parent), str(Path(__file__).parent), str(small.parent)]
    found = [folder for folder in folders for text in contents if folder.encode() in text]
    assert found == []


def test_the_same_model_gives_the_same_file(small: Path) -> None:
    torch.manual_seed(0)
    again = small.with_name("again.pt")
    save_model(build("se3gnn-v2", n_layers=2, channels=4, times=(0.5, 3.0)), again)
    assert again.read_bytes() == small.read_bytes()


def test_manifest_describes_the_model(small: Path) -> None:
    manifest = read_manifest(small)
    assert manifest.species == ("A", "B")
    assert manifest.times == (0.5, 3.0)
    assert manifest.state_widths == (2, 66, 66)
    assert [o.name for o in manifest.outputs] == ["propensity", "descriptors", "equivariant"]
    assert manifest.output("equivariant").irreps == "4x0e+4x1e+4x2e+4x3e"
    assert manifest.hyperparameters["n_layers"] == 2
    assert "SciPost" in manifest.citations[0]


def test_no_species_of_the_file_may_be_unknown(small: Path) -> None:
    other = dataclasses.replace(liquid(10), species_names=("A", "C"))
    with pytest.raises(
        InputError, match=r"species: expected those of small\.pt \(A, B\); found 'C'"
    ):
        Predictor(small, device="cpu").predict([other])


def test_lengths_in_another_unit_are_refused(small: Path) -> None:
    other = dataclasses.replace(liquid(10), length_unit="angstrom")
    with pytest.raises(
        InputError, match=r"length unit: expected 'lj'.*trained.*; found 'angstrom'"
    ):
        Predictor(small, device="cpu").predict([other])


def test_outputs_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    save_model(build("analytic", scalar_inputs=["charge"]), path, dtype="float64")
    good = liquid(name="good", scalars={"charge": np.ones(60)})
    # The square in a norm overflows; the densities themselves do not.
    bad = liquid(name="bad", scalars={"charge": np.full(60, 1e200)})
    predictor = Predictor(path, device="cpu")
    assert len(predictor.predict([good, bad])) == 2
    with pytest.raises(InputError, match=r"^bad: output 'descriptors' of m\.pt: .* 60 of 60"):
        predictor.predict([good, bad], ["propensity", "descriptors"])


def test_unknown_output_is_refused(small: Path) -> None:
    with pytest.raises(
        InputError, match=r"expected one of propensity, descriptors, equivariant; found 'x'"
    ):
        Predictor(small, device="cpu").predict([liquid(10)], outputs=["x"])


@pytest.mark.parametrize("device", ["tpu9", "meta", "quantum"])
def test_unknown_device_is_refused(small: Path, device: str) -> None:
    with pytest.raises(InputError, match="device: expected cpu, cuda, cuda:N or auto"):
        Predictor(small, device=device)


def test_a_shipped_model_is_found_by_its_name() -> None:
    manifest = read_manifest("kob_andersen_T0.44")
    assert manifest.training.temperatures == (0.44,)
    assert Predictor("kob_andersen_T0.44", device="cpu").path.is_file()


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(
        ModelFileError, match=r"expected a model file, or the name of one .*kob_andersen_T0\.44"
    ):
        Predictor(tmp_path / "absent.pt")


@pytest.mark.parametrize("keep", [0, 100, 20000])
def test_truncated_file(small: Path, keep: int) -> None:
    small.write_bytes(small.read_bytes()[:keep])
    with pytest.raises(ModelFileError, match="truncated or of another kind"):
        Predictor(small)


def test_file_that_is_not_a_model(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"a": torch.ones(2)}, path)
    with pytest.raises(ModelFileError, match=r"archive without manifest\.json"):
        Predictor(path)


def test_archive_with_damaged_code(small: Path) -> None:
    with zipfile.ZipFile(small) as archive:
        entries = {n: archive.read(n) for n in archive.namelist() if "/code/" not in n}
    with zipfile.ZipFile(small, "w") as archive:
        for key, value in entries.items():
            archive.writestr(key, value)
    with pytest.raises(ModelFileError, match="that torch loads"):
        Predictor(small)


def test_unknown_format_version_names_the_known_one(small: Path) -> None:
    _rewrite(small, lambda manifest: manifest | {"format_version": 7})
    with pytest.raises(ModelFileError, match=r"format version: expected .*; found 7"):
        Predictor(small)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cutoff": "far"}, "field 'cutoff': expected a number; found 'far'"),
        ({"cutoff": -2}, "field 'cutoff': expected a number greater than 0; found -2"),
        ({"species": "AB"}, "field 'species': expected a list; found 'AB'"),
        ({"species": []}, "field 'species': expected 1 or more in the list; found []"),
        ({"species": ["A", "A"]}, "field 'species': expected different names; found ['A', 'A']"),
        ({"species": ["A", 1]}, "field 'species.1': expected a text; found 1"),
        ({"dtype": "float16"}, "field 'dtype': expected 'float32' or 'float64'; found 'float16'"),
        ({"n_steps": 2.5}, "field 'n_steps': expected a whole number; found 2.5"),
        ({"state_widths": [1, 5]}, "field 'state_widths': expected 3 entries (n_steps + 1); found"),
        ({"outputs": [{"name": "x", "dimension": "[-]"}]}, "'outputs.0.columns': expected a value"),
        ({"scalar_inputs": [7]}, "field 'scalar_inputs.0': expected a mapping; found 7"),
        ({"colour": "red"}, "field 'colour': expected no such field; found 'red'"),
        ({"cutoff": "far", "species": []}, "found [] (and 1 more). Export the model again"),
    ],
)
def test_a_wrong_field_of_the_manifest_is_explained(
    small: Path, changes: dict, message: str
) -> None:
    _rewrite(small, lambda manifest: manifest | changes)
    with pytest.raises(ModelFileError, match=re.escape(message)) as caught:
        Predictor(small)
    text = str(caught.value)
    assert text.startswith(f"{small}: manifest.json: field '")
    assert not re.search("Input should|pydantic|Value error", text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected the field format_version; found None"),
        ({"format": "recipe"}, "expected the field format_version; found format"),
    ],
)
def test_a_manifest_without_a_version(small: Path, content: object, message: str) -> None:
    _rewrite(small, lambda manifest: content)
    with pytest.raises(ModelFileError, match=rf"manifest\.json: {message}"):
        Predictor(small)


def test_a_pickle_under_a_model_name_is_not_executed(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "executed",))

    (tmp_path / "model.pt").write_bytes(pickle.dumps(Attack()))
    with pytest.raises(ModelFileError):
        Predictor(tmp_path / "model.pt")
    assert not (tmp_path / "executed").exists()


def test_interrupted_export_leaves_the_old_file(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = small.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.jit, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        save_model(build("analytic"), small)
    assert small.read_bytes() == before
    assert list(small.parent.iterdir()) == [small]


def test_the_reference_names_every_member(small: Path) -> None:
    known = documented("Model files")
    with zipfile.ZipFile(small) as archive:
        members = {name.partition("/")[2] for name in archive.namelist()}
    assert "extra/manifest.json" in members
    general = {
        re.sub(r"^code/.*", "code/*.py", re.sub(r"/\d+$", "/<number>", name)) for name in members
    }
    assert general <= known
