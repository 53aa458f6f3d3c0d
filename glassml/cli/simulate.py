"""`glassml simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassml.cli.interruption import interruption_keeps
from glassml.cli.output import say_warning, say_written
from glassml.errors import ConfigError

if TYPE_CHECKING:
    from glassml.simulation.pipeline import SimulateConfig

__all__ = ["simulate"]


def simulate(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG.yaml [FIELD=VALUE ...]",
            help="Configuration file, then settings that override it, such as ensemble.runs=8.",
            show_default=False,
        ),
    ],
    until: Annotated[
        str,
        typer.Option(
            metavar="STAGE",
            help="Last stage: melt, equilibrate, sample, structure or ensemble.",
        ),
    ] = "ensemble",
    write_inputs: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Simulate nothing; write the LAMMPS scripts, to run them by hand.",
        ),
    ] = None,
) -> None:
    """Simulate a glass-forming liquid with LAMMPS and make a labelled dataset of it.

    The stages: **melt** particles; cool and **equilibrate** them at each temperature until two
    windows of the trajectory agree; **sample** independent configurations; find the **structure**
    and energy of each, thermal and inherent; run an isoconfigurational **ensemble** from each.

    A small configuration file:

        # liquid.yaml
        system: {name: kob-andersen}
        particles: 1000
        temperatures: [0.8, 0.64]
        ensemble: {times: [0.1, 1, 0.3 tau_alpha, 1 tau_alpha]}

    For example:

        glassml simulate liquid.yaml

    The output folder (`runs/<name of the file>` by default) receives one dataset per temperature,
    `T<temperature>.h5`, and `summary.png`. To continue a run that was stopped or killed, run the
    same command again. docs/reference/simulation_settings.md lists every field.
    """
    if "=" in arguments[0]:
        raise ConfigError(
            "expected a configuration file, then settings that override it; found "
            f"{arguments[0]!r} first"
        )
    from rich.console import Console

    from glassml.progress import TerminalProgress
    from glassml.simulation import pipeline

    config = pipeline.load_simulate_config(arguments[0], arguments[1:])
    if write_inputs is not None:
        _write_inputs(config, write_inputs)
        return
    with interruption_keeps(f"finished tasks are kept in {config.output}"):
        result = pipeline.simulate(config, until=until, progress=TerminalProgress(Console()))
    for warning in result.warnings:
        say_warning(warning)
    if result.datasets:
        from glassml.analysis import simulation_figure  # loads torch
        from glassml.plotting import save_figure

        picture = result.folder / "summary.png"
        save_figure(simulation_figure(result.datasets), picture)
        say_written(picture)


def _write_inputs(config: SimulateConfig, folder: Path) -> None:
    from glassml.simulation import pipeline

    count, missing = pipeline.write_inputs(config, folder)
    typer.echo(f"wrote {count} scripts to {folder}; README.txt says how to run them")
    if missing is not None:
        typer.echo(f"the other scripts depend on results that do not exist yet ({missing})")
