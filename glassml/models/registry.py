"""Models by name."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import Any

from glassml.errors import ConfigError
from glassml.models.contract import GlassModel

__all__ = ["available", "build", "parameters_of", "register"]

# name -> (class or factory, values that the preset fixes unless they are overridden)
_REGISTRY: dict[str, tuple[type[GlassModel], dict[str, Any]]] = {}


def register(name: str, **preset: Any) -> Callable[[type[GlassModel]], type[GlassModel]]:
    """Class decorator: make a model available by name, with the preset's hyperparameters.

    A class may be registered several times, under other names and presets.
    """

    def add(cls: type[GlassModel]) -> type[GlassModel]:
        _REGISTRY[name] = (cls, preset)
        return cls

    return add


def available() -> tuple[str, ...]:
    """The names that `build` knows."""
    return tuple(sorted(_REGISTRY))


def parameters_of(name: str) -> dict[str, Any]:
    """Hyperparameters of a named model and their values unless given.

    Raises:
        ConfigError: no model has this name.
    """
    cls, preset = _find(name)
    signature = inspect.signature(cls).parameters.values()
    return {p.name: p.default for p in signature} | preset


def build(name: str, **hyperparameters: Any) -> GlassModel:
    """Build a model with fresh parameters (seed torch before for reproducible ones).

    Args:
        name: one of `available`.
        hyperparameters: override the preset's; see the model's class.

    Returns:
        The model, with ``hyperparameters`` (complete) and ``name`` set.

    Raises:
        ConfigError: unknown name or hyperparameter, or a value out of range.
    """
    cls, preset = _find(name)
    known = parameters_of(name)
    unknown = [key for key in hyperparameters if key not in known]
    if unknown:
        raise ConfigError(
            f"model {name}: unknown hyperparameter {unknown[0]!r}{_hint(unknown[0], known)}; "
            f"it has {', '.join(sorted(known))}"
        )
    values = preset | hyperparameters
    model = cls(**values)
    model.name = name
    model.hyperparameters = known | values
    return model


def _find(name: str) -> tuple[type[GlassModel], dict[str, Any]]:
    if name not in _REGISTRY:
        raise ConfigError(
            f"model: expected one of {', '.join(available())}, found {name!r}"
            f"{_hint(name, _REGISTRY)}"
        )
    return _REGISTRY[name]


def _hint(word: str, known: dict[str, Any]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
