"""Trained models that ship with the package: NAME.pt and its model card NAME.md."""

from __future__ import annotations

from pathlib import Path

from glassml.errors import InputError, not_one_of

__all__ = ["card_path", "pretrained_names", "pretrained_path"]

_FOLDER = Path(__file__).parent


def pretrained_names() -> tuple[str, ...]:
    """Names of the models that ship with this glassml."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.pt")))


def pretrained_path(name: str) -> Path:
    """The file of a model that ships with the package.

    Args:
        name: one of `pretrained_names`, such as ``"kob_andersen_T0.44"``.

    Raises:
        InputError: there is no such model; the message names those that there are.
    """
    names = pretrained_names()
    if name not in names:
        raise InputError(f"pretrained model: {not_one_of(name, names)}")
    return _FOLDER / f"{name}.pt"


def card_path(model: str | Path) -> Path:
    """Where the model card of a model file lies: beside it, as NAME.md."""
    path = Path(model)
    return path.with_name(f"{path.name.removesuffix('.pt')}.md")
