"""`boattini` and `cage` in LAMMPS: as in Python and ASE, on any number of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from glassml_ase import GlassMLCalculator
from pages import executed
from systems import liquid, moved

from glassml.data import atoms_from_configuration, shift_names

LIQUID = liquid(300, seed=4)
SETTINGS = {
    "boattini": {"cutoff": 2.6, "l_max": 3},
    "cage": {"cutoff": 2.7, "reach": 2.4, "l_max": 3, "averages": 1},
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["boattini", "cage"])
def test_as_in_python_and_ase_on_every_number_of_ranks(
    bench, dump, agrees, models, name: str, dtype: str
) -> None:
    """The vector to the cage centre comes from variables of the atoms."""
    file = models(name, dtype, times=(1.0, 4.0), **SETTINGS[name])
    ids = np.arange(1, len(LIQUID.positions) + 1)
    shift = np.stack([0.1 * np.sin(k * ids) for k in (3, 5, 7)])
    scalars = dict(zip(shift_names("cage"), shift, strict=True)) if name == "cage" else {}
    system = moved(LIQUID, scalars=scalars)
    variables = "".join(f"variable s{k} atom 0.1*sin({k}*id)\n" for k in (3, 5, 7))
    sources = "scalar v_s3 scalar v_s5 scalar v_s7" if scalars else ""
    fix = f"fix p all glassml 1 {file} A B {sources}\n"
    script = bench.start(LIQUID) + variables + fix + f"{dump('p')}run 0\n"
    for ranks in (1, 2, 4):
        bench.run(script, ranks=ranks)
        agrees(bench.frames()[0].values("p"), system, file)
    atoms = atoms_from_configuration(system)
    calculator = GlassMLCalculator(file, species=("A", "B"), device="cpu")
    found = calculator.get_property("propensity", atoms)
    agrees(np.reshape(found, (len(LIQUID.positions), -1)), system, file)


def test_the_script_of_the_page(bench, dump, agrees, models) -> None:
    """Vectors from files: the number of lines, then the ID of each atom and its value."""
    (lines,) = executed("docs/theory/descriptors.md", "lammps")
    file = models("cage", times=(1.0,), **SETTINGS["cage"])
    (bench.folder / "cage.pt").write_bytes(file.read_bytes())
    shift = 0.1 * np.random.default_rng(5).normal(size=(3, len(LIQUID.positions)))
    scalars = dict(zip(shift_names("cage"), shift, strict=True))
    for name, values in scalars.items():
        rows = "".join(f"{k} {value:.17g}\n" for k, value in enumerate(values, start=1))
        (bench.folder / f"{name}.txt").write_text(f"{len(values)}\n{rows}")
    start = bench.start(LIQUID, before="atom_modify map yes")
    bench.run(start + lines + f"{dump('cage', every=100)}run 0\n", ranks=2)
    agrees(bench.frames()[0].values("cage"), moved(LIQUID, scalars=scalars), file)


def test_neighbours_beyond_half_of_the_box(bench, dump, agrees, models) -> None:
    """The published cutoff in a box of 6.3: images of a particle are its neighbours, too."""
    file = models("boattini", times=(1.0,), l_max=2, averages=1)
    script = bench.start(LIQUID) + f"fix p all glassml 1 {file} A B\n{dump('p')}run 0\n"
    bench.run(script, ranks=2)
    agrees(bench.frames()[0].values("p"), LIQUID, file)
