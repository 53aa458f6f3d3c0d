"""Models by name: those of this package, and those of the user's own files.

The environment variable ``GLASSML_MODELS`` names Python files, separated as in ``PATH``. They are
imported when a model is first looked for, and register their models by `register`. Neither
configurations nor checkpoints can name such a file, so nothing that came from others runs code.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pydantic import BeforeValidator, FiniteFloat, StrictBool, StrictInt, StrictStr, TypeAdapter
from pydantic import ValidationError as PydanticError

from glassml.errors import ConfigError, did_you_mean, not_one_of
from glassml.models.contract import GlassModel
from glassml.models.lengths import scaled_to
from glassml.physics.units import METRES

__all__ = [
    "available",
    "build",
    "lengths_of",
    "material_lengths",
    "own_file",
    "parameters_of",
    "rebuild",
    "register",
    "trained_by",
    "untrained_models",
]

# name -> (class, default hyperparameters of the preset)
_REGISTRY: dict[str, tuple[type[GlassModel], dict[str, Any]]] = {}
_OWN_FILES: set[Path] = set()  # that were imported


def register(name: str, **preset: Any) -> Callable[[type[GlassModel]], type[GlassModel]]:
    """Class decorator: make a model available by name, with the preset's hyperparameters.

    A class may be registered several times, with different names and presets. A name may be
    registered again, as by a cell of a notebook that is run twice.

    Raises:
        ConfigError: the name is that of a model of glassml, and the class is not.
    """

    def add(cls: type[GlassModel]) -> type[GlassModel]:
        if name in _REGISTRY and _is_ours(_REGISTRY[name][0]) and not _is_ours(cls):
            raise ConfigError(
                f"register: expected another name than those of glassml's models; found {name!r}"
            )
        _REGISTRY[name] = (cls, preset)
        return cls

    return add


def available() -> tuple[str, ...]:
    """The names that `build` knows.

    Raises:
        ConfigError: ``GLASSML_MODELS`` names something that is no Python file, or one that cannot
            be imported.
    """
    _import_own()
    return tuple(sorted(_REGISTRY))


def untrained_models() -> tuple[str, ...]:
    """Those of `available` whose descriptors need no training: `glassml refit` fits decoders.

    Raises:
        ConfigError: see `available`.
    """
    return tuple(name for name in available() if not _REGISTRY[name][0].needs_training)


def parameters_of(name: str) -> dict[str, Any]:
    """Hyperparameters of a named model and their default values.

    Raises:
        ConfigError: no model has this name.
    """
    cls, preset = _find(name)
    signature = inspect.signature(cls).parameters.values()
    return {p.name: p.default for p in signature} | preset


def lengths_of(name: str) -> tuple[str, ...]:
    """The hyperparameters of a named model that are lengths.

    Raises:
        ConfigError: no model has this name.
    """
    return _find(name)[0].lengths


def trained_by(name: str) -> str:
    """The command that trains a named model.

    Raises:
        ConfigError: no model has this name.
    """
    return _find(name)[0].trained_by


def material_lengths(name: str, spacing: float) -> dict[str, Any]:
    """The default lengths of a named model for a material: hyperparameter -> [length].

    A hyperparameter may also be several lengths.

    Args:
        name: one of `available`.
        spacing: mean distance between neighbouring particles [length], to which the lengths are
            scaled (see `glassml.models.lengths`).

    Raises:
        ConfigError: no model has this name.
    """
    defaults = parameters_of(name)
    return {length: _scaled(spacing, defaults[length]) for length in lengths_of(name)}


def _scaled(spacing: float, lengths: Any) -> Any:
    if isinstance(lengths, Sequence):
        return tuple(scaled_to(spacing, length) for length in lengths)
    return scaled_to(spacing, lengths)


def build(name: str, **hyperparameters: Any) -> GlassModel:
    """Build a model with random parameters (seed torch before for reproducible ones).

    Args:
        name: one of `available`.
        hyperparameters: these override those of the preset; see the class of the model.

    Returns:
        The model, with ``hyperparameters`` (complete) and ``name`` set.

    Raises:
        ConfigError: unknown name or hyperparameter, a value of the wrong type or out of range, or
            no value for a length whose unit is not "lj", in which its default is.
    """
    cls, preset = _find(name)
    known = parameters_of(name)
    unknown = [key for key in hyperparameters if key not in known]
    if unknown:
        raise ConfigError(
            f"model {name}: expected hyperparameters among {', '.join(sorted(known))}; "
            f"found {unknown[0]!r}{did_you_mean(unknown[0], known)}"
        )
    _check_lengths_given(cls, hyperparameters)
    values = _converted(cls, preset | hyperparameters)
    model = cls(**values)
    model.name = name
    model.hyperparameters = known | values
    return model


def rebuild(name: str, recorded: Mapping[str, Any]) -> GlassModel:
    """Build a model from recorded hyperparameters, with random parameters.

    Args:
        name: one of `available`.
        recorded: its hyperparameters in a file; those that its version did not have get their
            defaults, with which it is the same model.

    Raises:
        ConfigError: see `build`.
    """
    return build(name, **{**parameters_of(name), **recorded})


def _check_lengths_given(cls: type[GlassModel], hyperparameters: Mapping[str, Any]) -> None:
    unit = hyperparameters.get("length_unit", "lj")
    for length in cls.lengths:
        if unit in METRES and length not in hyperparameters:
            raise ConfigError(
                f"{length}: expected a length in {unit}, as the default is in LJ units; found "
                "none; `glassml.models.material_lengths` gives the default for a material"
            )


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")
    return value


def _listed(value: Any) -> Any:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError("not a list")
    return tuple(value)


# YAML reads 1e-2 as a string, so a number may be one.
_Number = Annotated[FiniteFloat, BeforeValidator(_not_bool)]

# Annotation of a hyperparameter -> (type that a value must have, the same in words). Pydantic's own
# conversions accept too much: 10.0 or "10" as a whole number, and "no" or 0 as false.
_ACCEPTED: dict[Any, tuple[Any, str]] = {
    bool: (StrictBool, "true or false"),
    int: (StrictInt, "a whole number"),
    float: (_Number, "a finite number"),
    str: (StrictStr, "a name"),
    Sequence[float]: (
        Annotated[tuple[_Number, ...], BeforeValidator(_listed)],
        "a list of finite numbers",
    ),
    Sequence[str]: (Annotated[tuple[StrictStr, ...], BeforeValidator(_listed)], "a list of names"),
}


def _converted(cls: type[GlassModel], values: dict[str, Any]) -> dict[str, Any]:
    """Values converted to the annotated types of a model's arguments.

    Annotations that are not in `_ACCEPTED` are left to the model.

    Raises:
        ConfigError: a value is of another type; the message names it.
    """
    annotations = get_type_hints(cls.__init__)
    result = dict(values)
    for name, value in values.items():
        accepted, words = _ACCEPTED.get(annotations.get(name), (Any, ""))
        try:
            result[name] = TypeAdapter(accepted).validate_python(value)
        except PydanticError:
            raise ConfigError(f"{name}: expected {words}; found {value!r}") from None
    return result


def own_file(name: str) -> Path | None:
    """The user's own Python file that a named model is from; None for a model of glassml.

    Raises:
        ConfigError: no model has this name.
    """
    cls, _ = _find(name)
    return None if _is_ours(cls) else Path(inspect.getfile(cls))


def _is_ours(cls: type[GlassModel]) -> bool:
    return cls.__module__.startswith("glassml.")


def _import_own() -> None:
    """Import the files of ``GLASSML_MODELS``, each once in a process."""
    for name in filter(None, os.environ.get("GLASSML_MODELS", "").split(os.pathsep)):
        path = Path(name).resolve()
        if path.suffix != ".py" or not path.is_file():
            raise ConfigError(
                f"GLASSML_MODELS: expected Python files, separated by {os.pathsep!r}; found "
                f"{name!r}. Correct or unset this environment variable"
            )
        if path in _OWN_FILES:
            continue
        _import_file(path)
        _OWN_FILES.add(path)


def _import_file(path: Path) -> None:
    name = f"glassml_own_{len(_OWN_FILES)}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "a .py file has a loader"
    assert spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where TorchScript looks for the source
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        place = f"{path}, line {lines[-1]}" if lines else str(path)  # a syntax error has its own
        raise ConfigError(
            f"{place}: expected Python code that can be imported (GLASSML_MODELS names this file); "
            f"found: {type(error).__name__}: {error}"
        ) from error


def _find(name: str) -> tuple[type[GlassModel], dict[str, Any]]:
    _import_own()
    if name not in _REGISTRY:
        raise ConfigError(f"model: {not_one_of(name, available())}")
    return _REGISTRY[name]
