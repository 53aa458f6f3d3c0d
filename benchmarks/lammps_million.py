"""A million particles on one and two ranks: cost of an evaluation, and memory of LAMMPS with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.lammps import Session, check_values, prepare_liquid, run_session
from benchmarks.lammps_scaling import evaluation_session, same_in_all_copies
from benchmarks.outcome import Comparison, Figure, Outcome, Series, Size, ratios
from benchmarks.systems import network
from benchmarks.tolerances import FLOAT32
from glassml.export import save_model

__all__ = ["measure"]

CELLS = {"tiny": 6, "full": 16}
STEPS = {"tiny": 2, "full": 32}
CELLS_COPIED = {"tiny": 6, "full": 20}
COPIES = {"tiny": 2, "full": 5}  # of the box in each direction: 1 000 000 particles
MELT = {"tiny": 50, "full": 2000}
RANKS = (1, 2)


def measure(size: Size, folder: Path) -> Outcome:
    """One evaluation of the large system, after one of the small."""
    model, file = network(size), folder / "model.pt"
    save_model(model, file)
    copied = prepare_liquid(folder, CELLS_COPIED[size], MELT[size])
    once = run_session(folder / "once", copied, file, [])
    pairs = [_pair(size, folder, file, ranks) for ranks in RANKS]
    one, two = (pair.large for pair in pairs)
    return Outcome(
        title=f"{one.n_atoms} particles on one rank and on two",
        series=tuple(series for pair in pairs for series in pair.series),
        comparisons=(
            check_values("fix glassml, the box without copies", once, model, file),
            same_in_all_copies("fix glassml, all copies", one, once),
            Comparison("two ranks against one", two.values, one.values, FLOAT32),
        ),
        figures=tuple(figure for pair in pairs for figure in pair.figures),
        notes=(
            "loop time with an evaluation at each step, less the loop time without",
            "memory: peaks of the first rank's process, with all that LAMMPS itself holds, for the "
            "particles of one rank",
        ),
    )


@dataclass(frozen=True, eq=False)
class _Pair:
    """The small and the large system on as many ranks."""

    ranks: int
    steps: int  # of the small system
    small: Session
    large: Session

    @property
    def on(self) -> str:
        return "one rank" if self.ranks == 1 else f"{self.ranks} ranks"

    @property
    def costs(self) -> list[Series]:
        return [
            Series(
                f"a particle, {self.on}, N = {session.n_atoms}",
                "us",
                (1e6 * session.per_step("network", "none", steps)[0] / session.n_atoms,),
            )
            for session, steps in ((self.small, self.steps), (self.large, 1))
        ]

    @property
    def series(self) -> list[Series]:
        peak = Series(f"peak resident of a rank, {self.on}", "MB", (self.large.peak,))
        return [*self.costs, peak]

    @property
    def figures(self) -> list[Figure]:
        # The name without ranks is that of rows in the history.
        end = "" if self.ranks == 1 else f", {self.on}"
        small, large = self.costs
        growth = f"cost a particle, N = {self.large.n_atoms} / {self.small.n_atoms}{end}"
        more = (self.large.n_atoms - self.small.n_atoms) / self.ranks
        memory = 1e3 * (self.large.peak - self.small.peak) / more
        return [
            Figure(ratios(growth, large, small), reach=1.15, better="lower"),
            Figure(
                Series(f"a particle, LAMMPS with fix glassml{end}", "kB", (memory,)),
                reach=15,
                go_for=6,
                better="lower",
            ),
        ]


def _pair(size: Size, folder: Path, file: Path, ranks: int) -> _Pair:
    box = prepare_liquid(folder, CELLS[size], MELT[size])
    copied = prepare_liquid(folder, CELLS_COPIED[size], MELT[size])
    small = evaluation_session(
        folder / f"small{ranks}", box, file, STEPS[size], replicate=1, ranks=ranks
    )
    large = evaluation_session(
        folder / f"large{ranks}", copied, file, 1, replicate=COPIES[size], ranks=ranks
    )
    return _Pair(ranks, STEPS[size], small, large)
