"""The C++ model runner without LAMMPS, and the plugin in a LAMMPS that it was not built for."""

from __future__ import annotations

import itertools
import json
import subprocess

import numpy as np
import pytest
import torch
from systems import liquid

from glassml.data import Configuration
from glassml.inference import Predictor
from glassml.simulation.lammps import run_lammps


@pytest.fixture
def drive(build_tree):
    """Runs the program; returns the edges, the rows of outputs and its error, if any."""

    def run(model, n_local, positions, owner, species, scalars=None, outputs=("propensity",)):
        columns = np.empty((len(positions), 0)) if scalars is None else scalars
        lines = [f"{n_local} {len(positions)}"]
        for x, row, kind, extra in zip(positions, owner, species, columns, strict=True):
            lines.append(f"{x[0]!r} {x[1]!r} {x[2]!r} {row} {kind} ".replace("np.float64", ""))
            lines[-1] = lines[-1].replace("(", "").replace(")", "")
            lines[-1] += " ".join(f"{value:.17g}" for value in extra)
        result = subprocess.run(
            [build_tree / "bin" / "glassml_runner_driver", model, *outputs],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert result.returncode in (0, 1), result.stderr
        items = [line.split() for line in result.stdout.splitlines()]
        edges = {(int(i[1]), int(i[2])) for i in items if i[0] == "edge"}
        rows = np.array([i[1:] for i in items if i[0] == "row"], dtype=float)
        error = result.stdout if result.stdout.startswith("error") else None
        return edges, rows, error

    return run


def with_ghosts(configuration, cutoff, rng):
    """Own particles and, in random order, all their images near the cell: as LAMMPS has them."""
    n = configuration.n_particles
    shifts = [s for s in itertools.product(range(-3, 4), repeat=3) if any(s)]
    images = np.concatenate([configuration.positions + s @ configuration.cell for s in shifts])
    owners = np.tile(np.arange(n), len(shifts))
    low = configuration.positions.min(axis=0) - cutoff - 0.3
    high = configuration.positions.max(axis=0) + cutoff + 0.3
    near = np.flatnonzero(np.all((images > low) & (images < high), axis=1))
    near = rng.permutation(near)
    positions = np.concatenate([configuration.positions, images[near]])
    owner = np.concatenate([np.arange(n), owners[near]])
    return positions, owner, configuration.species[owner]


def pairs_within(positions, n_local, cutoff):
    distance = np.linalg.norm(positions[:n_local, None] - positions[None], axis=2)
    close = distance < cutoff
    close[np.arange(n_local), np.arange(n_local)] = False
    return {(int(i), int(j)) for i, j in np.argwhere(close)}


@pytest.mark.parametrize(
    ("n", "triclinic"), [(60, False), (60, True), (3, False)], ids=["cube", "skew", "images"]
)
def test_edges_and_outputs(drive, models, n, triclinic):
    configuration = liquid(n, seed=60, triclinic=triclinic)
    model = models()
    positions, owner, species = with_ghosts(configuration, 2.0, np.random.default_rng(60))
    outputs = ("descriptors", "propensity", "equivariant")
    edges, rows, error = drive(model, n, positions, owner, species, outputs=outputs)
    assert error is None
    assert edges == pairs_within(positions, n, 2.0)
    prediction = Predictor(model, device="cpu").predict([configuration], outputs)[0]
    expected = np.concatenate([prediction[name] for name in outputs], axis=1)
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-10 * abs(expected).max())


def test_scalars_of_ghosts_are_those_of_their_owners(drive, models):
    configuration = liquid(40, seed=61)
    model = models("analytic", scalar_inputs=("potential_energy",))
    positions, owner, species = with_ghosts(configuration, 2.0, np.random.default_rng(61))
    energy = np.random.default_rng(62).normal(size=40)
    rows = drive(model, 40, positions, owner, species, energy[owner][:, None])[1]
    labelled = Configuration(
        positions=configuration.positions,
        cell=configuration.cell,
        species=configuration.species,
        species_names=("A", "B"),
        scalars={"potential_energy": energy},
    )
    expected = Predictor(model, device="cpu").predict([labelled])[0]["propensity"]
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-10 * abs(expected).max())


def test_no_particles_at_all(drive, models):
    assert drive(models(), 0, [], [], []) == (set(), pytest.approx(np.empty(0)), None)


def test_ghosts_but_no_own_particles(drive, models):
    edges, rows, error = drive(models(), 0, np.ones((2, 3)), [0, 0], [0, 0])
    assert (edges, rows.size, error) == (set(), 0, None)


def test_particles_too_far_apart_for_edges(drive, models):
    # A grid of cells as wide as the cutoff over this volume would not fit into any memory.
    positions = np.array([[0.0, 0.0, 0.0], [1e7, 2e7, -3e7], [1e7, 2e7, -3e7 + 1.0]])
    edges, rows, error = drive(models(), 3, positions, [0, 1, 2], [0, 0, 1])
    assert error is None
    assert edges == {(1, 2), (2, 1)}
    assert np.all(rows[0] == 0.0)
    assert np.all(rows[1:] > 0.0)


def test_pairs_on_the_edge_of_the_cutoff(drive, models):
    # Exactly representable distances: 2 is not within the cutoff of 2, the number below it is.
    below = np.nextafter(2.0, 0.0)
    positions = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, below, 0.0], [0.0, 0.0, -2.0]])
    edges = drive(models(), 4, positions, range(4), [0] * 4)[0]
    assert edges == {(0, 2), (2, 0)}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_positions_that_are_not_finite(drive, models, bad):
    positions = np.array([[0.0, 0.0, 0.0], [1.0, bad, 0.0]])
    error = drive(models(), 2, positions, [0, 1], [0, 0])[2]
    assert f"position y of the particle in row 1: expected a finite number; found {bad}" in error


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("model", None, "field 'model': expected a text; found null"),
        ("species", "AB", "field 'species': expected a list; found \"AB\""),
        ("species", [], "field 'species': expected one species or more"),
        ("species", ["A", "A"], "field 'species': expected different names; found A, A"),
        ("species", ["A", 1], "field 'species': expected a list of texts; found 1"),
        ("cutoff", -2.0, "field 'cutoff': expected a positive number; found -2.0"),
        ("dtype", "float16", "field 'dtype': expected float32 or float64; found 'float16'"),
        ("n_steps", 2.5, "field 'n_steps': expected an integer; found 2.5"),
        ("n_steps", 0, "field 'n_steps': expected an integer from 1 to 1000; found 0"),
        ("state_widths", [1, 5], "expected 3 entries (n_steps + 1); found 2"),
        (
            "state_widths",
            [1, 0, 6],
            "field 'state_widths': expected integers from 1 to 65536; found 0",
        ),
        ("outputs", [], "field 'outputs': expected one output or more"),
        ("outputs", [{"name": "x"}], "outputs: field 'columns': expected a list; found nothing"),
        (
            "outputs",
            [{"name": "magic", "columns": ["x"], "dimension": "[-]"}],
            "expected a method 'magic'; found none: the file is damaged or was not written by",
        ),
        ("scalar_inputs", [7], "scalar_inputs: expected a JSON object; found 7"),
        ("format_version", "1", "field 'format_version': expected an integer; found \"1\""),
        (
            "format_version",
            6,
            "expected 1 or 2 or 3 or 4 or 5, which this plugin reads; found 6. Install a newer "
            "glassml and run 'glassml build'",
        ),
        ("format_version", 0, "plugin reads; found 0. Export the model again"),
    ],
)
def test_damaged_manifest(drive, models, tmp_path, field, value, words):
    extra = {"manifest.json": ""}
    module = torch.jit.load(str(models()), _extra_files=extra)
    manifest = {**json.loads(extra["manifest.json"]), field: value}
    torch.jit.save(
        module, str(tmp_path / "m.pt"), _extra_files={"manifest.json": json.dumps(manifest)}
    )
    error = drive(tmp_path / "m.pt", 0, [], [], [])[2]
    assert "m.pt: " in error
    assert words in error


@pytest.mark.parametrize(
    "changes",
    [
        {"radial_table": None, "future": [1]},
        {"radial_table": {"knots": 512, "tolerance": 1e-5, "measured_error": 3e-6}},
        {"format_version": 1, "training": {"data": "any words"}},
        {"format_version": 2, "training": {"members": [{"seed": 1}]}},
    ],
    ids=["no table", "table", "version 1", "version 2"],
)
def test_fields_that_do_not_concern_an_engine_are_ignored(drive, models, tmp_path, changes):
    extra = {"manifest.json": ""}
    module = torch.jit.load(str(models()), _extra_files=extra)
    manifest = {**json.loads(extra["manifest.json"]), **changes}
    torch.jit.save(
        module, str(tmp_path / "m.pt"), _extra_files={"manifest.json": json.dumps(manifest)}
    )
    particles = (2, np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), [0, 1], [0, 1])
    rows, error = drive(tmp_path / "m.pt", *particles)[1:]
    assert error is None
    np.testing.assert_array_equal(rows, drive(models(), *particles)[1])
    assert np.all(rows > 0.0)


def test_manifest_that_is_not_json(drive, models, tmp_path):
    module = torch.jit.load(str(models()))
    torch.jit.save(module, str(tmp_path / "m.pt"), _extra_files={"manifest.json": '{"format": '})
    assert "manifest.json: expected JSON; found other" in drive(tmp_path / "m.pt", 0, [], [], [])[2]


def test_nothing_was_warned_of_in_the_last_build(build_tree):
    """In CI this is a build of all files."""
    log = (build_tree.parent / "build.log").read_text()
    assert "Configuring done" in log
    assert "warning:" not in log


def test_lammps_of_another_version_is_left_alone(build_tree, tmp_path):
    other = build_tree / "lib" / "glassmlplugin_20000229.so"
    script = f"plugin clear\nplugin load {other}\nplugin list\n"
    run = run_lammps(script, cwd=tmp_path)
    assert "glassml plugin not loaded: expected LAMMPS version 20000229" in run.stdout
    assert "Run 'glassml build'" in run.stdout
    assert "fix style plugin glassml" not in run.stdout
