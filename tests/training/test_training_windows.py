"""Training on averaged positions: windows are drawn, and the model remembers how they were made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_dataset import labelled, write_dataset

from glassml.data import Configuration, Window, view_of, with_windows
from glassml.errors import ConfigError, InputError
from glassml.export import read_manifest, restored_model, save_model
from glassml.inference import Predictor
from glassml.models import Committee, build
from glassml.physics import AveragedPositions
from glassml.training import load_trained_model, parse_config, resume, train
from glassml.training.data_module import DataModule
from glassml.training.split import open_split

WINDOW = Window(0.1, 20)
WINDOWS = 3


def averaged(seed: int, window: Window = WINDOW, number: int = WINDOWS) -> Configuration:
    """A labelled configuration with averages over several windows."""
    rng = np.random.default_rng(seed)
    start = labelled(seed)
    n = start.n_particles
    averages = [
        AveragedPositions(0.05 * rng.normal(size=(n, 3)), rng.random(n), rng.random(n))
        for _ in range(number)
    ]
    return with_windows(start, averages, window)


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("windows") / "windows.h5"
    return write_dataset(path, [averaged(seed) for seed in range(6)])


@pytest.fixture
def averaging(settings: dict[str, Any], windows: Path) -> dict[str, Any]:
    settings["data"] = {
        "train": str(windows),
        "validation": ["sample_1", "sample_4"],
        "positions": "average",
        "scalars": ["average_energy", "vibration"],
    }
    return settings


def module_of(settings: dict[str, Any]) -> DataModule:
    config = parse_config(settings)
    module = DataModule(open_split(config.data), config.data, config.training, cutoff=2.0)
    module.prepare()
    return module


def test_an_epoch_draws_one_window_of_each_configuration(averaging: dict[str, Any]) -> None:
    module = module_of(averaging)
    loader = module.train_dataloader()
    assert module.steps_per_epoch(1) == 4
    drawn = []
    for epoch in range(40):
        loader.sampler.set_epoch(epoch)
        indices = list(loader.sampler)
        assert sorted(index // WINDOWS for index in indices) == [0, 1, 2, 3]
        drawn += indices
    assert set(drawn) == set(range(4 * WINDOWS))


@pytest.mark.parametrize("cache", [True, False])
def test_graphs_are_those_of_the_windows(averaging: dict[str, Any], cache: bool) -> None:
    averaging["data"]["cache"] = cache
    module = module_of(averaging)
    configuration = module.split.train[2].read()
    for window in range(1, WINDOWS + 1):
        graph = module.train_set[2 * WINDOWS + window - 1]
        view = view_of(configuration, "average", window)
        expected = np.stack([view.scalars["average_energy"], view.scalars["vibration"]], axis=1)
        np.testing.assert_allclose(graph.scalars.numpy(), expected, rtol=1e-6)
        sender, receiver = graph.edge_index.numpy()
        vector = view.positions[sender] - view.positions[receiver] - graph.edge_vector.numpy()
        images = vector @ np.linalg.inv(view.cell)
        np.testing.assert_allclose(images, np.rint(images), atol=1e-5)


def test_validation_reads_the_first_window(averaging: dict[str, Any]) -> None:
    module = module_of(averaging)
    assert len(list(module.val_dataloader())) == 2
    first = view_of(module.split.validation[0].read(), "average")
    np.testing.assert_allclose(
        module.validation_set[0].scalars[:, 1].numpy(), first.scalars["vibration"], rtol=1e-6
    )


def test_fewer_windows(averaging: dict[str, Any]) -> None:
    averaging["data"]["windows"] = 2
    assert len(module_of(averaging).train_set) == 4 * 2
    averaging["data"]["windows"] = 10
    assert len(module_of(averaging).train_set) == 4 * WINDOWS


def test_thermal_models_do_not_see_windows(averaging: dict[str, Any]) -> None:
    averaging["data"] |= {"positions": "thermal", "scalars": ["potential_energy"]}
    module = module_of(averaging)
    assert len(module.train_set) == 4
    assert module.window is None


def test_thermal_positions_belong_to_the_first_window(averaging: dict[str, Any]) -> None:
    averaging["data"] |= {"positions": "thermal", "scalars": ["vibration"]}
    module = module_of(averaging)
    assert len(module.train_set) == 4
    assert module.window == WINDOW
    first = module.split.train[0].read().scalars["vibration"]
    np.testing.assert_allclose(module.train_set[0].scalars[:, 0].numpy(), first, rtol=1e-6)


def test_windows_must_agree(averaging: dict[str, Any], tmp_path: Path) -> None:
    other = write_dataset(
        tmp_path / "other.h5", [averaged(seed, Window(0.1, 10)) for seed in range(10, 13)]
    )
    averaging["data"]["train"] = [averaging["data"]["train"], str(other)]
    with pytest.raises(InputError, match=r"20 samples every 0.1.*found 10 samples every 0.1"):
        module_of(averaging)


def test_scalars_of_no_window_are_refused(averaging: dict[str, Any], tmp_path: Path) -> None:
    """Otherwise the export of the trained model would fail, which states the window."""
    starts = [labelled(seed) for seed in range(3)]
    alone = [replace(start, scalars={"vibration": np.ones(start.n_particles)}) for start in starts]
    file = write_dataset(tmp_path / "alone.h5", alone)
    averaging["data"] = {
        "train": str(file),
        "validation": ["sample_1"],
        "scalars": ["vibration"],
    }
    message = r"alone\.h5: configuration 'sample_\d': structures: expected 'average'.*found none"
    with pytest.raises(InputError, match=message):
        module_of(averaging)


def test_the_model_remembers_the_window(averaging: dict[str, Any], tmp_path: Path) -> None:
    result = train(parse_config(averaging))
    resume(result.folder, ["training.epochs=5"])
    trained = load_trained_model(result.folder)
    assert trained.model.window == WINDOW
    save_model(trained.model, tmp_path / "model.pt")
    assert read_manifest(tmp_path / "model.pt").window == WINDOW


def test_a_restored_model_has_its_window(windows: Path, tmp_path: Path) -> None:
    model = build("structural", species=("A", "B"), times=(1.0,))
    model.positions, model.window = "average", WINDOW
    save_model(model, tmp_path / "model.pt")
    assert restored_model(tmp_path / "model.pt").window == WINDOW
    found = Predictor(tmp_path / "model.pt").predict([averaged(0)], window=2)
    again = Predictor(tmp_path / "model.pt").predict(
        [view_of(averaged(0), "average", 2)], as_given=True
    )
    np.testing.assert_array_equal(found[0]["propensity"], again[0]["propensity"])


def test_predictions_for_another_window_warn(tmp_path: Path) -> None:
    model = build("structural", species=("A", "B"), times=(1.0,))
    model.positions, model.window = "average", WINDOW
    save_model(model, tmp_path / "model.pt")
    predictor = Predictor(tmp_path / "model.pt")
    with pytest.warns(UserWarning, match=r"20 samples every 0.1; found .* 5 samples every 0.4"):
        predictor.predict([averaged(0, Window(0.4, 5))])


def test_members_of_a_committee_share_their_window() -> None:
    members = [build("structural", species=("A", "B"), times=(1.0,)) for _ in range(2)]
    for member, samples in zip(members, (20, 10), strict=True):
        member.positions, member.window = "average", Window(0.1, samples)
    with pytest.raises(ConfigError, match=r"window: expected 20 samples every 0.1 .* found 10"):
        Committee(members)


@pytest.mark.parametrize(
    ("positions", "scalars", "window"),
    [("average", (), None), ("thermal", ("vibration",), None), ("thermal", (), WINDOW)],
)
def test_a_window_belongs_to_averages_alone(
    positions: str, scalars: tuple[str, ...], window: Window | None, tmp_path: Path
) -> None:
    model = build("structural", species=("A", "B"), times=(1.0,), scalar_inputs=scalars)
    model.positions, model.window = positions, window
    with pytest.raises(ValueError, match="window: expected a window for averaged positions"):
        save_model(model, tmp_path / "model.pt")
