"""What models cost in LAMMPS, beside LAMMPS' own computes, on one core.

    python -m benchmarks.frontier examples/frontier/*.yaml -o examples/frontier/costs.json

Each entry of `glassml benchmark` is made into a model file without training, because weights do not
change what an evaluation costs. All of them and the computes are evaluated in turn in one LAMMPS
process, by segments of a run with an evaluation at every step (averaged positions: at every second
step, with two samples), less segments with none. Values of each model are compared with those in
Python first.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.lammps import (
    Segment,
    check_in_python,
    compute_segment,
    prepare_liquid,
    run_session,
)
from benchmarks.machine import describe
from benchmarks.systems import network
from glassml.errors import ConfigError, GlassMLError
from glassml.export import save_model
from glassml.files import atomic_write
from glassml.models import available, build, parameters_of
from glassml.studies.benchmark import Entry, load_entry

__all__ = ["costs", "untrained_file"]

CELLS = 16  # to the third power: particles
MELT = 2000
STEPS = 10
ROUNDS = 5
COMPUTES = {
    "pe/atom": ("pe/atom", ""),
    "orientorder/atom": (
        "orientorder/atom degrees 5 4 6 8 10 12 cutoff 2.0 nnn NULL",
        "[1]",
    ),
    "voronoi/atom": ("voronoi/atom", "[1]"),
}


def costs(
    entries: Sequence[Entry], folder: Path, *, cells: int = CELLS, rounds: int = ROUNDS
) -> dict[str, Any]:
    """Time of an evaluation [microseconds for each particle], one value a round.

    Args:
        entries: recipes; their positions are thermal or average.
        folder: where models are written and LAMMPS runs.
        cells: number of particles in each direction.
        rounds: how often everything is measured.

    Raises:
        ConfigError: an entry is not a recipe, or reads other positions.
    """
    files = {entry.name: untrained_file(entry, folder) for entry in entries}
    segments = [Segment("none", STEPS), Segment("none, twice the steps", 2 * STEPS)]
    segments += [_segment(entry, files[entry.name]) for entry in entries]
    segments += [
        compute_segment(name, command, STEPS, column)
        for name, (command, column) in COMPUTES.items()
    ]
    data = prepare_liquid(folder, cells, MELT)
    for entry, file in files.items():
        check_in_python(entry, file, data, folder).verify()
    file = folder / "network.pt"  # evaluated once, before the clock starts
    save_model(network("tiny"), file)
    session = run_session(folder, data, file, segments, rounds=rounds, warm_up=STEPS)

    def of(name: str, positions: str = "thermal") -> list[float]:
        without = "none" if positions == "thermal" else "none, twice the steps"
        seconds = session.per_step(name, without, STEPS)
        return [round(1e6 * s / session.n_atoms, 4) for s in seconds]

    return {
        "measured": describe("benchmarks.frontier"),
        "particles": session.n_atoms,
        "entries": {entry.name: of(entry.name, _positions(entry)) for entry in entries},
        "computes": {name: of(name) for name in COMPUTES},
    }


def untrained_file(entry: Entry, folder: Path) -> Path:
    """The model of a recipe, for thermal positions and one time, with random weights.

    Raises:
        ConfigError: the entry is no recipe of descriptors or of a network on positions alone.
    """
    settings: dict[str, Any] = {}
    if entry.train is not None:
        settings = dict(entry.train[-1]["model"])
    elif entry.refit is not None and entry.refit.model in available():
        settings = {"name": entry.refit.model, **entry.refit.settings}
    scalars = _section(entry).get("scalars")
    if not settings or scalars or parameters_of(settings["name"])["scalar_inputs"]:
        raise ConfigError(f"{entry.name}: expected a recipe that reads positions alone")
    torch.manual_seed(0)
    file = folder / f"{entry.name}.pt"
    save_model(build(**settings).eval(), file)
    return file


def _section(entry: Entry) -> Mapping[str, Any]:
    """What an entry says about its data."""
    if entry.refit is not None:
        return {"positions": entry.refit.positions, "scalars": entry.refit.scalars}
    return (entry.train or ({},))[-1].get("data") or {}


def _positions(entry: Entry) -> str:
    found = _section(entry).get("positions", "thermal")
    if found not in ("thermal", "average"):
        raise ConfigError(f"{entry.name}: positions: expected thermal or average; found {found}")
    return str(found)


def _segment(entry: Entry, file: Path) -> Segment:
    """Steps with the fix; those of LAMMPS beside its evaluations are taken away later."""
    command = f"fix ml all glassml {{}} {file.absolute()} A B threads 1"
    if _positions(entry) == "thermal":
        return Segment(entry.name, STEPS, before=command.format(1), after="unfix ml")
    command = command.format(2) + " positions average 1 2"
    return Segment(entry.name, 2 * STEPS, before=command, after="unfix ml")


def main() -> None:
    """Measure the entries that are named and write their costs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("entries", nargs="+", help="entry files of glassml benchmark")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args()
    entries = [load_entry(name) for name in options.entries]
    with tempfile.TemporaryDirectory(prefix="glassml-frontier-") as folder:
        found = costs(entries, Path(folder))
    with atomic_write(options.output) as partial:
        partial.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for name, values in {**found["entries"], **found["computes"]}.items():
        print(f"{name:24} {np.median(values):8.3f} us a particle")


if __name__ == "__main__":
    try:
        main()
    except GlassMLError as error:
        sys.exit(f"error: {error}")
