"""The documentation page runs as it stands, and its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path

from typer.main import get_command

from glassml.cli.data import app
from glassml.data import FORMATS, LENGTH_UNITS, Dataset, convert

TEXT = (Path(__file__).parents[2] / "docs" / "data.md").read_text()


def test_python_examples_run(write_botan, tmp_path, monkeypatch, capsys):
    convert([write_botan()], tmp_path / "train.h5")
    frame = (
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
        "ITEM: ATOMS id type x y z\n1 1 0 0 0\n2 2 1 1 1\n"
    )
    (tmp_path / "run.lammpstrj").write_text(3 * frame)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    snippets = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(snippets) == 4
    for snippet in snippets:
        exec(compile(snippet, "docs/data.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "(12, 3) ('A', 'B') [4120.]" in printed
    assert printed.endswith(
        "lammps-dump-text 2\nrun.lammpstrj: frame 0 2\nrun.lammpstrj: frame 2 2\n"
    )
    assert Dataset("own.h5").names == ("sample-0", "sample-1", "sample-2")
    assert (names["again"].positions == names["configuration"].positions).all()


def test_formats_units_and_options_are_documented():
    for name in (*FORMATS, *LENGTH_UNITS):
        assert f"`{name}`" in TEXT
    options = {
        name for option in get_command(app).commands["convert"].params for name in option.opts
    }
    long_options = {name for name in options if name.startswith("--")}
    assert len(long_options) == 8
    assert {name for name in long_options if name not in TEXT} == {"--out"}  # shown as -o
