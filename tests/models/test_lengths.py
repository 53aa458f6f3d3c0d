"""Default lengths follow the material; for the Kob-Andersen liquid they are the published ones."""

from __future__ import annotations

import pytest

from glassml.data import Dataset
from glassml.domain import mean_spacing
from glassml.errors import ConfigError
from glassml.models import available, build, material_lengths, parameters_of

PUBLISHED = {
    "geo-gnn": {"cutoff": 2.0, "gaussian_range": 5.0},
    "se3gnn": {"cutoff": 2.0, "radial_unit": 1.0},
    "se3gnn-v1": {"cutoff": 2.0, "radial_unit": 1.0},
    "se3gnn-v2": {"cutoff": 2.0, "radial_unit": 1.0},
    "structural": {"cutoff": 2.6, "start": 0.8, "averaging_length": 1.0},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_lengths_come_out_for_kob_andersen(name: str) -> None:
    with Dataset("kob_andersen_T0.64") as dataset:
        spacing = mean_spacing(dataset)
    assert material_lengths(name, spacing) == PUBLISHED[name]
    assert material_lengths(name, spacing * 1.0004) == PUBLISHED[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_lengths_scale_with_the_material(name: str) -> None:
    # Cu64Zr36: 0.058 atoms per cubic angstrom, where a cutoff of 2 would see no neighbour.
    found = material_lengths(name, 0.058 ** (-1 / 3))
    factor = (1.2 / 0.058) ** (1 / 3)
    for length, published in PUBLISHED[name].items():
        assert found[length] == pytest.approx(published * factor, rel=0.005)
    assert found["cutoff"] == {2.0: 5.49, 2.6: 7.14}[PUBLISHED[name]["cutoff"]]


@pytest.mark.parametrize("name", available())
def test_every_length_is_a_hyperparameter_and_scales(name: str) -> None:
    lengths = material_lengths(name, 1.0)
    assert set(lengths) <= set(parameters_of(name))
    assert "cutoff" in lengths


def test_a_default_in_other_units_is_refused() -> None:
    with pytest.raises(ConfigError, match="cutoff: expected a length in angstrom, as the default"):
        build("se3gnn", length_unit="angstrom")
    with pytest.raises(ConfigError, match="start: expected a length in nm"):
        build("structural", length_unit="nm", cutoff=0.5, averaging_length=0.2)
    assert build("se3gnn", length_unit="angstrom", cutoff=5.5, radial_unit=2.7).cutoff == 5.5
