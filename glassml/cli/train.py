"""`glassml train`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from glassml.cli.interruption import interruption_keeps
from glassml.errors import ConfigError

__all__ = ["train"]


def train(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONFIG.yaml] [FIELD=VALUE ...]",
            help="Configuration file, then settings that override it, such as training.epochs=20.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Continue the run in this folder."),
    ] = None,
) -> None:
    """Train a model on labelled configurations.

    The run folder (`runs/<name of the configuration file>` by default) receives the checkpoints,
    `metrics.csv`, `curves.png`, TensorBoard logs, and all that is needed to repeat the run.
    `--resume RUN` continues an interrupted run exactly as if it had not been interrupted; with
    `training.epochs=200` it makes a finished run longer.
    docs/reference/training_settings.md lists the settings.

    The smallest configuration file, which trains on the dataset that ships with glassml:

        # first.yaml
        data: {train: kob_andersen_T0.64}

    For example:

        glassml train first.yaml training.epochs=20
    """
    given = list(arguments or [])
    if resume is None and (not given or "=" in given[0]):
        raise ConfigError("expected a configuration file, or --resume with a run folder")
    if resume is not None and given and "=" not in given[0]:
        raise ConfigError(
            f"--resume: expected no file, as a run has its own configuration; found {given[0]!r}"
        )
    from rich.console import Console

    import glassml.training as training
    from glassml.progress import TerminalProgress

    progress = TerminalProgress(Console())
    config = None if resume is not None else training.load_config(given[0], given[1:])
    folder = resume or (config and config.output) or Path()
    overrides = given if resume is not None else []
    resume_with = shlex.join(["glassml", "train", "--resume", str(folder), *overrides])
    with interruption_keeps(lambda: training.kept(folder), resume_with):
        if config is None:
            training.resume(folder, given, progress)
        else:
            training.train(config, progress)
