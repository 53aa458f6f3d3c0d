"""Cost of an evaluation a particle as the system grows, on one rank."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.lammps import (
    Segment,
    Session,
    check_values,
    network_segment,
    prepare_liquid,
    run_session,
)
from benchmarks.outcome import Comparison, Figure, Outcome, Series, Size, ratios
from benchmarks.systems import network
from benchmarks.tolerances import FLOAT32
from glassml.export import save_model

__all__ = ["evaluation_session", "measure", "same_in_all_copies"]

CELLS = {"tiny": 6, "full": 16}
COPIES = {"tiny": (1, 2), "full": (1, 2, 4)}  # of the box in each direction
ROUNDS = {"tiny": 1, "full": 2}
EVALUATIONS = {"tiny": 8, "full": 32}  # of the smallest system in a segment, fewer of larger ones
MELT = {"tiny": 50, "full": 2000}


def measure(size: Size, folder: Path) -> Outcome:
    """The same liquid, replicated; the systems take turns."""
    model, file = network(size), folder / "model.pt"
    save_model(model, file)
    data = prepare_liquid(folder, CELLS[size], MELT[size])
    costs: dict[int, list[float]] = {k: [] for k in COPIES[size]}
    sessions: dict[int, Session] = {}
    for _ in range(ROUNDS[size]):
        for k in COPIES[size]:
            steps = max(EVALUATIONS[size] // k**3, 1)
            sessions[k] = evaluation_session(folder / f"copies{k}", data, file, steps, replicate=k)
            (seconds,) = sessions[k].per_step("network", "none", steps)
            costs[k].append(1e6 * seconds / sessions[k].n_atoms)
    series = {
        k: Series(f"a particle, one rank, N = {sessions[k].n_atoms}", "us", tuple(costs[k]))
        for k in COPIES[size]
    }
    smallest, largest = COPIES[size][0], COPIES[size][-1]
    growth = ratios(
        f"cost a particle, N = {sessions[largest].n_atoms} / {sessions[smallest].n_atoms}",
        series[largest],
        series[smallest],
    )
    return Outcome(
        title="cost of an evaluation a particle, one rank",
        series=tuple(series.values()),
        comparisons=(
            check_values("fix glassml, smallest system", sessions[smallest], model, file),
            *(
                same_in_all_copies(f"fix glassml, {k}^3 copies", sessions[k], sessions[smallest])
                for k in COPIES[size][1:]
            ),
        ),
        figures=(Figure(growth, reach=1.15, better="lower"),),
        notes=("loop time with an evaluation at each step, less the loop time without",),
    )


def evaluation_session(
    folder: Path,
    data: Path,
    model: Path,
    steps: int,
    *,
    replicate: int,
    ranks: int = 1,
    threads: int = 1,
) -> Session:
    """One segment without and one with an evaluation at every step."""
    segments = [Segment("none", steps), network_segment(model, steps, threads=threads)]
    return run_session(
        folder, data, model, segments, ranks=ranks, replicate=replicate, warm_up=steps
    )


def same_in_all_copies(name: str, large: Session, small: Session) -> Comparison:
    """Copies of a periodic box have the same environments, so the same values, atom by atom."""
    # `replicate` numbers the atoms copy by copy; values are sorted by number.
    copies = large.n_atoms // small.n_atoms
    return Comparison(name, large.values, np.tile(small.values, (copies, 1)), FLOAT32)
