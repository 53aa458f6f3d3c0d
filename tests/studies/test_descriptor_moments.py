"""Fits to sums of many configurations: which are left out together to choose the penalty."""

import numpy as np

from glassml.studies import descriptor_moments
from glassml.studies.descriptor_moments import DescriptorMoments
from glassml.studies.ridge import RidgeMoments, fit


def test_many_configurations_are_left_out_in_groups_of_successive_ones(monkeypatch):
    rng = np.random.default_rng(8)
    monkeypatch.setattr(descriptor_moments, "MOST_FOLDS", 3)
    x = rng.normal(size=(7, 40, 3))
    y = x @ [[1.0], [2.0], [0.0]] + rng.normal(size=(7, 40, 1))
    parts = [RidgeMoments.of(*one) for one in zip(x, y, strict=True)]
    moments = DescriptorMoments(
        dataset=None, species=("A",), times=(1.0,), weights=(1.0,) * 7, reversed=(), own=(),
        own_times=(), slabs=tuple(((part,),) for part in parts),
    )  # fmt: skip
    found = moments.decoders(range(7))
    assert descriptor_moments.left_out_in_turn(7) == (
        "each of 3 groups of successive configurations"
    )
    groups = [[0, 1, 2], [3, 4], [5, 6]]
    # One coefficient is nearly 0: rounding is relative to the others, which are of order 1.
    exact = {"rtol": 1e-12, "atol": 1e-12}
    assert len(found.held_out[0]) == 7
    for group in groups:
        others = RidgeMoments.total([parts[i] for i in range(7) if i not in group])
        expected = fit(others, found.penalties[0][None, :])[0]
        for i in group:
            np.testing.assert_allclose(found.held_out[0][i].weight, expected.weight, **exact)
    everything = fit(RidgeMoments.total(parts), found.penalties[0][None, :])[0]
    np.testing.assert_allclose(found.fits[0].weight, everything.weight, **exact)
