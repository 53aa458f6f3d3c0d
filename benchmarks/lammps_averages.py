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
# A window whose end is not reached: only samples are taken.
NEVER = 1_000_000


def measure(size: Size, folder: Path) -> Outcome:
    """Segments without the fix, with samples alone, and with evaluations, in one process."""
    model, steps, evaluations = network(size), STEPS[size], EVALUATIONS[size]
    file = folder / "model.pt"
    save_model(model, file)
    data = prepare_liquid(folder, CELLS[size], MELT[size])
    segments = [
        _sampling_segment("idle", _averaging_model(folder, "idle", (), 2), steps),
        *(
            _sampling_segment(name, _averaging_model(folder, name, scalars, NEVER), steps)
            for name, scalars in (("positions", ()), ("energies", WINDOW_SCALARS))
        ),
        Segment("without", steps),
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
    added = {
        name: tuple(
            100 * (dense - idle) / alone / BETWEEN
            for dense, idle, alone in zip(
                session.seconds[name],
                session.seconds["idle"],
                session.seconds["without"],
                strict=True,
            )
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
        series=(
            Series(f"{steps} steps without the fix, {at}", "s", session.seconds["without"]),
            Series(f"{steps} steps with the fix and no sample, {at}", "s", session.seconds["idle"]),
            *cost.values(),
        ),
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
            f"samples were taken at every step, and their cost divided by {BETWEEN}; for the rest "
            "of the fix compare the rows with and without it",
            "the windows are so long that no evaluation falls into the time",
            "an evaluation at averaged positions includes two samples",
        ),
    )


def _averaging_model(folder: Path, name: str, scalars: tuple[str, ...], samples: int) -> Path:
    """Any model, as it is not evaluated, with a window of this many samples."""
    model = build("analytic", scalar_inputs=scalars)
    model.positions, model.window = "average", Window(STEP * NEVER / samples, samples)
    save_model(model, folder / f"{name}.pt")
    return folder / f"{name}.pt"


def _sampling_segment(name: str, model: Path, steps: int) -> Segment:
    """Steps from the beginning of a window, with the fix and its model's window."""
    command = f"fix ml all glassml {NEVER} {model.absolute()} A B"
    return Segment(name, steps, before=f"reset_timestep 0\n{command}", after="unfix ml")


def _evaluating_segment(name: str, model: Path, positions: str, evaluations: int) -> Segment:
    command = f"fix ml all glassml 2 {model.absolute()} A B threads 1 positions {positions}"
    return Segment(name, 2 * evaluations, before=command, after="unfix ml")
