"""Trajectories that LAMMPS dumped, and the averages over windows of them in Python."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassml.data import Configuration, Window, with_windows
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import build
from glassml.physics import AveragedPositions, PositionAverage

__all__ = [
    "BETWEEN",
    "EVERY",
    "MOVE",
    "POSITIONS",
    "RELAX",
    "SAMPLES",
    "SCALARS",
    "TIMESTEP",
    "WINDOW",
    "Snapshot",
    "averaged",
    "averaged_by_id",
    "averaging_model",
    "check",
    "dumps",
    "read",
]

EVERY, BETWEEN, SAMPLES = 20, 4, 5  # samples at 4, 8, 12, 16, 20; 24, ...
TIMESTEP = 0.005
WINDOW = Window(BETWEEN * TIMESTEP, SAMPLES)
SCALARS = ("average_energy", "vibration", "average_displacement")
# Sums of positions and energies in another order, then a model whose values are of order 100.
TOLERANCE = 1e-10

RELAX = "minimize 0.0 1.0e-2 50 200\nreset_timestep 0\nvelocity all create 1.0 4928459\n"
MOVE = f"{RELAX}timestep {TIMESTEP}\nfix move all nve\n"
POSITIONS = f"positions average {BETWEEN} {SAMPLES}"


def averaging_model(
    folder: Path,
    scalars: Sequence[str] = SCALARS,
    positions: str = "average",
    window: Window | None = WINDOW,
    name: str = "average.pt",
) -> Path:
    """An exported model that reads averages; the scalars enter all of its values."""
    model = build("analytic", scalar_inputs=tuple(scalars))
    model.positions, model.window = positions, window
    save_model(model, folder / name, dtype="float64")
    return folder / name


@dataclass(frozen=True)
class Snapshot:
    """One snapshot of a dump, sorted by atom ID."""

    cell: np.ndarray
    columns: Mapping[str, np.ndarray]

    @property
    def positions(self) -> np.ndarray:
        return np.stack([self.columns[axis] for axis in "xyz"], axis=1)

    def values(self, fix: str = "g") -> np.ndarray:
        return np.stack([v for k, v in self.columns.items() if k.startswith(f"f_{fix}[")], axis=1)


def read(path: Path) -> dict[int, Snapshot]:
    """The snapshots of a dump by their step, with their cells."""
    snapshots = {}
    for text in path.read_text().split("ITEM: TIMESTEP\n")[1:]:
        head, _, body = text.partition("ITEM: ATOMS ")
        lines = head.splitlines()
        bounds = np.array([line.split() for line in lines[-3:]], dtype=float)
        xy, xz, yz = bounds[:, 2] if bounds.shape[1] == 3 else (0.0, 0.0, 0.0)
        low = bounds[:, 0] - [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0]
        high = bounds[:, 1] - [max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0]
        length = high - low
        cell = np.array([[length[0], 0, 0], [xy, length[1], 0], [xz, yz, length[2]]])
        names, _, numbers = body.partition("\n")
        table = np.array([row.split() for row in numbers.splitlines()], dtype=float)
        table = table[np.argsort(table[:, names.split().index("id")])]
        columns = {key: table[:, k] for k, key in enumerate(names.split())}
        snapshots[int(lines[0])] = Snapshot(cell, columns)
    return snapshots


def averaged(
    snapshots: Mapping[int, Snapshot],
    like: Configuration,
    step: int,
    between: int = BETWEEN,
    samples: int = SAMPLES,
    late: int = 0,
) -> Configuration:
    """The configuration of a step, with averages over the window that ends there.

    Fix deform moves the box after the forces, before the dump: in a run with it the box of a sample
    is that of the dump one step before (``late``).
    """
    average = PositionAverage(like.pbc)
    for k in range(samples):
        at = step - (samples - 1 - k) * between
        sample, cell = snapshots[at], snapshots[at - late].cell
        average.add(sample.positions, cell, sample.columns.get("c_pe"))
    now = dataclasses.replace(like, positions=sample.positions, cell=cell)
    return with_windows(now, [average.result()], Window(between * TIMESTEP, samples))


def check(
    found: Mapping[int, Snapshot], expected: Mapping[int, Configuration], model: Path
) -> None:
    """The values of LAMMPS at each step against those of Python."""
    predictor = Predictor(model, device="cpu", threads=1)
    for step, configuration in expected.items():
        prediction = predictor.predict([configuration])[0]["propensity"]
        assert np.std(prediction, axis=0).max() > 1e-3
        np.testing.assert_allclose(
            found[step].values(), prediction, rtol=0, atol=TOLERANCE * abs(prediction).max()
        )


def dumps(energy: bool = True, every: int = EVERY, between: int = BETWEEN) -> str:
    """Samples of the trajectory and the values of the fix, with all digits.

    They are sorted when they are read: LAMMPS' own sort breaks down if atoms are created.
    """
    pe = "c_pe" if energy else ""
    text = "compute pe all pe/atom\n" if energy else ""
    text += f"dump s all custom {between} samples.dump id type proc x y z {pe}\n"
    text += f"dump v all custom {every} values.dump id type x y z f_g[*]\n"
    for name in "sv":
        text += f"dump_modify {name} format float %20.17g\n"
    return text


def averaged_by_id(
    snapshots: Mapping[int, Snapshot], like: Configuration, step: int
) -> Configuration:
    """The same for atoms that are created or deleted within the window, in a fixed cell.

    The average of an atom is over the samples that it has. The drift is the mean step of the atoms
    that have made it.
    """
    steps = [step - k * BETWEEN for k in reversed(range(SAMPLES))]
    size = np.diag(snapshots[step].cell)
    last: dict[int, np.ndarray] = {}
    path: dict[int, list[np.ndarray]] = {}
    energies: dict[int, list[float]] = {}
    for at in steps:
        now = snapshots[at]
        places = dict(zip(now.columns["id"].astype(int), now.positions, strict=True))
        both = sorted(set(places) & set(last))
        moves = {i: places[i] - last[i] for i in both}
        moves = {i: move - size * np.rint(move / size) for i, move in moves.items()}
        drift = np.mean(list(moves.values()), axis=0) if both else np.zeros(3)
        for i, energy in zip(places, now.columns["c_pe"], strict=True):
            before = path.setdefault(i, [])
            before.append(before[-1] + moves[i] - drift if before else np.zeros(3))
            energies.setdefault(i, []).append(energy)
        last = places
    paths = [np.array(path[i]) for i in last]
    average = AveragedPositions(
        np.array([p.mean(axis=0) - p[-1] for p in paths]),
        np.array([np.sqrt(((p - p.mean(axis=0)) ** 2).sum(axis=1).mean()) for p in paths]),
        np.array([np.mean(energies[i]) for i in last]),
    )
    now = dataclasses.replace(
        like,
        positions=snapshots[step].positions,
        species=snapshots[step].columns["type"].astype(int) - 1,
    )
    return with_windows(now, [average], WINDOW)
