"""`glassml train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glassml.errors import ConfigError

__all__ = ["train"]


def train(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONFIG.yaml] [FIELD=VALUE ...]",
            help="Configuration file, then settings that overrule it, such as training.epochs=20.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with the run in this folder.", show_default=False),
    ] = None,
) -> None:
    """Train a model on labelled configurations.

    The run folder gets the checkpoints, `metrics.csv`, `curves.png`, TensorBoard logs, and what
    is needed to repeat the run. An interrupted run goes on with `--resume RUN` exactly as if
    it had not been interrupted; `training.epochs=200` after that makes a finished one longer.
    """
    given = list(arguments or [])
    if resume is None and (not given or "=" in given[0]):
        raise ConfigError("expected a configuration file, or --resume with a run folder")
    if resume is not None and given and "=" not in given[0]:
        raise ConfigError(
            f"--resume: a run has its own configuration; found {given[0]!r} besides it"
        )
    import glassml.training as training

    if resume is not None:
        training.resume(resume, given)
    else:
        training.train(training.load_config(given[0], given[1:]))
