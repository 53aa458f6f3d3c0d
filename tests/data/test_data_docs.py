"""The documentation page runs as it stands, and its tables are complete."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
from pages import executed
from typer.main import get_command
from typer.testing import CliRunner

from glassml.cli.app import app as root
from glassml.cli.data import app
from glassml.data import FORMATS, Configuration, Dataset, DatasetWriter, convert
from glassml.physics.units import LENGTH_UNITS

TEXT = (Path(__file__).parents[2] / "docs" / "howto" / "data.md").read_text()


def test_python_examples_run(write_botan, tmp_path, monkeypatch, capsys):
    convert([write_botan()], tmp_path / "train.h5")
    frame = (
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
        "ITEM: ATOMS id type x y z\n1 1 0 0 0\n2 2 1 1 1\n"
    )
    (tmp_path / "run.lammpstrj").write_text(3 * frame)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    snippets = executed("docs/howto/data.md", "python")
    assert len(snippets) == 4
    for snippet in snippets:
        exec(compile(snippet, "docs/howto/data.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "(12, 3) ('A', 'B') [4120.]" in printed
    assert printed.endswith(
        "lammps-dump-text 2\nrun.lammpstrj: frame 0 2\nrun.lammpstrj: frame 2 2\n"
    )
    assert Dataset("own.h5").names == ("sample-0", "sample-1", "sample-2")
    assert (names["again"].positions == names["configuration"].positions).all()


def test_commands_run(write_botan, write_deepmind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_botan("botan/train/isoconfig_N12T0.44_7_tc07.npz")
    Path("deepmind").mkdir()
    write_deepmind("deepmind/sample.pickle")
    header = (
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n3\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
    )
    rows = "ITEM: ATOMS id type x y z c_pe\n1 1 {0} 0 0 -6\n3 1 1 1 {0} -7\n2 2 2 2 2 -8\n"
    frames = [header + rows.format(0.1 * k) for k in range(3)]
    Path("run.lammpstrj").write_text("".join(frames))
    (labels,) = executed("docs/howto/data.md", "text")
    for name in ("melt_1", "melt_2"):
        Path(f"{name}.txt").write_text(labels)
        Path(f"{name}.data").write_text(
            "# LAMMPS data file\n\n3 atoms\n2 atom types\n\n0 4 xlo xhi\n0 4 ylo yhi\n0 4 zlo zhi\n"
            "\nAtoms # atomic\n\n1 1 0 0 0\n2 2 2 2 2\n3 1 1 1 1\n"
        )
    _write_liquids(Path("all.h5"))
    blocks = executed("docs/howto/data.md", "sh")
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 11
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        assert program == "glassml"
        result = CliRunner().invoke(root, arguments)
        assert result.exit_code == 0, (line, result.output, result.exception)
    assert Dataset("melt.h5")[0].propensity.tolist() == [[0.09, 0.31], [0.11, 0.52], [0.12, 0.47]]
    assert len(Dataset("both.h5")) == len(Dataset("all.h5")) == 5
    assert sorted(path.name for path in Path("parts").iterdir()) == [
        "all_temperature0.44.h5",
        "all_temperature0.5.h5",
    ]


def _write_liquids(path: Path) -> None:
    """Five configurations at two temperatures that nothing is wrong with."""
    rng = np.random.default_rng(4)
    sites = np.stack(np.meshgrid(*[np.arange(3.0)] * 3), -1).reshape(-1, 3)
    with DatasetWriter(path) as writer:
        for index in range(5):
            writer.add(
                Configuration(
                    positions=sites + rng.uniform(-0.1, 0.1, sites.shape),
                    cell=3.0 * np.eye(3),
                    species=np.arange(27) % 2,
                    species_names=("A", "B"),
                    times=[1.0],
                    propensity=rng.uniform(0.1, 1.0, (27, 1)),
                    name=f"liquid-{index}",
                    provenance={"temperature": 0.44 if index % 2 else 0.5},
                )
            )


def test_formats_units_and_options_are_documented():
    for name in (*FORMATS, *LENGTH_UNITS):
        assert f"`{name}`" in TEXT
    commands = get_command(app).commands
    assert set(commands) == {*("convert", "label", "info", "split", "merge", "reverse", "validate")}
    assert all(f"data {name}" in TEXT for name in commands)
    options = {name for option in commands["convert"].params for name in option.opts}
    long_options = {name for name in options if name.startswith("--")}
    assert len(long_options) == 11
    assert {name for name in long_options if name not in TEXT} == {"--output"}  # shown as -o
