"""The commands in docs/theory/descriptors.md, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
from pages import executed
from systems import liquid, moved

from glassml.data import Dataset, DatasetWriter
from glassml.export import read_manifest
from glassml.inference import Predictor


def write_train(path: str, *structures: str) -> None:
    """Two small liquids of one species, whose labels are related to their cage centres."""
    with DatasetWriter(path) as writer:
        for seed in (1, 2):
            bare = liquid(60, seed=seed, name=f"liquid-{seed}")
            way = 0.1 * np.random.default_rng(seed).normal(size=(60, 3))
            writer.add(
                moved(
                    bare,
                    species=np.zeros(60, int),
                    species_names=("A",),
                    structures=dict.fromkeys(structures, bare.positions + way),
                    times=[1.0],
                    propensity=0.1 + np.linalg.norm(way, axis=1, keepdims=True),
                )
            )


def test_the_commands_of_the_page(commands_run: Callable[..., list[str]]) -> None:
    Path("train.h5").unlink(missing_ok=True)
    write_train("train.h5", "inherent", "cage")
    (block,) = executed("docs/theory/descriptors.md", "sh", "Fit one")
    printed = commands_run(block)
    assert all("fitted to train.h5 (2 configurations)" in " ".join(p.split()) for p in printed)
    found = {
        name: read_manifest(f"{name}.pt") for name in ("boattini", "boattini_inherent", "cage")
    }
    assert [m.positions for m in found.values()] == ["thermal", "inherent", "thermal"]
    columns = [len(m.output("descriptors").columns) for m in found.values()]
    assert columns == [3 * (77 + 192), 3 * (77 + 192), 3 * (2 * (77 + 192) + 1)]
    assert "Averaging local structure" in " ".join(found["boattini"].citations)
    assert "pinpointing the local cage" in " ".join(found["cage"].citations)
    # The distance to the cage is a column of the cage's model alone: only it finds the labels.
    dataset = Dataset("train.h5")
    predicted = Predictor("cage.pt", "cpu").predict([dataset[0]])[0]["propensity"]
    assert np.corrcoef(predicted[:, 0], dataset[0].propensity[:, 0])[0, 1] > 0.9
    # Of single configurations each prediction has a coefficient, so their mean has an error bar.
    scores = found["cage"].training.accuracy.scores
    assert [s.error_kind for s in scores if s.kind == "mean"] == [
        "standard error over configurations"
    ]
    assert [s.error for s in scores if s.kind == "all"] == [None]


def test_the_state_of_the_cage_alone(glassml: Callable, workplace: Path) -> None:
    """As the page says; and any scalar is averaged like the descriptors."""
    Path("train.h5").unlink(missing_ok=True)
    write_train("train.h5", "cage")
    options = ["--positions", "cage", "--scalar", "cage_displacement"]
    done = glassml("refit", "boattini", "train.h5", "-o", "state.pt", *options)
    assert done.code == 0, done.err
    names = read_manifest("state.pt").output("descriptors").columns
    assert [n for n in names if n.startswith("cage")] == [
        f"cage_displacement_average={k}" for k in range(3)
    ]


def test_settings_of_descriptors(glassml: Callable, workplace: Path) -> None:
    Path("train.h5").unlink(missing_ok=True)
    write_train("train.h5", "inherent")
    options = ["--setting", "cutoff=1.75", "--setting", "averages=1"]
    done = glassml("refit", "structural", "train.h5", "-o", "few.pt", *options)
    assert done.code == 0, done.err
    found = read_manifest("few.pt")
    assert (found.cutoff, found.hyperparameters["averages"]) == (1.75, 1)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("cutof=2", "found 'cutof'"),
        ("cutoff", "--setting: expected NAME=VALUE; found 'cutoff'"),
        ("times=[1]", "; found times, which the data and other options decide"),
        ("name=x", "settings: expected one of cutoff, l_max, start"),
        ("averages=many", "averages: expected a whole number"),
    ],
)
def test_wrong_settings_of_descriptors(
    glassml: Callable, workplace: Path, setting: str, message: str
) -> None:
    Path("train.h5").unlink(missing_ok=True)
    write_train("train.h5", "inherent")
    done = glassml("refit", "structural", "train.h5", "-o", "m.pt", "--setting", setting)
    assert done.code == 1
    assert message in " ".join(done.err.split())


@pytest.mark.parametrize(
    ("structures", "options", "message"),
    [
        (("inherent",), [], "cage_shift_x"),
        (
            ("cage",),
            ["--positions", "cage"],
            "positions: expected thermal for cage, which reads the vectors from there to its other "
            "structure; found 'cage'",
        ),
    ],
)
def test_cage_needs_thermal_positions_and_cage_centres(
    glassml: Callable, workplace: Path, structures: tuple[str, ...], options: list, message: str
) -> None:
    Path("train.h5").unlink(missing_ok=True)
    write_train("train.h5", *structures)
    done = glassml("refit", "cage", "train.h5", "-o", "cage.pt", *options)
    assert done.code == 1
    assert message in " ".join(done.err.split())
    assert not Path("cage.pt").exists()


def test_descriptors_of_a_file(glassml: Callable, workplace: Path) -> None:
    """Without a model: of the first frame's material."""
    arguments = ["-o", "described.extxyz", "--species", "A,B"]
    done = glassml("predict", "run.lammpstrj", "-m", "boattini", *arguments)
    assert done.code == 0, done.err
    atoms = ase.io.read("described.extxyz")
    assert atoms.arrays["descriptors"].shape == (100, 1038)
    # Near shells are spaced by their width, so a sum over them counts sqrt(2 pi) times the
    # neighbours inside; here of A, between 1.0 and 1.85 from the ends of the shells.
    assert 10 < atoms.arrays["descriptors"][:, :47].sum(axis=1).mean() / np.sqrt(2 * np.pi) < 40
