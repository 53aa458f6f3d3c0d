"""Checkpoints of EIGNN: a file of its authors' code becomes a model that predicts lengths.

The authors give no licence, so their file is in no test. These files have its names and shapes, as
far as they are known: layers hold their parts in modules whose names are not fixed here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from systems import liquid, moved
from training.tiny_dataset import write_dataset
from weight_files import eignn_network, eignn_tensors, write_eignn

from glassml.data import Configuration
from glassml.errors import ConfigError, InputError, ModelFileError
from glassml.export import read_manifest
from glassml.importing import imported
from glassml.models import Eignn, shift_inputs

TIMES = (0.13, 1.3, 13.0)
Command = Callable[..., Any]


def network() -> Eignn:
    return eignn_network(TIMES)


def labelled(n: int = 120, seed: int = 3) -> Configuration:
    rng = np.random.default_rng(seed)
    start = liquid(n, seed=seed, name="one")
    return moved(
        start,
        times=TIMES,
        propensity=rng.uniform(0.1, 0.5, (n, 3)) * (1 + start.species[:, None]),
        n_runs=4,
        structures={"cage": start.positions + 0.05 * rng.normal(size=(n, 3))},
        scalars={"inherent_energy": rng.normal(size=n)},
    )


def test_state_and_units(tmp_path: Path) -> None:
    expected = network()
    file = write_eignn(tmp_path / "net.pt", eignn_tensors(expected))
    one, other = labelled(seed=3), labelled(seed=4)
    found = imported("eignn", file, times=TIMES, labelled=[one, other])
    model = found.model
    assert [s.name for s in model.scalar_inputs] == list(shift_inputs("cage"))
    assert model.hyperparameters["n_layers"] == 2
    own = model.state_dict()
    for name, value in expected.state_dict().items():
        if not name.startswith("label_"):
            assert torch.equal(own[name], value), name
    # Mean over the configurations of the moments within each.
    parts = [[c.propensity[c.species == k] for c in (one, other)] for k in (0, 1)]
    mean = [np.mean([p.mean(axis=0) for p in part], axis=0) for part in parts]
    scale = [np.mean([p.std(axis=0, ddof=1) for p in part], axis=0) for part in parts]
    np.testing.assert_allclose(own["label_mean"], mean, rtol=1e-6)  # kept in float32
    np.testing.assert_allclose(own["label_scale"], scale, rtol=1e-6)
    inherent = imported("eignn", file, times=TIMES, labelled=[one], structure="inherent")
    assert inherent.model.scalar_inputs[0].name == "inherent_shift_x"


def test_a_plain_state_dict_too(tmp_path: Path) -> None:
    torch.save(eignn_tensors(network()), tmp_path / "net.pt")
    model = imported("eignn", tmp_path / "net.pt", times=TIMES, labelled=[labelled()]).model
    assert model.n_times == 3


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"labelled": []}, ConfigError, r"labels: expected a dataset with labels .*\(--data\)"),
        ({"times": None}, ConfigError, "time: expected the time of the labels"),
        ({"times": (1.0,)}, ConfigError, "time: expected 3, one for each output of the network"),
        ({"times": (0.13, 1.3, 7.0)}, InputError, r"one: labels: expected some at t = 7; found"),
        ({"labelled": [liquid(50)]}, InputError, "labels: expected some; found none"),
        ({"structure": "average"}, ConfigError, "structure: expected one of cage, inherent"),
    ],
)
def test_what_is_needed_beside_the_file(
    tmp_path: Path, settings: dict, error: type[Exception], message: str
) -> None:
    file = write_eignn(tmp_path / "net.pt", eignn_tensors(network()))
    with pytest.raises(error, match=message):
        imported("eignn", file, **{"times": TIMES, "labelled": [labelled()]} | settings)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lin_cat.weight", None, r"lin_cat.weight: expected shape \[6, 12\] as in a network of"),
        ("interactions.1.norm.bias", None, r"interactions.1: expected one tensor norm.bias, as"),
        ("interactions.0.I2EConv.lin1.weight", torch.zeros(6, 3), "expected shape .6, 29. as in"),
        ("out.lins.0.weight", torch.full((6, 6), torch.nan), "expected finite numbers"),
        ("lin_embedding.weight", None, "lin_embedding.weight: expected this tensor"),
    ],
)
def test_files_of_other_networks(
    tmp_path: Path, name: str, value: torch.Tensor | None, message: str
) -> None:
    net = eignn_tensors(network())
    net.pop(name)
    if value is not None:
        net[name] = value
    file = write_eignn(tmp_path / "net.pt", net)
    with pytest.raises(ModelFileError, match=message):
        imported("eignn", file, times=TIMES, labelled=[labelled()])


def test_the_command(glassml: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_eignn(Path("net.pt"), eignn_tensors(network()))
    write_dataset(Path("liquid.h5"), [labelled()])
    options = ("-o", "eignn.pt", "--time", "0.13,1.3,13", "--data", "liquid.h5")
    done = glassml("import", "eignn", "net.pt", *options)
    assert done.code == 0, done.err
    assert "t = 0.13, 1.3, 13" in done.out
    manifest = read_manifest("eignn.pt")
    assert manifest.domain is not None
    assert manifest.sums_over_system
    assert glassml("predict", "liquid.h5", "-m", "eignn.pt", "-o", "out.extxyz").code == 0
    done = glassml("import", "eignn", "net.pt", "-o", "e.pt", "--time", "soon")
    assert "--time: expected numbers separated by commas; found 'soon'" in done.err
