"""How much faster two ranks, or one rank with two threads, evaluate the network than one."""

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
# Ranks and threads of each. With more threads than cores, the last shows what that costs.
ONE, RANKS, THREADS, BOTH = (1, 1), (2, 1), (1, 2), (2, 2)
OVER = "two ranks with 2 threads each / with one"


def measure(size: Size, folder: Path) -> Outcome:
    """The evaluation alone on one rank and on two, with one thread and with two, in turn."""
    model, file = network(size), folder / "model.pt"
    save_model(model, file)
    data = prepare_liquid(folder, CELLS[size], MELT[size])
    costs: dict[tuple[int, int], list[float]] = {way: [] for way in (ONE, RANKS, THREADS, BOTH)}
    sessions: dict[tuple[int, int], Session] = {}
    for _ in range(ROUNDS[size]):
        for ranks, threads in costs:
            session = evaluation_session(
                folder / f"ranks{ranks}_threads{threads}",
                data,
                file,
                STEPS[size],
                replicate=COPIES[size],
                ranks=ranks,
                threads=threads,
            )
            costs[ranks, threads] += session.per_step("network", "none", STEPS[size])
            sessions[ranks, threads] = session
    one, ranks_only, threads_only, both = (_series(sessions[way], way, costs[way]) for way in costs)
    small = run_session(folder / "small", data, file, [])
    return Outcome(
        title="ranks and threads, the evaluation alone",
        series=(one, ranks_only, threads_only, both, ratios(OVER, both, ranks_only)),
        comparisons=(
            check_values("fix glassml, the box without copies", small, model, file),
            same_in_all_copies("one rank against the box without copies", sessions[ONE], small),
            *(
                Comparison(
                    f"{_name(way)} against one thread",
                    sessions[way].values,
                    sessions[ONE].values,
                    FLOAT32,
                )
                for way in (RANKS, THREADS, BOTH)
            ),
        ),
        figures=(
            Figure(
                ratios("one rank / two ranks", one, ranks_only),
                reach=1.8,
                go_for=2,
                better="higher",
            ),
            Figure(
                ratios("one rank with 2 threads / two ranks", threads_only, ranks_only),
                reach=1.1,
                better="lower",
            ),
        ),
        notes=("loop time with an evaluation at each step, less the loop time without",),
    )


def _name(way: tuple[int, int]) -> str:
    return "{} rank(s) with {} thread(s) each".format(*way)


def _series(session: Session, way: tuple[int, int], seconds: list[float]) -> Series:
    name = f"fix glassml, one evaluation, {_name(way)}, N = {session.n_atoms}"
    return Series(name, "s", tuple(seconds))
