"""Networks whose edges have a memory, in LAMMPS: as in Python and ASE, on any number of ranks."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from averages import EVERY, RELAX, TIMESTEP, WINDOW, averaged, dumps, read
from glassml_ase import GlassMLCalculator
from pages import executed
from systems import liquid

from glassml.data import Configuration, atoms_from_configuration
from glassml.errors import InputError
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import Committee, build
from glassml.provenance import TrainingRecord

LIQUID = liquid(300, seed=4)


def local_rows(folder, name: str = "bonds.out") -> list[np.ndarray]:
    """The rows of each snapshot of a local dump, sorted by the IDs of the two atoms."""
    snapshots = []
    for text in (folder / name).read_text().split("ITEM: TIMESTEP\n")[1:]:
        body = text.partition("ITEM: ENTRIES ")[2].partition("\n")[2]
        rows = np.array([row.split() for row in body.splitlines()], dtype=float)
        rows = rows if len(rows) else np.zeros((0, 2))
        snapshots.append(rows[np.lexsort((rows[:, 1], rows[:, 0]))])
    return snapshots


def predicted_rows(file, configuration: Configuration) -> np.ndarray:
    edges = Predictor(file, device="cpu").predict_edges(configuration)
    ids = np.stack([edges.receiver + 1, edges.sender + 1], axis=1)
    rows = np.hstack([ids, edges.values["bond_displacement"]])
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["bapst", "botan", "geo-gnn"])
def test_as_in_python_and_ase_on_every_number_of_ranks(
    bench, dump, agrees, models, name: str, dtype: str
) -> None:
    file = models(name, dtype, times=(1.0, 4.0))
    script = bench.start(LIQUID) + f"fix p all glassml 1 {file} A B\n{dump('p')}run 0\n"
    for ranks in (1, 2, 4):
        bench.run(script, ranks=ranks)
        agrees(bench.frames()[0].values("p"), LIQUID, file)
    calculator = GlassMLCalculator(file, species=("A", "B"), device="cpu")
    found = calculator.get_property("propensity", atoms_from_configuration(LIQUID))
    agrees(np.reshape(found, (len(LIQUID.positions), -1)), LIQUID, file)


def test_members_of_a_committee_remember_their_own_edges(bench, dump, agrees, models) -> None:
    members = [
        build("botan", width=8, n_layers=2, cutoff=1.6),
        build("se3gnn-v2", n_layers=3, channels=2, l_max=1),
        build("bapst", width=8, n_layers=3),
    ]
    file = bench.folder / "committee.pt"
    save_model(Committee([m.double() for m in members]), file, dtype="float64")
    fix = f"fix p all glassml 1 {file} A B output propensity propensity_members\n"
    bench.run(bench.start(LIQUID) + fix + f"{dump('p')}run 0\n", ranks=2)
    outputs = ("propensity", "propensity_members")
    agrees(bench.frames()[0].values("p"), LIQUID, file, outputs)


@pytest.mark.parametrize("ranks", [1, 3])
def test_outputs_of_edges_are_a_local_array(bench, models, ranks: int) -> None:
    file = models("botan", times=(1.0, 4.0))
    script = bench.start(LIQUID) + (
        f"fix p all glassml 10 {file} A B edges yes\nfix move all nve\n"
        "dump 1 all local 10 bonds.out f_p[1] f_p[2] f_p[3] f_p[4]\n"
        "dump_modify 1 format float %20.17g\n"
        "dump 2 all custom 10 dump.out id type x y z\n"
        "dump_modify 2 sort id format float %20.17g\nrun 10\n"
    )
    log = bench.run(script, ranks=ranks).stdout
    assert "f_p[1] and f_p[2] IDs of atoms" in log
    assert "f_p[4] bond_displacement_t=4" in log
    snapshots = local_rows(bench.folder)
    assert len(snapshots) == 2
    for rows, frame in zip(snapshots, bench.frames(), strict=True):
        expected = predicted_rows(file, frame.configuration(LIQUID))
        assert rows.shape == expected.shape
        np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("ranks", [1, 4])
@pytest.mark.parametrize("positions", ["thermal", "average"])
def test_edges_after_atoms_changed_their_ranks(bench, positions: str, ranks: int) -> None:
    """A hot liquid, whose atoms are sorted anew and wander to other ranks."""
    torch.manual_seed(3)
    model = build("botan", times=(1.0,), width=8, n_layers=2, cutoff=1.6)
    model.positions, model.window = positions, WINDOW if positions == "average" else None
    file = bench.folder / "bonds.pt"
    save_model(model.double(), file, dtype="float64")
    script = bench.start(LIQUID, before="atom_modify sort 5 1.0") + RELAX
    script += f"timestep {TIMESTEP}\nfix move all nve\nvelocity all scale 5.0\n"
    script += f"fix g all glassml {EVERY} {file} A B edges yes\n" + dumps()
    script += f"dump 1 all local {EVERY} bonds.out f_g[1] f_g[2] f_g[3]\n"
    script += "dump_modify 1 format float %20.17g\n"
    log = bench.run(script + "run 120\n", ranks=ranks).stdout
    assert int(re.findall(r"Neighbor list builds = (\d+)", log)[-1]) >= 5
    samples = read(bench.folder / "samples.dump")
    moved = samples[120].columns["proc"] != samples[0].columns["proc"]
    assert (moved.sum() > 10) == (ranks > 1)
    rows = local_rows(bench.folder)[-1]
    expected = predicted_rows(file, averaged(samples, LIQUID, 120))
    assert rows.shape == expected.shape
    assert np.std(expected[:, 2]) > 1e-5
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-10)


def test_the_example_of_the_page(bench, models) -> None:
    (lines,) = executed("docs/reference/fix_glassml.md", "lammps", "Outputs of edges")
    file = models("botan", times=(1.0,))
    (bench.folder / "botan.pt").write_bytes(file.read_bytes())
    bench.run(bench.start(LIQUID) + lines + "\nrun 0\n")
    (rows,) = local_rows(bench.folder, "bonds.dump")
    rows = rows[np.lexsort((rows[:, 2], rows[:, 1])), 1:]  # the first column counts them
    np.testing.assert_allclose(rows, predicted_rows(file, LIQUID), rtol=0, atol=1e-5)  # six digits


def test_edges_of_a_group_join_its_atoms(bench, models) -> None:
    file = models("botan", times=(1.0, 4.0))
    script = bench.start(LIQUID) + (
        f"group small type 2\nfix p small glassml 1 {file} A B edges yes\n"
        "dump 1 all local 1 bonds.out f_p[1] f_p[2] f_p[3] f_p[4]\n"
        "dump_modify 1 format float %20.17g\n"
        "compute most all reduce max f_p[3] inputs local\nthermo_style custom step c_most\n"
        "thermo_modify format float %20.17g\nrun 0\nrun 0\n"
    )
    printed = bench.run(script, ranks=2).stdout
    rows = predicted_rows(file, LIQUID)
    small = 1 + np.flatnonzero(LIQUID.species == 1)
    kept = np.isin(rows[:, 0], small) & np.isin(rows[:, 1], small)
    assert 0 < kept.sum() < len(rows)
    np.testing.assert_allclose(local_rows(bench.folder)[0], rows[kept], rtol=0, atol=1e-10)
    most = re.findall(r"^ +0 +(\S+)$", printed, re.MULTILINE)
    assert len(most) == 2
    np.testing.assert_allclose(np.array(most, float), rows[kept, 2].max(), rtol=1e-9)


def test_models_without_outputs_of_edges_are_refused(bench, models) -> None:
    file = models("bapst", width=8)
    message = bench.refused(bench.start(LIQUID) + f"fix p all glassml 1 {file} A B edges yes\n")
    assert "keyword edges: expected a model with outputs of edges, such as botan; found" in message
    botan = models("botan", times=(1.0,))
    wrong = f"fix p all glassml 1 {botan} A B output bond_displacement\n"
    message = bench.refused(bench.start(LIQUID) + wrong)
    assert "found 'bond_displacement', which is for pairs of atoms. Give 'edges yes'" in message
    with pytest.raises(InputError, match=r"It is for pairs: use Predictor\.predict_edges"):
        Predictor(botan, device="cpu").predict([LIQUID], ["bond_displacement"])
    message = bench.refused(bench.start(LIQUID) + f"fix p all glassml 1 {file} A B edges on\n")
    assert "keyword edges: expected yes or no; found 'on'" in message


def test_ranks_without_atoms_and_a_dump_before_the_first_run(bench, models) -> None:
    """Two atoms near each other and one alone, on four ranks; some have no atom or no edge."""
    few = Configuration(
        positions=[[1.0, 1.0, 1.0], [1.9, 1.0, 1.0], [7.0, 7.0, 7.0]],
        cell=np.eye(3) * 10,
        species=[0, 1, 0],
        species_names=("A", "B"),
    )
    file = models("botan", times=(1.0,))
    columns = "f_p[1] f_p[2] f_p[3]"
    script = bench.start(few) + (
        f"fix p all glassml 1 {file} A B edges yes\n"
        f"write_dump all local before.out {columns}\n"
        f"dump 1 all local 1 bonds.out {columns}\ndump_modify 1 format float %20.17g\nrun 0\n"
    )
    bench.run(script, ranks=4)
    assert "ITEM: NUMBER OF ENTRIES\n0\n" in (bench.folder / "before.out").read_text()
    np.testing.assert_allclose(
        local_rows(bench.folder)[0], predicted_rows(file, few), rtol=0, atol=1e-10
    )


def test_outputs_that_were_not_trained_are_warned_of(bench) -> None:
    file = bench.folder / "start.pt"
    save_model(build("botan", width=8), file, training=TrainingRecord(untrained=("propensity",)))
    fix = f"fix p all glassml 1 {file} A B"
    log = bench.run(bench.start(LIQUID) + f"{fix}\nrun 0\nrun 0\n").stdout
    assert log.count("output propensity of model") == 1
    assert "not trained, so its values mean nothing" in log
    log = bench.run(bench.start(LIQUID) + f"{fix} output descriptors\nrun 0\n").stdout
    assert "not trained" not in log
