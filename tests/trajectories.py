"""Trajectories with known paths, written as LAMMPS writes them, for tests of several rooms."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = [
    "harmonic",
    "hopping",
    "jumping",
    "lattice",
    "random_walk",
    "straight",
    "write_trajectory",
]

BOX = 4.0


def lattice(n_side: int = 4, box: float = BOX) -> np.ndarray:
    """Sites [N, 3] of a simple cubic lattice in a box."""
    sites = np.stack(np.meshgrid(*[np.arange(n_side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return (sites + 0.5) * box / n_side


def straight(velocities: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Particles that fly straight on: unwrapped positions [F, N, 3] at times [F]."""
    return lattice() + times[:, None, None] * velocities


def harmonic(amplitudes: np.ndarray, frequency: float, times: np.ndarray) -> np.ndarray:
    """Particles that swing about sites: unwrapped positions [F, N, 3] at times [F]."""
    return lattice() + np.sin(2 * np.pi * frequency * times)[:, None, None] * amplitudes


def random_walk(widths: np.ndarray, n_frames: int, seed: int = 0) -> np.ndarray:
    """Gaussian steps of a width per particle [N] and direction: positions [F, N, 3]."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(n_frames, len(widths), 3)) * widths[:, None]
    steps[0] = 0.0
    return lattice() + np.cumsum(steps, axis=0)


def jumping(n_frames: int) -> np.ndarray:
    """Particles that vibrate; number k < 30 jumps by 0.8 after 20 + 3 k frames: [F, N, 3]."""
    path = np.repeat(lattice()[None], n_frames, axis=0)
    path += np.random.default_rng(1).normal(0, 0.03, path.shape)
    for k in range(30):
        path[20 + 3 * k :, k, 0] += 0.8
    return path


def hopping(n_frames: int, wait: float, seed: int = 0) -> np.ndarray:
    """Particles that vibrate, and jump by 0.8 and back, every ``wait`` frames on average."""
    rng = np.random.default_rng(seed)
    jumps = rng.random((n_frames, 64)) < 1 / wait
    path = np.repeat(lattice()[None], n_frames, axis=0) + rng.normal(0, 0.03, (n_frames, 64, 3))
    path[:, :, 0] += 0.8 * (np.cumsum(jumps, axis=0) % 2)
    return path


def write_trajectory(
    path: Path,
    positions: np.ndarray,
    *,
    steps: Sequence[int] | None = None,
    style: str = "x",
    images: bool = False,
    times: Sequence[float] | None = None,
    energies: np.ndarray | None = None,
    boxes: Sequence[float] | None = None,
    types: np.ndarray | None = None,
    ids: bool = True,
) -> Path:
    """A LAMMPS dump, compressed if its name ends in .gz.

    Args:
        path: the file.
        positions: unwrapped [F, N, 3].
        steps: numbers of the time steps; None: 0, 100, 200, ...
        style: "x" (wrapped), "xs" (wrapped and scaled), "xu" or "xsu" (unwrapped).
        images: also write ix iy iz.
        times: written as ITEM: TIME if given.
        energies: [F, N], the column c_pe.
        boxes: edge length of each frame; None: ``BOX``.
        types: [N]; None: every fifth particle is of type 2.
        ids: write ids, and the atoms in another order in every frame.
    """
    n = positions.shape[1]
    steps = range(0, 100 * len(positions), 100) if steps is None else steps
    kinds = np.where(np.arange(n) % 5 == 4, 2, 1) if types is None else types
    rng = np.random.default_rng(1)
    text = []
    for frame, (step, unwrapped) in enumerate(zip(steps, positions, strict=True)):
        box = BOX if boxes is None else boxes[frame]
        image = np.floor(unwrapped / box)
        shown = unwrapped - (0 if "u" in style else image * box)
        shown = shown / box if "s" in style else shown
        names = [f"{axis}{style[1:]}" for axis in "xyz"] + (["ix", "iy", "iz"] if images else [])
        columns = [shown, *([image] if images else [])]
        if energies is not None:
            names.append("c_pe")
            columns.append(energies[frame][:, None])
        table = np.concatenate(columns, axis=1)
        order = rng.permutation(n) if ids else np.arange(n)
        rows = [
            f"{f'{k + 1} ' * ids}{kinds[k]} " + " ".join(f"{value:.17g}" for value in table[k])
            for k in order
        ]
        text += [
            *([] if times is None else ["ITEM: TIME", f"{times[frame]:.16g}"]),
            *("ITEM: TIMESTEP", f"{step}", "ITEM: NUMBER OF ATOMS", f"{n}"),
            *("ITEM: BOX BOUNDS pp pp pp", *[f"0 {box:.17g}"] * 3),
            f"ITEM: ATOMS {'id ' * ids}type {' '.join(names)}",
            *rows,
        ]
    content = "\n".join(text).encode() + b"\n"
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path
