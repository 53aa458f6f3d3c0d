"""`glassml simulate`: from a configuration to labelled datasets; the call can be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from glassml.errors import ConfigError, InputError, not_one_of
from glassml.files import atomic_write, exclusive
from glassml.settings import apply_overrides, read_yaml, validated, write_yaml
from glassml.simulation.lammps import find_lammps
from glassml.simulation.pipeline.campaign import run_campaign
from glassml.simulation.pipeline.liquid import liquid_of
from glassml.simulation.pipeline.output import warnings_of, write_datasets
from glassml.simulation.pipeline.runner import NotYetKnownError, Planner, Runner
from glassml.simulation.pipeline.scheduler import open_executor
from glassml.simulation.pipeline.script_files import write_scripts
from glassml.simulation.pipeline.simulate_config import STAGES, SimulateConfig
from glassml.simulation.pipeline.tasks import clear_unfinished

__all__ = ["SimulationResult", "load_simulate_config", "simulate", "write_inputs"]

_WORK = "work"


@dataclass(frozen=True)
class SimulationResult:
    """What a simulation has left.

    Attributes:
        folder: output folder.
        datasets: one file for each temperature; none if the last stage was an earlier one.
        warnings: what users of the data must know.
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
    values = apply_overrides(read_yaml(path, SimulateConfig), overrides, "ensemble.runs=8")
    config = validated(SimulateConfig, values, str(path))
    changes: dict[str, object] = {}
    if config.output is None:
        changes["output"] = Path("runs") / Path(path).stem
    if config.system.include is not None:
        include = (Path(path).parent / config.system.include).absolute()
        changes["system"] = config.system.model_copy(update={"include": include})
    return config.model_copy(update=changes)


def simulate(
    config: SimulateConfig, *, until: str = STAGES[-1], console: Console | None = None
) -> SimulationResult:
    """Do what is not done yet of a simulation, and write its datasets.

    Everything is kept in ``work`` of the output folder, task by task. A run that was killed goes on
    where it was, and ends with the same datasets as one that was not. The configuration may be
    changed in between: what it does not concern is not done again.

    Args:
        config: the settings; ``output`` must be set.
        until: the last stage, one of `STAGES`.
        console: where progress is shown; None: standard output.

    Raises:
        ConfigError: a setting is wrong, or LAMMPS is another one than before.
        InputError: the output cannot be written, or another process is writing it.
        SimulationError: LAMMPS stops; names stage and task.
    """
    if until not in STAGES:
        raise ConfigError(f"until: {not_one_of(until, STAGES)}")
    output = _output(config)
    console = console or Console()
    liquid = liquid_of(config)
    work = output / _WORK
    with _locked(output), open_executor(config.workers, config.cluster) as executor:
        _check_version(work)
        clear_unfinished(work)
        write_yaml(config, output / "config.yaml")
        runner = Runner(work, executor, console)
        runner.say(f"{liquid.system.name}, {config.particles} particles; results in {output}")
        campaign = run_campaign(liquid, runner, until)
        datasets = write_datasets(campaign, output, work) if until == STAGES[-1] else ()
    warnings = warnings_of(campaign, work if datasets else None)
    for warning in warnings:
        runner.say(f"WARNING: {warning}")
    for dataset in datasets:
        runner.say(f"wrote {dataset}")
    return SimulationResult(output, datasets, tuple(warnings))


def write_inputs(config: SimulateConfig, folder: Path) -> tuple[int, str | None]:
    """Write the LAMMPS scripts that a simulation runs, for running them by hand.

    Args:
        config: the settings. What is in its output folder already decides how far the scripts go
            where lengths depend on measured relaxation times.
        folder: to write into; made if missing, must be empty.

    Returns:
        The number of scripts, and what must be run before the others are known (None: nothing).

    Raises:
        ConfigError: a setting is wrong.
        InputError: the folder is not empty, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: expected a new or empty folder for the scripts")
    planner = Planner(_output(config) / _WORK)
    missing = None
    try:
        run_campaign(liquid_of(config), planner)
    except NotYetKnownError as reason:
        missing = str(reason)
    tasks = [task for task in planner.known.values() if task.script]
    write_scripts(tasks, folder, find_lammps().version, missing)
    return len(tasks), missing


def _output(config: SimulateConfig) -> Path:
    if config.output is None:
        raise ConfigError("output: expected a folder for the results")
    return config.output.absolute()


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Keep other processes out of the output folder."""

    def refuse() -> None:
        raise InputError(
            f"output: another `glassml simulate` is at work in {output}; wait for it or choose "
            "another folder"
        )

    with ExitStack() as stack:
        try:
            (output / _WORK).mkdir(parents=True, exist_ok=True)
            stack.enter_context(exclusive(output / _WORK / ".lock", refuse))
        except OSError as error:
            raise InputError(f"output: cannot write in {output}: {error.strerror}") from None
        yield


def _check_version(work: Path) -> None:
    """Results of two versions of LAMMPS differ, so they are not mixed."""
    version, file = find_lammps().version, work / "lammps.txt"
    if not file.exists():
        with atomic_write(file) as partial:
            partial.write_text(version + "\n", encoding="utf-8")
    found = file.read_text(encoding="utf-8").strip()
    if found != version:
        raise ConfigError(
            f"output: {work.parent} was begun with LAMMPS {found}, and this is {version}; use that "
            "one, or another output folder"
        )
