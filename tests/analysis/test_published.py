"""Published curves: those of the package, and those of a user's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassml.analysis import published
from glassml.analysis.published import published_temperatures
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
