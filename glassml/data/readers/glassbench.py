"""The three-dimensional part of GlassBench: Kob-Andersen, one npz per configuration, ten times.

G. Jung et al., "Roadmap on machine learning glassy liquids", data record 10.5281/zenodo.10118191
(CC-BY-4.0); its configurations and runs are those of H. Shiba et al., J. Chem. Phys. 158, 084503
(2023). Files are ``KA_models/T<temperature>/<train or test>/N4096T<temperature>_<index>.npz``.

The reader assumes, and checks:

- ``types`` [N]: 1 = A, 2 = B, or 0 and 1; A is the majority.
- ``initial_positions`` [N, 3]: in [-L/2, L/2) of a cube of number density 1.2; the box is not in
  the file.
- ``initial_positions_inherent`` and ``initial_positions_cage`` [N, 3]: images of the same particles
  in the same order. They may be missing (cage positions are known for some configurations only);
  an entry of zeros or NaN counts as missing.
- ``md_prop`` [T, N]: the propensity at the published times of the temperature in the file's name.
- ``bb_prop`` [T, N]: the bond-breaking propensity, a fraction, kept as the statistic
  ``bond_breaking``. Both propensities are means over 32 runs.
- ``BOTAN``, ``CAGE``, ``GlassMLP``, ``SE3``, ``SBO``, ``SBO_CG``, ``DEN``, ``EPOT`` and ``PSI6`` in
  the test files: predictions of models and order parameters, which correlate with the propensity
  but are not lengths. Their shape is [T, N], or [N] if they do not depend on time. The last length
  may also be the number of A particles, in their order; the other particles then get NaN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from glassml.data.configuration import Configuration
from glassml.data.readers.base import (
    Fields,
    ReadOptions,
    check_wrapped,
    label_times,
    other_positions,
    source_provenance,
    species_of_codes,
)
from glassml.data.readers.botan import KOB_ANDERSEN_DENSITY, KOB_ANDERSEN_TIMES
from glassml.data.readers.npz import npz_entries, npz_shapes

__all__ = [
    "CITATION",
    "file_facts",
    "model_fields",
    "read_glassbench",
    "recognises_glassbench",
]

CITATION = (
    "G. Jung et al., Roadmap on machine learning glassy liquids, 10.5281/zenodo.10118191, CC-BY-4.0"
)

PREDICTIONS = ("BOTAN", "CAGE", "GlassMLP", "SE3", "SBO", "SBO_CG", "DEN", "EPOT", "PSI6")

_FILE_NAME = re.compile(r"N(?P<n>\d+)T(?P<temperature>\d+\.\d+)_(?P<index>\d+)")
_N_RUNS = 32


def recognises_glassbench(path: Path) -> bool:
    """Whether a file is npz with the entries of GlassBench, in three dimensions."""
    shapes = npz_shapes(path)
    return "md_prop" in shapes and shapes.get("initial_positions", ())[1:] == (3,)


def read_glassbench(path: Path, options: ReadOptions) -> Iterator[Configuration]:
    """Read one three-dimensional file of GlassBench.

    Raises:
        InputError: the file is damaged or breaks one of the format's conventions, or neither its
            name states the temperature nor ``options`` the times.
    """
    fields = Fields(path, npz_entries(path))
    positions = fields.array("initial_positions", None, 3)
    n_particles = len(positions)
    box = np.full(3, (n_particles / KOB_ANDERSEN_DENSITY) ** (1 / 3))
    check_wrapped(fields, "initial_positions", positions, box, centred=True)
    species, species_names = species_of_codes(
        fields, "types", n_particles, options.species, from_one=True
    )
    majority = _majority(fields, n_particles)
    facts = file_facts(fields, n_particles)
    known = KOB_ANDERSEN_TIMES.get(float(facts.get("temperature", 0.0)))
    yield Configuration(
        positions=positions,
        cell=np.diag(box),
        species=species,
        species_names=species_names,
        n_runs=_N_RUNS,
        length_unit=options.length_unit or "lj",
        name=path.stem,
        provenance=source_provenance(path, "glassbench")
        | facts
        | {"citation": CITATION, "system": "Kob-Andersen 80:20"},
        **model_fields(fields, positions, box, majority, known, options),
    )


def model_fields(
    fields: Fields,
    positions: np.ndarray,
    box: np.ndarray,
    majority: np.ndarray,
    known_times: tuple[float, ...] | None,
    options: ReadOptions,
) -> dict:
    """Labels, other positions and predictions, which are the same in two and three dimensions.

    Args:
        fields: the file, with d coordinates per particle.
        positions: [N, 3] [length].
        box: [3] [length], infinite where the system is not periodic.
        majority: bool [N], the particles of the first species.
        known_times: times of the labels [time], if they are published.
        options: what the file does not state.

    Returns:
        Fields of `Configuration`.
    """
    n_particles, dimension = len(positions), int(np.isfinite(box).sum())
    labels = fields.array("md_prop", None, n_particles)
    times = label_times(fields, known_times, options.times, len(labels))
    statistics = {}
    if fields.get("bb_prop") is not None:
        statistics["bond_breaking"] = fields.array("bb_prop", len(labels), n_particles).T
    structures = {}
    for name in ("inherent", "cage"):
        entry = f"initial_positions_{name}"
        if _is_there(fields, entry):
            others = fields.array(entry, n_particles, dimension)
            others = np.pad(others, [(0, 0), (0, 3 - dimension)])
            structures[name] = other_positions(fields, entry, positions, others, box)
    predictions = {
        name: _prediction(fields, name, len(labels), majority)
        for name in PREDICTIONS
        if fields.get(name) is not None
    }
    return {
        "times": times,
        "propensity": labels.T,
        "statistics": statistics,
        "structures": structures,
        "predictions": predictions,
    }


def file_facts(fields: Fields, n_particles: int) -> dict[str, str | int | float]:
    """Temperature and index from the file's name, and its part (train or test) from the folder's.

    Raises:
        InputError: the number of particles in the name is not that of the file.
    """
    facts: dict[str, str | int | float] = {}
    found = _FILE_NAME.match(fields.path.stem)
    if found is not None:
        if int(found["n"]) != n_particles:
            raise fields.error(
                "initial_positions",
                f"{found['n']} particles, as the file name says",
                f"{n_particles}",
            )
        facts |= {"temperature": float(found["temperature"]), "index": int(found["index"])}
    if fields.path.parent.name in ("train", "test"):
        facts["part"] = fields.path.parent.name
    return facts


def _majority(fields: Fields, n_particles: int) -> np.ndarray:
    """Which particles are A: those of the smaller code.

    Raises:
        InputError: they are not the majority, so the codes must mean something else.
    """
    codes = fields.array("types", n_particles, integer=True)
    majority = codes == codes.min()
    if 2 * majority.sum() < n_particles:
        raise fields.error(
            "types",
            f"A, the majority, to be type {codes.min()}",
            f"{majority.sum()} of {n_particles} particles of that type",
        )
    return majority


def _is_there(fields: Fields, entry: str) -> bool:
    """Whether an entry exists and holds more than zeros and NaN."""
    values = fields.get(entry)
    return values is not None and bool(np.nan_to_num(np.asarray(values, np.float64)).any())


def _prediction(fields: Fields, name: str, n_times: int, majority: np.ndarray) -> np.ndarray:
    """A prediction as [N, T], with NaN for particles without one."""
    values = np.asarray(fields[name])
    n_particles, n_majority = len(majority), int(majority.sum())
    allowed = [(n_times, n_particles), (n_particles,), (n_times, n_majority), (n_majority,)]
    if values.dtype.kind not in "fiu" or values.shape not in allowed:
        raise fields.error(
            name,
            f"numbers of shape [{n_times}, {n_particles}] or [{n_particles}] (or {n_majority}, "
            "for A particles only)",
            f"{values.dtype} {list(values.shape)}",
        )
    prediction = np.full((n_particles, n_times), np.nan)
    chosen = majority if values.shape[-1] == n_majority else np.ones(n_particles, bool)
    prediction[chosen] = np.broadcast_to(values, (n_times, values.shape[-1])).T
    return prediction
