"""EIGNN in LAMMPS: sums over the whole system, and two structures of the same atoms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from averages import read
from glassml_ase import GlassMLCalculator
from inherent import MOVE, quenched
from systems import liquid

from glassml.data import Configuration, atoms_from_configuration, view_of
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import Committee, GlassModel, build

SHIFTS = ("inherent_shift_x", "inherent_shift_y", "inherent_shift_z")
SCALARS = (*SHIFTS, "inherent_energy")
FIX = "scalar v_dx scalar v_dy scalar v_dz scalar v_e"


def network(seed: int = 2, **settings: object) -> GlassModel:
    torch.manual_seed(seed)
    return build("eignn", times=(1.0, 4.0), **{"width": 8, "n_layers": 3} | settings).double()


def with_scalars(start: Configuration) -> Configuration:
    """Vectors and energies that follow from the wrapped positions, which LAMMPS knows too."""
    x = start.positions % np.diag(start.cell)
    wave = 0.1 * np.sin(2 * x[:, [1, 2, 0]])
    scalars = dict(zip(SHIFTS, wave.T, strict=True)) | {"inherent_energy": x[:, 0]}
    return dataclasses.replace(start, positions=x, scalars=scalars)


LIQUID = with_scalars(liquid(300, seed=4))
VARIABLES = (
    "variable dx atom 0.1*sin(2*y)\nvariable dy atom 0.1*sin(2*z)\nvariable dz atom 0.1*sin(2*x)\n"
    "variable e atom x\n"
)


@pytest.mark.parametrize("statistics", ["system", "training"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_as_in_python_and_ase_on_every_number_of_ranks(
    bench, dump, agrees, dtype: str, statistics: str
) -> None:
    here = LIQUID
    file = bench.folder / "eignn.pt"
    save_model(network(statistics=statistics), file, dtype=dtype)
    script = bench.start(here) + VARIABLES + f"fix p all glassml 1 {file} A B {FIX}\n"
    for ranks in (1, 2, 4):
        bench.run(f"{script}{dump('p')}run 0\n", ranks=ranks)
        agrees(bench.frames()[0].values("p"), here, file)
    atoms = atoms_from_configuration(here)
    for name in SCALARS:
        atoms.arrays[name] = here.scalars[name]
    calculator = GlassMLCalculator(file, species=("A", "B"), device="cpu")
    found = calculator.get_property("propensity", atoms)
    agrees(np.reshape(found, (len(here.positions), -1)), here, file)


def test_a_committee_has_the_sums_of_its_members(bench, dump, agrees) -> None:
    """Members that begin at other steps, one without sums."""
    members = [network(), network(3, n_layers=1), network(4, statistics="training")]
    file = bench.folder / "committee.pt"
    save_model(Committee(members), file, dtype="float64")
    here = LIQUID
    fix = f"fix p all glassml 1 {file} A B {FIX} output propensity propensity_members\n"
    bench.run(f"{bench.start(here)}{VARIABLES}{fix}{dump('p')}run 0\n", ranks=2)
    outputs = ("propensity", "propensity_members")
    agrees(bench.frames()[0].values("p"), here, file, outputs)


def test_ranks_without_atoms(bench, dump, agrees) -> None:
    few = liquid(27)
    corner = with_scalars(
        dataclasses.replace(few, positions=few.positions + 0.5, cell=3 * few.cell)
    )
    file = bench.folder / "eignn.pt"
    save_model(network(), file, dtype="float64")
    script = bench.start(corner) + VARIABLES + f"fix p all glassml 1 {file} A B {FIX}\n"
    bench.run(f"{script}{dump('p')}run 0\n", ranks=4)
    agrees(bench.frames()[0].values("p"), corner, file)


@pytest.mark.parametrize("ranks", [1, 2])
def test_the_fix_finds_the_inherent_structure_itself(bench, ranks: int) -> None:
    """Thermal positions, vectors to the inherent ones, and energies there, as in Python."""
    start = liquid(200, seed=4)
    file = bench.folder / "eignn.pt"
    save_model(network(), file, dtype="float64")
    script = bench.start(start) + MOVE + "thermo 1000\n"
    script += f"fix g all glassml 20 {file} A B structure inherent 1e-8\n"
    script += (
        "dump v all custom 20 values.dump id type x y z f_g[*]\n"
        "dump_modify v format float %20.17g\n"
    )
    run = bench.run(script + "run 20\n", ranks=ranks)
    predictor = Predictor(file, device="cpu", threads=1)
    snapshots = read(bench.folder / "values.dump")
    assert list(snapshots) == [0, 20]
    for snapshot in snapshots.values():
        now = quenched(snapshot, start, force=1e-8)
        expected = predictor.predict([now])[0]["propensity"]
        assert np.std(expected) > 1e-3
        # Both minimisers stop below the same force.
        np.testing.assert_allclose(snapshot.values(), expected, atol=1e-5 * np.abs(expected).max())
        moved = view_of(now).scalars["inherent_displacement"]
        assert moved.min() > 1e-3
    for name in SCALARS:
        assert run.stdout.count(f"scalar input: {name} = inherent structure\n") == 1
    assert "structure: inherent, each evaluation minimises a copy (force tol" in run.stdout
    assert "WARNING: fix g" not in run.stdout


@pytest.mark.parametrize(
    ("model", "words", "message"),
    [
        (
            "eignn",
            "",
            "found 0. Give 'scalar c_ID', 'scalar f_ID' or 'scalar v_name' for each, in this "
            "order. With 'structure inherent' the fix finds those of inherent structures itself",
        ),
        (
            "botan",
            "structure inherent",
            "keyword structure: expected a model that reads scalars of inherent structures, such "
            "as inherent_energy; found model ",
        ),
        ("eignn", "structure cage", "keyword structure: expected 'inherent [ftol maxiter]'; found"),
        (
            "eignn",
            "structure inherent positions inherent",
            "keyword positions: expected 'positions inherent' or 'structure inherent', once",
        ),
        ("eignn", "structure inherent 0", "keyword structure: ftol: expected a positive force"),
    ],
)
def test_mistakes(bench, model: str, words: str, message: str) -> None:
    file = bench.folder / f"{model}.pt"
    save_model(build(model, width=8), file)
    start = bench.start(liquid(100)) + f"fix p all glassml 1 {file} A B {words}\n"
    assert message in bench.refused(start)
