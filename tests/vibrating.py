"""Trajectories of particles that vibrate around known centres, for tests of averaged positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms
from systems import liquid

from glassml.data import Configuration, Window, atoms_from_configuration, view_of, with_windows
from glassml.export import save_model
from glassml.models import build
from glassml.physics import PositionAverage

__all__ = [
    "PERIOD",
    "averaged_model",
    "centres",
    "frames_of",
    "rms_vibration",
    "seen_by_model",
    "vibrating",
    "write_trajectory_dump",
]

PERIOD = 20  # frames of one vibration
DRIFT = 0.03  # of all particles in each direction, per frame


def _vibrations() -> tuple[Configuration, np.ndarray, np.ndarray]:
    """A liquid at rest, and the amplitudes [N, 3] of a cosine and a sine for its particles.

    The first half of the particles vibrates against the second half, so that the centre of mass
    only drifts.
    """
    half = np.random.default_rng(9).normal(scale=0.08, size=(2, 30, 3))
    cosine, sine = (np.concatenate([part, -part]) for part in half)
    return liquid(60, seed=4), cosine, sine


def vibrating(n_frames: int) -> list[Configuration]:
    """Frames 0, 1, ... of 60 particles that vibrate harmonically around the sites of a liquid.

    Positions are wrapped into the cell. Scalars: ``pe`` [N], which changes with time.
    """
    rest, cosine, sine = _vibrations()
    energies = np.random.default_rng(10).normal(size=(2, 60))
    frames = []
    for k in range(n_frames):
        phase = 2 * np.pi * k / PERIOD
        positions = centres(k) + np.cos(phase) * cosine + np.sin(phase) * sine
        frames.append(
            replace(
                rest,
                positions=positions % rest.cell[0, 0],
                scalars={"pe": energies[0] + np.sin(phase / 3) * energies[1]},
                name=f"frame {k}",
            )
        )
    return frames


def centres(frame: int) -> np.ndarray:
    """Around which positions [N, 3] the particles vibrate, in an image of the cell."""
    return _vibrations()[0].positions + DRIFT * frame


def rms_vibration() -> np.ndarray:
    """Root of the mean square distance [N] of each particle from its centre over a period."""
    _, cosine, sine = _vibrations()
    return np.sqrt((cosine**2 + sine**2).sum(axis=1) / 2)


def averaged_model(
    path: Path,
    scalars: Sequence[str] = ("average_energy", "vibration", "average_displacement"),
    window: Window | None = None,
    positions: str = "average",
) -> Path:
    """The analytic model in float64, as if trained on averages over 5 samples every 0.1."""
    model = build("analytic", scalar_inputs=tuple(scalars))
    model.positions, model.window = positions, window or Window(0.1, 5)
    save_model(model, path, dtype="float64")
    return path


def seen_by_model(samples: Sequence[Configuration], positions: str = "average") -> Configuration:
    """What a model reads for a window, straight from the definition of the averages."""
    average = PositionAverage(samples[0].pbc)
    for sample in samples:
        average.add(sample.positions, sample.cell, sample.scalars["pe"])
    present = replace(samples[-1], scalars={"potential_energy": samples[-1].scalars["pe"]})
    window = Window(0.1, len(samples))
    return view_of(with_windows(present, [average.result()], window), positions)


def frames_of(
    configurations: Sequence[Configuration], apart: float | None = 0.1, **info: Sequence[float]
) -> list[Atoms]:
    """ASE Atoms with the array ``pe``; their times are 0, ``apart``, ... [time], unless None."""
    frames = []
    for k, configuration in enumerate(configurations):
        atoms = atoms_from_configuration(configuration)
        if apart is not None:
            atoms.info["time"] = apart * k
        atoms.info.update({name: values[k] for name, values in info.items()})
        frames.append(atoms)
    return frames


def write_trajectory_dump(
    path: Path,
    configurations: Sequence[Configuration],
    *,
    stride: int = 20,
    timestep: float | None = 0.005,
    ids: bool = True,
    seed: int = 0,
) -> Path:
    """A LAMMPS dump, particles in another order in every frame, with the column c_pe.

    Each frame has the item TIME if ``timestep`` is given, as LAMMPS writes it with the option
    ``dump_modify time yes``.
    """
    rng = np.random.default_rng(seed)
    with path.open("w") as stream:
        for k, c in enumerate(configurations):
            if timestep is not None:
                stream.write(f"ITEM: TIME\n{k * stride * timestep:.16g}\n")
            bounds = "\n".join(f"0 {length:.17g}" for length in np.diag(c.cell))
            stream.write(
                f"ITEM: TIMESTEP\n{k * stride}\nITEM: NUMBER OF ATOMS\n{c.n_particles}\n"
                f"ITEM: BOX BOUNDS pp pp pp\n{bounds}\n"
                f"ITEM: ATOMS {'id ' * ids}type x y z c_pe\n"
            )
            for i in rng.permutation(c.n_particles):
                x, y, z = c.positions[i]
                stream.write(
                    f"{i + 1} " * ids + f"{c.species[i] + 1} {x:.17g} {y:.17g} {z:.17g} "
                    f"{c.scalars['pe'][i]:.17g}\n"
                )
    return path
