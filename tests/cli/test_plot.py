"""`glassml plot`: what is drawn of which file, movies, and mistakes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import imageio_ffmpeg
import numpy as np
import pytest
import typer
from ase import Atoms
from matplotlib.image import imread
from pages import executed
from PIL import Image
from systems import liquid, moved, write_dump

from glassml.analysis import MapFrames, MapInput
from glassml.analysis.maps import movie
from glassml.cli import app
from glassml.data import Configuration, Dataset, DatasetWriter, open_frames
from glassml.errors import InputError
from glassml.inference import ModelInputs, Predictor, predict_file

MINUS = "\N{MINUS SIGN}"
TIMES = (1.0, 10.0)
METAL = {"system": {"units": "metal"}, "equilibration": {"tau_alpha": 8.0}}


_PAGE = Path(__file__).parents[2] / "docs" / "howto" / "plot.md"
DOCUMENTATION = _PAGE.read_text(encoding="utf-8")


def labelled(seed: int = 0, **fields: Any) -> Configuration:
    """A liquid whose particles differ most at the first time."""
    bare = liquid(100, seed=seed, name=f"c{seed}")
    rng = np.random.default_rng(seed)
    labels = rng.uniform([0.1, 0.45], [0.9, 0.55], (100, 2))
    return moved(bare, times=np.array(TIMES), propensity=labels, **fields)


def write_dataset(path: Path, description: dict[str, Any], **fields: Any) -> Path:
    with DatasetWriter(path, description) as writer:
        for seed in (0, 1):
            writer.add(labelled(seed, **fields))
    return path


@pytest.fixture
def model(analytic: Callable[..., Path]) -> Predictor:
    return Predictor(analytic(times=TIMES), "cpu")


def titles(source: MapInput) -> list[str]:
    return [panel.title for panel in MapFrames(source).only().panels]


def test_a_dataset_with_a_model_gives_three_maps(tmp_path: Path, model: Predictor) -> None:
    path = write_dataset(tmp_path / "set.h5", METAL, length_unit="lj")
    frames = MapFrames(MapInput(path=path, index="1", predictor=model))
    frame = frames.only()
    configuration = Dataset(path)[1]
    predicted = model.predict([configuration], ["propensity"])[0]["propensity"]
    true, other, error = frame.panels
    assert configuration.propensity is not None
    # tau_alpha is 8: the time 10 is nearest to it.
    np.testing.assert_array_equal(true.values, configuration.propensity[:, 1])
    np.testing.assert_array_equal(other.values, predicted[:, 1])
    np.testing.assert_array_equal(error.values, other.values - true.values)
    assert (true.title, error.title, error.signed) == ("true", f"predicted {MINUS} true", True)
    where, agreement = frame.title.split("\n")
    assert where == "set.h5, c1: propensity at $t$ = 10"
    for s, name in enumerate("AB"):
        mine = configuration.species == s
        r = np.corrcoef(true.values[mine], other.values[mine])[0, 1]
        assert f"{name} {r:.2f}".replace("-", MINUS) in agreement


def test_labels_alone_are_one_map_with_the_units_of_the_dataset(tmp_path: Path) -> None:
    description = {"system": {"units": "metal"}}
    path = write_dataset(tmp_path / "metal.h5", description, length_unit="angstrom")
    frames = MapFrames(MapInput(path=path, index="0"))
    frame = frames.only()
    (panel,) = frame.panels
    assert (panel.title, panel.unit, frames.units.time) == ("true", "\u00c5", "ps")
    # No tau_alpha: the particles differ most at the first time.
    assert frame.title == "metal.h5, c0: propensity at $t$ = 1 ps"


def test_stored_predictions_are_drawn(tmp_path: Path) -> None:
    stored = {"theirs": np.full((100, 2), 0.5)}
    path = write_dataset(tmp_path / "set.h5", {}, predictions=stored)
    assert titles(MapInput(path=path, index="0")) == [
        "true",
        "predicted by theirs",
        f"predicted {MINUS} true",
    ]


def test_a_predicted_file_keeps_labels_predictions_and_times(
    tmp_path: Path, model: Predictor
) -> None:
    path = write_dataset(tmp_path / "set.h5", {})
    output = tmp_path / "out.extxyz"
    predict_file(model, open_frames(path), output)
    frames = MapFrames(MapInput(path=output, index="-1", time=10.0))
    true, predicted, _ = frames.only().panels
    configuration = Dataset(path)[1]
    assert configuration.propensity is not None
    np.testing.assert_allclose(true.values, configuration.propensity[:, 1])
    expected = model.predict([configuration], ["propensity"])[0]["propensity"][:, 1]
    np.testing.assert_allclose(predicted.values, expected)


def test_an_unlabelled_file_shows_what_is_there(tmp_path: Path, model: Predictor) -> None:
    write_dump(tmp_path / "run.lammpstrj", [liquid(100), liquid(100, seed=1)])
    inputs = ModelInputs(model.manifest, species=("A", "B"))
    file = MapInput(path=tmp_path / "run.lammpstrj", index="0", predictor=model, inputs=inputs)
    assert len(titles(file)) == 1
    with pytest.raises(InputError, match="expected labels, predictions or a column of fix glassml"):
        titles(MapInput(path=tmp_path / "run.lammpstrj", index="0"))


def test_lengths_of_predictions_are_those_of_the_positions(tmp_path: Path) -> None:
    """A model in nm predicted on positions in angstrom."""
    bare = liquid(100)
    atoms = Atoms(numbers=bare.species + 1, positions=bare.positions, cell=bare.cell, pbc=True)
    atoms.arrays["propensity"] = np.linspace(0.1, 0.2, 100)
    atoms.info |= {
        "propensity_model": "m", "propensity_times": np.array([2.0]), "propensity_unit": "nm",
    }  # fmt: skip
    ase.io.write(tmp_path / "a.extxyz", atoms)
    frames = MapFrames(MapInput(path=tmp_path / "a.extxyz"))
    (panel,) = frames.only().panels
    np.testing.assert_allclose(panel.values, 10 * atoms.arrays["propensity"])
    assert panel.unit == "\u00c5"


def test_labels_are_in_the_units_of_the_predictions_beside_them(
    tmp_path: Path, analytic: Callable[..., Path]
) -> None:
    """A labelled file in nm, and a model in angstrom."""
    bare = liquid(100)
    symbols = np.array(["Cu", "Zr"])[bare.species]
    atoms = Atoms(symbols, positions=bare.positions / 4, cell=bare.cell / 4, pbc=True)
    atoms.arrays["propensity"] = np.linspace(0.01, 0.02, 100)
    atoms.info |= {"times": np.array([1.0]), "length_unit": "nm"}
    ase.io.write(tmp_path / "a.extxyz", atoms)
    path = analytic(species=("Cu", "Zr"), times=(1.0,), length_unit="angstrom", cutoff=5.0)
    source = MapInput(path=tmp_path / "a.extxyz", predictor=Predictor(path, "cpu"))
    true = next(p for p in MapFrames(source).only().panels if p.title.startswith("true"))
    np.testing.assert_allclose(true.values, 10 * atoms.arrays["propensity"], rtol=1e-5)
    assert true.unit == "\u00c5"


def write_fix_dump(path: Path, header: str = "", n: int = 3) -> Path:
    """A dump as `fix glassml` makes it: f_ml[1] and f_ml[2] in columns of their own."""
    frames = []
    for k in range(n):
        c = liquid(100, seed=0)
        lengths = "\n".join(f"0 {c.cell[i, i]:.9g}" for i in range(3))
        rows = "\n".join(
            f"{i + 1} {s + 1} {x:.9g} {y:.9g} {z:.9g} {i + k} {10 * i}"
            for i, (s, (x, y, z)) in enumerate(zip(c.species, c.positions, strict=True))
        )
        frames.append(
            f"ITEM: TIMESTEP\n{10 * k}\nITEM: NUMBER OF ATOMS\n100\nITEM: BOX BOUNDS pp pp pp\n"
            f"{lengths}\nITEM: ATOMS id type x y z f_ml[1] f_ml[2]\n{rows}\n"
        )
    path.write_text(header + "".join(frames))
    return path


def test_columns_of_a_dump_are_drawn_by_name(tmp_path: Path) -> None:
    path = write_fix_dump(tmp_path / "dump", "ITEM: UNITS\nmetal\n")
    frames = MapFrames(MapInput(path=path, index="-1", columns=("f_ml[2]", "f_ml[1]")))
    frame = frames.only()
    two, one = frame.panels
    np.testing.assert_array_equal(two.values, 10 * np.arange(100.0))
    np.testing.assert_array_equal(one.values, np.arange(100.0) + 2)
    assert (two.quantity, two.unit) == ("f_ml[2]", "")
    assert frame.configuration.species_names == ("type 1", "type 2")
    assert (frames.units.length, frames.units.time) == ("\u00c5", "ps")
    assert frame.title == "dump, frame 2, step 20"
    named = MapFrames(MapInput(path=path, index="0", species="Cu,Zr")).only()
    assert named.configuration.species_names == ("Cu", "Zr")


def test_the_first_column_of_a_fix_is_drawn_and_the_others_are_named(
    tmp_path: Path, glassml: Callable[..., Any]
) -> None:
    path = write_fix_dump(tmp_path / "dump")
    run = glassml("plot", path, "-o", tmp_path / "dump.png")
    assert run.code == 0, run.err
    assert "note: drawn: f_ml[1]; the file also has f_ml[2]" in run.err
    assert run.out == f"written: {tmp_path / 'dump.png'}\n"
    assert imread(tmp_path / "dump.png").shape[1] == round((3.5 + 0.7) * 150)


def test_the_unit_style_can_be_given(tmp_path: Path) -> None:
    path = write_fix_dump(tmp_path / "dump")
    frames = MapFrames(MapInput(path=path, index="0", style="real"))
    assert frames.only().configuration.length_unit == "angstrom"
    assert frames.units.time == "fs"


@pytest.mark.parametrize("ending", [".gif", ".webp", ".apng"])
def test_an_animated_picture(tmp_path: Path, glassml: Callable[..., Any], ending: str) -> None:
    path = write_fix_dump(tmp_path / "dump")
    output = tmp_path / f"movie{ending}"
    run = glassml("plot", path, "-o", output, "--fps", "5", "--index", "1:")
    assert run.code == 0, run.err
    image = Image.open(output)
    assert image.n_frames == 2
    frames = []
    for k in range(2):
        image.seek(k)
        frames.append(np.asarray(image.convert("RGB"), dtype=float))
    assert frames[0].shape == frames[1].shape
    assert np.abs(frames[1] - frames[0]).max() > 50  # another heading
    # The scale is fixed: from its left end, a colour bar looks the same in both frames.
    bars = [frame[int(0.82 * len(frame)) :] for frame in frames]
    assert np.abs(bars[1] - bars[0]).mean() < 1.0


def test_a_video(tmp_path: Path, glassml: Callable[..., Any]) -> None:
    path = write_fix_dump(tmp_path / "dump", n=4)
    run = glassml("plot", path, "-o", tmp_path / "movie.mp4", "--projection")
    assert run.code == 0, run.err
    frames = imageio_ffmpeg.read_frames(str(tmp_path / "movie.mp4"))
    facts = next(frames)
    assert facts["codec"] == "h264"
    assert facts["pix_fmt"].startswith("yuv420p")  # what browsers show
    assert facts["fps"] == 10
    assert len(list(frames)) == 4


def test_a_video_without_ffmpeg_says_what_to_install(
    tmp_path: Path, glassml: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(movie, "_ffmpeg", lambda: None)
    run = glassml("plot", write_fix_dump(tmp_path / "dump"), "-o", tmp_path / "movie.mp4")
    assert run.code == 1
    assert "expected the program ffmpeg" in run.err
    assert "pip install imageio-ffmpeg" in run.err
    assert not (tmp_path / "movie.mp4").exists()


def test_the_users_own_ffmpeg_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert movie._ffmpeg() == str(program)
    monkeypatch.setenv("PATH", "")
    found = subprocess.run([str(movie._ffmpeg()), "-version"], capture_output=True, text=True)
    assert found.stdout.startswith("ffmpeg version")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "a.xyz"), "picture: expected a name that ends in .png"),
        (("-o", "a.png", "--column", "no"), r"--column: .*expected one of type, f_ml\[1\]"),
        (("-o", "a.png", "--column", "f_ml[3]"), r"expected one of .*found 'f_ml\[3\]'"),
        (("-o", "a.png", "--index", ":"), "expected one frame for a picture; found several"),
        (("-o", "a.gif", "--index", "0"), "expected two or more frames for a movie; found 1"),
        (("-o", "a.gif", "--fps", "0"), "--fps: expected a positive number"),
        (("-o", "a.png", "--thickness", "-1"), "thickness: expected a positive length"),
        (("-o", "a.png", "--units", "imperial"), "--units: expected one of lj, real"),
        (("-o", "a.png", "--scalar", "energy"), "--scalar: expected a model that reads scalars"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path,
    glassml: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    run = glassml("plot", write_fix_dump(tmp_path / "dump"), *options)
    assert run.code == 1
    assert re.search(message, run.err), run.err
    assert "Traceback" not in run.err
    assert [p.name for p in tmp_path.iterdir()] == ["dump"]


def test_times_that_are_not_there_are_refused(tmp_path: Path, model: Predictor) -> None:
    path = write_dataset(tmp_path / "set.h5", {})
    with pytest.raises(InputError, match=r"--time: .*expected one of 1, 10; found 3"):
        titles(MapInput(path=path, index="0", time=3.0))


def test_a_model_of_other_times_needs_a_choice(
    tmp_path: Path, analytic: Callable[..., Path]
) -> None:
    path = write_dataset(tmp_path / "set.h5", {})
    other = Predictor(analytic(times=(2.0,)), "cpu")
    with pytest.raises(InputError, match="found none in common"):
        titles(MapInput(path=path, index="0", predictor=other))
    (alone,) = titles(MapInput(path=path, index="0", predictor=other, time=2.0))
    assert alone.startswith("predicted by")


def test_models_of_averages_need_a_predicted_file(tmp_path: Path) -> None:
    averaged = Predictor("kob_andersen_T0.44_average", "cpu")
    path = write_fix_dump(tmp_path / "dump")
    with pytest.raises(InputError, match="`glassml predict` writes a file with its predictions"):
        MapFrames(MapInput(path=path, predictor=averaged))


def test_the_documentation_names_every_option() -> None:
    cells = re.findall(r"^\| (`-.*?) \|", DOCUMENTATION, flags=re.MULTILINE)
    listed = {name for cell in cells for name in re.findall(r"`(--?[a-z-]+)", cell)}
    command = typer.main.get_command(app).commands["plot"]  # type: ignore[attr-defined]
    known = {name for parameter in command.params for name in parameter.opts}
    long_too = {"--output", "--model", "--help"}
    assert listed == {name for name in known if name.startswith("-")} - long_too


def test_the_python_code_of_the_documentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (snippet,) = executed("docs/howto/plot.md", "python")
    exec(compile(snippet, "docs/howto/plot.md", "exec"), {})
    assert imread(tmp_path / "labels.png").shape[0] > 500
