"""The errors that glassml raises for a user's mistake.

Every message names the file, field or argument, what was expected, what was found and, where
it is not obvious, what to do. The command line prints the message without a traceback.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "BuildError",
    "ConfigError",
    "FullDiskError",
    "GlassMLError",
    "InputError",
    "ModelFileError",
    "ModelFileWarning",
    "OutsideDomainWarning",
    "SimulationError",
    "did_you_mean",
    "field_problem",
    "not_one_of",
    "shown",
]

# Pydantic names inputs and tuples; users write fields and lists.
_WORDING = (
    (r"^Value error, ", ""),
    (r"^Input should be greater", "expected a number greater"),
    (r"^Input should be less", "expected a number less"),
    (r"^Input should be a valid integer.*", "expected a whole number"),
    (r"^Input should be a valid number.*", "expected a number"),
    (r"^Input should be a valid string", "expected a text"),
    (r"^Input should be a valid tuple", "expected a list"),
    (r"^Input should be a valid dictionary( or instance of .*)?", "expected a mapping"),
    (r"^Input should be a valid boolean.*", "expected true or false"),
    (r"^Input should be a valid", "expected a"),
    (r"^Input should be", "expected"),
    (r"^Input is not a valid path for <class 'pathlib.Path'>", "expected a path"),
    (r"^(?:Tuple|List) should have at least (\d+) items?.*", r"expected \1 or more in the list"),
)


class GlassMLError(Exception):
    """Base class of every error that the user can correct."""


class InputError(GlassMLError, ValueError):
    """Data or an argument do not fit the request."""


class FullDiskError(InputError):
    """A file cannot be written because there is no room left, on the disk or in a quota."""


class ModelFileError(GlassMLError):
    """A model file is missing, damaged, of an unknown format or not a glassml model."""


class ConfigError(GlassMLError, ValueError):
    """A field of a configuration file, or an override, is unknown or has a wrong value."""


class BuildError(GlassMLError):
    """The native code cannot be built, or the build does not fit this environment."""


class SimulationError(GlassMLError):
    """LAMMPS could not be started, or stopped with an error."""


class ModelFileWarning(UserWarning):
    """A model file was written that no engine runs unless the user trusts it."""


class OutsideDomainWarning(UserWarning):
    """A model is used on a system that is unlike its training data."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that suggests the most similar known name; empty if none is similar.

    It begins with a space: " (did you mean 'channels'?)".

    Args:
        word: what the user wrote.
        known: the names that are accepted.
    """
    names = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), list(names), n=1)
    return f" (did you mean {names[close[0]]!r}?)" if close else ""


def not_one_of(word: str, known: Iterable[str]) -> str:
    """The message about an unknown name: "expected one of ...; found ...", with a hint.

    Args:
        word: what the user wrote.
        known: the names that are accepted.
    """
    names = list(known)
    return f"expected one of {', '.join(names)}; found {word!r}{did_you_mean(word, names)}"


def field_problem(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors in the words of this package: "expected ...; found ..."."""
    message = str(error["msg"])
    for pydantic_says, we_say in _WORDING:
        message = re.sub(pydantic_says, we_say, message)
    return f"{message}; found {shown(error['input'])}"


def shown(value: Any) -> str:
    """A value for a message: as Python writes it, shortened if it is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
