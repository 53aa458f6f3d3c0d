"""A simulation with fix glassml every 1000 steps against the same simulation without it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lammps import Segment, check_values, network_segment, prepare_liquid, run_session
from benchmarks.outcome import Figure, Outcome, Series, Size
from benchmarks.systems import network
from glassml.export import save_model

__all__ = ["measure"]

RANKS = 2
CELLS = {"tiny": 6, "full": 16}
EVERY = {"tiny": 20, "full": 1000}
STEPS = {"tiny": 40, "full": 2000}
ROUNDS = {"tiny": 2, "full": 5}
MELT = {"tiny": 50, "full": 2000}


def measure(size: Size, folder: Path) -> Outcome:
    """Segments without and with the fix in turn, in one LAMMPS process."""
    model, steps = network(size), STEPS[size]
    file = folder / "model.pt"
    save_model(model, file)
    data = prepare_liquid(folder, CELLS[size], MELT[size])
    session = run_session(
        folder / "overhead",
        data,
        file,
        [Segment("without", steps), network_segment(file, steps, EVERY[size], "with")],
        rounds=ROUNDS[size],
        ranks=RANKS,
        warm_up=steps,
    )
    alone, together = session.seconds["without"], session.seconds["with"]
    extra = tuple(100 * (b / a - 1) for a, b in zip(alone, together, strict=True))
    what = f"{steps} steps, {RANKS} ranks, N = {session.n_atoms}"
    return Outcome(
        title=f"LAMMPS with fix glassml every {EVERY[size]} steps, {RANKS} ranks",
        series=(
            Series(f"{what}, without the fix", "s", alone),
            Series(f"{what}, with fix glassml every {EVERY[size]}", "s", together),
        ),
        comparisons=(check_values("fix glassml, first configuration", session, model, file),),
        figures=(
            Figure(
                Series(f"additional time, fix glassml every {EVERY[size]} steps", "%", extra),
                reach=10,
                go_for=5,
                better="lower",
            ),
        ),
        notes=(
            "both in one LAMMPS process, in turn; the clock is LAMMPS' loop time, without set-up",
            "the potential energy of the particles, an input of the network, is part of the cost",
        ),
    )
