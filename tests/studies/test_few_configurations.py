"""examples/few_configurations: ridge regression without some inputs, from sums that are kept."""

import importlib.util
import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from glassml.studies.descriptor_moments import DescriptorMoments
from glassml.studies.ridge import RidgeMoments

SCRIPT = Path(__file__).parents[2] / "examples" / "few_configurations" / "ridge.py"
COLUMNS = ("density", "vibration_average=0", "vibration_average=1", "average_energy_average=0")
CONFIGURATIONS, SLABS, SPECIES, TIMES = 4, 5, 2, 3


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("few_configurations_ridge", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules[specification.name]


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
