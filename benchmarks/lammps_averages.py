"""What averaged positions cost in LAMMPS: keeping the averages, and an evaluation at them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lammps import Segment, check_values, prepare_liquid, run_session
from benchmarks.outcome import Figure, Outcome, Series, Size, ratios
from benchmarks.systems import network
from glassml.data import WINDOW_SCALARS, Window
from glassml.export import save_model
from glassml.models import build

__all__ = ["measure"]

RANKS = 2
CELLS = {"tiny": 6, "full": 16}
STEPS = {"tiny": 40, "full": 2000}
EVALUATIONS = {"tiny": 2, "full": 10}
ROUNDS = {"tiny": 2, "full": 7}
MELT = {"tiny": 50, "full": 2000}
# Samples every 20 steps cost less than the time of a segment varies. So samples are taken at every
# step, and their cost is divided by the usual distance.
BETWEEN = 20
STEP = 0.005
# A window without an end that is reached: only samples are taken.
NEVER, MANY = 1_000_000, 1_000_000


def measure(size: Size, folder: Path) -> Outcome:
    """Segments without the fix, with samples alone, and with evaluations, in one process."""
    model, steps, evaluations = network(size), STEPS[size], EVALUATIONS[size]
    file = folder / "model.pt"
    save_model(model, file)
    data = prepare_liquid(folder, CELLS[size], MELT[size])
    segments = [
        Segment("without", steps),
        _sampling_segment("positions", _averaging_model(folder, "positions", ()), steps),
        _sampling_segment("energies", _averaging_model(folder, "energies", WINDOW_SCALARS), steps),
        Segment("none", 2 * evaluations),
        *(
            _evaluating_segment(name, file, keyword, evaluations)
            for name, keyword in (("thermal", "thermal"), ("average", "average 1 2"))
        ),
    ]
    session = run_session(
        folder / "averages",
        data,
        file,
        segments,
        rounds=ROUNDS[size],
        ranks=RANKS,
        warm_up=STEPS[size],
    )
    at = f"{RANKS} ranks, N = {session.n_atoms}"
    alone = session.seconds["without"]
    added = {
        name: tuple(
            100 * (b / a - 1) / BETWEEN for a, b in zip(alone, session.seconds[name], strict=True)
        )
        for name in ("positions", "energies")
    }
    cost = {
        name: Series(
            f"one evaluation at {name} positions, {at}",
            "s",
            session.per_step(name, "none", evaluations),
        )
        for name in ("thermal", "average")
    }
    return Outcome(
        title=f"averaged positions in LAMMPS, {RANKS} ranks",
        series=(Series(f"{steps} steps without the fix, {at}", "s", alone), *cost.values()),
        comparisons=(check_values("fix glassml, first configuration", session, model, file),),
        figures=(
            Figure(
                Series(
                    f"additional time, positions sampled every {BETWEEN} steps",
                    "%",
                    added["positions"],
                ),
                reach=1,
                go_for=0.3,
                better="lower",
            ),
            Figure(
                Series(
                    f"additional time, positions and energies sampled every {BETWEEN} steps",
                    "%",
                    added["energies"],
                ),
                reach=1,
                go_for=0.3,
                better="lower",
            ),
            Figure(
                ratios(
                    "evaluation at averaged / at thermal positions",
                    cost["average"],
                    cost["thermal"],
                ),
                reach=1.05,
                go_for=1.02,
                better="lower",
            ),
        ),
        notes=(
            f"the cost of a sample was measured at every step, and divided by {BETWEEN}",
            "the windows have so many samples that no evaluation falls into the time",
            "an evaluation at averaged positions includes two samples",
        ),
    )


def _averaging_model(folder: Path, name: str, scalars: tuple[str, ...]) -> Path:
    """Any model: it is not evaluated."""
    model = build("analytic", scalar_inputs=scalars)
    model.positions, model.window = "average", Window(STEP, MANY)
    save_model(model, folder / f"{name}.pt")
    return folder / f"{name}.pt"


def _sampling_segment(name: str, model: Path, steps: int) -> Segment:
    command = f"fix ml all glassml {NEVER} {model.absolute()} A B positions average"
    return Segment(name, steps, before=f"{command} 1 {MANY}", after="unfix ml")


def _evaluating_segment(name: str, model: Path, positions: str, evaluations: int) -> Segment:
    command = f"fix ml all glassml 2 {model.absolute()} A B threads 1 positions {positions}"
    return Segment(name, 2 * evaluations, before=command, after="unfix ml")
