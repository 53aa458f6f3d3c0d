"""Files as people have them, through `predict` and `plot`: right values, or a message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from systems import liquid, write_dump

from glassml.inference import Predictor

Run = Callable[..., Any]
MakeModel = Callable[..., Path]
SYSTEM = liquid(60)
SPECIES = ("--species", "A,B")


def expected(model: Path) -> np.ndarray:
    return Predictor(model, device="cpu").predict([SYSTEM])[0]["propensity"]


def xyz(header: str) -> str:
    symbols = np.array(["H", "He"])[SYSTEM.species]
    rows = [
        f"{symbol} {' '.join(f'{x:.17g}' for x in position)}\n"
        for symbol, position in zip(symbols, SYSTEM.positions, strict=True)
    ]
    return f"60\n{header}\n{''.join(rows)}"


def dump(old: str, new: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = write_dump(folder / "run.lammpstrj", [SYSTEM])
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return path

    return write


def in_box(text: str) -> str:
    """The header of an xyz file with the lattice vectors."""
    return f'Lattice="{" ".join(f"{x:.17g}" for x in SYSTEM.cell.flat)}" {text}'


def written_xyz(header: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "run.xyz"
        path.write_text(xyz(header))
        return path

    return write


@pytest.mark.parametrize(
    "write",
    [
        dump("BOUNDS pp pp pp", "BOUNDS"),
        dump("BOUNDS pp pp pp", "BOUNDS ff ff ff"),
        written_xyz(in_box('pbc="p p p"')),
        written_xyz(in_box('pbc="F F F"')),
    ],
)
def test_predict_with_periodic_directions(
    write: Callable[[Path], Path], analytic: MakeModel, glassml: Run, tmp_path: Path
) -> None:
    source, out = write(tmp_path), tmp_path / "out.extxyz"
    species = SPECIES if source.suffix == ".lammpstrj" else ("--species", "H=A,He=B")
    common = ["predict", source, "-m", analytic(), "-o", out, *species]
    done = glassml(*common, "--pbc", "T,T,T")
    assert (done.code, done.err) == (0, "")
    found = ase.io.read(out)
    np.testing.assert_allclose(found.arrays["propensity"], expected(analytic()), rtol=1e-10)
    assert found.pbc.all()


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (dump("BOUNDS pp pp pp", "BOUNDS"), "periodicity: expected flags such as"),
        (dump("60\nITEM: BOX", "59\nITEM: BOX"), "expected 59 lines of particles, as ITEM: NUMBER"),
        (dump("\n7 ", "\n# a remark\n7 "), "found 61, and '# a remark'"),
        (written_xyz(""), 'periodicity: expected a cell, such as Lattice="'),
        (written_xyz(in_box("").lower()), "expected the key Lattice, as its case matters"),
    ],
)
@pytest.mark.parametrize("command", ["predict", "plot"])
def test_what_is_not_known_is_not_guessed(
    write: Callable[[Path], Path],
    message: str,
    command: str,
    analytic: MakeModel,
    glassml: Run,
    tmp_path: Path,
) -> None:
    out = tmp_path / {"predict": "out.extxyz", "plot": "out.png"}[command]
    done = glassml(command, write(tmp_path), "-m", analytic(), "-o", out, *SPECIES)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert not out.exists()


def test_plot_takes_the_periodicity_too(analytic: MakeModel, glassml: Run, tmp_path: Path) -> None:
    source, out = dump("BOUNDS pp pp pp", "BOUNDS")(tmp_path), tmp_path / "out.png"
    done = glassml("plot", source, "-m", analytic(), "-o", out, *SPECIES, "--pbc", "T,T,T")
    assert (done.code, done.err) == (0, "")
    assert out.stat().st_size > 1000


def test_names_in_a_dump_are_used(analytic: MakeModel, glassml: Run, tmp_path: Path) -> None:
    """The column `element`, with types in the other order than the model's species."""
    path = write_dump(tmp_path / "run.lammpstrj", [SYSTEM])
    head, marker, rows = path.read_text().partition("ITEM: ATOMS id type")
    words = [row.split(" ", 2) for row in rows.split("\n", 1)[1].splitlines()]
    named = [f"{i} {3 - int(kind)} {'AB'[int(kind) - 1]} {rest}\n" for i, kind, rest in words]
    path.write_text(f"{head}{marker} element x y z c_pe\n{''.join(named)}")
    out = tmp_path / "out.extxyz"
    common = ["predict", path, "-m", analytic(), "-o", out]
    done = glassml(*common)
    assert (done.code, done.err) == (0, "")
    atoms = ase.io.read(out)
    np.testing.assert_allclose(atoms.arrays["propensity"], expected(analytic()), rtol=1e-10)
    assert atoms.info["species_names"] == "B,A"
    done = glassml(*common, *SPECIES)
    assert done.code == 1
    assert "which calls type 1 'B'; found 'A'. Leave --species out" in done.err
    again = glassml("predict", out, "-m", analytic(), "-o", tmp_path / "again.extxyz")
    assert (again.code, again.err) == (0, "")
