"""A million particles on one rank: cost of an evaluation, and memory of LAMMPS with fix glassml."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lammps import check_values, prepare_liquid, run_session
from benchmarks.lammps_scaling import evaluation_session, same_in_all_copies
from benchmarks.outcome import Figure, Outcome, Series, Size, ratios
from benchmarks.systems import network
from glassml.export import save_model

__all__ = ["measure"]

CELLS = {"tiny": 6, "full": 16}
STEPS = {"tiny": 2, "full": 32}
CELLS_COPIED = {"tiny": 6, "full": 20}
COPIES = {"tiny": 2, "full": 5}  # of the box in each direction: 1 000 000 particles
MELT = {"tiny": 50, "full": 2000}


def measure(size: Size, folder: Path) -> Outcome:
    """One evaluation of the large system, after one of the small."""
    model, file = network(size), folder / "model.pt"
    save_model(model, file)
    box = prepare_liquid(folder, CELLS[size], MELT[size])
    copied = prepare_liquid(folder, CELLS_COPIED[size], MELT[size])
    small = evaluation_session(folder / "small", box, file, STEPS[size], replicate=1)
    once = run_session(folder / "once", copied, file, [])
    large = evaluation_session(folder / "large", copied, file, 1, replicate=COPIES[size])
    costs = [
        Series(
            f"a particle, one rank, N = {session.n_atoms}",
            "us",
            (1e6 * session.per_step("network", "none", steps)[0] / session.n_atoms,),
        )
        for session, steps in ((small, STEPS[size]), (large, 1))
    ]
    more = large.n_atoms - small.n_atoms
    memory = Series(
        "a particle, LAMMPS with fix glassml", "kB", (1e3 * (large.peak - small.peak) / more,)
    )
    return Outcome(
        title=f"{large.n_atoms} particles on one rank",
        series=(*costs, Series("peak resident", "MB", (large.peak,))),
        comparisons=(
            check_values("fix glassml, the box without copies", once, model, file),
            same_in_all_copies("fix glassml, all copies", large, once),
        ),
        figures=(
            Figure(
                ratios(
                    f"cost a particle, N = {large.n_atoms} / {small.n_atoms}", costs[1], costs[0]
                ),
                reach=1.15,
                better="lower",
            ),
            Figure(memory, 15, go_for=6, better="lower"),
        ),
        notes=(
            "loop time with an evaluation at each step, less the loop time without",
            "memory: peaks of the processes, with all that LAMMPS itself holds",
        ),
    )
