"""The two-dimensional part of GlassBench: a ternary Kob-Andersen mixture.

G. Jung et al., data record 10.5281/zenodo.10118191 (CC-BY-4.0); G. Jung, G. Biroli and L. Berthier,
Phys. Rev. Lett. 130, 238202 (2023). There are two kinds of files:

- ``KA2D_models/T<temperature>/<train or test>/N1290T<temperature>_<index>.npz`` with ``types``,
  ``initial_positions`` [N, 2], ``md_prop`` and ``bb_prop`` [T, N], and sometimes inherent and cage
  positions and predictions, as in three dimensions (`glassml.data.readers.glassbench`);
- ``KA2D_trajectories``: ``types``, ``initial_positions`` [N, 2], ``positions`` [R, N, 2] of the
  runs after one time, and ``box``. All averages over the runs are computed from these.

The reader assumes, and checks: types are 1, 2 and 3, called A, B and C, and A is the most frequent;
positions are not wrapped; the box is a square. Its edge is the entry ``box``, or the published
32.8962 for 1290 particles. The times of the labels are not in the files; the user gives them.

A two-dimensional configuration lies in the plane z = 0. The third direction is not periodic; its
cell vector is as long as the others, and no distance depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from glassml.data.configuration import Configuration
from glassml.data.readers.base import (
    Fields,
    ReadOptions,
    label_times,
    run_averages,
    source_provenance,
)
from glassml.data.readers.glassbench import CITATION, file_facts, model_fields
from glassml.data.readers.npz import npz_entries, npz_shapes
from glassml.data.species import SpeciesMap

__all__ = ["read_glassbench2d", "recognises_glassbench2d"]

_PUBLISHED_N, _PUBLISHED_EDGE = 1290, 32.8962


def recognises_glassbench2d(path: Path) -> bool:
    """Whether a file is npz with the entries of GlassBench, in two dimensions."""
    shapes = npz_shapes(path)
    labelled = "md_prop" in shapes or shapes.get("positions", ())[2:] == (2,)
    return labelled and shapes.get("initial_positions", ())[1:] == (2,)


def read_glassbench2d(path: Path, options: ReadOptions) -> Iterator[Configuration]:
    """Read one two-dimensional file of GlassBench, of either kind.

    Raises:
        InputError: the file is damaged or breaks one of the format's conventions, or ``options`` do
            not state the times.
    """
    fields = Fields(path, npz_entries(path))
    plane = fields.array("initial_positions", None, 2)
    n_particles = len(plane)
    edge = _edge(fields, n_particles)
    positions = np.pad(plane, [(0, 0), (0, 1)])
    species, species_names, majority = _species(fields, n_particles, options.species)
    box = np.array([edge, edge, np.inf])
    if fields.get("positions") is not None:
        known = _run_fields(fields, positions, box, options)
    else:
        known = model_fields(fields, positions, box, majority, None, options)
    yield Configuration(
        positions=positions,
        cell=edge * np.eye(3),
        pbc=(True, True, False),
        species=species,
        species_names=species_names,
        length_unit=options.length_unit or "lj",
        name=path.stem,
        provenance=source_provenance(path, "glassbench2d")
        | file_facts(fields, n_particles)
        | {"citation": CITATION, "system": "ternary Kob-Andersen in two dimensions"},
        **known,
    )


def _edge(fields: Fields, n_particles: int) -> float:
    if fields.get("box") is None:
        if n_particles != _PUBLISHED_N:
            raise fields.error(
                "box",
                f"the edge of the square box, as these are not the {_PUBLISHED_N} particles of the "
                "published system",
                f"{n_particles} particles and no such entry",
            )
        return _PUBLISHED_EDGE
    edges = np.unique(fields.checked("box", np.atleast_1d(fields["box"]), None))
    if len(edges) != 1 or edges[0] <= 0:
        raise fields.error("box", "the edge of a square box", f"{edges.tolist()}")
    return float(edges[0])


def _species(
    fields: Fields, n_particles: int, species: SpeciesMap | None
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Species indices [N], their names, and which particles are A, bool [N]."""
    codes = fields.array("types", n_particles, integer=True)
    found, counts = np.unique(codes, return_counts=True)
    if not set(found.tolist()) <= {1, 2, 3} or found[0] != 1:
        raise fields.error("types", "1, 2 and 3 for A, B and C", f"the codes {found.tolist()}")
    if counts[0] < counts.max():
        raise fields.error(
            "types", "A, the most frequent, to be type 1", f"{counts[0]} of {n_particles} particles"
        )
    if species is None:
        return codes - 1, ("A", "B", "C"), codes == 1
    labels = codes if species.by_type else np.array(["A", "B", "C"])[codes - 1]
    return species.indices(labels, str(fields.path)), species.names, codes == 1


def _run_fields(
    fields: Fields, positions: np.ndarray, box: np.ndarray, options: ReadOptions
) -> dict[str, Any]:
    """Labels and statistics from the positions of the runs after one time."""
    runs = fields.array("positions", None, len(positions), 2)
    if len(runs) == 0:
        raise fields.error("positions", "at least one run", "none")
    runs = np.pad(runs, [(0, 0), (0, 0), (0, 1)])
    averages = run_averages(fields, "positions", positions, runs, box)
    return {
        "times": label_times(fields, None, options.times, 1),
        "propensity": averages.pop("propensity")[:, None],
        "n_runs": len(runs),
        "statistics": {name: average[:, None] for name, average in averages.items()},
        "final_positions": runs[:, None] if options.final_positions else None,
    }
