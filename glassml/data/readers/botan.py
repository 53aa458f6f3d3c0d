"""The BOTAN data set: 3D Kob-Andersen, one npz file per configuration and time.

H. Shiba, M. Hanai, T. Suzumura and T. Shimokawabe, J. Chem. Phys. 158, 084503 (2023). Entries:
``types`` (0 = A, 1 = B), ``initial_positions`` [N, 3] in [0, L) and ``positions`` [R, N, 3], not
wrapped, after one time. The box is not in the file: it is a cube of number density 1.2.
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
    run_averages,
    source_provenance,
    species_of_codes,
)
from glassml.data.readers.npz import npz_entries, npz_names

__all__ = ["KOB_ANDERSEN_DENSITY", "KOB_ANDERSEN_TIMES", "read_botan", "recognises_botan"]

# What the files do not hold, in LJ units. The seventh time of each temperature is tau_alpha.
# Times: G. Jung et al., data record 10.5281/zenodo.10118191 (CC-BY-4.0).
KOB_ANDERSEN_DENSITY = 1.2
KOB_ANDERSEN_TIMES: dict[float, tuple[float, ...]] = {
    0.44: (0.13, 1.3, 13.0, 130.0, 412.0, 1300.0, 4120.0, 13000.0, 41200.0, 130000.0),
    0.50: (0.108, 0.434, 2.17, 6.86, 21.7, 68.6, 217.0, 686.0, 2170.0, 6860.0),
    0.56: (0.104, 0.33, 0.99, 1.65, 5.2, 16.5, 52.0, 165.0, 520.0, 1650.0),
    0.64: (0.032, 0.1, 0.165, 0.52, 1.65, 5.2, 16.5, 52.0, 165.0, 520.0),
}

_FILE_NAME = re.compile(r"N(?P<n>\d+)T(?P<temperature>\d+\.\d+)_\d+_tc(?P<time>\d+)$")
_ENTRIES = {"types", "initial_positions", "positions"}


def recognises_botan(path: Path) -> bool:
    """Whether a file is npz with the entries of BOTAN."""
    return npz_names(path) >= _ENTRIES


def read_botan(path: Path, options: ReadOptions) -> Iterator[Configuration]:
    """Read one BOTAN file.

    The time follows from the file name (``..._N4096T0.44_1_tc07.npz``: the 7th time of T = 0.44).

    Raises:
        InputError: the file is damaged, breaks one of the format's conventions, or neither its name
            nor ``options`` state the time.
    """
    fields = Fields(path, npz_entries(path))
    positions = fields.array("initial_positions", None, 3)
    n_particles = len(positions)
    runs = fields.array("positions", None, n_particles, 3)
    if 0 in runs.shape:
        raise fields.error("positions", "at least one run and particle", f"shape {runs.shape}")
    box = np.full(3, (n_particles / KOB_ANDERSEN_DENSITY) ** (1 / 3))
    check_wrapped(fields, "initial_positions", positions, box)
    facts = _FILE_NAME.search(path.stem)
    known_times = None if facts is None else _known_times(fields, facts, n_particles)
    species, species_names = species_of_codes(fields, "types", n_particles, options.species)
    averages = run_averages(fields, "positions", positions, runs, box)
    propensity = averages.pop("propensity")
    provenance = source_provenance(path, "botan") | {
        "citation": "H. Shiba et al., J. Chem. Phys. 158, 084503 (2023)",
        "system": "Kob-Andersen 80:20",
    }
    if facts is not None:
        provenance["temperature"] = float(facts["temperature"])
    yield Configuration(
        positions=positions,
        cell=np.diag(box),
        species=species,
        species_names=species_names,
        times=label_times(fields, known_times, options.times, 1),
        propensity=propensity[:, None],
        n_runs=len(runs),
        statistics={name: average[:, None] for name, average in averages.items()},
        final_positions=runs[:, None] if options.final_positions else None,
        length_unit=options.length_unit or "lj",
        name=path.stem,
        provenance=provenance,
    )


def _known_times(fields: Fields, facts: re.Match, n_particles: int) -> list[float] | None:
    if int(facts["n"]) != n_particles:
        raise fields.error(
            "initial_positions", f"{facts['n']} particles, as the file name says", f"{n_particles}"
        )
    times = KOB_ANDERSEN_TIMES.get(float(facts["temperature"]), ())
    index = int(facts["time"]) - 1
    return [times[index]] if 0 <= index < len(times) else None
