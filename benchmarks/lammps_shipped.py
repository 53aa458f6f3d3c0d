"""A simulation with the shipped models for averaged positions, quick and best, every 1000 steps."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lammps import Segment, check_in_python, dumped_segment, prepare_liquid, run_session
from benchmarks.outcome import Figure, Outcome, Series, Size
from glassml.pretrained import pretrained_path

__all__ = ["measure"]

RANKS = 2
CELLS = {"tiny": 6, "full": 16}
EVERY = {"tiny": 40, "full": 1000}
# Long segments: the first evaluation after a fix is defined may take longer than the others.
STEPS = {"tiny": 40, "full": 8000}
ROUNDS = {"tiny": 2, "full": 5}
MELT = {"tiny": 50, "full": 2000}
INTERVAL = {"tiny": 2, "full": 20}  # steps between two samples of the positions
SAMPLES = 20
NOW = "positions average 1 1"  # of one sample: the positions that are dumped
MODELS = {"quick": "kob_andersen_T0.44_quick", "best": "kob_andersen_T0.44_average"}
REACH = {"quick": 1, "best": 5}


def measure(size: Size, folder: Path) -> Outcome:
    """Segments without a fix and with that of each model in turn, in one LAMMPS process."""
    steps, every = STEPS[size], EVERY[size]
    data = prepare_liquid(folder, CELLS[size], MELT[size])
    files = {kind: pretrained_path(name) for kind, name in MODELS.items()}
    average = f"positions average {INTERVAL[size]} {SAMPLES}"
    session = run_session(
        folder / "shipped",
        data,
        files["best"],
        [
            Segment("without", steps),
            *(
                Segment(kind, steps, _fix(file, every, average), "unfix ml")
                for kind, file in files.items()
            ),
        ],
        rounds=ROUNDS[size],
        ranks=RANKS,
        warm_up=steps,
        first=dumped_segment(files["best"], NOW),
    )
    alone = session.seconds["without"]
    extra = {
        kind: tuple(100 * (b / a - 1) for a, b in zip(alone, session.seconds[kind], strict=True))
        for kind in files
    }
    what = f"{steps} steps, {RANKS} ranks, N = {session.n_atoms}"
    return Outcome(
        title=f"LAMMPS with shipped models every {every} steps, {RANKS} ranks",
        series=(
            Series(f"{what}, without fix glassml", "s", alone),
            *(Series(f"{what}, {MODELS[kind]}", "s", session.seconds[kind]) for kind in files),
        ),
        comparisons=tuple(
            check_in_python(MODELS[kind], file, data, folder / kind, NOW, RANKS)
            for kind, file in files.items()
        ),
        figures=tuple(
            Figure(
                Series(f"additional time, {MODELS[kind]} every {every} steps", "%", extra[kind]),
                reach=REACH[kind],
                better="lower",
            )
            for kind in files
        ),
        notes=(
            "all in one LAMMPS process, in turn; the clock is LAMMPS' loop time, without set-up",
            f"positions are averaged over {SAMPLES} samples, one every {INTERVAL[size]} steps",
        ),
    )


def _fix(file: Path, every: int, average: str) -> str:
    return f"fix ml all glassml {every} {file.absolute()} A B threads 1 {average}"
