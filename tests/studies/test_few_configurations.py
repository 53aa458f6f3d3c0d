"""examples/few_configurations: ridge regression without some inputs, and models together."""

import importlib
import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from glassml.data import Dataset
from glassml.export import read_manifest
from glassml.studies.descriptor_moments import DescriptorMoments
from glassml.studies.ridge import RidgeMoments

SCRIPTS = Path(__file__).parents[2] / "examples" / "few_configurations"
COLUMNS = ("density", "vibration_average=0", "vibration_average=1", "average_energy_average=0")
CONFIGURATIONS, SLABS, SPECIES, TIMES = 4, 5, 2, 3


@pytest.fixture(scope="module")
def scripts():
    """The modules beside recipe.py, which a script there imports by their plain names."""
    names = ("ridge", "held_out", "combine", "recipe")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPTS)
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    for name in names:
        del sys.modules[name]


@pytest.fixture(scope="module")
def script(scripts):
    return scripts.ridge


def moments_of(rng, columns: int, dataset=None) -> DescriptorMoments:
    """Moments of random particles, of which the first ``columns`` descriptors are kept."""
    slope = rng.normal(size=(len(COLUMNS), TIMES))

    def one() -> RidgeMoments:
        x = rng.normal(size=(30, len(COLUMNS)))
        return RidgeMoments.of(x[:, :columns], x @ slope + rng.normal(size=(30, TIMES)))

    def each() -> tuple[RidgeMoments, ...]:
        return tuple(one() for _ in range(SPECIES))

    return DescriptorMoments(
        dataset=dataset,
        species=("A", "B"),
        times=(1.0, 2.0, 4.0),
        slabs=tuple(tuple(each() for _ in range(SLABS)) for _ in range(CONFIGURATIONS)),
        weights=(0.7,) * CONFIGURATIONS,
        reversed=tuple(each() for _ in range(CONFIGURATIONS)),
        own=(),
        own_times=(),
    )


def test_leaving_an_input_out_is_a_fit_to_the_other_columns(script):
    seed = 5
    material = script.Material(
        Path("unused.pt"), COLUMNS, moments_of(np.random.default_rng(seed), len(COLUMNS))
    )
    masked = material.without(["vibration", "average_energy"]).decoders([0, 1, 3])
    alone = moments_of(np.random.default_rng(seed), 1).decoders([0, 1, 3])  # density only
    np.testing.assert_array_equal(masked.penalties, alone.penalties)
    for with_zeros, fit in zip(masked.fits, alone.fits, strict=True):
        assert np.abs(fit.weight).min() > 0
        np.testing.assert_allclose(with_zeros.weight[:, :1], fit.weight, rtol=1e-12)
        np.testing.assert_array_equal(with_zeros.weight[:, 1:], 0.0)
        np.testing.assert_allclose(with_zeros.bias, fit.bias, rtol=1e-12)


def test_sums_are_kept_to_the_last_bit(script, tmp_path, monkeypatch):
    dataset = SimpleNamespace(common_times=lambda: np.array([1.0, 2.0, 4.0]))
    moments = moments_of(np.random.default_rng(6), len(COLUMNS), dataset)
    script.write_moments(moments, tmp_path / "sums.npz")
    manifest = SimpleNamespace(species=("A", "B"))
    monkeypatch.setattr(script, "read_manifest", lambda path: manifest)
    found = script.read_moments(dataset, tmp_path / "sums.npz")
    assert (found.species, found.times, found.weights) == (
        moments.species, moments.times, moments.weights,
    )  # fmt: skip
    for kept, original in zip(found.reversed, moments.reversed, strict=True):
        assert [same(*pair) for pair in zip(kept, original, strict=True)] == [True] * SPECIES
    for kept, original in zip(found.slabs, moments.slabs, strict=True):
        for slab, other in zip(kept, original, strict=True):
            assert [same(*pair) for pair in zip(slab, other, strict=True)] == [True] * SPECIES


def same(a: RidgeMoments, b: RidgeMoments) -> bool:
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))


def test_descriptors_of_other_sizes_have_files_of_their_own(scripts, tmp_path):
    """Both are kept from one call to the next, so two sizes must not share them."""
    usual = scripts.recipe.Recipe(tmp_path, "average")
    small = scripts.recipe.Recipe(tmp_path, "average", None, ("cutoff=2.0", "l_max=2"))
    assert usual.hyperparameters == {}
    assert small.hyperparameters == {"cutoff": 2.0, "l_max": 2}
    assert small.data == usual.data
    assert small.descriptors != usual.descriptors
    assert small.models != usual.models
    blank = tmp_path / "blank.pt"
    with Dataset("kob_andersen_T0.64") as dataset:
        scripts.recipe.untrained("structural", dataset, blank, "thermal", (), small.hyperparameters)
    assert read_manifest(blank).cutoff == 2.0
    norms = [name for name in scripts.ridge.columns_of(blank) if name.startswith("norm_")]
    assert {name.split("_")[1] for name in norms} == {"l=1", "l=2"}


@pytest.fixture
def results(scripts) -> list:
    """Two results for three configurations: a part of each error is the same in both."""
    rng = np.random.default_rng(8)
    inherent, average = scripts.held_out.HeldOut(), scripts.held_out.HeldOut()
    for k in range(3):
        label, shared, *own = rng.normal(size=(5, 400, 1))
        species = np.arange(400) % 2
        here = SimpleNamespace(propensity=label, species=species)
        model = "average of a network and the ridge"
        of_inherent = {(model, 1): label + shared + own[0], ("ridge", 1): label}
        of_average = {(model, 1): label + shared + own[1], (model, 4): label + shared + own[2]}
        inherent.add(f"c{k}", here, of_inherent)
        average.add(f"c{k}", here, of_average)
    return [inherent, average]


def test_held_out_predictions_are_kept(scripts, results, tmp_path):
    results[0].save(tmp_path / "held_out.npz")
    found = scripts.held_out.HeldOut.load(tmp_path / "held_out.npz")
    assert found.names == ["c0", "c1", "c2"]
    assert found.scores() == results[0].scores()
    assert found.scores()["ridge", 1]["mean"] == pytest.approx((1.0, 0.0), abs=1e-12)


def test_models_of_both_kinds_of_positions_are_averaged(scripts, results):
    """Unit variances: 1 / sqrt(1 + 1 + 1/2) together, 1 / sqrt(3) alone; 600 particles, 3 sigma."""
    (name, windows), *_ = together = scripts.combine.combined(*results)
    assert (name, windows) == (f"inherent and averaged positions: {scripts.combine.TOGETHER}", 1)
    assert [windows for _, windows in together] == [1, 4]
    assert [kinds["mean"][0] for kinds in together.values()] == pytest.approx([0.632] * 2, abs=0.08)
    alone = [result.scores()[scripts.combine.TOGETHER, 1]["mean"][0] for result in results]
    assert alone == pytest.approx([0.577] * 2, abs=0.08)
    ridge = scripts.held_out.HeldOut(results[0].names, results[0].labels)
    with pytest.raises(SystemExit, match=r"average: expected predictions of the .*--seeds 1"):
        scripts.combine.combined(results[0], ridge)
    results[1].labels[1] = results[1].labels[1] + 1.0
    with pytest.raises(SystemExit, match="c1: expected the same labels"):
        scripts.combine.combined(*results)
    results[1].names.reverse()
    with pytest.raises(SystemExit, match="same configurations"):
        scripts.combine.combined(*results)
