"""`glassml simulate`: from a configuration file to labelled datasets, in resumable tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassml.errors import ConfigError, InputError, not_one_of
from glassml.files import atomic_write
from glassml.physics.units import after_density
from glassml.progress import SILENT, Progress
from glassml.settings import apply_overrides, read_yaml, validated, write_yaml
from glassml.simulation.lammps import stop_programs_in, stop_running
from glassml.simulation.lammps_program import try_program, with_whole_path
from glassml.simulation.pipeline.campaign import run_campaign
from glassml.simulation.pipeline.earlier import with_earlier_numbers
from glassml.simulation.pipeline.given import file_names
from glassml.simulation.pipeline.liquid import Liquid, liquid_of
from glassml.simulation.pipeline.script_files import write_scripts
from glassml.simulation.pipeline.simulate_config import STAGES, SimulateConfig
from glassml.simulation.pipeline.simulated_datasets import warnings_of, write_datasets
from glassml.simulation.pipeline.stage_runner import NotYetKnownError, StagePlanner, StageRunner
from glassml.work import Store, available_cores, open_workers

__all__ = ["SimulationResult", "load_simulate_config", "simulate", "write_inputs"]

_WORK = "work"


@dataclass(frozen=True)
class SimulationResult:
    """The outcome of a simulation.

    Attributes:
        folder: output folder.
        datasets: one file per temperature; empty if the simulation was to end at an earlier stage.
        warnings: warnings for users of the data.
    """

    folder: Path
    datasets: tuple[Path, ...]
    warnings: tuple[str, ...]


def load_simulate_config(path: str | Path, overrides: Sequence[str] = ()) -> SimulateConfig:
    """The checked configuration of a YAML file.

    Args:
        path: YAML file with the fields of `SimulateConfig`.
        overrides: ``field=value`` or ``section.field=value`` each; the value is read as YAML.

    Raises:
        ConfigError: the file cannot be read, or a field is unknown or has a wrong value.
    """
    written = _without_aliases(read_yaml(path, SimulateConfig), overrides)
    values = apply_overrides(written, overrides, "ensemble.runs=8")
    config = validated(SimulateConfig, values, str(path))
    changes: dict[str, object] = {}
    if config.output is None:
        changes["output"] = Path("runs") / Path(path).stem
    if config.start is not None:
        files = file_names(config.start, Path(path).parent)
        changes["start"] = config.start.model_copy(update={"files": files})
    if config.system.include is not None:
        include = (Path(path).parent / config.system.include).absolute()
        changes["system"] = config.system.model_copy(update={"include": include})
    if config.lammps is not None:
        commands = {
            name: with_whole_path(f"lammps.{name}", command, Path(path).parent)
            for name in ("command", "launcher")
            if (command := getattr(config.lammps, name)) is not None
        }
        changes["lammps"] = config.lammps.model_copy(update=commands)
    return config.model_copy(update=changes)


def simulate(
    config: SimulateConfig, *, until: str = STAGES[-1], progress: Progress = SILENT
) -> SimulationResult:
    """Run the tasks of a simulation that are not done yet, and write its datasets.

    Results are kept task by task in the folder ``work`` of the output folder. A simulation that was
    killed continues where it stopped, and ends with the same datasets as an uninterrupted one. The
    configuration may change in between: tasks that do not depend on the change are not repeated.
    Numbers that follow from the material stay those of the earlier run unless they are given.

    Args:
        config: the settings; ``output`` must be set.
        until: the last stage, one of `STAGES`.
        progress: shows each stage, and its results.

    Raises:
        ConfigError: a setting is wrong, or the output was begun with another version of LAMMPS.
        InputError: the output cannot be written, or another process is writing it.
        SimulationError: LAMMPS stops; names stage and task.
    """
    if until not in STAGES:
        raise ConfigError(f"until: {not_one_of(until, STAGES)}")
    output = _output(config)
    liquid, kept = with_earlier_numbers(liquid_of(config), output)
    if config.lammps is not None:
        try_program(liquid.program)
    store = Store(output / _WORK)
    with store.locked(output, "glassml simulate"):
        _check_version(store.folder, liquid.program.version)
        store.clear_unfinished(stop_programs_in)
        write_yaml(liquid.resolved(), output / "config.yaml")
        progress.say(f"{liquid.system.name}, {liquid.n_particles} particles; results in {output}")
        progress.say(_chosen(liquid))
        if kept is not None:
            progress.say(kept)
        try:
            count = config.workers or max(1, available_cores() // liquid.program.ranks)
            with open_workers("threads", count, config.cluster, stop_running) as workers:
                program = None if config.lammps is None else liquid.program
                runner = StageRunner(store, workers, progress, program)
                campaign = run_campaign(liquid, runner, until)
        except KeyboardInterrupt:
            store.clear_unfinished(stop_programs_in)  # also those of Dask's workers
            raise
        datasets = write_datasets(campaign, output, store) if until == STAGES[-1] else ()
    warnings = warnings_of(campaign, store if datasets else None)
    for dataset in datasets:
        progress.say(f"wrote {dataset}")
    return SimulationResult(output, datasets, tuple(warnings))


def write_inputs(config: SimulateConfig, folder: Path) -> tuple[int, str | None]:
    """Write the LAMMPS scripts that a simulation runs, for running them by hand.

    Args:
        config: the settings. Where lengths depend on measured relaxation times, the scripts go as
            far as the results in its output folder.
        folder: to write into; made if missing, must be empty.

    Returns:
        The number of scripts, and a description of the results that further scripts depend on (None
        if there are no further scripts).

    Raises:
        ConfigError: a setting is wrong.
        InputError: the folder is not empty, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: expected a new or empty folder for the scripts")
    output = _output(config)
    planner = StagePlanner(Store(output / _WORK))
    missing, (liquid, _) = None, with_earlier_numbers(liquid_of(config), output)
    try:
        run_campaign(liquid, planner)
    except NotYetKnownError as reason:
        missing = str(reason)
    tasks = [task for task in planner.known.values() if task.facts["script"]]
    write_scripts(tasks, folder, liquid.program.version, missing)
    return len(tasks), missing


def _without_aliases(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The values of a file without a density that an override gives under its other name."""
    given = {override.partition("=")[0].strip() for override in overrides}
    replaced = {
        name
        for name, alias in (("density", "number_density"), ("number_density", "density"))
        if alias in given and name not in given
    }
    return {name: value for name, value in values.items() if name not in replaced}


def _chosen(liquid: Liquid) -> str:
    """The numbers that follow from the material unless the settings give them."""
    config, unit = liquid.config, liquid.system.length_unit
    inverse = "" if unit == "lj" else f" / {unit}"
    found = [f"{len(liquid.given)} given configurations"] if liquid.given else []
    found += [
        f"number density {liquid.density:.4g}{after_density(unit, liquid.system.dimension)}",
        f"time step {liquid.timestep:g}",
        f"wave number {liquid.wave_number:g}{inverse}",
    ]
    if config.quench is not None:
        found.append(f"force tolerance {liquid.force_tolerance:g}")
    if config.cage is not None:
        found.append(f"cage radius {liquid.cage_radius:g}")
    if config.average is not None:
        found.append(f"samples every {liquid.sampling_interval:g}")
    return ", ".join(found)


def _output(config: SimulateConfig) -> Path:
    if config.output is None:
        raise ConfigError("output: expected a folder for the results")
    return config.output.absolute()


def _check_version(work: Path, version: str) -> None:
    """Refuse to mix the results of two versions of LAMMPS, which differ."""
    file = work / "lammps.txt"
    if not file.exists():
        with atomic_write(file) as partial:
            partial.write_text(version + "\n", encoding="utf-8")
    found = file.read_text(encoding="utf-8").strip()
    if found != version:
        raise ConfigError(
            f"output: expected LAMMPS {found}, with which {work.parent} was begun; found "
            f"{version}. Use the expected version, or another output folder"
        )
