"""Messages about a record that is not valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from glassml.errors import field_problem, shown

__all__ = ["first_problem"]


def first_problem(error: ValidationError, inside: str = "") -> tuple[str, str]:
    """The first field that is wrong, and what is wrong with it.

    Args:
        error: raised by pydantic.
        inside: the field that holds what was validated, such as ``training``.

    Returns:
        The full name of the field, such as ``training.train.number``; and a text of the
        form "expected ...; found ...", followed by the number of further problems if there are any.
    """
    problems = error.errors()
    field, text = _problem(dict(problems[0]))
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return ".".join(part for part in (inside, field) if part), text + more


def _problem(error: Mapping[str, Any]) -> tuple[str, str]:
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return field, "expected a value; found nothing"
    if error["type"] == "extra_forbidden":
        return field, f"expected no such field; found {shown(error['input'])}"
    if error["type"] == "value_error":  # of our own checks: "field: expected ...; found ..."
        name, _, text = str(error["msg"]).removeprefix("Value error, ").partition(": ")
        return ".".join(part for part in (field, name) if part), text
    return field, field_problem(error)
