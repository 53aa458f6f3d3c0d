"""A user's own system, defined by a LAMMPS include file."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from glassml.errors import InputError, SimulationError
from glassml.simulation.lammps import LammpsProgram, find_lammps, run_lammps
from glassml.simulation.potentials import missing_potential, potential_folders
from glassml.simulation.system import System, head_commands

__all__ = ["from_include"]

# One particle of each type in a box that no pair potential reaches across. Particles are neither
# binned nor sorted, since a grid of the size of the cutoff would fill the memory.
_PROBE = """\
{head}region glassml_probe block 0 {length} 0 1000 {depth} units box
create_box {n_types} glassml_probe
{atoms}
{commands}
atom_modify sort 0 0.0
neighbor 0.0 nsq
variable glassml_mass atom mass
dump glassml_probe all custom 1 masses.txt id v_glassml_mass
dump_modify glassml_probe sort id format float %.17g
run 0
print "$(dt:%.17g)" file timestep.txt
"""
_SPACING = 1000


def from_include(
    path: str | Path,
    species_names: Sequence[str],
    *,
    composition: Sequence[float] | None = None,
    number_density: float | None = None,
    timestep: float | None = None,
    units: str = "lj",
    citation: str = "",
    dimension: int = 3,
    diameters: Sequence[float] = (),
    program: LammpsProgram | None = None,
) -> System:
    """A system that a LAMMPS include file defines.

    The file holds the commands that follow the creation of the box in a LAMMPS input: ``mass``,
    ``pair_style``, ``pair_coeff`` and related commands, and optionally ``timestep``. It is tried
    out on one particle of each type, and errors are reported in LAMMPS' own words. Files that it
    names are looked for in its own folder, then in LAMMPS' folders of potentials (see
    `glassml.simulation.potentials`).

    Args:
        path: the include file.
        species_names: the species of the types 1, 2, ...; a name may be repeated in polydisperse
            systems, or stand alone for all types.
        composition: fraction of the particles of each type; the sum need not be 1, as in
            ``(80, 20)``. Default: equal fractions.
        number_density: [1 / length^3].
        timestep: [time]. Default: that of the file, or else LAMMPS' default for these units.
        units: LAMMPS' unit system; the file cannot set it, as the box exists already.
        citation: the paper that defines the system.
        dimension: 3, or 2 for a system in the plane; the file cannot set it either.
        diameters: of the types [length], in polydisperse systems.
        program: the LAMMPS that tries it out. Default: that of `find_lammps`.

    Raises:
        InputError: the file, or a potential file that it names, is missing; or a value does not
            fit.
        SimulationError: LAMMPS refuses the file; holds its own message.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"include: expected a file of LAMMPS commands; found no file {file}")
    names, weights = _types(file, species_names, composition, diameters)
    commands = _with_whole_paths(file)
    if dimension not in (2, 3):
        raise InputError(f"{file}: dimension: expected 2 or 3; found {dimension!r}")
    masses, file_timestep = _probe(file, commands, len(names), units, dimension, program)
    species = tuple(dict.fromkeys(names))
    return System(
        name=file.stem,
        species_names=species,
        composition=tuple(weight / sum(weights) for weight in weights),
        number_density=number_density,
        timestep=file_timestep if timestep is None else timestep,
        commands=commands,
        masses=masses,
        citation=citation,
        units=units,
        dimension=dimension,
        type_species=tuple(species.index(name) for name in names) if diameters else (),
        diameters=tuple(map(float, diameters)),
    )


def _types(
    file: Path,
    species_names: Sequence[str],
    composition: Sequence[float] | None,
    diameters: Sequence[float],
) -> tuple[tuple[str, ...], list[float]]:
    """The species of each type, and its weight in the composition.

    Raises:
        InputError: they do not fit each other.
    """
    names = tuple(species_names)
    if len(names) == 1 and len(diameters) > 1:
        names *= len(diameters)
    if not names:
        raise InputError(f"{file}: species: expected the names of the types 1, 2, ...; found none")
    weights = [1.0] * len(names) if composition is None else [float(x) for x in composition]
    if len(weights) != len(names) or min(weights) <= 0:
        raise InputError(
            f"{file}: composition: expected {len(names)} positive numbers, for {list(names)}; "
            f"found {weights}"
        )
    if len(set(names)) < len(names) and not diameters:
        raise InputError(
            f"{file}: species: expected different, non-empty names, or diameters of the types "
            f"where several are one species; found {list(names)}"
        )
    return names, weights


def _with_whole_paths(file: Path) -> str:
    """The file's text with names of files beside it made absolute, as LAMMPS runs elsewhere."""
    folder = file.resolve().parent
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: expected LAMMPS commands; found a file that cannot be read ({error})"
        ) from None

    def whole(match: re.Match[str]) -> str:
        word = match.group()
        # Numbers and names of elements could be names of files too, but not with a dot and a
        # letter or with a slash.
        is_name = "/" in word or re.search(r"\.\d*[A-Za-z]", word)
        return str(folder / word) if is_name and (folder / word).is_file() else word

    text = re.sub(r"[^\s\"']+", whole, text)
    return text if text.endswith("\n") else text + "\n"


def _probe(
    file: Path,
    commands: str,
    n_types: int,
    units: str,
    dimension: int,
    program: LammpsProgram | None,
) -> tuple[tuple[float, ...], float]:
    """Masses of the types and the timestep after LAMMPS has read the commands."""
    centres = [_SPACING * (i + 0.5) for i in range(n_types)]
    height, depth = ("0", "-0.5 0.5") if dimension == 2 else ("500", "0 1000")
    atoms = "\n".join(
        f"create_atoms {i} single {x} 500 {height} units box"
        for i, x in enumerate(centres, start=1)
    )
    script = _PROBE.format(
        head=head_commands(units, dimension),
        length=_SPACING * n_types,
        depth=depth,
        n_types=n_types,
        atoms=atoms,
        commands=commands,
    )
    with tempfile.TemporaryDirectory(prefix="glassml-include-") as folder:
        try:
            env = {"OMP_NUM_THREADS": "1"}
            run_lammps(script, cwd=folder, env=env, program=program, plugin=False)
        except SimulationError as error:
            others = potential_folders(
                find_lammps().lmp if program is None else Path(program.command[0])
            )
            missing = missing_potential(str(error), file.resolve().parent, others)
            if missing is not None:
                raise InputError(f"{file}: {missing}") from None
            raise SimulationError(
                f"{file}: expected commands that LAMMPS accepts; found: {error}"
            ) from None
        lines = (Path(folder) / "masses.txt").read_text(encoding="utf-8").splitlines()
        masses = tuple(float(line.split()[1]) for line in lines[-n_types:])
        timestep = float((Path(folder) / "timestep.txt").read_text(encoding="utf-8"))
    return masses, timestep
