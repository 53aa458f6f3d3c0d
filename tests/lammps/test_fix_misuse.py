"""Every misuse of `fix glassml` ends in an error of LAMMPS that says what to do."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from model_files import rewritten
from systems import liquid

from glassml.data import Configuration
from glassml.errors import InputError
from glassml.export import save_model
from glassml.models.analytic import Analytic
from glassml.physics.units import UNIT_STYLES
from glassml.simulation.lammps import find_lammps


class Broken(Analytic):
    """Fails if there is an edge."""

    @torch.jit.export
    def embed_edges(self, edge_vector: torch.Tensor) -> torch.Tensor:
        if edge_vector.shape[0] > 0:
            raise RuntimeError("this model is broken")
        return torch.zeros([0, 4], dtype=edge_vector.dtype)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("10 {model} A C", ["atom type 2: expected a species of model", "(A, B); found 'C'"]),
        ("10 {model} A", ["one species for each of the 2 atom types"]),
        ("10 {model} A B B", ["for each of the 2 atom types; found 3: A B B"]),
        ("10 {model} A output propensity", ["2 atom types; found 1: A"]),
        ("10", ["expected Nevery, a model file and one species"]),
        ("0 {model} A B", ["Nevery: expected a positive integer; found 0"]),
        ("-5 {model} A B", ["Nevery: expected a positive integer; found -5"]),
        ("ten {model} A B", ["fix g glassml: Nevery: expected a positive integer; found ten"]),
        ("1.5 {model} A B", ["Nevery: expected a positive integer; found 1.5"]),
        (
            "10 {model} A B scalar c_pe",
            ["expected no keyword scalar", "no scalar inputs; found 'scalar c_pe'. Remove it"],
        ),
        (
            "10 {model} A B scalar c_a scalar f_b[2]",
            ["found 'scalar c_a', 'scalar f_b[2]'. Remove them"],
        ),
        ("10 nowhere.pt A B", ["nowhere.pt: expected a model file that can be read", "No such"]),
        ("10 . A B", [".: expected a model file that can be read; found: an empty file or a"]),
        ("10 data.liquid A B", ["data.liquid: expected a complete glassml model; found another"]),
        ("10 {model} A B colour red", ["'colour' is an unknown keyword", "output, scalar, device"]),
        (
            "10 {model} A B device cpu colour red",
            ["device: expected one value; found also 'colour'", "known keywords: output, scalar"],
        ),
        (
            "10 {model} A B output velocity",
            ["expected outputs of model", "(propensity, descriptors, equivariant); found 'vel"],
        ),
        (
            "10 {model} A B output propensity propensity",
            ["expected different outputs; found 'propensity' twice"],
        ),
        ("10 {model} A B output", ["keyword output: expected a value; found none"]),
        ("10 {model} A B threads 0", ["keyword threads: expected a positive integer; found '0'"]),
        ("10 {model} A B threads two", ["expected a positive integer; found 'two'"]),
        ("10 {model} A B device gpu", ["expected cpu, cuda, cuda:N or auto; found 'gpu'"]),
        ("10 {model} A B device cuda:99", ["device 'cuda:99': expected ", "; found "]),
    ],
)
def test_wrong_command(bench, models, command, words):
    script = bench.start(liquid(60, seed=50))
    message = bench.refused(script + f"fix g all glassml {command.format(model=models())}\nrun 0")
    for word in words:
        assert word in message


def test_truncated_file(bench, models):
    (bench.folder / "half.pt").write_bytes(models().read_bytes()[:4000])
    message = bench.refused(bench.start(liquid(60)) + "fix g all glassml 1 half.pt A B")
    assert "half.pt: expected a complete glassml model; found another or a truncated" in message


def test_torchscript_file_of_another_program(bench, models):
    torch.jit.save(torch.jit.load(str(models())), str(bench.folder / "other.pt"))
    message = bench.refused(bench.start(liquid(60)) + "fix g all glassml 1 other.pt A B")
    assert "it has no manifest.json. Write the file with 'glassml export'" in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"format_version": 7},
            "other.pt: manifest.json: field 'format_version': expected 1 or 2 or 3 or 4 or 5, "
            "which this plugin reads; found 7. Install a newer glassml and run 'glassml build'",
        ),
        (
            {"format": "recipe"},
            "other.pt: manifest.json: field 'format': expected 'glassml-model'; found 'recipe'",
        ),
        (
            {"length_unit": "angstrom"},
            "expected lengths in 'angstrom', as in model other.pt; found 'units lj' with lengths "
            "in 'lj'",
        ),
    ],
    ids=["version", "format", "units"],
)
def test_model_that_does_not_fit(bench, models, changes, words):
    rewritten(models(), bench.folder / "other.pt", **changes)
    message = bench.refused(bench.start(liquid(60)) + "fix g all glassml 1 other.pt A B", ranks=2)
    assert words in message


@pytest.mark.parametrize("units", UNIT_STYLES)
def test_the_table_of_units_is_that_of_python(bench, models, units):
    length_unit = UNIT_STYLES[units].length
    data = bench.write_data(liquid(8))
    script = f"units {units}\nread_data {data}\npair_style none\nneighbor 0.3 bin\n"
    fitting = rewritten(models(), bench.folder / "fitting.pt", length_unit=length_unit)
    bench.run(script + f"fix g all glassml 1 {fitting} A B\nrun 0")
    other = rewritten(models(), bench.folder / "other.pt", length_unit="parsec")
    message = bench.refused(script + f"fix g all glassml 1 {other} A B")
    assert "expected lengths in 'parsec', as in model" in message
    assert f"found 'units {units}' with lengths in '{length_unit}'" in message


def test_two_dimensions(bench, models):
    script = "units lj\ndimension 2\nlattice sq 1.0\nregion box block 0 4 0 4 -0.5 0.5\n"
    script += "create_box 2 box\ncreate_atoms 1 box\npair_style none\nmass * 1.0\n"
    message = bench.refused(script + f"fix g all glassml 1 {models()} A B")
    assert "expected a three-dimensional simulation" in message
    assert "found the command 'dimension 2'" in message


@pytest.mark.parametrize("names", ["A B A", "A B B"])
def test_a_type_without_atoms_needs_a_name_too(bench, models, agrees, dump, names):
    # Not so in Python, where the number of types is unknown.
    configuration = liquid(60, seed=39)
    three_types = dataclasses.replace(configuration, species_names=("A", "B", "none"))
    script = bench.start(three_types, pair="pair_style none")
    bench.run(script + f"fix g all glassml 1 {models()} {names}\n" + dump("g") + "run 0")
    (frame,) = bench.frames()
    agrees(frame.values("g"), configuration, models())
    for wrong in ("A B", "A B C", "A B A B"):
        message = bench.refused(script + f"fix g all glassml 1 {models()} {wrong}\nrun 0")
        assert "species" in message
        assert "fix g glassml: " in message


def test_labels_of_types_that_are_names_of_other_species(bench, models, dump, agrees):
    configuration = liquid(60, seed=54)
    fix = f"fix g all glassml 1 {models()} A B\n"
    start = bench.start(configuration, pair="pair_style none")
    # The labels may also be given after the fix; others than the names of species do not matter.
    for script in ("labelmap atom 1 B 2 A\n" + fix, fix + "labelmap atom 2 A\n"):
        message = bench.refused(start + script + "run 0")
        assert "fix g glassml: atom type " in message
        assert ", which is the label of this type; found '" in message
    bench.run(start + "labelmap atom 1 big 2 B\n" + fix + dump("g") + "run 0")
    (frame,) = bench.frames()
    agrees(frame.values("g"), configuration, models())


def layer(per_side, triclinic):
    """Particles in one plane of a three-dimensional box, in random order."""
    cell = np.diag([1.1 * per_side, 1.1 * per_side, 6.0])
    cell[1, 0], cell[2, 0], cell[2, 1] = 0.3 * triclinic, 0.4 * triclinic, -0.2 * triclinic
    rng = np.random.default_rng(52)
    places = np.stack(np.meshgrid(*[np.arange(per_side)] * 2), -1).reshape(-1, 2) / per_side
    places = places + rng.uniform(0.0, 0.2, places.shape) / per_side
    fractional = np.column_stack([places, np.full(len(places), 0.25)])
    return {
        "positions": rng.permutation(fractional) @ cell,
        "cell": cell,
        "species": np.arange(len(places)) % 2,
        "species_names": ("A", "B"),
    }


@pytest.mark.parametrize("triclinic", [False, True])
def test_a_flat_system_is_refused_as_in_python(bench, models, triclinic):
    fields = layer(5, triclinic)
    words = "all 25 {} in one plane across lattice direction 3 (two-dimensional systems "
    with pytest.raises(InputError, match=re.escape(words.format("particles"))):
        Configuration(**fields)
    script = bench.start(SimpleNamespace(**fields, n_particles=25), pair="pair_style none")
    script += f"fix g all glassml 1 {models()} A B\n"
    for command in ("run 0", "minimize 0 0 1 1"):
        message = bench.refused(script + command, ranks=2)
        assert "fix g glassml: expected a three-dimensional system; found " in message
        assert words.format("atoms") in message


@pytest.mark.parametrize("triclinic", [False, True])
def test_a_flat_unit_cell_is_accepted_as_in_python(bench, models, agrees, dump, triclinic):
    configuration = Configuration(**layer(4, triclinic))
    script = bench.start(configuration, pair="pair_style none")
    bench.run(script + f"fix g all glassml 1 {models()} A B\n" + dump("g") + "run 0", ranks=2)
    (frame,) = bench.frames()
    agrees(frame.values("g"), configuration, models())


@pytest.mark.parametrize("keyword", ["", "positions inherent"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_position_that_is_not_finite_is_told_with_the_atom(bench, models, ranks, keyword):
    # One step takes atom 17 out of all bounds; LAMMPS itself would look when it reneighbours only.
    pair = "pair_style zero 2.5\npair_coeff * *\n"
    script = bench.start(liquid(60, seed=53), pair=pair, before="processors * 1 1")
    script += "neigh_modify every 100 delay 100 check no\ntimestep 1000.0\nfix n all nve\n"
    script += "group fast id 17\nvelocity fast set 0.0 1.0e308 0.0\nthermo 100\n"
    script += f"fix g all glassml 1 {models()} A B {keyword}\n"
    message = bench.refused(script + "run 5", ranks=ranks)
    expected = "fix g glassml: position y of atom 17: expected a finite number; found inf: the sim"
    assert expected in message


def test_respa_is_not_supported(bench, models):
    script = bench.start(liquid(60)) + "run_style respa 2 2 inner 1 1.0 1.2 outer 2\n"
    message = bench.refused(script + f"fix g all glassml 1 {models()} A B\nfix n all nve\nrun 1")
    assert "expected run_style verlet; found run_style respa" in message


def test_atoms_without_ids(bench, models):
    data = bench.write_data(liquid(60), ids=[0] * 60)
    script = f"units lj\natom_modify id no\nread_data {data}\npair_style none\n"
    message = bench.refused(script + f"fix g all glassml 1 {models()} A B\nrun 0")
    assert "expected atoms with IDs; found atom_modify id no" in message


def test_a_model_that_fails_on_one_rank_stops_all(bench):
    save_model(Broken(), bench.folder / "broken.pt", dtype="float64")
    # Only the lower half has a pair with an edge; its rank fails, the other one proceeds to the
    # exchange and must not be left waiting there.
    dense = liquid(60, seed=51)
    positions = [[1 + 3 * (k % 4), 1 + 3 * (k // 4 % 4), 1 + 3 * (k // 16)] for k in range(60)]
    positions[1] = [1.9, 1.0, 1.0]
    configuration = dataclasses.replace(dense, cell=12 * np.eye(3), positions=np.array(positions))
    script = bench.start(configuration, before="processors 1 1 2", pair="pair_style none")
    message = bench.refused(script + "fix g all glassml 1 broken.pt A B\nrun 0", ranks=2)
    assert "fix g glassml: model 'Broken', method embed_edges: this model is broken" in message
    assert "Traceback" not in message
    assert "Exception raised from" not in message


def test_a_model_that_breaks_its_promises(bench, models):
    rewritten(models(), bench.folder / "liar.pt", state_widths=[1, 4, 6], sent_widths=[1, 4])
    message = bench.refused(bench.start(liquid(60)) + "fix g all glassml 1 liar.pt A B\nrun 0")
    assert (
        "method step: result: expected the shape [60, 4], as the manifest says; found [60, 5]"
        in (message)
    )


def start_two_ranks(bench, *files):
    """One script on two ranks with a file each, as on machines without a shared disk."""
    (bench.folder / "in.lmp").write_text(
        bench.start(liquid(60)) + "fix g all glassml 1 ${model} A B\nrun 0\n"
    )
    found = find_lammps()
    ranks = [
        ["-n", "1", str(found.lmp), "-in", "in.lmp", "-var", "model", str(file)] for file in files
    ]
    command = [str(found.mpiexec), *ranks[0], ":", *ranks[1]]
    return subprocess.run(
        command, cwd=bench.folder, capture_output=True, text=True, check=False, timeout=60
    )


def test_ranks_with_different_models(bench, models):
    # Analytic model and network differ in their number of exchanges: the ranks would wait for ever.
    result = start_two_ranks(bench, models(), models.network())
    message = " ".join(result.stdout.split())
    assert result.returncode != 0
    assert f"glassml: model file {models()}: expected the same file on all MPI tasks; " in message


def test_ranks_with_copies_of_one_model(bench, models):
    copy = bench.folder / "copy.pt"
    copy.write_bytes(models().read_bytes())
    result = start_two_ranks(bench, models(), copy)
    assert result.returncode == 0, result.stdout
    assert "edges at step 0" in result.stdout
