"""Model files with another linear decoder: everything else stays, and every engine agrees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from glassml_ase import GlassMLCalculator
from systems import liquid

from glassml.data import atoms_from_configuration
from glassml.errors import ModelFileError
from glassml.export import check_decoder, read_manifest, replace_decoder, save_model
from glassml.inference import Predictor
from glassml.models import SE3GNN, GlassModel, build
from glassml.provenance import TrainingRecord

HERE, THERE = TrainingRecord(epoch=1), TrainingRecord(versions={"glassml": "0"})
SMALL = {"l_max": 1, "channels": 2, "n_layers": 2, "dropout": 0.0}


def network(name: str = "se3gnn-v2", **settings: object) -> GlassModel:
    torch.manual_seed(5)
    model = build(name, **{**SMALL, "times": (1.0, 10.0), **settings})
    mean, scale = torch.tensor([[0.3, 0.5], [0.7, 0.9]]), torch.tensor([[2.0, 3.0], [4.0, 5.0]])
    model.set_label_scale(mean, scale)
    return model


def written(folder: Path, model: GlassModel, dtype: str = "float64", **options: object) -> Path:
    path = folder / "model.pt"
    save_model(model, path, dtype=dtype, training=HERE, **options)
    return path


def random_decoder(n_times: int, n_columns: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.normal(size=(2, n_times, n_columns)), rng.normal(size=(2, n_times))


@pytest.mark.parametrize("name", ["se3gnn-v2", "se3gnn-v1"])
@pytest.mark.parametrize("times", [(4.0,), (1.0, 10.0), (0.5, 5.0, 50.0)])
def test_propensity_is_the_new_decoder_of_the_old_descriptors(
    tmp_path: Path, name: str, times: tuple[float, ...]
) -> None:
    """``se3gnn-v1`` had one decoder for both species; now each has its own."""
    old = written(tmp_path, network(name))
    weight, bias = random_decoder(len(times))
    arguments = {"times": times, "weight": weight, "bias": bias, "training": THERE}
    returned = replace_decoder(old, tmp_path / "new.pt", **arguments)
    predictors = [Predictor(path, device="cpu") for path in (old, tmp_path / "new.pt")]
    names = ("propensity", "descriptors", "equivariant")
    before, after = (p.predict([liquid()], names)[0] for p in predictors)
    for output in names[1:]:
        np.testing.assert_array_equal(after[output], before[output])
    species = liquid().species
    expected = bias[species] + np.einsum("ntd,nd->nt", weight[species], before["descriptors"])
    np.testing.assert_allclose(after["propensity"], expected, rtol=1e-10)
    manifest = read_manifest(tmp_path / "new.pt")
    assert manifest.model_dump(mode="json") == returned.model_dump(mode="json")
    assert manifest.times == times
    assert manifest.training == THERE
    rest = [p for key, p in network(name).named_parameters() if "decoder" not in key]
    # Four weights and a constant for each of two species and each time.
    assert manifest.n_parameters == sum(p.numel() for p in rest) + 10 * len(times)


def test_the_ase_calculator_runs_the_new_file(tmp_path: Path) -> None:
    weight, bias = random_decoder(3)
    new = tmp_path / "new.pt"
    times = (0.5, 5.0, 50.0)
    old = written(tmp_path, network())
    replace_decoder(old, new, times=times, weight=weight, bias=bias, training=THERE)
    atoms = atoms_from_configuration(liquid())
    atoms.calc = GlassMLCalculator(new, species=["A", "B"], device="cpu")
    columns = Predictor(old, device="cpu").predict([liquid()], ("descriptors",))[0]["descriptors"]
    species = liquid().species
    expected = bias[species] + np.einsum("ntd,nd->nt", weight[species], columns)
    found = atoms.calc.get_property("propensity", atoms)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_its_own_decoder_gives_the_same_model(tmp_path: Path) -> None:
    model = network()
    old = written(tmp_path, model)
    weight = model.decoder.weight.detach().double().reshape(2, 2, -1) * model.label_scale[..., None]
    bias = model.decoder.bias.detach().double().reshape(2, 2) * model.label_scale + model.label_mean
    arrays = {"weight": weight.numpy(), "bias": bias.numpy()}
    replace_decoder(old, tmp_path / "new.pt", times=model.times, training=THERE, **arrays)
    before, after = (
        Predictor(path, device="cpu").predict([liquid()])[0]["propensity"]
        for path in (old, tmp_path / "new.pt")
    )
    np.testing.assert_allclose(after, before, rtol=1e-6)  # label scales are float32 numbers
    assert read_manifest(old).hyperparameters == read_manifest(tmp_path / "new.pt").hyperparameters


def test_tables_and_their_record_are_kept(tmp_path: Path) -> None:
    old = written(tmp_path, network(), "float32", tolerance=1e-3)
    weight, bias = random_decoder(1)
    new = tmp_path / "new.pt"
    replace_decoder(old, new, times=(2.0,), weight=weight, bias=bias, training=THERE)
    assert read_manifest(new).radial_table == read_manifest(old).radial_table
    result = Predictor(new, device="cpu").predict([liquid()], ("propensity", "descriptors"))[0]
    species = liquid().species
    terms = weight[species] * result["descriptors"][:, None, :]
    expected = bias[species] + terms.sum(axis=2)
    # float32 rounding of the terms of a sum of five
    np.testing.assert_allclose(result["propensity"], expected, atol=1e-6 * abs(terms).max())


def test_a_refitted_file_can_be_refitted(tmp_path: Path) -> None:
    weight, bias = random_decoder(3)
    first, second = tmp_path / "first.pt", tmp_path / "second.pt"
    common = {"weight": weight[:, :1], "bias": bias[:, :1], "training": THERE}
    old = written(tmp_path, network())
    replace_decoder(old, first, times=(1, 2, 3), weight=weight, bias=bias, training=THERE)
    replace_decoder(first, second, times=(2.0,), **common)
    replace_decoder(old, tmp_path / "direct.pt", times=(2.0,), **common)
    found, expected = (
        Predictor(path, device="cpu").predict([liquid()])[0]["propensity"]
        for path in (second, tmp_path / "direct.pt")
    )
    np.testing.assert_array_equal(found, expected)


def test_a_model_without_a_linear_decoder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "analytic.pt"
    save_model(build("analytic"), path)
    with pytest.raises(
        ModelFileError, match=r"analytic.pt: expected a model with a linear decoder"
    ):
        check_decoder(path)
    arrays = {"weight": np.zeros((2, 1, 3)), "bias": np.zeros((2, 1))}
    with pytest.raises(ModelFileError, match="found analytic, which has none to refit"):
        replace_decoder(path, tmp_path / "new.pt", times=(1.0,), training=THERE, **arrays)
    assert not (tmp_path / "new.pt").exists()


class _Bent(SE3GNN):
    """Written by another glassml, say: the decoder is followed by a square."""

    @torch.jit.export
    def propensity(self, state: torch.Tensor) -> torch.Tensor:
        decoded = self.decoder(self.descriptors(state))
        return decoded.reshape(-1, self.n_decoders, self.n_times)[:, 0] ** 2


def test_a_file_that_does_not_do_what_its_name_says_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = _Bent(times=(1.0,), l_max=1, channels=2, n_layers=2)
    model.name, model.hyperparameters = "se3gnn-v2", build("se3gnn-v2", **SMALL).hyperparameters
    path = written(tmp_path, model)
    weight, bias = random_decoder(1)
    with pytest.raises(ModelFileError, match="linear function of the descriptors; found other"):
        replace_decoder(
            path, tmp_path / "new.pt", times=(1.0,), weight=weight, bias=bias, training=THERE
        )
    assert not (tmp_path / "new.pt").exists()


def test_a_model_that_this_glassml_does_not_know_is_refused(tmp_path: Path) -> None:
    model = network()
    model.name = "se3gnn-v9"
    path = written(tmp_path, model)
    with pytest.raises(ModelFileError, match=r"that this glassml can build.*'se3gnn-v9'"):
        check_decoder(path)
