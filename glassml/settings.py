"""Configuration files of commands: YAML, overrides, and messages that name the field."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from glassml.errors import ConfigError, did_you_mean, field_problem, shown
from glassml.files import atomic_write

__all__ = [
    "apply_overrides",
    "read_yaml",
    "validated",
    "with_fields",
    "write_yaml",
]

_Config = TypeVar("_Config", bound=BaseModel)


def read_yaml(path: str | Path, kind: type[BaseModel]) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Args:
        path: the file.
        kind: the model that describes its fields, for messages.

    Raises:
        ConfigError: the file is missing, is not YAML or does not hold a mapping.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot read this configuration file ({reason})") from None
    try:
        values = _plain_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: expected YAML; {_one_line(error)}") from None
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path}: expected sections {', '.join(kind.model_fields)}; "
            f"found {shown(values) if values is not None else 'an empty file'}"
        )
    return values


def apply_overrides(
    values: Mapping[str, Any], overrides: Sequence[str], example: str = "seed=1"
) -> dict[str, Any]:
    """A copy of nested ``values`` in which some fields have other values.

    Args:
        values: nested mappings, as read from YAML.
        overrides: ``section.field=value`` each; the value is read as YAML.
        example: a correct override, for messages.

    Raises:
        ConfigError: an override has no ``=``, is not YAML, or names a field inside one that is not
            a section.
    """
    fields: dict[str, Any] = {}
    for override in overrides:
        name, equals, text = override.partition("=")
        name = name.strip()
        if not equals or not name or "" in name.split("."):
            raise ConfigError(
                f"override {override!r}: expected section.field=value, for example {example}"
            )
        try:
            value = _plain_yaml(text)
        except yaml.YAMLError as error:
            reason = _one_line(error)
            raise ConfigError(f"override {override!r}: expected a YAML value; {reason}") from None
        fields.pop(name, None)  # the last one counts, and comes last
        fields[name] = value
    return with_fields(values, fields)


def with_fields(values: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested ``values`` in which some fields have other values.

    Args:
        values: nested mappings, as read from YAML.
        fields: ``section.field`` -> value.

    Raises:
        ConfigError: a name is inside a field that is not a section.
    """
    result = _copied(values)
    for name, value in fields.items():
        _set(result, name, value)
    return result


def validated(
    kind: type[_Config], values: Mapping[str, Any], source: str = "configuration"
) -> _Config:
    """Check nested values and fill in the defaults.

    Args:
        kind: the model whose fields they are.
        values: nested mappings.
        source: where they come from, for messages.

    Raises:
        ConfigError: a field is unknown, missing or has a wrong value; one line for each.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        lines = list(dict.fromkeys(_explained(kind, dict(item)) for item in error.errors()))
        raise ConfigError("\n".join(f"{source}: {line}" for line in lines)) from None


def write_yaml(config: BaseModel, path: str | Path) -> None:
    """Write a configuration, every default filled in, as YAML."""
    with atomic_write(path) as partial:
        text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
        partial.write_text(text, encoding="utf-8")


def _explained(kind: type[BaseModel], error: Mapping[str, Any]) -> str:
    """One line for one of pydantic's errors: the field, what was expected, what was found."""
    loc = [str(part) for part in error["loc"] if not str(part).startswith("function-")]
    field = ".".join(loc) or "configuration"
    problem = error["type"]
    if problem == "extra_forbidden":
        known = list(_fields_of(kind, loc[:-1]))
        return f"{field}: unknown field{did_you_mean(loc[-1], known)}; accepted: {', '.join(known)}"
    if problem == "missing":
        about = _description(kind, loc)
        return f"{field}: this field is needed" + (f" ({about})" if about else "")
    if problem == "model_type":
        fields = ", ".join(_fields_of(kind, loc))
        return f"{field}: expected a section with fields {fields}; found {shown(error['input'])}"
    return f"{field}: {field_problem(error)}"


def _fields_of(kind: type[BaseModel], loc: Sequence[str]) -> Iterator[str]:
    section = _section(kind, loc)
    return iter(section.model_fields if section else ())


def _description(kind: type[BaseModel], loc: Sequence[str]) -> str | None:
    section = _section(kind, loc[:-1])
    field = section.model_fields.get(loc[-1]) if section else None
    return field.description if field else None


def _section(kind: type[BaseModel], loc: Sequence[str]) -> type[BaseModel] | None:
    section = kind
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
                f"override {name}=...: {'.'.join(sections[: depth + 1])}: expected a section with "
                f"fields; found {shown(values)}"
            )
    values[last] = value


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copied(v) if isinstance(v, Mapping) else v for k, v in values.items()}


class _PlainLoader(yaml.SafeLoader):
    """Mappings, lists, numbers, texts and truth values; without tags, references and repetitions.

    A few lines of references to references would fill the memory.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(
                f"references are not supported (*{event.anchor}): write the value itself "
                f"{event.start_mark}"
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise yaml.YAMLError(f"tags are not supported ({tag}) {event.start_mark}")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:  # YAML's own loader would keep the last one
                raise yaml.YAMLError(f"{name!r} is set twice {key.start_mark}")
            seen.add(name)
        return super().construct_mapping(node, deep)


# A date is a text like others.
_PlainLoader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _plain_yaml(text: str) -> Any:
    """The values in a YAML text.

    Raises:
        yaml.YAMLError: it is not YAML, or more than plain values.
    """
    try:
        return yaml.load(text, _PlainLoader)
    except RecursionError:
        raise yaml.YAMLError("values are nested too deeply") from None
    except ValueError as error:  # a number with too many digits, for instance
        raise yaml.YAMLError(str(error)) from None


def _one_line(error: yaml.YAMLError) -> str:
    return " ".join(str(error).split())
