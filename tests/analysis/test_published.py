"""Published curves: those of the package, and those of a user's file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from systems import liquid, moved

from glassml.analysis import ReportOptions, published
from glassml.analysis.published import Material, published_temperatures
from glassml.data import Configuration, Dataset, DatasetWriter
from glassml.errors import InputError


def test_the_curves_of_the_package() -> None:
    assert published_temperatures() == (0.44, 0.50, 0.56, 0.64)
    curves = published("0.44")
    assert "10.5281/zenodo.10118191" in curves.citation
    assert "CC-BY-4.0" in curves.citation
    times, values = curves.pearson["BOTAN", "all"]
    assert times == (0.13, 1.3, 13.0, 130.0, 412.0, 1300.0, 4120.0, 13000.0, 41200.0, 130000.0)
    assert values[6] == 0.755103523
    assert curves.pearson["SE(3)-GNN", "mean"][1][6] == 0.791376985
    assert curves.noise_ceiling is not None
    assert curves.noise_ceiling[1][6] == 0.9432769867363201
    assert curves.chi4["MD"][1][5] == 43.304768225511204
    assert curves.models[-5:] == ("SBO", "SBO_CG", "DEN", "EPOT", "PSI6")  # no trained models


@pytest.mark.parametrize("temperature", published_temperatures())
def test_every_temperature_has_the_same_models(temperature: float) -> None:
    curves = published(f"{temperature:.2f}")
    trained = [model for model in curves.models if model not in curves.descriptors]
    expected = {"BOTAN", "CAGE", "GlassMLP", "SE(3)-GNN", "EIGNN (cage)", "EIGNN (inherent)"}
    assert set(trained) == expected
    for model in trained:
        for metric in ("all", "mean"):
            times, values = curves.pearson[model, metric]
            assert len(times) == len(values) == 10


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "ours.csv"
    path.write_text("model,t,metric,pearson\nX,10,all,0.5\nX,1,all,0.25\nX,1,mean,0.2\n")
    curves = published(path)
    assert curves.name == "ours"
    assert curves.pearson == {("X", "all"): ((1, 10), (0.25, 0.5)), ("X", "mean"): ((1,), (0.2,))}
    assert curves.chi4 == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found none"),
        ("model,t,metric\nX,1,all\n", "no column 'pearson'"),
        ("model,t,metric,pearson\nX,1,best,0.5\n", "line 2: metric: expected all or mean"),
        ("model,t,metric,pearson\nX,1,all,0.5\nX,2,all,high\n", "line 3: .*found '2' and 'high'"),
        ("model,t,metric,pearson\nX,0,all,0.5\n", "a positive t"),
        ("model,t,metric,pearson\nX,1,all,1.5\n", "from -1 to 1"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "curves.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"curves\.csv: .*{message}"):
        published(path)


def test_other_temperatures_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"0\.44, 0\.5, 0\.56, 0\.64 or a CSV file; found 0\.47"):
        published("0.47")
    with pytest.raises(InputError, match="expected a CSV file"):
        published(tmp_path / "absent.csv")


def write(path: Path, configuration: Configuration, **description: object) -> Dataset:
    labels = {"times": np.array([1.0]), "propensity": np.full((100, 1), 0.3)}
    with DatasetWriter(path, description) as writer:
        writer.add(moved(configuration, **labels))
    return Dataset(path)


def mixture(**changes: object) -> Configuration:
    """A hundred particles with the density and composition of the Kob-Andersen mixture."""
    return moved(liquid(100), **({"species": np.arange(100) % 5 // 4} | changes))


FLAT = {
    "positions": np.pad(np.random.default_rng(0).uniform(0, 9, (100, 2)), ((0, 0), (0, 1))),
    "cell": np.diag([9.0, 9.0, 1.0]),
    "pbc": (True, True, False),
}


@pytest.mark.parametrize(
    ("configuration", "system", "found"),
    [
        (mixture(), "wahnstrom", "interactions wahnstrom"),
        (mixture(length_unit="angstrom"), None, "lengths in angstrom"),
        (mixture(species=np.arange(100) % 2), None, "composition 50 % A, 50 % B"),
        (mixture(species=np.zeros(100, int)), None, "composition 100 % A, 0 % B"),
        (
            mixture(species=np.arange(100) % 5, species_names=("A", "B", "C", "D", "E")),
            None,
            "composition 20 % A",
        ),
        (mixture(cell=liquid(100).cell * 1.02), None, r"number density 1\.13"),
        (mixture(**FLAT), None, "2 dimensions"),
    ],
)
def test_curves_of_another_material_are_refused(
    tmp_path: Path, configuration: Configuration, system: str | None, found: str
) -> None:
    described = {} if system is None else {"system": {"name": system}}
    dataset = write(tmp_path / "other.h5", configuration, **described)
    options = ReportOptions(published=(published("0.64"),))
    with pytest.raises(InputError, match=rf"--published: .*T = 0.64: expected .*found .*{found}"):
        options.check(dataset, tmp_path / "report")


def test_curves_of_the_same_material_are_drawn(tmp_path: Path) -> None:
    described = {"system": {"name": "kob-andersen"}, "temperature": 0.64}
    dataset = write(tmp_path / "same.h5", mixture(), **described)
    same, other = (ReportOptions(published=(published(t),)) for t in ("0.64", "0.44"))
    for options in (same, other):
        options.check(dataset, tmp_path / "report")
    # Names do not matter, and a file of one's own may be of any material.
    file = tmp_path / "ours.csv"
    file.write_text("model,t,metric,pearson\nX,1,all,0.5\n")
    metal = write(tmp_path / "metal.h5", mixture(length_unit="angstrom"))
    ReportOptions(published=(published(file),)).check(metal, tmp_path / "report")
    assert Material(0.44).misfits(Dataset("kob_andersen_T0.64")) == []


def test_notes_say_what_the_curves_lack(tmp_path: Path) -> None:
    dataset = write(tmp_path / "same.h5", mixture(), temperature=0.64)
    notes = ReportOptions(published=(published("0.44"),)).notes(dataset)
    assert "are of the temperature 0.44; the dataset is of 0.64" in notes[0]
    assert "none of the published times is a time of the dataset (1)" in notes[1]
    assert len(notes) == 2
    shipped = Dataset("kob_andersen_T0.64")
    assert ReportOptions(published=(published("0.64"),)).notes(shipped) == []
