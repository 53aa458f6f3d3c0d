"""Cells of tutorials and scripts: their languages and colours, and output in one piece."""

from __future__ import annotations

import pytest

pytest.importorskip("sphinx_gallery", reason="`make docs` installs Sphinx and runs these tests")

import cells
from docutils import nodes
from docutils.utils import new_document
from lammps_script import LammpsLexer
from pygments.token import Comment, Keyword, Name, Number, String
from repository import language_of


@pytest.mark.parametrize(
    ("cell", "language"),
    [
        ("%%bash\nglassml info model.pt\n", "bash"),
        ("%%writefile liquid.yaml\nparticles: 300\n", "yaml"),
        ("%%writefile distances.py\nimport torch\n", "python"),
        ("%%writefile in.melt\nrun 10\n", "lammps"),
        ("import numpy\n", None),
    ],
)
def test_language_of_a_cell(cell: str, language: str | None):
    assert cells._language(cell) == language


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("in.melt", "lammps"),
        ("cu_zr.lammps", "lammps"),
        ("run.py", "python"),
        ("run.sbatch", "bash"),
        ("first.yaml", "yaml"),
        ("notes", "text"),
    ],
)
def test_language_of_a_file(name: str, language: str):
    assert language_of(name) == language


def test_cells_of_the_shell_are_coloured_and_others_left():
    document = new_document("page")
    shell = nodes.literal_block("%%bash\nls\n", "%%bash\nls\n", language="ipython3")
    python = nodes.literal_block("x = 1\n", "x = 1\n", language="ipython3")
    document += [shell, python]
    cells._colour(None, document)
    assert (shell["language"], shell["force"]) == ("bash", True)
    assert python["language"] == "ipython3"
    assert "force" not in python


def stream(text: str, kind: str = "stdout") -> nodes.literal_block:
    return nodes.literal_block(text, text, classes=["output", "stream", kind])


def test_pieces_of_output_are_joined_unless_something_is_between():
    document = new_document("page")
    output = nodes.container("", classes=["cell_output"])
    picture = nodes.image(uri="map.png")
    output += [stream("ab"), stream("c\n"), stream("oh\n", "stderr"), stream("d\n"), picture]
    output += [stream("e\n")]
    other = nodes.container("", stream("f"), stream("g"), classes=["note"])
    document += [output, other]
    cells._join(None, document)
    texts = [child.astext() for child in output.children]
    assert texts == ["abc\n", "oh\n", "d\n", picture.astext(), "e\n"]
    assert output.children[0].rawsource == "abc\n"
    assert len(other.children) == 2


def test_colours_of_a_lammps_script():
    script = (
        'fix ml all glassml 100 ${model} A B  # every\nprint "T = $T"\nvariable x equal c_pe/2.5\n'
    )
    tokens = {text: kind for kind, text in LammpsLexer().get_tokens(script) if text.strip()}
    assert tokens["fix"] is tokens["print"] is tokens["variable"] is Keyword
    assert tokens["100"] is tokens["2.5"] is Number
    assert tokens["${model}"] is tokens["c_pe"] is Name.Variable
    assert tokens["# every"] is Comment
    assert tokens['"T = $T"'] is String
    assert "".join(text for _, text in LammpsLexer().get_tokens(script)) == script
