"""Arguments and options of commands that read a trajectory."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["FrameInterval", "Start", "Stop", "Timestep", "Trajectory", "Unwrap"]

Trajectory = Annotated[
    list[str],
    typer.Argument(
        metavar="TRAJECTORY...",
        help="Files of one trajectory, in order; also glob patterns.",
        show_default=False,
    ),
]
Timestep = Annotated[
    float | None,
    typer.Option(
        metavar="TIME", help="Length of a time step, if frames have step numbers but no times."
    ),
]
FrameInterval = Annotated[
    float | None,
    typer.Option(metavar="TIME", help="Time between frames, instead of what they state."),
]
Start = Annotated[
    float | None,
    typer.Option(metavar="TIME", help="Leave out frames before this time."),
]
Stop = Annotated[
    float | None,
    typer.Option(metavar="TIME", help="Leave out frames after this time."),
]
Unwrap = Annotated[
    str,
    typer.Option(
        metavar="WAY",
        help="How periodic wrapping is undone: auto (images or unwrapped columns, else "
        "continuity), continuity (nearest image from frame to frame), or none (not wrapped).",
    ),
]
