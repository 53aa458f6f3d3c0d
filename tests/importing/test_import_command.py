"""`glassml import`: what it writes, what it says, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from systems import liquid, moved, write_dump
from training.tiny_dataset import write_dataset
from weight_files import write_bapst, write_botan

from glassml.export import read_manifest
from glassml.files import sha256_of
from glassml.importing import imported
from glassml.importing.published import _BOTAN_START, _KNOWN, _checksum
from glassml.training import load_trained_model

Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_model_file_that_predicts(glassml: Command):
    write_bapst(Path("net.ckpt.index"))
    done = glassml("import", "bapst", "net.ckpt.index", "-o", "bapst.pt", "--time", "0.13")
    assert done.code == 0, done.err
    assert "bapst.pt: bapst, 301 parameters, float32, t = 0.13\n" in done.out
    assert "Cite: V. Bapst, T. Keck," in done.out
    assert "note: no known published weights have these numbers" in done.err
    assert "note: bapst.pt does not say what the training data were like" in done.err
    manifest = read_manifest("bapst.pt")
    assert manifest.times == (0.13,)
    assert manifest.hyperparameters["width"] == 4
    assert manifest.domain is None
    write_dump(Path("run.dump"), [liquid(60, seed=1)])
    predict = ("predict", "run.dump", "-m", "bapst.pt", "-o", "out.extxyz", "--species", "A,B")
    assert glassml(*predict).code == 0
    assert "propensity" in Path("out.extxyz").read_text().splitlines()[1]


def test_card_and_info_say_where_the_weights_come_from(
    glassml: Command, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "300")
    write_botan(Path("net.pth"))
    done = glassml("import", "botan", "net.pth", "-o", "botan.pt", "--time", "4120")
    assert done.code == 0, done.err
    checksum = sha256_of("net.pth")
    shown = glassml("info", "botan.pt").out
    assert checksum in shown
    assert "Cite: H. Shiba, M. Hanai" in shown
    assert glassml("models", "card", "botan.pt").code == 0
    card = Path("botan.md").read_text()
    assert f"| weights | net.pth, SHA-256 `{checksum}` |" in card
    assert "| weights published in | (unknown) |" in card
    assert "| cite | H. Shiba, M. Hanai, T. Suzumura, T. Shimokawabe, BOTAN" in card


def test_precision_and_names_of_the_species(glassml: Command):
    write_botan(Path("net.pth"))
    options = ("--time", "4120", "--dtype", "float64", "--species", "Cu, Zr")
    done = glassml("import", "botan", "net.pth", "-o", "botan.pt", *options)
    assert done.code == 0, done.err
    assert read_manifest("botan.pt").dtype == "float64"
    assert read_manifest("botan.pt").species == ("Cu", "Zr")


def test_data_describe_the_liquid(glassml: Command):
    write_bapst(Path("net.ckpt.index"))
    labels = torch.linspace(0.1, 0.4, 100).numpy()[:, None]
    systems = [
        moved(liquid(100, seed=k, name=f"c{k}"), times=[0.13], propensity=labels, n_runs=4)
        for k in range(2)
    ]
    write_dataset(Path("data.h5"), systems)
    options = ("--time", "0.13", "--data", "data.h5")
    done = glassml("import", "bapst", "net.ckpt.index", "-o", "bapst.pt", *options)
    assert done.code == 0, done.err
    assert "does not say" not in done.err
    domain = read_manifest("bapst.pt").domain
    assert domain is not None
    assert domain.configurations == 2
    assert domain.number_density == pytest.approx((1.2, 1.2))
    assert domain.propensity == (pytest.approx((0.1, 0.4)),)
    dense = moved(systems[0], positions=0.9 * systems[0].positions, cell=0.9 * systems[0].cell)
    write_dump(Path("run.dump"), [dense])
    predict = ("predict", "run.dump", "-m", "bapst.pt", "-o", "out.extxyz", "--species", "A,B")
    assert "number density: expected 1.2; found 1.646" in glassml(*predict).err


def test_the_start_of_a_training(glassml: Command):
    write_botan(Path("net.pth"))
    options = ("--time", "4120", "--as-start")
    done = glassml("import", "botan", "net.pth", "-o", "start.ckpt", *options)
    assert done.code == 0, done.err
    assert "written: start.ckpt\n" in done.out
    start = load_trained_model("start.ckpt")
    expected = imported("botan", "net.pth", times=[4120.0])
    assert start.record == expected.training
    assert start.model.times == (4120.0,)
    for name, value in expected.model.state_dict().items():
        assert torch.equal(start.model.state_dict()[name], value)
    assert glassml("export", "start.ckpt", "-o", "model.pt").code == 0
    assert read_manifest("model.pt").training.imported == expected.training.imported


def test_weights_that_predict_no_propensity(glassml: Command, monkeypatch: pytest.MonkeyPatch):
    """The numbers of this test stand in for those of the published files of BOTAN."""
    write_botan(Path("net.pth"))
    model = imported("botan", "net.pth", times=[1.0]).model
    numbers = {name: value.detach() for name, value in model.named_parameters()}
    monkeypatch.setitem(_KNOWN, _checksum(numbers), _BOTAN_START)
    done = glassml("import", "botan", "net.pth", "-o", "botan.pt", "--time", "4120")
    assert done.code == 1
    assert "error: net.pth: expected weights that were trained to predict the prop" in done.err
    assert "Give --as-start" in done.err
    assert not Path("botan.pt").exists()
    options = ("--time", "4120", "--as-start")
    done = glassml("import", "botan", "net.pth", "-o", "start.ckpt", *options)
    assert done.code == 0, done.err
    assert "note: published weights of h3-Open-BDEC/pyg_botan" in done.err
    done = glassml("export", "start.ckpt", "-o", "model.pt")
    assert "warning: model.pt: propensity: not trained, so its values mean nothing" in done.err
    glassml("models", "card", "model.pt")
    assert "| not trained | `propensity`: values mean nothing |" in Path("model.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bappst", "net.ckpt.index"], "model: expected one of bapst, botan, eignn; found"),
        (["bapst", "no.ckpt.index"], "no.ckpt.index: expected the table of a TensorFlow check"),
        (["botan", "no.pth"], "no.pth: expected parameters written by torch.save; found no such"),
        (["bapst", "alone.ckpt.index"], "alone.ckpt.data-00000-of-00001: expected the numbers"),
        (["bapst", "cut.ckpt.index"], "cut.ckpt.index: expected the table of a TensorFlow check"),
        (["bapst", "net.pth"], "net.pth: expected the table of a TensorFlow checkpoint, whose"),
        (["botan", "net.ckpt.index"], "net.ckpt.index: expected parameters written by torch.save"),
        (["botan", "linear.pth"], "linear.pth: node_encoder.fc1.weight: expected this tensor, of"),
        (["bapst", "net.ckpt.index", "--species", "A"], "species: expected two names, as bapst"),
        (["bapst", "net.ckpt.index", "--dtype", "half"], "dtype: expected float32 or float64"),
        (
            ["bapst", "net.ckpt.index", "--as-start", "--data", "data.h5"],
            "--data, --as-start: expected one of them, as a training describes its own data",
        ),
    ],
)
def test_what_is_refused(glassml: Command, words: list[str], message: str):
    write_bapst(Path("net.ckpt.index"))
    write_botan(Path("net.pth"))
    torch.save(torch.nn.Linear(2, 3).state_dict(), "linear.pth")
    write_bapst(Path("alone.ckpt.index"))
    Path("alone.ckpt.data-00000-of-00001").unlink()
    Path("cut.ckpt.index").write_bytes(Path("net.ckpt.index").read_bytes()[:-10])
    done = glassml("import", *words, "-o", "model.pt", "--time", "1.0")
    assert done.code == 1
    assert f"error: {message}" in " ".join(done.err.split())
    assert not Path("model.pt").exists()


def test_the_time_is_asked_for(glassml: Command):
    write_bapst(Path("net.ckpt.index"))
    done = glassml("import", "bapst", "net.ckpt.index", "-o", "model.pt")
    assert done.code == 1
    assert "error: net.ckpt.index: time: expected the time of the labels" in done.err
