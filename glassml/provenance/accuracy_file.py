"""Reading an accuracy from a file that a person wrote."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from glassml.errors import InputError
from glassml.provenance.accuracy import Accuracy
from glassml.provenance.migration import is_accuracy_of_version_1, migrated_accuracy
from glassml.provenance.problems import first_problem

__all__ = ["read_accuracy"]


def read_accuracy(path: str | Path) -> Accuracy:
    """An accuracy from a JSON file with the fields of `Accuracy`, or in the form of format 1.

    Raises:
        InputError: the file cannot be read, or has another form.
    """
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{path}: expected JSON; found something else ({error})") from None
    try:
        if is_accuracy_of_version_1(content):
            return migrated_accuracy(content)
        return Accuracy.model_validate(content)
    except ValidationError as error:
        field, text = first_problem(error)
        raise InputError(f"{path}: {field or 'the file'}: {text}") from None
