"""One evaluation of the network in LAMMPS against one of the usual structural order parameters."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lammps import (
    Segment,
    Session,
    check_values,
    compute_segment,
    network_segment,
    prepare_liquid,
    run_session,
)
from benchmarks.outcome import Figure, Outcome, Series, Size, ratios
from benchmarks.systems import network
from glassml.export import save_model

__all__ = ["measure"]

RANKS = 2
CELLS = {"tiny": 6, "full": 16}
STEPS = {"tiny": 2, "full": 10}
ROUNDS = {"tiny": 2, "full": 5}
MELT = {"tiny": 50, "full": 2000}
DEGREES = "degrees 5 4 6 8 10 12 cutoff 2.0"
COMPUTES = {
    "orientorder": f"orientorder/atom {DEGREES}",
    "all_neighbours": f"orientorder/atom {DEGREES} nnn NULL",
    "voronoi": "voronoi/atom",
}
NAMES = {
    "orientorder": "compute orientorder/atom (l = 4 6 8 10 12, the 12 nearest)",
    "all_neighbours": "compute orientorder/atom (the same, all neighbours within 2.0)",
    "voronoi": "compute voronoi/atom",
}


def measure(size: Size, folder: Path) -> Outcome:
    """Segments with an evaluation at every step, less those with none, in one LAMMPS process."""
    model, steps = network(size), STEPS[size]
    file = folder / "model.pt"
    save_model(model, file)
    data = prepare_liquid(folder, CELLS[size], MELT[size])
    session = run_session(
        folder / "evaluation",
        data,
        file,
        [
            Segment("none", steps),
            network_segment(file, steps),
            *(compute_segment(key, command, steps) for key, command in COMPUTES.items()),
        ],
        rounds=ROUNDS[size],
        ranks=RANKS,
        warm_up=steps,
    )
    at = f"{RANKS} ranks, N = {session.n_atoms}"
    network_time = _cost(session, "network", f"fix glassml, one evaluation, {at}", steps)
    costs = {key: _cost(session, key, f"{NAMES[key]}, {at}", steps) for key in COMPUTES}
    compared = {
        key: ratios(f"fix glassml / {NAMES[key]}", network_time, cost)
        for key, cost in costs.items()
    }
    return Outcome(
        title=f"one evaluation in LAMMPS, {RANKS} ranks",
        series=(network_time, *costs.values(), compared["all_neighbours"]),
        comparisons=(check_values("fix glassml, first configuration", session, model, file),),
        figures=tuple(
            Figure(compared[key], reach=1, go_for=0.5, better="lower")
            for key in ("orientorder", "voronoi")
        ),
        notes=(
            f"loop time of {steps} steps with an evaluation at each, less that of {steps} steps "
            "without, in turn in one LAMMPS process",
            "orientorder/atom's neighbour list is built when LAMMPS renews its lists; evaluated "
            "rarely, it would have to be built for each evaluation",
        ),
    )


def _cost(session: Session, key: str, name: str, steps: int) -> Series:
    return Series(name, "s", session.per_step(key, "none", steps))
