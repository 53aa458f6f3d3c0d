"""Commands on a disk that is full: a message, nothing half-written, and what was there stays."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from training.tiny_dataset import labelled, sweep_settings, write_dataset
from typer.testing import CliRunner

from glassml.cli import app
from glassml.errors import FullDiskError, SimulationError
from glassml.simulation.lammps import run_lammps
from glassml.training.checkpoint import AtomicCheckpointIO

Run = Callable[..., Any]
REASON = r"\((?:No space left on device|File too large)\)"


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Gives a folder with room for so many kB; a larger file does not fit either.

    It is a file system of its own where this user may mount one. Elsewhere files are limited to
    this size, which the kernel refuses in the same way, but with another reason.
    """
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def make(kilobytes: int) -> Path:
        nonlocal mounted
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", folder]
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        if not mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * kilobytes, before[1]))
        return folder

    yield make
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    if mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A dataset and a model for it."""
    folder = tmp_path_factory.mktemp("files")
    data = write_dataset(folder / "tiny.h5", [labelled(seed) for seed in range(4)])
    model = folder / "model.pt"
    done = CliRunner().invoke(app, ["refit", "structural", str(data), "-o", str(model)])
    assert done.exit_code == 0, done.output
    return data, model


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"folder"
        for path in folder.rglob("*")
    }


def test_refit_and_export(
    glassml: Run, tiny_disk: Callable[[int], Path], files: tuple[Path, Path]
) -> None:
    data, model = files
    disk = tiny_disk(8)
    output = disk / "model.pt"
    output.write_bytes(b"an earlier model")
    before = contents(disk)
    for command in (("refit", "structural", data), ("export", model)):
        done = glassml(*command, "-o", output)
        assert done.code == 1
        assert re.fullmatch(
            rf"error: {output}: cannot write here {REASON}\. Make room or choose another path\n",
            done.err,
        )
        assert contents(disk) == before


@pytest.mark.parametrize("name", ["earlier", "new/report"])
def test_evaluate(
    glassml: Run, tiny_disk: Callable[[int], Path], files: tuple[Path, Path], name: str
) -> None:
    """Tables and the first pictures of a report fit on the disk; no part of it appears."""
    data, model = files
    disk = tiny_disk(100)
    (disk / "earlier" / "figures").mkdir(parents=True)
    (disk / "earlier" / "scores.csv").write_text("earlier scores")
    (disk / "earlier" / "figures" / "pearson.png").write_text("an earlier picture")
    before = contents(disk)
    report = disk / name
    done = glassml("evaluate", model, data, "-o", report, "--resamples", 2)
    assert done.code == 1
    assert re.fullmatch(
        rf"error: {report}/figures/\w+\.(png|svg): cannot write here {REASON}\. Make room or "
        r"choose another path",
        done.err.splitlines()[-1],
    )
    assert contents(disk) == before


@pytest.mark.parametrize("name", ["map.pdf", "map.mp4"])
def test_plot(
    glassml: Run, tiny_disk: Callable[[int], Path], files: tuple[Path, Path], name: str
) -> None:
    """Matplotlib fails with other errors after that of the disk; ffmpeg is another program."""
    picture = tiny_disk(8) / name
    done = glassml("plot", files[0], "-o", picture)
    assert done.code == 1
    assert re.fullmatch(
        rf"error: {picture}: cannot write here {REASON}\. Make room or choose another path",
        done.err.splitlines()[-1],
    )
    assert contents(picture.parent) == {}


def test_lammps(tiny_disk: Callable[[int], Path]) -> None:
    """LAMMPS itself does not say that the disk is full."""
    disk = tiny_disk(16)
    script = """
        lattice fcc 1
        region box block 0 6 0 6 0 6
        create_box 1 box
        create_atoms 1 box
        mass 1 1
        write_restart file.restart
    """
    with pytest.raises(
        SimulationError, match=r"is the disk full\? There are 0\.\d MB free in|SIGXFSZ"
    ):
        run_lammps(script, cwd=disk)


def test_sweep_and_train(glassml: Run, tiny_disk: Callable[[int], Path], tmp_path: Path) -> None:
    """The first picture does not fit. A sweep ends; it does not try the other runs."""
    data = write_dataset(tmp_path / "tiny.h5", [labelled(seed) for seed in range(4)])
    disk = tiny_disk(48)
    sweep = sweep_settings(data, disk / "sweep")
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    done = glassml("sweep", tmp_path / "sweep.yaml", "--threads", 1)
    assert done.code == 1
    assert re.fullmatch(
        rf"error: {disk}/sweep/runs/\w+/curves\.png: cannot write here {REASON}\. Finished runs "
        rf"and epochs are kept in {disk}/sweep\. Make room, then run the same command again\n",
        done.err,
    )
    assert "0 of them done" in done.out
    assert "[" not in done.out.partition("0 of them done")[2]  # no line of a run that has ended
    assert not list(disk.rglob("*.partial*"))
    train = {**sweep["base"], "output": str(disk / "run")}
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(train))
    done = glassml("train", tmp_path / "train.yaml")
    assert done.code == 1
    assert re.fullmatch(
        rf"error: {disk}/run\S*: cannot write here {REASON}\. No epoch of {disk}/run is finished\. "
        rf"Make room, then continue with: glassml train --resume {disk}/run\n",
        done.err,
    )
    assert not list(disk.rglob("*.partial*"))


def test_checkpoints(tiny_disk: Callable[[int], Path]) -> None:
    disk = tiny_disk(64)
    (disk / "last.ckpt").write_bytes(b"an earlier one")
    with pytest.raises(FullDiskError, match=rf"last\.ckpt: cannot write here {REASON}\. Make room"):
        AtomicCheckpointIO().save_checkpoint({"x": torch.zeros(40_000)}, disk / "last.ckpt")
    assert contents(disk) == {"last.ckpt": b"an earlier one"}


def test_output_that_is_full() -> None:
    """`glassml ... > /dev/full`."""
    code = "from glassml.cli import main; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "error: the output: cannot write here (No space left on device). Make room or choose "
        "another path\n"
    )
