"""Radial networks that become tables at export: the bound holds and the file says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from systems import liquid

from glassml.errors import ConfigError, ModelFileError
from glassml.export import read_manifest, save_model
from glassml.export.baking import bake, largest_error, trial_systems
from glassml.inference import Predictor
from glassml.models import SE3GNN, build


@pytest.fixture(scope="module", params=[False, True], ids=["published cutoff", "smooth cutoff"])
def model(request: pytest.FixtureRequest) -> SE3GNN:
    """Biases are random, so that the radial functions have kinks inside of the range."""
    torch.manual_seed(4)
    model = build("se3gnn-v2", n_layers=2, channels=4, l_max=2, smooth_cutoff=request.param)
    for layer in model.convolutions:
        torch.nn.init.normal_(layer.radial.layers[0].bias)
    return model.eval()


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
def test_error_on_another_system_is_about_the_tolerance(model: SE3GNN, tolerance: float) -> None:
    baked, entry = bake(model, tolerance, torch.float64)
    assert entry.measured_error <= tolerance == entry.tolerance
    exact = model.double()
    fresh = trial_systems(build("se3gnn-v2", cutoff=1.9))[0]  # other distances than bake() saw
    with torch.no_grad():
        found, expected = baked.encode(*fresh), exact.encode(*fresh)
    # Another system has other worst particles; the error is of the same order.
    assert largest_error({"state": found}, {"state": expected}) < 3 * tolerance


@pytest.mark.parametrize(
    ("found", "expected", "error"),
    [
        ([1.0, 2.1], [1.0, 2.0], 0.05),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([0.0, 5.0], [0.0, 0.0], 5.0),
        ([1.0, float("nan")], [1.0, 2.0], float("inf")),
        ([1.0, 2.0], [1.0, float("nan")], float("inf")),
    ],
)
def test_errors_of_zeros_and_of_what_is_no_number(
    found: list[float], expected: list[float], error: float
) -> None:
    good = torch.ones(2, dtype=torch.float64)
    values = [torch.tensor(v, dtype=torch.float64) for v in (found, expected)]
    result = largest_error({"good": good, "x": values[0]}, {"good": good, "x": values[1]})
    assert result == pytest.approx(error)


def test_finer_tolerance_takes_more_knots_and_error_falls_with_their_square(model: SE3GNN) -> None:
    entries = [bake(model, tolerance, torch.float64)[1] for tolerance in (1e-4, 1e-6)]
    coarse, fine = entries
    assert fine.knots > coarse.knots
    ratio = fine.knots / coarse.knots
    # Without knots at the kinks the error would fall only like 1/ratio.
    assert fine.measured_error < 4 * coarse.measured_error / ratio**2


def test_file_predicts_within_its_bound_and_keeps_no_network(model: SE3GNN, tmp_path: Path) -> None:
    written = save_model(model, tmp_path / "table.pt")
    save_model(model, tmp_path / "exact.pt", radial="exact")
    manifest = read_manifest(tmp_path / "table.pt")
    assert manifest.radial_table == written.radial_table
    assert manifest.radial_table.measured_error <= manifest.radial_table.tolerance == 1e-4
    assert read_manifest(tmp_path / "exact.pt").radial_table is None
    outputs = tuple(o.name for o in manifest.outputs)
    table, exact = (
        Predictor(tmp_path / f"{form}.pt", device="cpu").predict([liquid(100)], outputs)[0]
        for form in ("table", "exact")
    )
    for name in outputs:
        difference = abs(table[name] - exact[name]).max() / abs(exact[name]).max()
        # The bound, and the same rounding again in the network that it is compared with here; the
        # worst particle is another one than in the systems that the bound is measured on.
        assert 0 < difference < 2e-4


def test_measured_error_is_that_of_the_file_with_its_rounding(
    model: SE3GNN, tmp_path: Path
) -> None:
    path = tmp_path / "m.pt"
    entries = [save_model(model, path, dtype=d, radial="table", tolerance=3e-6).radial_table
               for d in ("float64", "float32")]  # fmt: skip
    script, network = torch.jit.load(path), model.double()
    errors = []
    for system in trial_systems(network):
        rounded = [t.float() if t.is_floating_point() else t for t in system]
        results = []
        with torch.no_grad():
            for form, inputs in ((script, rounded), (network, system)):
                state = form.encode(*inputs)
                results.append({o.name: getattr(form, o.name)(state) for o in model.outputs})
        errors.append(largest_error(*results))
    # TorchScript may fuse operations and round differently: by some of the digits of rounding.
    assert entries[1].measured_error == pytest.approx(max(errors), rel=0.3)
    assert entries[0].measured_error <= 3e-6


@pytest.mark.parametrize("radial", ["table", "exact"])
def test_files_are_small(radial: str, tmp_path: Path) -> None:
    """A file holds what its parameters take, not tables of them nor code of other packages."""
    torch.manual_seed(4)
    model = build("se3gnn-v2", n_layers=4, l_max=2)
    manifest = save_model(model, tmp_path / "m.pt", radial=radial)
    knots = 4 * (manifest.radial_table.knots + 200) * 4 if manifest.radial_table else 0
    assert (tmp_path / "m.pt").stat().st_size < 4 * manifest.n_parameters + knots + 30_000


def test_double_precision_keeps_the_network_unless_asked(model: SE3GNN, tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    assert save_model(model, path, dtype="float64").radial_table is None
    assert save_model(model, path, dtype="float64", radial="table").radial_table is not None


def test_model_trained_on_a_table_is_exported_with_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build("se3gnn-v2", n_layers=2, channels=4, dropout=0.0, radial_table=33).eval()
    for form in ("table", "exact"):
        save_model(model, tmp_path / "m.pt", radial=form)
        system = trial_systems(model)[0]
        floats = [t.float() if t.is_floating_point() else t for t in system]
        with torch.no_grad():
            expected = model(*floats)
            found = torch.jit.load(tmp_path / "m.pt")(*floats)
        assert largest_error({"": found}, {"": expected}) < 1e-5
    table = save_model(model, tmp_path / "m.pt").radial_table
    assert table.knots == 33
    assert 0 < table.measured_error < 1e-5  # what was trained is the table; rounding remains
    with pytest.raises(ModelFileError, match="in float32 with 33 knots"):
        save_model(model, tmp_path / "n.pt", tolerance=1e-12)


def test_models_without_radial_networks_are_exported_as_they_are(tmp_path: Path) -> None:
    assert save_model(build("analytic"), tmp_path / "m.pt").radial_table is None


def test_impossible_wishes_are_named(model: SE3GNN, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tolerance: expected a positive number; found 0"):
        save_model(model, tmp_path / "m.pt", tolerance=0)
    with pytest.raises(ModelFileError, match=r"found an error of .* in float32 .*--exact"):
        save_model(model, tmp_path / "m.pt", tolerance=1e-15)
    with pytest.raises(ModelFileError, match="radial: expected table or exact; found 'spline'"):
        save_model(model, tmp_path / "m.pt", radial="spline")
    assert list(tmp_path.iterdir()) == []
