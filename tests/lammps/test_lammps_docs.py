"""The snippets of README.md and docs/reference/fix_glassml.md run as they stand, in the real `lmp`.

They are parts of scripts: what comes before them (the system, its potential, files of the names
that they use) is given here. The model is the one that ships with glassml, except where a snippet
needs scalar inputs, which that one has not.
"""

from __future__ import annotations

import re
from pathlib import Path

import ase.io
import numpy as np
from averages import SCALARS, averaged, averaging_model, read
from inherent import inherent_model
from pages import blocks_of, command_lines, executed
from systems import liquid

from glassml.data import DatasetWriter, Window, atoms_from_configuration
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import Committee, build
from glassml.pretrained import pretrained_path

ROOT = Path(__file__).parents[2]
SHIPPED = pretrained_path("kob_andersen_T0.44")

# The liquid of the tests is a jittered lattice, whose forces are too large to begin with.
MOVE = (
    "minimize 0.0 1.0e-2 50 200\nreset_timestep 0\nvelocity all create 0.44 71\nfix nve all nve\n"
)


def test_readme_lammps(bench):
    (snippet,) = executed("README.md", "lammps")
    (bench.folder / "model.pt").symlink_to(SHIPPED)
    configuration = liquid(125, seed=80)
    run = bench.run(bench.start(configuration) + MOVE + snippet + "run 1000\n")
    thermo = run.thermo()[-1]
    assert thermo["Step"] == list(range(0, 1001, 100))
    frame = bench.frames("dump.lammpstrj")[-1]
    order = np.argsort(frame["id"])
    columns = {name: values[order] for name, values in frame.columns.items()}
    now = type(frame)(frame.step, columns).configuration(configuration)
    expected = Predictor(SHIPPED, device="cpu").predict([now])[0]["propensity"][:, 0]
    # 1e-3: the dump has six digits of positions and of predictions.
    np.testing.assert_allclose(columns["f_ml[1]"], expected, rtol=1e-3)
    np.testing.assert_allclose(thermo["f_ml[1]"][-1], expected.mean(), rtol=1e-3)


def test_thermal_and_averaged_positions_together(bench):
    """Two fixes that read different positions in one run, each as Python, and their mean."""
    (snippet,) = executed("docs/howto/average.md", "lammps")
    configuration, every = liquid(125, seed=84), 400  # a window of 20 samples, 20 steps apart
    models = {
        name: averaging_model(bench.folder, SCALARS, name, Window(0.1, 20), f"{name}.pt")
        for name in ("thermal", "average")
    }
    variables = f"variable thermal index {models['thermal']}\n"
    variables += f"variable averaged index {models['average']}\n"
    # These models predict one time, so their first columns stand for the fourth.
    snippet = snippet.replace("[4]", "[1]")
    script = bench.start(configuration) + MOVE + variables + snippet
    script += "dump_modify both sort id format float %20.15g\n"
    script += "compute pe all pe/atom\ndump samples all custom 20 samples.dump id x y z c_pe\n"
    script += "dump_modify samples format float %20.15g\n"
    bench.run(script + f"run {every}\n")
    samples = read(bench.folder / "samples.dump")
    now = averaged(samples, configuration, every, between=20, samples=20)
    each = [
        Predictor(model, device="cpu").predict([now])[0]["propensity"][:, 0]
        for model in models.values()
    ]
    found = read(bench.folder / "both.lammpstrj")[every].columns["v_both"]
    # 1e-9: sums over a window in another order.
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-9)
    assert np.abs(each[0] - each[1]).max() > 1e-3


def test_readme_python(tmp_path, monkeypatch):
    (snippet,) = executed("README.md", "python")
    monkeypatch.chdir(tmp_path)
    Path("model.pt").symlink_to(SHIPPED)
    configuration = liquid(60)
    names = {"atoms": atoms_from_configuration(configuration)}
    exec(compile(snippet, "README.md", "exec"), names)
    expected = Predictor(SHIPPED).predict([configuration])[0]["propensity"]
    np.testing.assert_array_equal(names["propensity"], expected)


def test_readme_offline(bench, dump, glassml, monkeypatch):
    (commands,) = executed("README.md", "sh", "Three examples")
    configuration = liquid(60, seed=81)
    (bench.folder / "model.pt").symlink_to(SHIPPED)
    script = bench.start(configuration, pair="pair_style none")
    bench.run(script + dump(name="trajectory.lammpstrj") + "run 0\n")
    labels = np.random.default_rng(81).random((60, 1))
    with DatasetWriter(bench.folder / "test.h5") as writer:
        writer.add(liquid(60, seed=82, times=[4120.0], propensity=labels))
    monkeypatch.chdir(bench.folder)
    for program, *words in command_lines(commands):
        assert program == "glassml"
        done = glassml(*words)
        # The liquid of the test is unlike that of the model, which is all that may be remarked.
        notes = [line for line in done.err.splitlines() if "is unlike the training" not in line]
        assert (done.code, notes) == (0, []), words
    expected = Predictor(SHIPPED, device="cpu").predict([configuration])[0]["propensity"][:, 0]
    found = ase.io.read("predicted.extxyz").arrays["propensity"]
    # 1e-5: float32, and reading takes the box off the positions and adds it again.
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert Path("map.png").is_file()


def test_examples_of_the_fix(bench, models):
    """All examples in one script, a run of no steps after each fix, then the run with output."""
    commands, output, names = executed("docs/reference/fix_glassml.md", "lammps", "Examples")
    (bench.folder / "ka_T0.44.pt").symlink_to(SHIPPED)
    with_stress = models("analytic", scalar_inputs=("stress",))
    (bench.folder / "with_stress.pt").symlink_to(with_stress)
    averaging_model(bench.folder, window=Window(0.1, 20), name="averaged.pt")
    inherent_model(bench.folder, name="inherent.pt")
    members = [build("analytic", cutoff=cutoff) for cutoff in (1.6, 2.0)]
    save_model(Committee(members), bench.folder / "committee.pt")
    # Where there is no GPU, `device cuda` is refused as it should be; auto is cuda where there is.
    commands = commands.replace("device cuda", "device auto")
    fixes = re.findall(r"^fix \S+ \S+ glassml .*$", commands, re.MULTILINE)
    assert len(fixes) == 9
    script = bench.start(liquid(125, seed=82)) + MOVE + "group big type 1\n"
    script += re.sub(r"^(fix .*)$", r"\1\nrun 0 post no", commands, flags=re.MULTILINE)
    run = bench.run(script + output + names + "run 200\n")
    log = run.log.read_text()
    assert len(re.findall(r"^fix (?:1|slow) glassml: \d+ edges at step 0, .*$", log, re.M)) == 8
    assert log.count("fix 1 glassml: inherent structure at step 0 after") == 1
    # Those of averaged positions have no window yet.
    assert log.count("values are 0 until step 400, when a window of averaged positions") == 2
    thermo = run.thermo()[-1]
    assert thermo["Step"] == [0, 100, 200]
    frames = bench.frames("propensity.dump")
    assert [frame.step for frame in frames] == [0, 100, 200]
    for place, frame in enumerate(frames):
        mean = frame["f_propensity_t=4120"].mean()
        assert mean > 0.0
        # 1e-4: dump and thermodynamic output have six digits.
        np.testing.assert_allclose(thermo["f_1[1]"][place], mean, rtol=1e-4)


def test_statistics_of_the_fix(bench):
    """A fraction cannot exceed 2, so the run that the page stops reaches the first averages."""
    (snippet,) = executed("docs/reference/fix_glassml.md", "lammps", "Names of columns")
    assert snippet.count("v_mobile > 0.1") == 1
    (bench.folder / "ka_T0.44.pt").symlink_to(SHIPPED)
    script = bench.start(liquid(125, seed=83)) + MOVE + "group big type 1\nthermo 100\n"
    run = bench.run(script + snippet.replace("v_mobile > 0.1", "v_mobile > 2") + "run 1000\n")
    thermo = run.thermo()[-1]
    assert list(thermo) == ["Step", "Temp", *(f"f_1[{k}]" for k in range(1, 6))]
    averages = np.loadtxt(bench.folder / "statistics.txt", ndmin=2)
    expected = [np.mean(thermo[name][1:]) for name in ("f_1[4]", "f_1[5]")]
    # The file has six digits, the log eight.
    np.testing.assert_allclose(averages[-1], [1000, *expected], rtol=1e-5)


def test_syntax_of_the_fix(bench):
    """The page's first block matches what the fix expects when there are too few arguments."""
    page = "docs/reference/fix_glassml.md"
    syntax, _ = (block.code for block in blocks_of(page) if "Syntax" in block.section)
    words = syntax.split()
    assert words[:5] == ["fix", "ID", "group-ID", "glassml", "Nevery"]
    keywords = re.search(r"^- keyword = (.*)$", (ROOT / page).read_text(), re.MULTILINE).group(1)
    message = bench.refused(bench.start(liquid(8)) + f"fix g all glassml 1 {SHIPPED} A B colour x")
    known = re.search(r"known keywords: ([\w, ]+)", message).group(1).split(", ")
    assert re.findall(r"\*(\w+)\*", keywords) == known
