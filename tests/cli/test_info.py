"""`glassml info`: the manifest as a person and as a program reads it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glassml.data import Window
from glassml.export import read_manifest, save_model
from glassml.models import build
from glassml.provenance import Accuracy, DataFile, KnownConfiguration, Side, TrainingRecord
from glassml.scores import Score

KIND = "standard error over configurations"

Run = Callable[..., Any]
MakeModel = Callable[..., Path]


def test_shows_the_model_and_its_use(analytic: MakeModel, glassml: Run) -> None:
    model = analytic(species=("Ni", "P"), scalar_inputs=("potential_energy",), cutoff=3.25)
    done = glassml("info", model)
    assert (done.code, done.err) == (0, "")
    for text in (
        "Ni P",
        "3.25 sigma (LJ units)",
        "potential_energy [energy]",
        "propensity_t=1, propensity_t=2",
        "1x0e+1x1e",
        "float64",
        f"fix propensity all glassml 100 {model} Ni P scalar c_potential_energy",
        f'GlassMLCalculator("{model}", base=..., species=["Ni", "P"]',
    ):
        assert text in done.out


def test_columns_of_a_dump_get_the_names_of_the_model(analytic: MakeModel, glassml: Run) -> None:
    lines = glassml("info", analytic()).out.splitlines()
    title = lines.index("LAMMPS dump, with names that OVITO and ASE keep")
    assert lines[title + 1 : title + 3] == [
        "dump propensity all custom 100 propensity.dump id type x y z f_propensity[*]",
        "dump_modify propensity colname f_propensity[1] f_propensity_t=1 "
        "colname f_propensity[2] f_propensity_t=2",
    ]


def test_nested_settings_stay_apart(
    glassml: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = Score(species="A", time=1.0, kind="mean", value=0.51, error=0.02, error_kind=KIND)
    training = TrainingRecord(
        data=(DataFile(file="a.h5", sha256="0123456789abcdef" * 4, configurations=300),),
        train=Side.of(KnownConfiguration(name=f"sample-{k}") for k in range(300)),
        recipe={
            "optimiser": {"name": "adam", "betas": [0.9, 0.999]},
            "schedule": {"milestones": [20, 28]},
            "early_stopping": None,
            "standardise": True,
        },
        accuracy=Accuracy(protocol="two other configurations", scores=(score,)),
    )
    save_model(build("analytic"), tmp_path / "m.pt", training=training)
    monkeypatch.setenv("COLUMNS", "80")
    out = glassml("info", tmp_path / "m.pt").out
    lines = out.splitlines()
    values = [line.rstrip("│ ").rpartition("│")[2].strip() for line in lines]
    recipe = [
        "optimiser:      name:  adam",
        "betas: 0.9, 0.999",
        "schedule:       milestones: 20, 28",
        "early_stopping: none",
        "standardise:    true",
    ]
    first = values.index(recipe[0])
    assert values[first : first + 5] == recipe
    assert lines[first].index("name:") == lines[first + 1].index("betas:")
    assert "sample-0, sample-1, sample-2, sample-3, ... (300 in all)" in " ".join(values)
    assert "0123456789abcdef" * 4 in "".join(values)  # broken into lines, not cut
    assert "species:       A, B" in out
    assert "pearson mean, A, t = 1: 0.510 ± 0.020" in out
    assert "protocol: two other configurations" in out
    assert "validation" not in out  # of which nothing is known


def test_an_untrained_model_has_no_table_of_a_training(analytic: MakeModel, glassml: Run) -> None:
    assert "Training" not in glassml("info", analytic()).out


def test_a_model_of_averaged_positions(
    glassml: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("average_energy", "charge", "vibration", "potential_energy", "average_displacement")
    model = build("analytic", scalar_inputs=names)
    model.positions, model.window = "average", Window(0.1, 20)
    path = tmp_path / "m.pt"
    save_model(model, path)
    monkeypatch.setenv("COLUMNS", "200")
    out = glassml("info", path).out
    rows = dict(
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in out.splitlines()
        if line.count("│") == 3
    )
    assert rows["positions"] == "average"
    assert rows["window"] == "20 samples every 0.1"
    assert rows["structure"] == (
        "average positions (means over the window), average_energy (mean of energies over the "
        "window), potential_energy"
    )
    assert rows["short-time dynamics"] == "vibration, average_displacement"
    lines = out.splitlines()
    assert "LAMMPS (one species for each atom type; STEPS: 0.1 in timesteps; NEVERY: 20 STEPS)" in (
        lines
    )
    # What the window gives, and energies, are the fix's own.
    assert (
        f"fix propensity all glassml NEVERY {path} A B positions average STEPS 20 scalar c_charge"
    ) in lines
    assert (
        f'PropensityObserver(atoms, "{path}", species=["A", "B"], scalars={{"charge": "charge"}})'
    ) in lines
    assert (
        f"glassml predict INPUT -m {path} -o OUT.extxyz --species A,B --average 20 --scalar "
        "charge=c_charge --scalar average_energy=c_energy --scalar potential_energy=c_energy"
    ) in lines


@pytest.mark.parametrize(
    ("positions", "keyword"), [("thermal", ""), ("inherent", " positions inherent")]
)
def test_scalars_of_a_window_beside_other_positions(
    positions: str, keyword: str, glassml: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line for LAMMPS must not change the positions that the model reads."""
    model = build("analytic", scalar_inputs=("vibration",))
    model.positions, model.window = positions, Window(0.1, 20)
    path = tmp_path / "m.pt"
    save_model(model, path)
    monkeypatch.setenv("COLUMNS", "200")
    lines = glassml("info", path).out.splitlines()
    assert f"fix propensity all glassml NEVERY {path} A B{keyword}" in lines


def test_models_without_averages_have_no_window(analytic: MakeModel, glassml: Run) -> None:
    out = glassml("info", analytic(scalar_inputs=("potential_energy",))).out
    assert "window" not in out
    assert "dynamics" not in out


def test_json_is_the_manifest(analytic: MakeModel, glassml: Run) -> None:
    done = glassml("info", analytic(), "--json")
    assert done.code == 0
    assert json.loads(done.out) == json.loads(read_manifest(analytic()).model_dump_json())


def test_real_network(glassml: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    save_model(build("se3gnn-v2", n_layers=2, channels=4, times=(0.5, 3.0)), path)
    done = glassml("info", path)
    assert done.code == 0
    assert f"{read_manifest(path).n_parameters:,}" in done.out
    assert "in all)" in done.out  # the equivariant output has too many columns to list
    assert "SciPost" in done.out


def test_the_line_it_shows_is_a_command(analytic: MakeModel, glassml: Run, tmp_path: Path) -> None:
    from ase.io import write
    from systems import liquid

    from glassml.data import atoms_from_configuration

    shown = glassml("info", analytic()).out.splitlines()
    command = shlex.split(next(line for line in shown if line.startswith("glassml predict")))
    write(tmp_path / "in.extxyz", atoms_from_configuration(liquid()))
    places = {"INPUT": tmp_path / "in.extxyz", "OUT.extxyz": tmp_path / "out.extxyz"}
    done = glassml(*(places.get(word, word) for word in command[1:]))
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "out.extxyz").is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.pt", "absent.pt: expected a model file"),
        ("text.pt", "text.pt: expected a model file written by `glassml export`"),
    ],
)
def test_mistakes(glassml: Run, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "text.pt").write_text("not a model")
    done = glassml("info", tmp_path / name)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert message in done.err
    assert "Traceback" not in done.err
