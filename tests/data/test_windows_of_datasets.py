"""Windows in `glassml data`: shown, checked, merged, and left out of reversed runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from systems import liquid
from typer.testing import CliRunner

from glassml.cli import app
from glassml.data import (
    Configuration,
    Dataset,
    DatasetWriter,
    Window,
    complaints,
    merge_datasets,
    number_of_windows,
    parts_by_size,
    reversed_runs,
    split_dataset,
    summarise,
    with_windows,
)
from glassml.errors import InputError
from glassml.physics import AveragedPositions

N = 40
SPECIES = np.arange(N) // 32
WINDOW = Window(0.1, 20)


def averaged(seed: int = 0, number: int = 2, window: Window = WINDOW) -> Configuration:
    rng = np.random.default_rng(seed)
    start = replace(liquid(N, seed=seed, name=f"c{seed}"), species=SPECIES)
    final = start.positions + rng.normal(0, 0.3, (3, 1, N, 3))
    labelled = replace(
        start,
        times=[1.0],
        propensity=np.linalg.norm(final - start.positions, axis=3).mean(axis=0).T,
        n_runs=3,
        final_positions=final,
        provenance={"temperature": 1.0, "average_seed": 4},
    )
    parts = [
        AveragedPositions(0.1 * rng.normal(size=(N, 3)), rng.random(N), rng.normal(size=N))
        for _ in range(number)
    ]
    return with_windows(labelled, parts, window)


def write(path: Path, *configurations: Configuration) -> Path:
    with DatasetWriter(path) as writer:
        for configuration in configurations:
            writer.add(configuration)
    return path


def test_the_summary_says_how_positions_were_averaged(tmp_path: Path):
    write(tmp_path / "one.h5", averaged(0), averaged(1, 4))
    summary = summarise(Dataset(tmp_path / "one.h5"))
    assert summary.windows == (2, 4)
    assert summary.window_recipes == ["20 samples every 0.1"]
    out = CliRunner().invoke(app, ["data", "info", str(tmp_path / "one.h5")]).output
    assert "2 to 4 of 20 samples every 0.1" in out
    write(tmp_path / "two.h5", averaged(0), averaged(1, 2, Window(0.5, 4)))
    out = CliRunner().invoke(app, ["data", "info", str(tmp_path / "two.h5")]).output
    out = " ".join(out.replace("│", " ").split())
    assert "windows 2 of 20 samples every 0.1 or of 4 samples every 0.5" in out
    write(tmp_path / "none.h5", liquid(N))
    assert summarise(Dataset(tmp_path / "none.h5")).windows == (0, 0)


def changed(kind: str, name: str, value: object) -> Callable[[Configuration], Configuration]:
    def change(c: Configuration) -> Configuration:
        fields = dict(getattr(c, kind))
        if value is None:
            del fields[name]
        else:
            fields[name] = fields[name] + value if kind != "provenance" else value
        return replace(c, **{kind: fields})

    return change


def test_good_windows_are_not_complained_about(tmp_path: Path):
    far = averaged(1)
    shift = np.full((N, 3), 2.0)  # more than half of the box of 3.2: followed, not wrapped
    part = AveragedPositions(shift, np.zeros(N), None)
    path = write(tmp_path / "data.h5", averaged(0), with_windows(far, [part], WINDOW))
    assert list(complaints(Dataset(path))) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed("provenance", "average_samples", None), "expected average_interval and average"),
        (changed("provenance", "average_interval", -1.0), "expected average_interval and average"),
        (changed("scalars", "vibration_2", -1.0), "'vibration_2']: expected no negative value"),
        (changed("scalars", "vibration", None), "expected 'vibration' of window 1; found none"),
        (changed("scalars", "average_energy_2", None), "expected 'average_energy_2', as for win"),
        (
            changed("scalars", "average_displacement_2", -10.0),
            "'average_displacement_2']: expected no negative value",
        ),
        (
            changed("structures", "average", np.array([0.01, 0.0, 0.0])),
            "'average_displacement']: expected the distances from positions to the averaged",
        ),
        (changed("structures", "average", None), "numbered from 1 without gaps; found 0"),
    ],
)
def test_wrong_windows_are_named(change, message: str, tmp_path: Path):
    path = write(tmp_path / "data.h5", change(averaged()))
    found = [str(complaint) for complaint in complaints(Dataset(path))]
    assert any(message in text for text in found), found


def test_reversed_runs_have_no_windows_of_their_start():
    for end in reversed_runs(averaged()):
        assert end.structures == {}
        assert end.scalars == {}
        assert not [key for key in end.provenance if key.startswith("average")]
        assert end.provenance["temperature"] == 1.0


def test_parts_keep_windows_and_may_be_put_together_again(tmp_path: Path):
    path = write(tmp_path / "data.h5", *(averaged(k, 1 + k) for k in range(4)))
    with Dataset(path) as dataset:
        parts = parts_by_size(dataset, {"a": 2, "b": 2})
        files = {name: tmp_path / f"{name}.h5" for name in parts}
        split_dataset(dataset, parts, files, {})
        assert merge_datasets(list(files.values()), tmp_path / "all.h5") == 4
        with Dataset(tmp_path / "all.h5") as merged:
            for name in dataset.names:
                assert merged.checksum(name) == dataset.checksum(name)
                assert merged.n_windows(name) == number_of_windows(dataset[name])


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (averaged(1, 2, Window(0.2, 20)), "found 2 windows of 20 samples every 0.2"),
        (
            replace(liquid(N, seed=1), species=SPECIES, times=[1.0], propensity=np.ones((N, 1))),
            "found none",
        ),
    ],
)
def test_different_windows_are_not_merged_unless_that_is_wanted(other, found, tmp_path: Path):
    paths = [write(tmp_path / "a.h5", averaged()), write(tmp_path / "b.h5", other)]
    message = f"averaged positions: expected 2 windows of 20 samples every 0.1 as in .*{found}"
    with pytest.raises(InputError, match=message):
        merge_datasets(paths, tmp_path / "all.h5")
    assert merge_datasets(paths, tmp_path / "all.h5", allow_different=True) == 2
