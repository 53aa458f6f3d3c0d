"""Kob-Andersen liquids in LAMMPS: making one, timing segments of a run, reading values back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.outcome import Comparison
from benchmarks.reference import reference_values
from benchmarks.systems import SCALAR, graph_inputs
from benchmarks.tolerances import REGRESSION_FLOAT32, fast_path
from glassml.data import Configuration
from glassml.errors import BuildError, SimulationError
from glassml.export import read_manifest
from glassml.inference import Predictor
from glassml.models import SE3GNN
from glassml.native import build_status
from glassml.simulation import run_lammps

__all__ = [
    "Segment",
    "Session",
    "check_in_python",
    "check_values",
    "compute_segment",
    "dumped_segment",
    "evaluations_with_memory",
    "network_segment",
    "prepare_liquid",
    "run_session",
]

_POTENTIAL = """
pair_style lj/cut 2.5
pair_modify shift yes
pair_coeff 1 1 1.0 1.00 2.5
pair_coeff 1 2 1.5 0.80 2.0
pair_coeff 2 2 0.5 0.88 2.2
timestep 0.005
"""
_LOOP = re.compile(r"^Loop time of (\S+) on \d+ procs for (\d+) steps with (\d+) atoms", re.M)
# The first process above this shell that is no shell is LAMMPS. What LAMMPS itself reports (`info
# memory`) may be the peak of the Python process that started it.
_READ_PEAK = """
process=$PPID
while [ "$(cat /proc/$process/comm)" = sh ]; do
    process=$(sed -n 's/^PPid:\\s*//p' /proc/$process/status)
done
grep VmHWM /proc/$process/status >> memory.txt
"""
_TIMEOUT = 1800.0  # [s], far longer than a correct run takes
TEMPERATURE = 0.8  # a liquid that needs no slow cooling


@dataclass(frozen=True)
class Segment:
    """A part of a run that is timed.

    Attributes:
        name: under which its times are given back.
        steps: number of steps.
        before: commands that add what is measured.
        after: commands that take it away again.
    """

    name: str
    steps: int
    before: str = ""
    after: str = ""


@dataclass(frozen=True, eq=False)
class Session:
    """The results of a LAMMPS process.

    Attributes:
        seconds: for each segment the seconds of its loop, one value a round.
        configuration: the first configuration, if it was dumped.
        values: what fix glassml gave for it [N, columns].
        n_atoms: number of atoms.
        peak: largest resident memory of the first rank [MB].
    """

    seconds: Mapping[str, tuple[float, ...]]
    configuration: Configuration | None
    values: np.ndarray
    n_atoms: int
    peak: float

    def per_step(self, name: str, without: str, steps: int) -> tuple[float, ...]:
        """Seconds that a segment takes longer than another, for each of its steps and round."""
        pairs = zip(self.seconds[name], self.seconds[without], strict=True)
        return tuple((a - b) / steps for a, b in pairs)


def network_segment(
    model: Path, steps: int, every: int = 1, name: str = "network", threads: int = 1
) -> Segment:
    """Steps with fix glassml, which reads the potential energy of the particles."""
    return Segment(
        name,
        steps,
        before="compute energy all pe/atom\n"
        f"fix ml all glassml {every} {model.absolute()} A B scalar c_energy "
        f"threads {threads}",
        after="unfix ml\nuncompute energy",
    )


def compute_segment(name: str, command: str, steps: int, column: str = "[1]") -> Segment:
    """Steps with a per-atom compute that is evaluated at each, because an average asks for it.

    Args:
        name: of the segment.
        command: style and arguments of the compute.
        steps: number of steps.
        column: of an array; "" for a vector.
    """
    return Segment(
        name,
        steps,
        before=f"compute order all {command}\ncompute largest all reduce max c_order{column}\n"
        "fix asks all ave/time 1 1 1 c_largest",
        after="unfix asks\nuncompute largest\nuncompute order",
    )


def prepare_liquid(folder: Path, cells: int, steps: int) -> Path:
    """A data file with cells^3 particles that were melted at T = 2 and brought to `TEMPERATURE`.

    Made at the first call with this folder, shared by later ones.
    """
    place = folder / f"liquid-{cells}-{steps}"
    data = (place / "data.liquid").absolute()
    if data.is_file():
        return data
    script = f"""
units lj
atom_style atomic
lattice sc 1.2
region box block 0 {cells} 0 {cells} 0 {cells}
create_box 2 box
create_atoms 1 box
set group all type/subset 2 {round(0.2 * cells**3)} 4101
mass * 1.0
{_POTENTIAL}
velocity all create 2.0 4101
fix move all nvt temp 2.0 2.0 0.5
run {steps}
fix move all nvt temp 2.0 {TEMPERATURE} 0.5
run {steps}
write_data {data} nocoeff
"""
    run_lammps(script, cwd=place, timeout=_TIMEOUT, env={"OMP_NUM_THREADS": "1"})
    return data


def run_session(
    folder: Path,
    data: Path,
    model: Path,
    segments: Sequence[Segment],
    *,
    rounds: int = 1,
    ranks: int = 1,
    replicate: int = 1,
    warm_up: int = 0,
    first: Segment | None = None,
) -> Session:
    """Run segments A B C, A B C, ... in one LAMMPS process.

    The first configuration is evaluated and dumped beforehand, outside the clock.

    Args:
        folder: where LAMMPS runs.
        data: from `prepare_liquid`.
        model: exported model.
        segments: what is timed, each once a round.
        rounds: number of rounds.
        ranks: MPI ranks; LAMMPS itself uses one thread on each.
        replicate: number of copies of the box in each direction.
        warm_up: steps before the first round.
        first: what is evaluated beforehand, a fix ml and a compute energy; default: ``model``.

    Raises:
        BuildError: the LAMMPS plugin is not built for this environment.
        SimulationError: LAMMPS fails.
    """
    status = build_status("plugin")
    if not status.is_fresh:
        raise BuildError(f"fix glassml cannot be measured: {status.reason}")
    first = first or network_segment(model, steps=0)
    script = _start(data, replicate) + _dumped(first) + f"run {warm_up}\n"
    for segment in [*segments] * rounds:
        script += f"{segment.before}\nrun {segment.steps}\n{segment.after}\n"
    script += "shell sh memory.sh\n"
    _prepare_peaks(folder)
    run = run_lammps(
        script, ranks=ranks, cwd=folder, timeout=_TIMEOUT, env={"OMP_NUM_THREADS": "1"}
    )
    log = run.log.read_text(encoding="utf-8")
    loops = _LOOP.findall(log)
    expected = 2 + rounds * len(segments)
    if len(loops) != expected:
        raise SimulationError(f"{run.log}: expected {expected} timed runs; found {len(loops)}")
    timed = [float(seconds) for seconds, _, _ in loops[2:]]
    seconds = {s.name: tuple(timed[k :: len(segments)]) for k, s in enumerate(segments)}
    configuration, values = _read_dump(folder / "first.dump")
    (peak,) = _peaks(folder, 1)
    return Session(seconds, configuration, values, int(loops[0][2]), 1e-6 * peak)


def evaluations_with_memory(
    folder: Path, data: Path, model: Path, evaluations: int, samples: int
) -> np.ndarray:
    """The most memory [bytes] that was resident in LAMMPS [samples + 1].

    At the first evaluation, then after each part of the others, which are one per step.

    Raises:
        SimulationError: LAMMPS fails, or the system does not say how much memory it uses.
    """
    _prepare_peaks(folder)
    script = _start(data, 1) + network_segment(model, steps=0).before + "\nrun 0\n"
    script += "shell sh memory.sh\n"
    for part in range(samples):
        first, last = (evaluations * k // samples for k in (part, part + 1))
        script += f"run {last - first} pre no post no\nshell sh memory.sh\n"
    run_lammps(script, cwd=folder, timeout=_TIMEOUT, env={"OMP_NUM_THREADS": "1"})
    return np.array(_peaks(folder, samples + 1))


def _prepare_peaks(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.sh").write_text(_READ_PEAK, encoding="utf-8")
    (folder / "memory.txt").unlink(missing_ok=True)


def _peaks(folder: Path, number: int) -> list[float]:
    """What memory.sh wrote [bytes].

    Raises:
        SimulationError: it did not run as often as expected.
    """
    file = folder / "memory.txt"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    peaks = [1024.0 * int(line.split()[1]) for line in text.splitlines()]
    if len(peaks) != number:
        raise SimulationError(f"{folder}: expected {number} sizes of memory; found {len(peaks)}")
    return peaks


def check_values(name: str, session: Session, model: SE3GNN, file: Path) -> Comparison:
    """The values of fix glassml against the network with the float32 reference operator."""
    assert session.configuration is not None
    inputs = graph_inputs(session.configuration, model.cutoff, torch.float32)
    expected = reference_values(model, inputs, file.parent)
    return Comparison(name, session.values, expected, fast_path(read_manifest(file)))


def dumped_segment(file: Path, keywords: str = "") -> Segment:
    """What `run_session` dumps beforehand, of a model that reads no scalars."""
    return Segment(
        "dumped",
        0,
        before="compute energy all pe/atom\n"
        f"fix ml all glassml 1 {file.absolute()} A B threads 1 {keywords}",
        after="unfix ml\nuncompute energy",
    )


def check_in_python(
    name: str, file: Path, data: Path, folder: Path, keywords: str = "", ranks: int = 1
) -> Comparison:
    """The values of fix glassml against those of the same file in Python, at the same positions.

    Args:
        name: of the comparison.
        file: exported model that reads no scalars.
        data: from `prepare_liquid`.
        folder: where LAMMPS runs.
        keywords: further ones of the fix; an average of one sample is that of the positions dumped.
        ranks: MPI ranks.
    """
    session = run_session(folder, data, file, [], ranks=ranks, first=dumped_segment(file, keywords))
    assert session.configuration is not None
    predictor = Predictor(file, "cpu", threads=1, check_domain=False)
    (expected,) = predictor.predict([session.configuration], as_given=True)
    return Comparison(name, session.values, expected["propensity"], REGRESSION_FLOAT32)


def _start(data: Path, replicate: int) -> str:
    copies = f"replicate {replicate} {replicate} {replicate}\n" if replicate > 1 else ""
    return (
        f"units lj\natom_style atomic\nneighbor 0.3 bin\nread_data {data.absolute()}\n{copies}"
        f"{_POTENTIAL}\nfix move all nvt temp {TEMPERATURE} {TEMPERATURE} 0.5\nthermo 0\n"
    )


def _dumped(segment: Segment) -> str:
    """A segment whose first values are dumped with all digits."""
    return (
        f"{segment.before}\n"
        "dump first all custom 1 first.dump id type x y z c_energy f_ml[*]\n"
        "dump_modify first sort id format float %20.17g\n"
        f"run {segment.steps}\nundump first\n{segment.after}\n"
    )


def _read_dump(path: Path) -> tuple[Configuration, np.ndarray]:
    """The configuration in a dump of one frame, and the values of the fix."""
    with path.open(encoding="utf-8") as stream:
        head = [next(stream) for _ in range(9)]
        table = np.loadtxt(stream, ndmin=2)
    bounds = np.array([row.split() for row in head[5:8]], dtype=float)
    configuration = Configuration(
        positions=table[:, 2:5],
        cell=np.diag(bounds[:, 1] - bounds[:, 0]),
        species=table[:, 1].astype(int) - 1,
        species_names=("A", "B"),
        scalars={SCALAR: table[:, 5]},
    )
    return configuration, table[:, 6:]
