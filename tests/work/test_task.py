"""What the key of a task depends on, and what it does not depend on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glassml.work import Evaluator, Task, evaluator


def declared(version: int, name: str = "compute") -> Evaluator:
    def compute(task: Task, folder: Path) -> None: ...

    compute.__module__, compute.__name__, compute.__qualname__ = "somewhere", name, name
    return evaluator(version=version)(compute)


FIELDS: dict[str, Any] = {
    "evaluators": (declared(1),),
    "outputs": ("a.npz",),
    "facts": {"script": "run 1", "numbers": [1, 2.5], "nested": {"on": True, "none": None}},
    "inputs": {"b.npz": "0123456789abcdef"},
}


@pytest.mark.parametrize(
    "change",
    [
        {"facts": {**FIELDS["facts"], "script": "run 2"}},
        {"facts": {**FIELDS["facts"], "numbers": [1, 2.5000000000000004]}},
        {"facts": {**FIELDS["facts"], "numbers": [2.5, 1]}},
        {"facts": {**FIELDS["facts"], "nested": {"on": False, "none": None}}},
        {"facts": {**FIELDS["facts"], "more": None}},
        {"inputs": {"b.npz": "0123456789abcdee"}},
        {"inputs": {"c.npz": "0123456789abcdef"}},
        {"inputs": {}},
        {"outputs": ("a.npz", "b.npz")},
        {"evaluators": (declared(2),)},
        {"evaluators": (declared(1, "measure"),)},
        {"evaluators": (declared(1), declared(1, "measure"))},
    ],
)
def test_key_changes_with_all_that_decides_the_outputs(change: dict[str, Any]):
    assert Task(**{**FIELDS, **change}).key != Task(**FIELDS).key


@pytest.mark.parametrize(
    "change",
    [
        {"payload": "as fast as you can"},
        {"label": "stage melt"},
        {"cost": 5.0},
        {"consumes": True},
        {"resumable": True},
        {"facts": dict(reversed(FIELDS["facts"].items()))},
        {"evaluators": (declared(1),)},
    ],
)
def test_key_does_not_change_with_anything_else(change: dict[str, Any]):
    assert Task(**{**FIELDS, **change}).key == Task(**FIELDS).key


def test_key_is_the_same_in_every_process():
    """Written down: where it changes, all results that people have are done again."""
    assert Task(**FIELDS).key == "fe310870d04a0d48"


@pytest.mark.parametrize("version", [None, 0, -1, "1"])
def test_evaluator_without_a_version_is_refused(version: object):
    def compute(task: Task, folder: Path) -> None: ...

    if version is not None:
        compute.version = version  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=r"compute: expected a positive version, declared by @eva"):
        Task(evaluators=(compute,), outputs=())


def test_facts_that_are_not_plain_values_are_refused():
    for fact in (Path("a"), float("nan"), {1, 2}):
        with pytest.raises((TypeError, ValueError), match="JSON"):
            _ = Task((), (), {"fact": fact}).key
