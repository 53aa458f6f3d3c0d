"""Small particle systems with a fixed seed, shared by the tests of several rooms."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import torch
from e3nn import o3
from scipy.spatial.transform import Rotation

from glassml.data import Configuration

__all__ = ["deepmind_pickle", "liquid", "moved", "rotation", "wigner_d", "write_dump"]


def liquid(
    n: int = 60, *, density: float = 1.2, seed: int = 0, triclinic: bool = False, **fields: object
) -> Configuration:
    """A disordered mixture, 80:20, with no two particles nearer than about 0.7.

    A jittered lattice is enough: the tests need generic distances, not an equilibrated liquid.
    """
    rng = np.random.default_rng(seed)
    per_side = int(np.ceil(n ** (1 / 3)))
    length = (n / density) ** (1 / 3)
    sites = np.stack(np.meshgrid(*[np.arange(per_side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    chosen = sites[rng.permutation(len(sites))[:n]] / per_side
    cell = np.diag([length] * 3)
    if triclinic:
        cell[1, 0], cell[2, 0], cell[2, 1] = 0.3 * length, -0.2 * length, 0.1 * length
    spacing = length / per_side
    positions = chosen @ cell + rng.uniform(-0.12, 0.12, (n, 3)) * spacing
    species = (rng.random(n) < 0.2).astype(int)
    return Configuration(
        positions=positions, cell=cell, species=species, species_names=("A", "B"), **fields
    )


def moved(configuration: Configuration, **changes: object) -> Configuration:
    """The configuration with some fields replaced."""
    return dataclasses.replace(configuration, **changes)


def rotation(seed: int = 0) -> np.ndarray:
    """A random proper rotation matrix [3, 3], uniform on SO(3)."""
    return Rotation.random(random_state=seed).as_matrix()


def wigner_d(irreps: str, matrix: np.ndarray) -> np.ndarray:
    """D [dim, dim] of a rotation on features in e3nn's order, exact to rounding in float64.

    Solved from Y(R x) = D Y(x) on random points: e3nn's own D from Euler angles is only good to
    single precision, which the symmetry tests would see.
    """
    points = torch.from_numpy(np.random.default_rng(0).normal(size=(200, 3)))
    turn = torch.from_numpy(matrix)
    blocks = []
    for multiplicity, irrep in o3.Irreps(irreps):
        before = o3.spherical_harmonics(irrep.l, points, normalize=True)
        after = o3.spherical_harmonics(irrep.l, points @ turn.T, normalize=True)
        block = torch.linalg.lstsq(before, after).solution.T.numpy()
        blocks += [block] * multiplicity
    return scipy.linalg.block_diag(*blocks)


def write_dump(
    path: Path, configurations: list[Configuration], *, flags: str = " pp pp pp"
) -> Path:
    """A LAMMPS dump with a per-atom energy; type 1 is A, 2 is B.

    Old dumps do not state the flags of the boundaries.
    """
    with path.open("w") as stream:
        for step, c in enumerate(configurations):
            low_high = "\n".join(f"0 {length:.17g}" for length in np.diag(c.cell))
            stream.write(
                f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{c.n_particles}\n"
                f"ITEM: BOX BOUNDS{flags}\n{low_high}\nITEM: ATOMS id type x y z c_pe\n"
            )
            rows = zip(c.species + 1, c.positions, strict=True)
            for k, (kind, (x, y, z)) in enumerate(rows):
                stream.write(f"{k + 1} {kind} {x:.17g} {y:.17g} {z:.17g} {k / 64}\n")
    return path


def deepmind_pickle(rng: np.random.Generator) -> dict[str, Any]:
    """What a file of DeepMind holds: 12 particles, three runs.

    Three levels of the scattering function: .9, .1 and, out of order, 1/e.
    """
    box = np.array([2.0, 2.1, 2.2])
    initial = rng.uniform(0, 1, (12, 3)) * box
    runs = [
        [initial + rng.normal(0, width, initial.shape) for _ in range(3)]
        for width in (0.1, 0.3, 0.2)
    ]
    return {
        "positions": initial,
        "types": np.array([0] * 9 + [1] * 3, np.int32),
        "box": box,
        "time": [0.0, 0.5, 1.5, 10.0, 20.0],
        "time_indices": [1, 4, 3],
        "is_values": np.array([0.9, 0.1, np.exp(-1)]),
        "trajectory_target_positions": runs,
        "metadata": {"temperature": 0.44, "pressure": 2.93, "fluid": "Kob Andersen"},
    }
