"""Pages that a build writes: from files of the repository, from typer, from docstrings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("sphinx_gallery", reason="`make docs` installs Sphinx and runs these tests")

import command_line
import constants
import repository
import saved_pictures
import signatures
import typography
from docutils import nodes
from docutils.statemachine import StringList
from docutils.utils import new_document
from sphinx.ext.autosummary import Autosummary
from sphinx.pycode import ModuleAnalyzer
from summary import Summary


@pytest.mark.parametrize(
    ("link", "translated"),
    [
        ("docs/howto/data.md", "../howto/data.md"),
        ("docs/howto/data.md#formats", "../howto/data.md#formats"),
        ("CHANGELOG.md", "changelog.md"),
        ("README.md", "../index.md"),
        ("lammps_plugin/README.md", "plugin.md"),
        ("examples/slurm", "../examples/slurm.md"),
        ("examples/slurm/predict.sbatch", "../examples/slurm.md"),
        ("docs/howto/nowhere.md", "docs/howto/nowhere.md"),
        ("#here", "#here"),
        ("https://example.org/README.md", "https://example.org/README.md"),
    ],
)
def test_links_lead_to_pages_of_the_site(link: str, translated: str):
    page = repository.DOCS / "developers" / "architecture.md"
    text = repository._translated(f"See [it]({link}).", repository.ROOT, page)
    assert text == f"See [it]({translated})."


def test_links_in_code_are_left():
    page = repository.DOCS / "developers" / "architecture.md"
    code = "```text\n[it](CHANGELOG.md)\n```\n"
    assert repository._translated(code, repository.ROOT, page) == code


def test_links_are_translated_once():
    """Pages written from other files hold links for the site already."""
    links = {}
    for name in ("howto/data", "developers/changelog"):
        source = ["[it](../../CONTRIBUTING.md)"]
        repository._read(None, name, source)
        links[name] = source[0]
    assert links == {
        "howto/data": "[it](../developers/contributing.md)",
        "developers/changelog": "[it](../../CONTRIBUTING.md)",
    }


def test_an_example_is_a_page_of_its_files(tmp_path: Path):
    (tmp_path / "in.melt").write_text("run 0\n")
    (tmp_path / "draw.py").write_text("x = 1\n")
    (tmp_path / "__pycache__").mkdir()
    page = repository._example(tmp_path)
    assert page.startswith(f"# examples/{tmp_path.name}\n")
    draw, melt = page.split("\n## ")[1:]
    assert ":language: python" in draw
    assert ":language: lammps" in melt
    assert f"literalinclude}} ../../examples/{tmp_path.name}/in.melt\n" in melt


def test_only_pages_that_change_are_written_and_old_ones_go(tmp_path: Path):
    repository.fill(tmp_path / "new", {"a": "# A\n", "b": "# B\n"})
    before = (tmp_path / "new" / "a.md").stat().st_mtime_ns
    repository.fill(tmp_path / "new", {"a": "# A\n", "c": "# C\n"})
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.md", "c.md"]
    assert (tmp_path / "new" / "a.md").stat().st_mtime_ns == before


COMMAND = """\
# `glassml data`

Convert data (docs/howto/data.md).

**Commands**:

* `reverse`: Make more training data: final...
* `info`: Show a dataset.

## `glassml data reverse`

Make more training data: final positions become
configurations. More follows.

    glassml data reverse runs.h5 -o reversed.h5

    # settings.yaml
    base:
      data: {}

**Arguments**:

* `DATASET <file[str]>`: A dataset.  [required]
"""


def test_page_of_a_command():
    page = command_line._for_the_site(COMMAND)
    assert command_line._summary(page) == "Convert data ([](../../howto/data.md))."
    assert (
        "* `reverse`: Make more training data: final positions become configurations.\n"
        "* `info`: Show a dataset.\n"
    ) in page
    assert "\n```sh\nglassml data reverse runs.h5 -o reversed.h5\n```\n" in page
    assert "\n```yaml\n# settings.yaml\nbase:\n  data: {}\n```\n" in page
    assert "* `DATASET`: A dataset." in page


def test_pictures_of_a_script_move_to_its_page_in_their_order(tmp_path: Path):
    (tmp_path / "page").mkdir()
    for seconds, name in enumerate(["second_map.gif", "a_curve.png", "notes.txt"]):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (seconds, seconds))
    places = iter(str(tmp_path / "page" / f"picture_{n}.png") for n in (1, 2, 3))
    shown = saved_pictures.scraper(
        None,
        {"src_file": str(tmp_path / "plot.py"), "image_path_iterator": places},
        {"src_dir": str(tmp_path)},
    )
    found = sorted(path.name for path in (tmp_path / "page").iterdir())
    assert found == ["picture_1.gif", "picture_2.png"]
    assert shown.index("/page/picture_1.gif") < shown.index("/page/picture_2.png")
    assert ":alt: second map" in shown
    assert (tmp_path / "notes.txt").exists()


def test_gallery_has_its_order_and_new_scripts_follow():
    scripts = [
        "plot_attribution.py",
        "plot_a_new_one.py",
        "plot_cooling.py",
        "plot_mobility_map.py",
    ]
    assert sorted(scripts, key=saved_pictures.Order("gallery")) == [
        "plot_mobility_map.py",
        "plot_cooling.py",
        "plot_attribution.py",
        "plot_a_new_one.py",
    ]


def test_summary_lists_classes_and_functions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Autosummary, "run", lambda directive: list(directive.content))
    summary = object.__new__(Summary)
    summary.arguments, summary.options, summary.content = ["glassml.physics"], {}, StringList()
    lines = summary.run()
    assert "~glassml.physics.find_neighbours" in lines
    assert summary.options == {"nosignatures": True}


def test_signatures_are_short():
    parts = "(a, b=<factory>, c=<function <lambda>>, *, d=<a.B object at 0x7f>)", "None"
    assert signatures._signature(None, "class", "C", None, None, *parts) == (
        "(a, b=..., c=..., *, d=...)",
        "None",
    )
    assert signatures._signature(None, "module", "m", None, None, None, None) is None
    assert signatures._skip(None, "class", "model_config", None, False, None) is True
    assert signatures._skip(None, "class", "model", None, False, None) is None


def test_colons_in_docstrings_do_not_make_types():
    result = ["The result: one.", "", "Returns:", "    Nothing: for", "    now: really."]
    for kind, first in (("property", "The result\ua789 one."), ("function", "The result: one.")):
        lines = list(result)
        signatures._hide_colons(None, kind, "f", None, None, lines)
        assert lines == [first, *result[1:3], "    Nothing\ua789 for", result[4]]
        signatures._finish(None, kind, "f", None, None, lines)
        assert lines == result


def test_types_of_attributes_are_short():
    lines = [
        ":ivar score: of glassml.scores.",
        ":vartype score: tuple[glassml.scores.Score, ~glassml.a.B, ...]",
    ]
    signatures._finish(None, "class", "C", None, None, lines)
    assert lines == [
        ":ivar score: of glassml.scores.",
        ":vartype score: tuple[~glassml.scores.Score, ~glassml.a.B, ...]",
    ]


def test_typography_of_text_but_not_of_code():
    document = new_document("page")
    document += nodes.paragraph("", "", nodes.strong("", "time"), nodes.Text(" -- of it"))
    document += nodes.paragraph("", "", nodes.Text("use --time, or -- not; 0.79 ± 0.02 and 5 %"))
    document += nodes.paragraph("", "", nodes.literal("", "0.79 ± 0.02"))
    document += nodes.literal_block("", "0.79 ± 0.02")
    typography._replace(None, document)
    assert document.astext().split("\n\n") == [
        "time \N{EN DASH} of it",
        "use --time, or -- not; 0.79\xa0±\xa00.02 and 5\xa0%",
        "0.79 ± 0.02",
        "0.79 ± 0.02",
    ]


def test_long_words_of_code_are_marked():
    document = new_document("page")
    short, long = nodes.literal("", "word " * 20), nodes.literal("", "see " + "a/" * 20)
    document += nodes.paragraph("", "", short, long)
    typography._mark(None, document)
    assert (short["classes"], long["classes"]) == ([], ["long"])


def test_a_package_has_the_comments_of_the_constants_that_it_exports():
    constants._share("glassml.domain")
    comments = ModuleAnalyzer.for_module("glassml.domain").find_attr_docs()
    assert {name for _, name in comments} == {"SHELLS"}  # and none that it does not export
    assert "shells between 0 and the cutoff" in " ".join(comments["", "SHELLS"])
