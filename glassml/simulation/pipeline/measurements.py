"""Evaluators of a simulation's tasks: what is computed from the files that LAMMPS wrote.

Raise the version of an evaluator when it computes something else; results of the earlier version
are then replaced.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from glassml.errors import InputError, SimulationError
from glassml.physics import (
    isoconfigurational_averages,
    relaxation_time,
    self_intermediate_scattering,
)
from glassml.simulation.exchange import read_snapshot
from glassml.simulation.lammps import read_thermo
from glassml.simulation.pipeline.lammps_trajectory import read_frames
from glassml.simulation.short_runs import read_samples, windows_of
from glassml.work import Task, evaluator

__all__ = [
    "check_box",
    "collect_frames",
    "measure_average",
    "measure_cage",
    "measure_given_window",
    "measure_labels",
    "measure_run",
    "measure_structure",
    "measure_window",
]

_BLOCKS = 10  # of a window, whose scatter gives the error of the mean energy


@evaluator(version=1)
def check_box(task: Task, folder: Path) -> None:
    """Refuse a box in which a particle would interact with two images of another one.

    Raises:
        InputError: the box is narrower than two cutoffs.
    """
    log = (folder / "log.lammps").read_text(encoding="utf-8")
    found = re.search(r"master list distance cutoff = (\S+)", log)
    skins = re.findall(r"^neighbor\s+(\S+)\s+bin", log, flags=re.MULTILINE)
    if found is None:
        return  # the interactions are not a pair potential
    about = task.facts["parameters"]
    skin = float(skins[-1]) if skins else about["default_skin"]
    cutoff, length = float(found.group(1)) - skin, about["box_length"]
    if length < 2 * cutoff:
        n, density = about["particles"], about["density"]
        fewest = (2 * cutoff) ** about.get("dimension", 3) * density
        raise InputError(
            f"particles: expected a box of at least twice the cutoff {cutoff:g}, which takes "
            f"{int(np.ceil(fewest))} particles; found {n}, in a box of "
            f"{length:.3g}"
        )


@evaluator(version=1)
def collect_frames(task: Task, folder: Path) -> None:
    """Frames and energies of a piece of a trajectory, as arrays.

    Raises:
        SimulationError: the dump or the log is cut off.
    """
    frames = list(
        read_frames(folder / f"{task.facts['name']}.dump", task.facts["parameters"]["frames"])
    )
    log = folder / "log.lammps"
    runs = read_thermo(log)
    if not runs:  # LAMMPS' parser leaves out a run whose last lines are missing
        raise SimulationError(
            f"{log}: expected the thermo output of a whole run; found a log that is cut off. Is "
            "the disk full?"
        )
    thermo = runs[-1]
    np.savez(
        folder / f"{task.facts['name']}.npz",
        steps=[frame.step for frame in frames],
        positions=[frame.positions for frame in frames],
        # The last line is also the first of the next piece.
        energy=thermo["PotEng"][:-1],
        temperature=thermo["Temp"][:-1],
    )


@evaluator(version=1)
def measure_window(task: Task, folder: Path) -> None:
    """Relaxation and energy in a window: F_s(k, t) of one species, mean potential energy.

    F_s is averaged over the time origins.
    """
    about = task.facts["parameters"]
    chosen = slice(*about["particles"])
    pieces = [np.load(folder / name) for name in task.inputs]
    positions: dict[int, np.ndarray] = {}
    for first, piece in zip(about["first_steps"], pieces, strict=True):
        all_positions = piece["positions"]
        for i, step in enumerate(piece["steps"].tolist()):
            positions[first + step] = all_positions[i, chosen]
    f_s = [
        float(
            np.mean(
                [
                    self_intermediate_scattering(
                        positions[origin + lag] - positions[origin],
                        about["wave_number"],
                        about.get("dimension", 3),
                    )
                    for origin in about["origins"]
                ]
            )
        )
        for lag in about["lags"]
    ]
    times = [lag * about["timestep"] for lag in about["lags"]]
    energy = np.concatenate([piece["energy"] for piece in pieces])
    blocks = [block.mean() for block in np.array_split(energy, _BLOCKS)]
    _write_json(
        folder / f"{task.facts['name']}.json",
        {
            "length": about["length"],
            "times": times,
            "f_s": f_s,
            "tau_alpha": relaxation_time(np.array(times), np.array(f_s)),
            "energy": float(energy.mean()),
            "energy_error": float(np.std(blocks, ddof=1) / np.sqrt(_BLOCKS)),
            "temperature": float(np.concatenate([p["temperature"] for p in pieces]).mean()),
        },
    )


@evaluator(version=1)
def measure_given_window(task: Task, folder: Path) -> None:
    """See `measure_window`; with the standard deviation of the energy in time."""
    measure_window(task, folder)
    path = folder / f"{task.facts['name']}.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    energy = np.concatenate([np.load(folder / name)["energy"] for name in task.inputs])
    _write_json(path, {**values, "energy_deviation": float(np.std(energy, ddof=1))})


@evaluator(version=1)
def measure_structure(task: Task, folder: Path) -> None:
    """Positions, cell and energies of a configuration and of its inherent structure."""
    thermal = read_snapshot(folder / f"{task.facts['name']}.thermal.dump")
    arrays: dict[str, Any] = {
        "positions": _vectors(thermal, "xu", "yu", "zu"),
        "species": thermal["type"].astype(np.int64) - 1,
        "potential_energy": thermal["c_energy"],
        "cell": np.diag(_box(folder / f"{task.facts['name']}.thermal.dump")),
    }
    if f"{task.facts['name']}.inherent.dump" in task.facts["parameters"]["dumps"]:
        inherent = read_snapshot(folder / f"{task.facts['name']}.inherent.dump")
        forces = _vectors(inherent, "fx", "fy", "fz")
        arrays["inherent"] = _vectors(inherent, "xu", "yu", "zu")
        arrays["inherent_energy"] = inherent["c_energy"]
        arrays["largest_force"] = np.linalg.norm(forces, axis=1).max()
    np.savez(folder / f"{task.facts['name']}.npz", **arrays)


@evaluator(version=1)
def measure_cage(task: Task, folder: Path) -> None:
    """Mean displacements [N, 3] [length] to the cage centres, and their statistical error."""
    first, second = (
        _vectors(
            read_snapshot(folder / f"{task.facts['name']}.{half}.dump"),
            *(f"f_glassml_mean[{axis}]" for axis in (1, 2, 3)),
        )
        for half in (1, 2)
    )
    error = np.sqrt(((first - second) ** 2).sum(axis=1).mean()) / 2
    np.savez(folder / f"{task.facts['name']}.npz", displacement=(first + second) / 2, error=error)


@evaluator(version=1)
def measure_average(task: Task, folder: Path) -> None:
    """Averages over the windows of a short run; see `_write_windows`."""
    name = task.facts["name"]
    _write_windows(folder / f"{name}.bin", folder / f"{name}.npz", task.facts["parameters"])


@evaluator(version=1)
def measure_run(task: Task, folder: Path) -> None:
    """Displacements [T, N, 3] [length] of one isoconfigurational run, and its first window."""
    start, *later = read_frames(
        folder / f"{task.facts['name']}.dump", task.facts["parameters"]["frames"]
    )
    displacements = np.stack([frame.positions - start.positions for frame in later])
    if not np.isfinite(displacements).all():
        raise SimulationError("expected finite positions; found others, as the run has exploded")
    np.save(folder / f"{task.facts['name']}.npy", displacements)
    about = task.facts["parameters"]
    if "samples" in about:
        name = task.facts["name"]
        _write_windows(folder / f"{name}.bin", folder / f"{name}.window.npz", about)


@evaluator(version=1)
def measure_labels(task: Task, folder: Path) -> None:
    """Averages over the runs of an isoconfigurational ensemble.

    One time at a time is in memory, unless the final positions of all times are kept.
    """
    files = [folder / name for name in task.inputs]
    runs = [np.load(path, mmap_mode="r") for path in files if path.suffix == ".npy"]  # [T, N, 3]
    averages = [
        isoconfigurational_averages(np.stack([run[time] for run in runs]))
        for time in range(len(runs[0]))
    ]
    arrays = {name: np.stack([each[name] for each in averages], axis=1) for name in averages[0]}
    if task.facts["parameters"]["final"]:
        arrays["final_displacements"] = np.stack(runs).astype(np.float32)
    windows = [np.load(path) for path in files if path.suffix == ".npz"]
    if windows:
        for name in ("shift", "vibration", "energy", "path"):
            arrays[f"window_{name}"] = np.concatenate([window[name] for window in windows])
    np.savez(folder / f"{task.facts['name']}.npz", **arrays)  # type: ignore[arg-type]


def _write_windows(dump: Path, output: Path, about: dict[str, Any]) -> None:
    """Shifts, paths [W, N, 3], vibrations [W, N] [length] and mean energies [W, N] of W windows.

    Args:
        dump: the samples of a run that begins at the configuration.
        output: file to write.
        about: ``samples``, the steps of all samples; ``windows``, if there are several; and
            ``dimension``, if it is not three.
    """
    samples = read_samples(dump, about["samples"])
    pbc = (True, True, about.get("dimension", 3) == 3)
    windows = windows_of(samples, pbc, len(about["samples"]) // about.get("windows", 1))
    np.savez(
        output,
        shift=[window.shift for window in windows],
        vibration=[window.vibration for window in windows],
        energy=[np.asarray(window.energy) for window in windows],
        path=[np.asarray(window.path) for window in windows],
    )


def _box(path: Path) -> np.ndarray:
    """Edge lengths [3] [length] in the header of a snapshot."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("ITEM: BOX BOUNDS"))
    bounds = np.array([line.split()[:2] for line in lines[start + 1 : start + 4]], float)
    return bounds[:, 1] - bounds[:, 0]


def _vectors(columns: dict[str, np.ndarray], *names: str) -> np.ndarray:
    return np.stack([columns[name] for name in names], axis=1)


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values), encoding="utf-8")
