"""How much faster two ranks evaluate the network than one."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lammps import Session, check_values, prepare_liquid, run_session
from benchmarks.lammps_scaling import evaluation_session, same_in_all_copies
from benchmarks.outcome import Comparison, Figure, Outcome, Series, Size, ratios
from benchmarks.systems import network
from benchmarks.tolerances import FLOAT32
from glassml.export import save_model

__all__ = ["measure"]

CELLS = {"tiny": 6, "full": 16}
COPIES = {"tiny": 1, "full": 2}  # of the box in each direction: N = 32 768 in full size
ROUNDS = {"tiny": 1, "full": 3}
STEPS = {"tiny": 4, "full": 6}
MELT = {"tiny": 50, "full": 2000}


def measure(size: Size, folder: Path) -> Outcome:
    """The evaluation alone on one rank and on two, in turn."""
    model, file = network(size), folder / "model.pt"
    save_model(model, file)
    data = prepare_liquid(folder, CELLS[size], MELT[size])
    costs: dict[int, list[float]] = {1: [], 2: []}
    sessions: dict[int, Session] = {}
    for _ in range(ROUNDS[size]):
        for ranks in costs:
            sessions[ranks] = evaluation_session(
                folder / f"ranks{ranks}",
                data,
                file,
                STEPS[size],
                replicate=COPIES[size],
                ranks=ranks,
            )
            costs[ranks] += sessions[ranks].per_step("network", "none", STEPS[size])
    n = sessions[1].n_atoms
    one, two = (
        Series(f"fix glassml, one evaluation, {ranks} rank(s), N = {n}", "s", tuple(costs[ranks]))
        for ranks in costs
    )
    small = run_session(folder / "small", data, file, [])
    return Outcome(
        title="two ranks against one, the evaluation alone",
        series=(one, two),
        comparisons=(
            check_values("fix glassml, the box without copies", small, model, file),
            same_in_all_copies("one rank against the box without copies", sessions[1], small),
            Comparison("two ranks against one", sessions[2].values, sessions[1].values, FLOAT32),
        ),
        figures=(
            Figure(ratios("one rank / two ranks", one, two), reach=1.8, go_for=2, better="higher"),
        ),
        notes=("loop time with an evaluation at each step, less the loop time without",),
    )
