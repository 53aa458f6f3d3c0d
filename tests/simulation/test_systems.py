"""The mixtures as LAMMPS commands, built-in ones and a user's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glassml.data import read_configurations
from glassml.errors import InputError, SimulationError
from glassml.simulation import (
    TRUNCATIONS,
    System,
    from_include,
    kob_andersen,
    run_lammps,
    system_named,
    wahnstrom,
)
from glassml.simulation.exchange import start_commands, write_data

PAIR = """\
units lj
region box block 0 20 0 20 0 20
create_box 2 box
lattice none 1
create_atoms {first} single 1 1 1
create_atoms {second} single {x!r} 1 1
{commands}
thermo_style custom pe fmax
thermo_modify norm no
run 0
print "$(pe:%.17g) $(fmax:%.17g)" file pair.txt
"""


def pair_energy(
    system: System, first: int, second: int, r: float, folder: Path
) -> tuple[float, float]:
    """Energy and absolute force of two particles, as LAMMPS computes them."""
    script = PAIR.format(first=first, second=second, x=1 + r, commands=system.commands)
    run_lammps(script, cwd=folder)
    energy, force = (folder / "pair.txt").read_text().split()
    return float(energy), float(force)


def lennard_jones(r: float, epsilon: float, sigma: float) -> tuple[float, float]:
    """V and -V' of the whole Lennard-Jones potential."""
    s6 = (sigma / r) ** 6
    return 4 * epsilon * (s6**2 - s6), 24 * epsilon * (2 * s6**2 - s6) / r


def smooth_lennard_jones(x: float, epsilon: float, sigma: float) -> tuple[float, float]:
    """V and -V' at r = x sigma, with the polynomial that takes V, V' and V'' to 0 at 2.5 sigma."""

    def conditions(x: float) -> list[list[float]]:  # of c_0, c_2 and c_4 on u, u' and u''
        return [[1, x**2, x**4], [0, 2 * x, 4 * x**3], [0, 2, 12 * x**2]]

    def bare(x: float) -> list[float]:
        return [x**-12 - x**-6, -12 * x**-13 + 6 * x**-7, 156 * x**-14 - 42 * x**-8]

    constants = -np.linalg.solve(conditions(2.5), bare(2.5))
    # Published to these digits.
    assert constants == pytest.approx([0.04049023795, -0.00970155098, 0.00062012616], abs=1e-11)
    u, slope, _ = bare(x) + np.array(conditions(x)) @ constants
    return 4 * epsilon * float(u), -4 * epsilon / sigma * float(slope)


@pytest.mark.parametrize(
    ("types", "epsilon", "sigma"),
    [((1, 1), 1.0, 1.0), ((1, 2), 1.5, 0.8), ((2, 2), 0.5, 0.88)],
    ids=["AA", "AB", "BB"],
)
@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_kob_andersen_pair_potentials(
    truncation: str, types: tuple[int, int], epsilon: float, sigma: float, tmp_path: Path
):
    system = kob_andersen(truncation)
    energy, force = pair_energy(system, *types, 1.3 * sigma, tmp_path)
    whole, whole_force = lennard_jones(1.3 * sigma, epsilon, sigma)
    end, end_force = lennard_jones(2.5 * sigma, epsilon, sigma)
    expected = {
        "truncated": (whole, whole_force),
        "shifted": (whole - end, whole_force),
        "force-shifted": (whole - end + 1.2 * -sigma * end_force, whole_force - end_force),
        "smooth": smooth_lennard_jones(1.3, epsilon, sigma),
    }[truncation]
    # Rounding alone: both sides are in double precision.
    assert (energy, force) == pytest.approx((expected[0], abs(expected[1])), rel=1e-12)
    beyond = pair_energy(system, *types, 2.5 * sigma + 1e-6, tmp_path)
    assert beyond == (0.0, 0.0)


def test_one_cutoff_for_all_pairs(tmp_path: Path):
    system = kob_andersen("truncated", cutoff_unit="AA")
    energy, _ = pair_energy(system, 1, 2, 2.4, tmp_path)  # beyond 2.5 * 0.8
    assert energy == pytest.approx(lennard_jones(2.4, 1.5, 0.8)[0], rel=1e-12)


def test_wahnstrom_is_lorentz_berthelot(tmp_path: Path):
    system = wahnstrom("truncated")
    for types, sigma in (((1, 1), 1.0), ((1, 2), 11 / 12), ((2, 2), 5 / 6)):
        energy, _ = pair_energy(system, *types, 1.1, tmp_path)
        assert energy == pytest.approx(lennard_jones(1.1, 1.0, sigma)[0], rel=1e-12)
    assert system.masses == (2.0, 1.0)
    # N / V = 0.75 with the small diameter as the unit of length, as the paper has it.
    assert system.number_density == pytest.approx(0.75 / (5 / 6) ** 3, rel=1e-12)


@pytest.mark.parametrize("system", [kob_andersen(), wahnstrom()], ids=lambda s: s.name)
def test_built_in_systems_survive_the_way_of_an_include_file(system: System, tmp_path: Path):
    path = tmp_path / "system.in"
    path.write_text(system.commands)
    own = from_include(path, system.species_names, composition=system.composition)
    assert (own.masses, own.composition, own.commands) == (
        system.masses,
        system.composition,
        system.commands,
    )
    assert own.timestep == 0.005  # LAMMPS' own for Lennard-Jones units


def test_include_file_says_masses_and_timestep(tmp_path: Path):
    path = tmp_path / "own.in"
    path.write_text("mass 1 3.5\nmass 2 1.25\npair_style zero 2\npair_coeff * *\ntimestep 0.002\n")
    own = from_include(path, ("L", "S"), composition=(3, 1), units="metal")
    assert (own.name, own.masses, own.timestep) == ("own", (3.5, 1.25), 0.002)
    assert own.composition == (0.75, 0.25)
    assert own.length_unit == "angstrom"
    assert from_include(path, ("L", "S"), timestep=0.01).timestep == 0.01


def test_files_beside_the_include_file_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    r = np.linspace(0.5, 2.0, 50)
    rows = "\n".join(f"{i} {x} {1 - x} 1.0" for i, x in enumerate(r, start=1))
    (tmp_path / "pair.table").write_text(f"KEY\nN 50\n\n{rows}\n")
    (tmp_path / "own.in").write_text(
        "mass * 1\npair_style table linear 50\npair_coeff * * pair.table KEY\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    own = from_include("own.in", ("A", "B"))
    energy, force = pair_energy(own, 1, 1, 1.5, elsewhere)
    # LAMMPS interpolates between the 50 values of the table.
    assert (energy, force) == pytest.approx((-0.5, 1.0), abs=1e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pair_style lj/cut 2.5\npair_coeff * * 1 1\n", "per-type masses.*Type 1 is missing"),
        ("mass * 1\npair_style lj/cut 2.5\npair_coeff 1 1 1 1\n", "pair coeffs are not set"),
        ("mass * 1\npair_style no/such 2.5\n", "(?s)no/such.*last command: pair_style no/such"),
        ("mass 3 1\n", r"Numeric index 3 is out of bounds \(1-2\)"),
        ("units metal\n", "Units command after simulation box"),
    ],
)
def test_what_lammps_finds_wrong_is_told_in_its_words(text: str, message: str, tmp_path: Path):
    path = tmp_path / "wrong.in"
    path.write_text(text)
    with pytest.raises(SimulationError, match=message) as error:
        from_include(path, ("A", "B"))
    assert str(path) in str(error.value)


def test_wrong_arguments_are_named(tmp_path: Path):
    own = tmp_path / "own.in"
    own.write_text("mass * 1\npair_style zero 2\npair_coeff * *\n")
    for wrong, message in [
        (lambda: kob_andersen("shift"), "truncation: expected one of 'shifted'.*found 'shift'"),
        (lambda: kob_andersen(cutoff=0), "cutoff: expected a positive"),
        (lambda: wahnstrom(cutoff_unit="BB"), "cutoff_unit: expected 'pair' or 'AA'"),
        (lambda: system_named("kob-anderson"), "expected one of .*'kob-andersen'"),
        (lambda: system_named("wahnstrom", rc=2), "expected options .*'rc'"),
        (lambda: from_include(tmp_path / "none.in", ("A",)), "found no file .*none.in"),
        (lambda: from_include(own, ()), "species: expected the names"),
        (lambda: from_include(own, ("A", "A")), "different, non-empty names"),
        (lambda: from_include(own, ("A", "B"), composition=(1,)), "composition: expected 2"),
        (lambda: from_include(own, ("A", "B"), timestep=-1.0), "timestep: expected a positive"),
        (lambda: from_include(own, ("A", "B"), number_density=0.0), "number_density: expected"),
    ]:
        with pytest.raises(InputError, match=message):
            wrong()


@pytest.mark.shared_data
def test_the_pressure_of_published_data_tells_how_forces_end(shared_data: Path, tmp_path: Path):
    (start,) = read_configurations(shared_data / "deepmind" / "test_large.pickle")
    pressures = {}
    for truncation in ("shifted", "truncated", "force-shifted"):
        system = kob_andersen(truncation)
        write_data(tmp_path / "start.data", start, system)
        script = start_commands(system, "start.data")
        script += "compute virial all pressure NULL virial\nthermo_style custom c_virial\nrun 0\n"
        script += 'print "$(c_virial:%.17g)" file virial.txt\n'
        run_lammps(script, cwd=tmp_path)
        ideal = start.provenance["temperature"] * start.n_particles / start.volume
        pressures[truncation] = ideal + float((tmp_path / "virial.txt").read_text())
    # At constant pressure that of one configuration fluctuates by some 0.1.
    assert pressures["shifted"] == pytest.approx(start.provenance["pressure"], abs=0.3)
    assert pressures["truncated"] == pytest.approx(pressures["shifted"], rel=1e-12)
    assert pressures["force-shifted"] > pressures["shifted"] + 0.9
