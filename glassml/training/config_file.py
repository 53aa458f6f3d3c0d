"""Reading, checking and writing the configuration of a training run."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from glassml.errors import ConfigError, field_problem, shown
from glassml.files import atomic_write
from glassml.models import available, parameters_of
from glassml.training.config import FROM_DATA, TrainConfig

__all__ = ["apply_overrides", "load_config", "parse_config", "read_yaml", "write_config"]


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """The checked configuration of a YAML file.

    Args:
        path: YAML file with the sections of `TrainConfig`.
        overrides: ``section.field=value`` each; the value is read as YAML.

    Raises:
        ConfigError: the file cannot be read, or a field is unknown or has a wrong value.
    """
    values = apply_overrides(read_yaml(path), overrides)
    config = parse_config(values, source=str(path))
    if config.output is None:
        config = config.model_copy(update={"output": Path("runs") / Path(path).stem})
    return config


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        ConfigError: the file is missing, is not YAML or does not hold a mapping.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot read this configuration file ({reason})") from None
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: expected YAML; {_one_line(error)}") from None
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path}: expected sections {', '.join(TrainConfig.model_fields)}, "
            f"found {shown(values) if values is not None else 'an empty file'}"
        )
    return values


def apply_overrides(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of nested ``values`` in which some fields have other values.

    Args:
        values: nested mappings, as read from YAML.
        overrides: ``section.field=value`` each; the value is read as YAML.

    Raises:
        ConfigError: an override has no ``=``, is not YAML, or goes into a field that is no section.
    """
    result = _copied(values)
    for override in overrides:
        name, equals, text = override.partition("=")
        name = name.strip()
        if not equals or not name or "" in name.split("."):
            raise ConfigError(
                f"override {override!r}: expected section.field=value, "
                "for example training.epochs=20"
            )
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            reason = _one_line(error)
            raise ConfigError(f"override {override!r}: expected a YAML value; {reason}") from None
        _set(result, name, value)
    return result


def parse_config(values: Mapping[str, Any], source: str = "configuration") -> TrainConfig:
    """Check nested values and fill in the defaults.

    Args:
        values: nested mappings with the fields of `TrainConfig`.
        source: where they come from, for messages.

    Raises:
        ConfigError: a field is unknown, missing or has a wrong value; one line for each.
    """
    try:
        config = TrainConfig.model_validate(values)
    except ValidationError as error:
        lines = list(dict.fromkeys(_explained(dict(item)) for item in error.errors()))
        raise ConfigError("\n".join(f"{source}: {line}" for line in lines)) from None
    _check_model(config, source)
    return config


def write_config(config: TrainConfig, path: str | Path) -> None:
    """Write a configuration, every default filled in, as YAML that `load_config` reads."""
    with atomic_write(path) as partial:
        text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
        partial.write_text(text, encoding="utf-8")


def _check_model(config: TrainConfig, source: str) -> None:
    name, given = config.model.name, config.model.hyperparameters
    if name not in available():
        raise ConfigError(
            f"{source}: model.name: expected one of {', '.join(available())}, found {name!r}"
            f"{_hint(name, available())}"
        )
    known = [key for key in parameters_of(name) if key not in FROM_DATA]
    for key in given:
        if key in FROM_DATA:
            where = "data.scalars" if key == "scalar_inputs" else "the dataset"
            raise ConfigError(f"{source}: model.{key}: not a setting; it comes from {where}")
        if key not in known:
            raise ConfigError(
                f"{source}: model.{key}: {name} has no such hyperparameter"
                f"{_hint(key, known)}; it has {', '.join(known)}"
            )


def _explained(error: Mapping[str, Any]) -> str:
    """One line for one of pydantic's errors: the field, what was expected, what was found."""
    loc = [str(part) for part in error["loc"] if not str(part).startswith("function-")]
    field = ".".join(loc) or "configuration"
    kind = error["type"]
    if kind == "extra_forbidden":
        known = list(_fields_of(loc[:-1]))
        return f"{field}: unknown field{_hint(loc[-1], known)}; accepted: {', '.join(known)}"
    if kind == "missing":
        about = _description(loc)
        return f"{field}: this field is needed" + (f" ({about})" if about else "")
    if kind == "model_type":
        fields = ", ".join(_fields_of(loc))
        return f"{field}: expected a section with fields {fields}, found {shown(error['input'])}"
    return f"{field}: {field_problem(error)}"


def _fields_of(loc: Sequence[str]) -> Iterator[str]:
    section = _section(loc)
    return iter(section.model_fields if section else ())


def _description(loc: Sequence[str]) -> str | None:
    section = _section(loc[:-1])
    field = section.model_fields.get(loc[-1]) if section else None
    return field.description if field else None


def _section(loc: Sequence[str]) -> type[BaseModel] | None:
    section: type[BaseModel] = TrainConfig
    for name in loc:
        annotation = section.model_fields[name].annotation if name in section.model_fields else None
        members = (annotation, *typing.get_args(annotation))
        found = [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
        if not found:
            return None
        section = found[0]
    return section


def _set(values: dict[str, Any], name: str, value: Any) -> None:
    *sections, last = name.split(".")
    for depth, section in enumerate(sections):
        if values.get(section) is None:
            values[section] = {}
        values = values[section]
        if not isinstance(values, dict):
            raise ConfigError(
                f"override {name}=...: {'.'.join(sections[: depth + 1])} is {shown(values)}, "
                "not a section with fields"
            )
    values[last] = value


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copied(v) if isinstance(v, Mapping) else v for k, v in values.items()}


def _hint(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _one_line(error: yaml.YAMLError) -> str:
    return " ".join(str(error).split())
