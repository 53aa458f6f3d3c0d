"""LAMMPS dumps whose contents differ from what they state, or that do not state enough."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest

from glassml.data import (
    ReadOptions,
    SpeciesMap,
    configuration_from_atoms,
    convert,
    open_frames,
    read_configurations,
)
from glassml.data.dataset import Dataset
from glassml.errors import InputError

POSITIONS = np.array([[0.1, 0.2, 0.3], [1.1, 1.2, 0.4], [2.5, 0.3, 1.9], [1.4, 2.6, 2.7]])
TYPES = [1, 2, 1, 1]
FLAGS = "pp pp pp"
BOX = "0 3\n0 3\n0 3"
# Not in the order of their ids.
ROWS = [f"{k + 1} {TYPES[k]} {' '.join(map(str, POSITIONS[k]))}\n" for k in (2, 0, 3, 1)]


def frame(
    rows: list[str] = ROWS,
    *,
    n: int = 4,
    step: int = 0,
    before: str = "",
    flags: str = FLAGS,
    box: str = BOX,
    columns: str = "id type x y z",
) -> str:
    return (
        f"{before}ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{n}\nITEM: BOX BOUNDS {flags}\n"
        f"{box}\nITEM: ATOMS {columns}\n{''.join(rows)}"
    )


def one(folder: Path, text: str, **options):
    path = folder / "run.lammpstrj"
    path.write_text(text)
    ((_, atoms),) = open_frames(path, **options).frames
    return atoms


def refusal(folder: Path, text: str, **options) -> str:
    path = folder / "run.lammpstrj"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        list(open_frames(path, **options).frames)
    return str(caught.value)


# --- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "n", "message"),
    [
        (
            [*ROWS[:2], "# a remark\n", *ROWS[2:]],
            4,
            "expected 4 lines .* found 5, and '# a remark'",
        ),
        ([*ROWS[:2], "\n", *ROWS[2:]], 4, "expected 4 lines of particles, .*; found 5, and ''"),
        ([*ROWS[:2], "# a remark\n", ROWS[2]], 4, "line 12: .* found the remark '# a remark'"),
        ([*ROWS[:2], "\n", ROWS[2]], 4, "line 12: expected .* 5 columns; found a blank line"),
        (ROWS, 3, "expected 3 lines .* found 4, and '2 2 1.1 1.2 0.4' beyond them"),
        (ROWS[:3], 4, "expected 4 complete lines of particles; found 3 and then the end"),
        (
            [*ROWS[:3], ROWS[3][:-1]],
            4,
            "expected a frame whose last line is complete; found an end",
        ),
        ([*ROWS[:2], ROWS[2][:-1]], 4, "expected 4 complete lines of particles; found 2"),
        ([*ROWS[:3], ROWS[0]], 4, "id: expected 4 different ids; found 3, and 3 2 times"),
        ([*ROWS[:3], "2 2 1.1 1.2\n"], 4, "line 13: .* 5 columns; found 4: '2 2 1.1 1.2'"),
        ([*ROWS[:3], "2 2 1.1 1.2 0.4 # good\n"], 4, "line 13: expected .* 5 columns; found 7"),
        ([*ROWS[:3], "2 2 1.1 1.2 0.4x\n"], 4, "line 13: z: expected a number; found '0.4x'"),
        ([*ROWS[:3], "2 2.5 1.1 1.2 0.4\n"], 4, "line 13: type: expected a whole .* found '2.5'"),
        ([*ROWS[:3], "2 0 1.1 1.2 0.4\n"], 4, "type: expected types of 1 and more; found 0"),
    ],
)
def test_rows_are_compared_with_their_number_and_columns(tmp_path, rows, n, message):
    path = tmp_path / "run.lammpstrj"
    path.write_text(frame(rows, n=n))
    with pytest.raises(InputError, match=rf"run\.lammpstrj: frame 0: {message}"):
        next(open_frames(path).frames)


def test_blank_lines_between_frames_lose_nothing(tmp_path):
    path = tmp_path / "run.lammpstrj"
    path.write_text(frame() + "\n\n" + frame(step=7) + "\n")
    found = [atoms for _, atoms in open_frames(path).frames]
    assert [atoms.info["timestep"] for atoms in found] == [0, 7]
    for atoms in found:
        np.testing.assert_array_equal(atoms.positions, POSITIONS)


def test_other_columns_are_kept(tmp_path):
    rows = [row.replace("\n", f" {k} 0.5 {k / 4}\n") for k, row in enumerate(ROWS)]
    atoms = one(tmp_path, frame(rows, columns="id type x y z mol radius v_any"))
    assert atoms.arrays["mol"].tolist() == [1, 3, 0, 2]
    assert atoms.arrays["mol"].dtype == np.int64
    assert atoms.arrays["v_any"].tolist() == [0.25, 0.75, 0.0, 0.5]
    assert atoms.arrays["radius"].tolist() == [0.5] * 4
    twice = refusal(tmp_path, frame(rows, columns="id type x y z mol mol v_any"))
    assert "columns: expected each name once; found 'mol' twice" in twice


def test_forces_beside_charges(tmp_path):
    rows = [row.replace("\n", f" -0.5 {row[0]} 0 0\n") for row in ROWS]
    atoms = one(tmp_path, frame(rows, columns="id type x y z q fx fy fz"))
    np.testing.assert_array_equal(atoms.get_forces()[:, 0], [1, 2, 3, 4])
    assert atoms.get_initial_charges().tolist() == [-0.5] * 4


def test_whole_numbers_with_decimals(tmp_path):
    rows = [row.replace("\n", f" {row[0]}.0 7.0\n") for row in ROWS]
    atoms = one(tmp_path, frame(rows, columns="id type x y z mol i_any"))
    assert atoms.arrays["mol"].tolist() == [1, 2, 3, 4]
    assert {atoms.arrays[name].dtype for name in ("mol", "i_any")} == {np.dtype(np.int64)}
    half = [row.replace(".0 7.0", ".5 7.0") for row in rows]
    message = refusal(tmp_path, frame(half, columns="id type x y z mol i_any"))
    assert "mol: expected whole numbers; found 3.5" in message


def test_ids_of_zero_are_none(tmp_path):
    """As LAMMPS writes them after `atom_modify id no`: then the order is that of the rows."""
    atoms = one(tmp_path, frame(["0" + row[1:] for row in ROWS]), ids=True)
    np.testing.assert_array_equal(atoms.positions, POSITIONS[[2, 0, 3, 1]])
    assert "id" not in atoms.arrays


def test_columns_named_like_labels_are_none(tmp_path):
    """`dump_modify colname` can call a prediction of the fix so, and predictions are no labels."""
    rows = [row.replace("\n", " 0.5\n") for row in ROWS]
    atoms = one(tmp_path, frame(rows, columns="id type x y z propensity"))
    assert set(atoms.arrays) == {"numbers", "positions", "type"}


def test_large_ids_keep_every_digit(tmp_path):
    first, second = 2**60, 2**60 + 1  # the same number in double precision
    rows = [f"{second} 1 0 0 0\n", f"{first} 2 1 1 1\n"]
    atoms = one(tmp_path, frame(rows, n=2), ids=True)
    assert atoms.arrays["id"].tolist() == [first, second]
    assert atoms.arrays["type"].tolist() == [2, 1]


# --- the box and its flags ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "box", "cell"),
    [
        ("", BOX, np.diag([3.0] * 3)),
        ("yes yes no", BOX, np.diag([3.0] * 3)),
        ("xy xz yz", "0 4 1\n0 3 0\n0 3 0", [[3, 0, 0], [1, 3, 0], [0, 0, 3]]),
        ("", "0 4 1\n0 3 0\n0 3 0", [[3, 0, 0], [1, 3, 0], [0, 0, 3]]),  # before 2009
    ],
)
def test_without_flags_the_periodicity_has_to_be_given(tmp_path, flags, box, cell):
    text = frame(flags=flags, box=box)
    message = refusal(tmp_path, text)
    assert "frame 0: periodicity: expected flags such as ITEM: BOX BOUNDS pp pp pp" in message
    assert "--pbc T,T,T" in message
    for pbc in ((True, True, True), (True, True, False)):
        atoms = one(tmp_path, text, pbc=pbc)
        assert tuple(atoms.pbc.tolist()) == pbc
        np.testing.assert_allclose(atoms.cell.array, cell)


def test_data_convert_takes_the_periodicity_too(tmp_path):
    path = tmp_path / "run.lammpstrj"
    path.write_text(frame(flags=""))
    options = ReadOptions(species=SpeciesMap(("A", "B")), pbc=(True, True, True))
    convert([path], tmp_path / "run.h5", options=options)
    configuration = Dataset(tmp_path / "run.h5")[0]
    assert configuration.pbc == (True, True, True)
    np.testing.assert_array_equal(configuration.positions, POSITIONS)


@pytest.mark.parametrize(
    ("flags", "pbc"),
    [
        ("pp pp ff", [True, True, False]),
        ("fs mm pp", [False, False, True]),
        ("xz xy yz pp ff pp", [True, False, True]),
        ("abc origin pp pp ss", [True, True, False]),
    ],
)
def test_flags_and_boxes_of_all_kinds(tmp_path, flags, pbc):
    box = {"xz": "0 4 0\n0 3 1\n0 3 0", "ab": "3 0 0 0.5\n1 3 0 0\n0 0 3 0"}.get(flags[:2], BOX)
    expected = np.diag([3.0] * 3)
    if box != BOX:
        expected[1, 0] = 1.0
    atoms = one(tmp_path, frame(flags=flags, box=box))
    assert atoms.pbc.tolist() == pbc
    np.testing.assert_allclose(atoms.cell.array, expected)
    np.testing.assert_array_equal(atoms.positions, POSITIONS)


def test_flat_boxes(tmp_path):
    """As programs for two dimensions write them; a periodic direction needs a length."""
    flat = [" ".join(row.split()[:4]) + " 0\n" for row in ROWS]
    text = frame(flat, flags="pp pp ff", box="0 3\n0 3\n0 0")
    found = configuration_from_atoms(one(tmp_path, text), ("A", "B"))
    assert found.pbc == (True, True, False)
    np.testing.assert_array_equal(np.diag(found.cell)[:2], [3, 3])
    assert found.cell[2, 2] > 0
    periodic = frame(flat, box="0 3\n0 3\n0 0")
    assert "expected bounds with low < high (or equal" in refusal(tmp_path, periodic)
    assert one(tmp_path, periodic, pbc=(True, True, False)).pbc.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("flags", "box", "message"),
    [
        ("pp pp", BOX, "expected flags such as ITEM: BOX BOUNDS pp pp pp; found 'pp pp'"),
        ("pp pp yes", BOX, "expected flags such as ITEM: BOX BOUNDS pp pp pp; found 'pp pp yes'"),
        ("xy xz yz pp pp pp", BOX, "expected three lines of 3 numbers; found"),
        (FLAGS, "0 3\n0 3\n0 x", "expected three lines of 2 numbers; found"),
        (FLAGS, "0 3\n3 0\n0 3", "box: expected bounds with low < high (or equal ones in"),
        (FLAGS, "0 3\n0 nan\n0 3", "box: expected bounds with low < high (or equal ones in"),
    ],
)
def test_boxes_that_make_no_sense(tmp_path, flags, box, message):
    assert message in refusal(tmp_path, frame(flags=flags, box=box))


def test_other_dumps(tmp_path):
    entries = frame().replace("OF ATOMS", "OF ENTRIES").replace("ITEM: ATOMS", "ITEM: ENTRIES")
    grid = (
        f"ITEM: TIMESTEP\n0\nITEM: BOX BOUNDS {FLAGS}\n{BOX}\nITEM: DIMENSION\n3\n"
        "ITEM: GRID SIZE nx ny nz\n1 1 1\nITEM: GRID CELLS f_any\n0.5\n"
    )
    for text, last in ((entries, "ENTRIES id type x y z"), (grid, "GRID CELLS f_any")):
        message = refusal(tmp_path, text)
        assert "expected a dump of atoms (ITEM: ATOMS); found only ITEM: TIMESTEP, " in message
        assert message.endswith(last)
    cut = frame().partition("ITEM: ATOMS")[0]
    assert f"BOX BOUNDS {FLAGS}. Is the file still being written?" in refusal(tmp_path, cut)
    label = frame().replace("ITEM: NUMBER", "ITEM: LABEL\nany\nITEM: NUMBER")
    assert "line 3: expected an item that LAMMPS writes; found ITEM: LABEL" in refusal(
        tmp_path, label
    )
    assert "positions: expected columns x y z, xs ys zs, xu yu zu or xsu ysu zsu" in refusal(
        tmp_path, frame(columns="id type x y w")
    )


# --- units, times and several frames --------------------------------------------------------------


def test_several_frames_with_times_and_units(tmp_path):
    path = tmp_path / "run.lammpstrj"
    first = frame(before="ITEM: UNITS\nmetal\nITEM: TIME\n0.5\n")
    path.write_text(first + frame(before="ITEM: TIME\n1.5\n", step=2) + first)
    found = [atoms for _, atoms in open_frames(path, ids=True).frames]
    assert [atoms.info["time"] for atoms in found] == [0.5, 1.5, 0.5]
    for atoms in found:
        assert atoms.arrays["id"].tolist() == [1, 2, 3, 4]
        assert atoms.info["length_unit"] == "angstrom"
    labels = tmp_path / "labels.txt"
    labels.write_text("id 0.5\n" + "".join(f"{k + 1} 0.{k}\n" for k in range(4)))
    options = ReadOptions(species=SpeciesMap(("A", "B")), labels=str(labels))
    with pytest.raises(InputError, match=r"expected one frame, as .* holds the labels of one"):
        list(read_configurations(path, options=options))
    path.write_text(frame(before="ITEM: UNITS\nlj\nITEM: TIME\n0.5\n"))
    (configuration,) = read_configurations(path, options=options)
    assert configuration.propensity[:, 0].tolist() == [0.0, 0.1, 0.2, 0.3]


@pytest.mark.parametrize("before", ["ITEM: UNIT\nmetal\n", "# a remark\n"])
def test_nothing_stands_before_the_first_frame(tmp_path, before):
    path = tmp_path / "run.lammpstrj"
    path.write_text("ITEM: TIME\n0.5\n" + frame())
    assert next(open_frames(path).frames)[1].info["time"] == 0.5
    path.write_text(before + frame())
    with pytest.raises(InputError, match=r"run\.lammpstrj: .*(begin with ITEM: UNITS|format:)"):
        open_frames(path)


def test_units_must_be_known_and_the_same(tmp_path):
    path = tmp_path / "run.lammpstrj"
    path.write_text(frame(before="ITEM: UNITS\nreall\n"))
    with pytest.raises(InputError, match=r"ITEM: UNITS: expected one of lj, .*; found 'reall'"):
        open_frames(path)
    path.write_text(frame(before="ITEM: UNITS\nlj\n") + frame(before="ITEM: UNITS\nreal\n"))
    with pytest.raises(InputError, match="ITEM: UNITS: expected lj as before; found 'real'"):
        open_frames(path)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compression_is_recognised_by_contents(tmp_path, compress):
    path = tmp_path / "run.any"
    path.write_bytes(compress((frame() + frame(step=5)).encode()))
    found = [atoms for _, atoms in open_frames(path).frames]
    assert [atoms.info["timestep"] for atoms in found] == [0, 5]
    np.testing.assert_array_equal(found[1].positions, POSITIONS)
