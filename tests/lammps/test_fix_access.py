"""What LAMMPS' own commands can do with the values of `fix glassml`, and what the log says."""

from __future__ import annotations

import re

import numpy as np
import pytest
from systems import liquid

from glassml.inference import Predictor
from glassml.native import build_dir
from glassml.native.location import PLUGIN_FILE

MOVE = "minimize 0.0 1.0e-2 50 200\nreset_timestep 0\nvelocity all create 1.0 71\nfix nve all nve\n"


def start(bench, models, every=10, before=""):
    script = bench.start(liquid(120, seed=30)) + MOVE + before
    return script + f"fix g all glassml {every} {models()} A B output propensity descriptors\n"


def test_thermo_reduce_and_dump_agree(bench, models, dump):
    script = start(bench, models) + "compute mean all reduce ave f_g[1] f_g[2] f_g[4]\n"
    script += "thermo 10\nthermo_style custom step f_g[1] c_mean[1] f_g[2] c_mean[2] c_mean[3]\n"
    script += "thermo_modify format float %20.15g\n" + dump("g", every=10)
    thermo = bench.run(script + "run 20", ranks=2).thermo()[-1]
    means = np.array([frame.values("g").mean(axis=0) for frame in bench.frames()])
    assert means.shape == (3, 5)  # two times, three descriptors
    for name, column in [("f_g[1]", 0), ("c_mean[1]", 0), ("f_g[2]", 1), ("c_mean[3]", 3)]:
        np.testing.assert_allclose(thermo[name], means[:, column], rtol=1e-12)


def test_time_averages_by_fix_ave_atom(bench, models, dump):
    script = start(bench, models) + "fix mean all ave/atom 10 3 30 f_g[1] f_g[5]\n"
    script += dump("g", every=10) + "dump mean all custom 30 dump.mean id f_mean[1] f_mean[2]\n"
    script += "dump_modify mean sort id format float %20.15g first no\n"
    bench.run(script + "run 30", ranks=2)
    frames = bench.frames()[1:]
    expected = np.mean([frame.values("g")[:, [0, 4]] for frame in frames], axis=0)
    averaged = bench.frames("dump.mean")[-1]
    np.testing.assert_allclose(averaged.values("mean"), expected, rtol=1e-12)


def test_histograms_and_chunks(bench, models, dump):
    """Of the values, by fix ave/histo; of their means in slices, by compute chunk/atom."""
    script = start(bench, models)
    script += "fix histo all ave/histo 10 1 10 60 120 12 f_g[1] mode vector kind peratom "
    script += "file histogram\n"
    script += "compute slice all chunk/atom bin/1d x lower 1.0 units box\n"
    script += "fix slices all ave/chunk 10 1 10 slice f_g[1] file slices format %20.15g\n"
    bench.run(script + dump("g", every=10) + "run 10", ranks=2)
    frame = bench.frames()[-1]
    values = frame.values("g")[:, 0]
    rows = (bench.folder / "histogram").read_text().splitlines()[-12:]
    counts = np.array([row.split() for row in rows], dtype=float)[:, 2]
    np.testing.assert_array_equal(counts, np.histogram(values, bins=12, range=(60, 120))[0])
    assert counts.max() > 10
    rows = (bench.folder / "slices").read_text().splitlines()[-5:]
    chunks = np.array([row.split() for row in rows], dtype=float)[:, [2, 3]]
    length = liquid(120, seed=30).cell[0, 0]
    slices = (frame["x"] % length).astype(int)  # chunks are of atoms inside the box
    expected = [values[slices == k].mean() for k in range(5)]
    np.testing.assert_array_equal(chunks[:, 0], np.bincount(slices))
    np.testing.assert_allclose(chunks[:, 1], expected, rtol=1e-12)


def test_variables_use_the_columns(bench, models):
    script = start(bench, models) + "variable slow atom f_g[1]>f_g[3]\n"
    script += "compute slow all reduce min v_slow\nthermo_style custom step c_slow\n"
    thermo = bench.run(script + "run 0").thermo()[-1]
    assert thermo["c_slow"] == [1.0]  # propensity = density + a positive second density


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("dump d all custom 5 dump.out id f_g[1]\n", "not computed at compatible times"),
        ("fix a all ave/atom 5 2 10 f_g[1]\n", "not computed at compatible time"),
        ("thermo 5\nthermo_style custom step f_g[1]\n", "not computed at compatible times"),
        ("dump d all custom 10 dump.out id f_g[6]\n", "out-of-range"),
        ("thermo_style custom step f_g[11]\n", "out-of-range"),
    ],
    ids=["dump", "ave-atom", "thermo", "column", "vector"],
)
def test_lammps_refuses_wrong_access(bench, models, command, words):
    message = bench.refused(start(bench, models) + command + "run 10")
    assert words in message


def test_without_propensity_there_is_no_global_vector(bench, models):
    script = bench.start(liquid(60, seed=31))
    script += f"fix g all glassml 1 {models()} A B output descriptors\n"
    message = bench.refused(script + "thermo_style custom step f_g[1]\nrun 0")
    assert "vector" in message


def test_the_log_tells_what_was_loaded(bench, models):
    file = models()
    run = bench.run(start(bench, models, before="neighbor 0.3 bin\n") + "run 0\nrun 0")
    log = run.log.read_text()
    for words in [
        f"model: {file} (analytic, written by glassml ",
        ", float64)",
        "species: type 1 -> A, type 2 -> B",
        "cutoff: 2 lj, 2 message-passing steps",
        "device: cpu, 1 thread(s) per MPI task",
        "f_g[1] propensity_t=1",
        "f_g[5] dipole_norm",
        "global vector: f_g[1] to f_g[2], group means of the propensity",
    ]:
        assert log.count(words) == 1, words


def test_hundreds_of_columns_are_shortened_in_the_log(bench, models):
    script = bench.start(liquid(60, seed=32))
    script += f"fix g all glassml 1 {models.network()} A B output equivariant\nrun 0"
    log = bench.run(script).log.read_text()
    manifest = Predictor(models.network(), device="cpu").manifest
    columns = next(entry.columns for entry in manifest.outputs if entry.name == "equivariant")
    assert len(columns) == 36
    assert f"f_g[1] {columns[0]}" in log
    assert f"f_g[36] {columns[-1]}" in log
    assert len(re.findall(r"f_g\[\d+\]", log)) == 2


@pytest.mark.parametrize("way", ["plugin load", "LAMMPS_PLUGIN_PATH"])
def test_ways_to_load_the_plugin(bench, models, monkeypatch, way):
    file = build_dir() / PLUGIN_FILE
    monkeypatch.setenv("GLASSML_NATIVE_DIR", str(bench.folder))  # so `lmp` does not find it itself
    load = f"plugin load {file}\n"
    if way == "LAMMPS_PLUGIN_PATH":
        monkeypatch.setenv("LAMMPS_PLUGIN_PATH", str(file.parent))
        load = ""
    script = bench.start(liquid(60, seed=34)) + load
    script += f"fix g all glassml 1 {models()} A B\nrun 0\nplugin unload fix glassml\nrun 0\n"
    script += f"plugin load {file}\nfix g all glassml 1 {models()} A B\nrun 0"
    run = bench.run(script)
    assert len(re.findall(r"fix g glassml: \d+ edges", run.stdout)) == 2
