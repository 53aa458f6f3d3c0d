"""The tasks of each stage: scripts, inputs and evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from glassml.data import Configuration
from glassml.errors import ConfigError
from glassml.simulation.pipeline.lammps_task import lammps_task
from glassml.simulation.pipeline.liquid import Liquid
from glassml.simulation.pipeline.measurements import (
    check_box,
    collect_frames,
    measure_cage,
    measure_given_window,
    measure_labels,
    measure_run,
    measure_structure,
    measure_window,
)
from glassml.simulation.pipeline.scripts import (
    cage_script,
    create_script,
    dynamics_script,
    ensemble_script,
    steps_file,
    structure_script,
)
from glassml.simulation.pipeline.simulate_config import CageConfig
from glassml.simulation.short_runs import steps_between_samples
from glassml.work import Task

__all__ = [
    "Chain",
    "LiquidSample",
    "State",
    "box_facts",
    "cage_task",
    "label_tasks",
    "melt",
    "run_samples",
    "structure_task",
]

_ORIGINS = 8  # time origins in a window, in its first half
_LAGS_PER_DECADE = 8
# LAMMPS' own [length]; 2 in units of angstrom and bohr.
_SKINS = {"lj": 0.3, "si": 0.001, "cgs": 0.1, "micro": 0.1, "nano": 0.1}
_THERMO_LINES = 200  # lines of thermo output per run, for means and errors of energies


class State(NamedTuple):
    """A state of the liquid in a restart file.

    Attributes:
        file: name of the restart file.
        key: key of the task that writes it.
    """

    file: str
    key: str


class LiquidSample(NamedTuple):
    """A configuration of the dataset.

    Attributes:
        name: name such as "T0.64-0001".
        temperature: temperature at which it was equilibrated.
        replica: number of the replica that it comes from: 1, 2, ...
        state: the restart file that holds it.
        given: the configuration itself, if it was given to begin from.
    """

    name: str
    temperature: float
    replica: int
    state: State
    given: Configuration | None = None


@dataclass
class Chain:
    """The trajectory of one replica, which grows piece by piece.

    Attributes:
        liquid: what is simulated.
        replica: 1, 2, ...
        state: the end of the trajectory.
        temperature: temperature at this end.
    """

    liquid: Liquid
    replica: int
    state: State
    temperature: float

    def prefix(self, temperature: float) -> str:
        """The beginning of the names of tasks."""
        return f"T{temperature:g}-replica{self.replica}"

    def extend(
        self, stage: str, name: str, steps: int, temperature: float | None = None
    ) -> list[Task]:
        """Pieces that continue the trajectory, cooling linearly to a temperature if it is given."""
        first = self.temperature
        last = first if temperature is None else temperature
        tasks = []
        pieces, thermo = trajectory_pieces(steps, self.liquid.config.segment)
        for i, (begin, end) in enumerate(pieces, start=1):
            ramp = tuple(first + (last - first) * step / steps for step in (begin, end))
            tasks.append(self._piece(stage, f"{name}-{i}", end - begin, (ramp[0], ramp[1]), thermo))
        self.temperature = last
        return tasks

    def window(self, name: str, steps: int) -> tuple[list[Task], Task]:
        """Pieces in which relaxation is measured, and the task that measures it."""
        origins, lags = window_steps(steps)
        wanted = sorted({origin + lag for origin in origins for lag in (0, *lags)})
        bounds, thermo = trajectory_pieces(steps, self.liquid.config.segment)
        at = (self.temperature, self.temperature)
        pieces = []
        for i, (begin, end) in enumerate(bounds, start=1):
            frames = [step - begin for step in wanted if begin < step <= end]
            frames = [0, *frames] if begin == 0 else frames or [end - begin]
            piece = self._piece("equilibrate", f"{name}-{i}", end - begin, at, thermo, frames)
            pieces.append((begin, piece))
        measure = lammps_task(
            stage="equilibrate",
            name=f"{name}-measured",
            outputs=(f"{name}-measured.json",),
            inputs={f"{task.facts['name']}.npz": task.key for _, task in pieces},
            evaluate=measure_given_window if self.liquid.given else measure_window,
            consumes=True,
            parameters={
                "length": steps * self.liquid.timestep,
                "timestep": self.liquid.timestep,
                "wave_number": self.liquid.wave_number,
                "particles": list(self.liquid.measured_particles),
                "first_steps": [begin for begin, _ in pieces],
                "origins": origins,
                "lags": lags,
                **_dimension(self.liquid),
            },
        )
        return [task for _, task in pieces], measure

    def _piece(
        self,
        stage: str,
        name: str,
        steps: int,
        temperatures: tuple[float, float],
        thermo: int,
        frames: Sequence[int] | None = None,
    ) -> Task:
        script = dynamics_script(
            self.liquid, name, self.state.file, steps, temperatures, thermo, frames
        )
        task = lammps_task(
            stage=stage,
            name=name,
            script=script,
            outputs=(f"{name}.restart", *([] if frames is None else [f"{name}.npz"])),
            files={} if frames is None else {f"{name}.steps": steps_file(frames, steps)},
            inputs={self.state.file: self.state.key},
            evaluate=None if frames is None else collect_frames,
            parameters={} if frames is None else {"frames": list(frames)},
            cost=float(steps * self.liquid.n_particles),
        )
        self.state = State(f"{name}.restart", task.key)
        return task


def melt(liquid: Liquid, replica: int) -> tuple[Chain, list[Task]]:
    """A molten replica, and the tasks that make it."""
    prefix = f"melt-replica{replica}"
    name = f"{prefix}-created"
    create = lammps_task(
        stage="melt",
        name=name,
        script=create_script(liquid, name, liquid.seed(name)),
        outputs=(f"{name}.restart",),
        files={f"{name}.data": _lattice(liquid, liquid.seed(f"{name}/lattice"))},
        evaluate=check_box,
        parameters={
            "box_length": liquid.box_length,
            "particles": liquid.n_particles,
            "density": liquid.density,
            **box_facts(liquid),
        },
    )
    state = State(f"{name}.restart", create.key)
    chain = Chain(liquid, replica, state, liquid.melt_temperature)
    steps = liquid.steps(liquid.config.cooling.melt_time, 10_000)
    return chain, [create, *chain.extend("melt", prefix, steps)]


def structure_task(liquid: Liquid, sample: LiquidSample) -> Task:
    """Positions, energies and the inherent structure of a configuration."""
    name = f"{sample.name}-structure"
    dumps = [f"{name}.thermal.dump"]
    dumps += [] if liquid.config.quench is None else [f"{name}.inherent.dump"]
    return lammps_task(
        stage="structure",
        name=name,
        script=structure_script(liquid, name, sample.state.file),
        outputs=(f"{name}.npz",),
        inputs={sample.state.file: sample.state.key},
        evaluate=measure_structure,
        parameters={"dumps": dumps},
        cost=1000.0 * liquid.n_particles,  # about the iterations of FIRE
    )


def cage_task(liquid: Liquid, sample: LiquidSample, cage: CageConfig) -> Task:
    """The cage centres of a configuration."""
    name = f"{sample.name}-cage"
    script = cage_script(
        liquid, name, sample.state.file, sample.temperature, liquid.seed(name), cage
    )
    return lammps_task(
        stage="structure",
        name=name,
        script=script,
        outputs=(f"{name}.npz",),
        inputs={sample.state.file: sample.state.key},
        evaluate=measure_cage,
        cost=float(cage.steps * liquid.n_particles),
    )


def label_tasks(
    liquid: Liquid, sample: LiquidSample, frames: Sequence[int]
) -> tuple[list[Task], Task]:
    """The runs of an isoconfigurational ensemble, and the task that averages over them.

    Velocities of a run follow the Maxwell-Boltzmann distribution in the frame in which the total
    momentum is zero: LAMMPS draws their direction in the space of all velocities, and their kinetic
    energy is drawn here from its distribution for 3 N - 3 degrees of freedom (2 N - 2 in the
    plane).
    """
    ensemble = liquid.config.ensemble
    assert ensemble is not None, "called for labelled datasets only"
    n = liquid.n_particles
    samples = run_samples(liquid, frames[-1])
    window = {} if not samples else {"samples": samples, **_dimension(liquid)}
    spacing = None if not samples else ((*samples, 1)[1], samples[-1])  # 1 for a single sample
    runs = []
    for i in range(1, ensemble.runs + 1):
        name = f"{sample.name}-run{i}"
        seed = liquid.seed(name)
        freedom = liquid.system.dimension * (n - 1)
        draw = np.random.default_rng(liquid.seed(f"{name}/energy")).chisquare(freedom) / freedom
        temperature = sample.temperature
        runs.append(
            lammps_task(
                stage="ensemble",
                name=name,
                script=ensemble_script(
                    liquid,
                    name,
                    sample.state.file,
                    temperature,
                    temperature * float(draw),
                    seed,
                    max(1, frames[-1] // _THERMO_LINES),
                    frames,
                    spacing,
                ),
                outputs=(f"{name}.npy", *([f"{name}.window.npz"] if samples else ())),
                files={f"{name}.steps": steps_file(frames, frames[-1])},
                inputs={sample.state.file: sample.state.key},
                evaluate=measure_run,
                parameters={"frames": [0, *frames], **window},
                cost=float(frames[-1] * n),
            )
        )
    average = lammps_task(
        stage="ensemble",
        name=f"{sample.name}-labels",
        outputs=(f"{sample.name}-labels.npz",),
        inputs={file: run.key for run in runs for file in run.outputs if file != "log.lammps"},
        evaluate=measure_labels,
        consumes=True,
        parameters={"final": ensemble.keep_final_positions},
    )
    return runs, average


def run_samples(liquid: Liquid, last: int) -> list[int]:
    """The steps of the window at the beginning of each run; empty if there is none.

    Args:
        liquid: what is simulated.
        last: number of time steps of the runs.

    Raises:
        ConfigError: the runs are shorter.
    """
    average = liquid.config.average
    if average is None or average.windows != "runs":
        return []
    every = steps_between_samples(liquid.sampling_interval, liquid.timestep)
    steps = [every * k for k in range(average.samples)]
    if steps[-1] > last:
        raise ConfigError(
            f"average.samples: expected a window within the runs of {last * liquid.timestep:g}; "
            f"found {average.samples} samples every {liquid.sampling_interval:g}"
        )
    return steps


def window_steps(steps: int) -> tuple[list[int], list[int]]:
    """Time origins in a window, and the lags of F_s, up to half of its length."""
    longest = max(1, steps // 2)
    origins = sorted({i * longest // _ORIGINS for i in range(_ORIGINS)})
    count = 1 + int(np.ceil(_LAGS_PER_DECADE * np.log10(longest)))
    lags = np.unique(np.rint(np.geomspace(1, longest, count)).astype(int))
    return origins, lags.tolist()


def trajectory_pieces(steps: int, longest: int) -> tuple[list[tuple[int, int]], int]:
    """How to cut a run into pieces, and the time steps between its lines of thermo output.

    Cuts are at multiples of the interval, so the lines are evenly spaced in the whole run and every
    piece has its proper weight in means; apart from that, the pieces are as equal as possible.

    Args:
        steps: time steps of the whole run.
        longest: largest number of time steps of a piece; it may exceed this by one interval.

    Returns:
        The first and the last step of each piece, and the interval.
    """
    n = -(-steps // longest)
    per_piece = -(-_THERMO_LINES // n)
    interval = max(1, steps // (n * per_piece))
    cuts = [i * steps // n // interval * interval for i in range(n)]
    return list(pairwise([*cuts, steps])), interval


def _lattice(liquid: Liquid, seed: int) -> str:
    """A data file: particles at random on the sites of a simple cubic or square lattice."""
    n, length, dimension = liquid.n_particles, liquid.box_length, liquid.system.dimension
    side = int(np.ceil(n ** (1 / dimension) - 1e-9))
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(side**dimension)[:n]
    sites = np.stack(np.unravel_index(chosen, (side,) * dimension), axis=1)
    positions = np.zeros((n, 3))
    positions[:, :dimension] = (sites + 0.5) * length / side
    bounds = [f"0 {length!r}"] * dimension + ["-0.5 0.5"] * (3 - dimension)
    lines = [
        f"{liquid.system.name}: {n} particles on a lattice\n",
        f"{n} atoms",
        f"{len(liquid.counts)} atom types\n",
        *(f"{bound} {axis}lo {axis}hi" for axis, bound in zip("xyz", bounds, strict=True)),
        "\nAtoms # atomic\n",
        *(
            f"{i} {kind + 1} {x!r} {y!r} {z!r}"
            for i, (kind, (x, y, z)) in enumerate(
                zip(liquid.types.tolist(), positions.tolist(), strict=True), start=1
            )
        ),
    ]
    return "\n".join(lines) + "\n"


def box_facts(liquid: Liquid) -> dict[str, Any]:
    """What `check_box` needs about a liquid, apart from the box."""
    return {"default_skin": _SKINS.get(liquid.system.units, 2.0), **_dimension(liquid)}


def _dimension(liquid: Liquid) -> dict[str, int]:
    """The number of dimensions, for the parameters of a task; omitted if it is three."""
    return {"dimension": 2} if liquid.system.dimension == 2 else {}
