"""One set-up of LAMMPS, run and compared with Python frame by frame.

The rows are in test_fix_matrix.py and test_fix_matrix_runs.py. Every dumped configuration is read
back with its box, boundaries and types, and evaluated by `Predictor`, as ASE's calculator does.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from ase import Atoms
from conftest import KOB_ANDERSEN
from systems import liquid

from glassml.data import Configuration, configuration_from_atoms, open_frames
from glassml.inference import Predictor

__all__ = [
    "BOX",
    "NONE",
    "OUTPUTS",
    "RELAX",
    "SKEW",
    "TOLERANCE",
    "Row",
    "Seen",
    "all_of",
    "box_changes",
    "check_row",
    "differences",
    "expanded",
    "flips",
    "frames_of",
    "grows",
    "moves",
    "says",
    "shrinks",
    "stretched",
    "tilted",
]

OUTPUTS = ("propensity", "descriptors")

# Relative to the largest value of all outputs. Both sides start from the same 17 digits, and differ
# in the order of sums over some 40 neighbours, in each of up to three layers, and in the rounding
# of positions that only one of them wraps into the box. Measured: 2e-15 and 3e-7.
TOLERANCE = {"float64": 1e-13, "float32": 3e-6}

BOX = liquid(150, seed=16)
SKEW = liquid(150, seed=17, triclinic=True)
NONE = "pair_style none"

# Ranks of MPICH that wait for another one look again and again; on fewer cores than ranks they then
# take the time of the one they wait for.
_PATIENT = {
    "MPIR_CVAR_CH4_PROGRESS_THROTTLE": "1",
    "MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT": "100",
}

# From a jittered lattice to something that can be integrated.
RELAX = """
minimize 0.0 1.0e-2 50 200
reset_timestep 0
velocity all create 1.0 4928459 loop geom
timestep 0.005
fix nve all nve
"""


@dataclass(frozen=True)
class Seen:
    """What a run has left.

    Attributes:
        text: all that LAMMPS printed.
        frames: the frames of all dumps, in the order of the names of their files.
        has_log: whether it wrote a log file.
    """

    text: str
    frames: Sequence[Atoms]
    has_log: bool

    @property
    def numbers(self) -> list[int]:
        """Atoms in each frame."""
        return [len(atoms) for atoms in self.frames]

    @property
    def reported(self) -> list[int]:
        """Atoms in the group of the fixes, in each frame."""
        return [int(atoms.arrays["v_in"].sum()) for atoms in self.frames]

    @property
    def cells(self) -> np.ndarray:
        """Lattice vectors of each frame [frames, 3, 3]."""
        return np.array([atoms.cell.array for atoms in self.frames])


Proof = Callable[[Seen], bool]


@dataclass(frozen=True)
class Row:
    """A set-up of LAMMPS.

    Attributes:
        name: what the row is about.
        script: commands after the potential, with the abbreviations of `expanded`.
        steps: of all frames in all dumps, in the order of the names of the dumps.
        proof: what must be true of the run for it to be about what its name says.
        ranks: number of MPI tasks.
        before: commands before the box exists.
        liquid: positions, box and types.
        pair: the potential.
        start: commands up to the potential, in place of those that read ``liquid``.
        ids: of the atoms; None for 1, 2, ...
        models: names of the models of the fixes.
        outputs: what the fixes report.
        args: further arguments of ``lmp``.
    """

    name: str
    script: str
    steps: Iterable[int]
    proof: Proof
    ranks: int = 1
    before: str = ""
    liquid: Configuration = BOX
    pair: str = KOB_ANDERSEN
    start: str = ""
    ids: Sequence[int] | None = None
    models: Sequence[str] = ("exact", "net")
    outputs: Sequence[str] = OUTPUTS
    args: Sequence[str] = ()


def check_row(bench, models, row: Row) -> None:
    """Runs a row. Compares all frames of all its dumps with Python."""
    files = {"exact": models(), "net": models.network(), "single": models.network("float32")}
    chosen = {name: files[name] for name in row.models}
    start = row.start or bench.start(row.liquid, row.before, row.pair)
    bench.write_data(row.liquid, ids=row.ids)
    script = start + expanded(row.script, chosen, outputs=row.outputs)
    run = bench.run(script, ranks=row.ranks, extra_args=row.args, env=_PATIENT)
    seen = Seen(run.stdout, frames_of(bench.folder), run.log.exists())
    assert [atoms.info["timestep"] for atoms in seen.frames] == list(row.steps)
    assert row.proof(seen)
    for name, file in chosen.items():
        tolerance = TOLERANCE["float32" if name == "single" else "float64"]
        differ = differences(seen.frames, name, file, outputs=row.outputs)
        where = [f"{name}, {a.info['dump']} at step {a.info['timestep']}" for a in seen.frames]
        wrong = [frame for frame, d in zip(where, differ, strict=True) if not d <= tolerance]
        assert wrong == []


def expanded(
    script: str,
    models: Mapping[str, Path],
    species: str = "A B",
    outputs: Sequence[str] = OUTPUTS,
) -> str:
    """A script with its abbreviations written out.

    ``FIX every [group [model]]`` is a fix for each model, or for one, and ``DUMP every [name]`` a
    dump of all atoms with their values and the membership in the group, with all digits.
    """

    def fixes(match: re.Match[str]) -> str:
        every, group = match[1], match[2] or "all"
        return f"variable in atom gmask({group})\n" + "\n".join(
            f"fix {name} {group} glassml {every} {models[name]} {species} "
            f"output {' '.join(outputs)}"
            for name in ([match[3]] if match[3] else models)
        )

    def dump(match: re.Match[str]) -> str:
        name = match[2] or "d"
        columns = " ".join(f"f_{model}[*]" for model in models)
        return (
            f"dump {name} all custom {match[1]} {name}.dump id type x y z v_in {columns}\n"
            f"dump_modify {name} sort id units yes format float %20.17g"
        )

    script = re.sub(r"^FIX (\d+)(?: (\w+))?(?: (\w+))?$", fixes, script, flags=re.MULTILINE)
    return re.sub(r"^DUMP (\d+) ?(\S+)?$", dump, script, flags=re.MULTILINE)


def frames_of(folder: Path) -> list[Atoms]:
    """The frames of all dumps in a folder, in the order of their names, which are in ``info``."""
    frames = []
    for file in sorted(folder.glob("*.dump")):
        for _, atoms in open_frames(file, ids=True).frames:
            atoms.info["dump"] = file.stem
            frames.append(atoms)
    return frames


@lru_cache
def _predictor(model: Path) -> Predictor:
    return Predictor(model, device="cpu", threads=1, check_domain=False)


def differences(
    frames: Sequence[Atoms],
    name: str,
    model: Path,
    species: Sequence[str] = ("A", "B"),
    outputs: Sequence[str] = OUTPUTS,
) -> list[float]:
    """Largest difference of a fix from Python in each frame, relative to its largest value.

    Atoms that are not in the group must have the value 0, exactly.
    """
    configurations = [configuration_from_atoms(atoms, species) for atoms in frames]
    predictions = _predictor(model).predict(configurations, outputs)
    result = []
    for atoms, prediction in zip(frames, predictions, strict=True):
        columns = [key for key in atoms.arrays if key.startswith(f"f_{name}[")]
        found = np.stack([atoms.arrays[key] for key in columns], axis=1)
        members = atoms.arrays["v_in"] == 1.0
        assert np.all(found[~members] == 0.0)
        expected = np.concatenate([prediction[output] for output in outputs], axis=1)
        assert found.shape == expected.shape
        difference = np.abs(found - expected)[members]
        result.append(difference.max(initial=0.0) / np.abs(expected).max())
    return result


# ---- systems


def stretched(configuration: Configuration, *factors: float) -> Configuration:
    """The particles, all inside the box, in one that is longer along some directions."""
    fractional = configuration.positions @ np.linalg.inv(configuration.cell)
    positions = (fractional - np.floor(fractional)) @ configuration.cell
    cell = configuration.cell * np.array(factors)
    return dataclasses.replace(configuration, cell=cell, positions=positions)


def tilted(xy: float, *, alone: bool = False) -> Configuration:
    """A box with a tilt that is this part of its length, with other tilts or without."""
    cell = np.diag(np.diag(SKEW.cell)) if alone else SKEW.cell.copy()
    cell[1, 0] = xy * cell[0, 0]
    positions = SKEW.positions @ np.linalg.inv(SKEW.cell) @ cell
    return dataclasses.replace(SKEW, cell=cell, positions=positions)


# ---- what shows that a run is about what its row says


def says(pattern: str) -> Proof:
    """LAMMPS printed a line that matches."""
    return lambda seen: re.search(pattern, seen.text, re.MULTILINE) is not None


def all_of(*proofs: Proof) -> Proof:
    """Several things are true."""
    return lambda seen: all(proof(seen) for proof in proofs)


def box_changes(seen: Seen) -> bool:
    """All edges of the box do."""
    return bool(np.all(np.diag(np.ptp(seen.cells, axis=0)) > 1e-3))


def flips(seen: Seen) -> bool:
    """Between two frames a tilt changes by about the length of the box."""
    return bool(np.abs(np.diff(seen.cells[:, 1, 0] / seen.cells[:, 0, 0])).max() > 0.8)


def grows(seen: Seen) -> bool:
    """There are more atoms in the end."""
    return seen.numbers[-1] > seen.numbers[0]


def shrinks(seen: Seen) -> bool:
    """There are fewer atoms in the end."""
    return seen.numbers[-1] < seen.numbers[0]


def moves(seen: Seen) -> bool:
    """The first atoms do."""
    first, last = (seen.frames[k].positions[:60] for k in (0, -1))
    return bool(np.abs(last - first).max() > 0.01)
