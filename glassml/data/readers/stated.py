"""What a file states, compared with what was read: the checks of all readers of structures.

A file says how many particles it holds, which columns they have, which directions are periodic and
which units it is in. Where this and its contents differ, the file was damaged, cut or edited, and
nothing in it can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassml.errors import InputError

__all__ = [
    "Pbc",
    "check_box",
    "check_different",
    "check_ids",
    "check_last_line",
    "check_n_atoms",
    "check_types",
    "periodic",
    "periodic_directions",
]

Pbc = tuple[bool, bool, bool]


def periodic_directions(text: str) -> Pbc:
    """Which lattice directions are periodic, from a text such as "T,T,F".

    Raises:
        ValueError: the text has another form.
    """
    letters = [letter.strip().upper() for letter in text.split(",")]
    if len(letters) != 3 or not set(letters) <= {"T", "F"}:
        raise ValueError("expected T or F for each lattice direction, such as T,T,F")
    one, two, three = (letter == "T" for letter in letters)
    return one, two, three


def periodic(
    where: str,
    stated: Pbc | None,
    given: Pbc | None,
    expected: str,
    found: str = "none",
    *,
    has_cell: bool = True,
) -> Pbc:
    """Which directions are periodic: as the user says, else as the file states.

    Args:
        where: the frame.
        stated: flags in the file; None if it has none that can be read.
        given: flags of the user.
        expected: what would have stated them.
        found: what the file has instead.
        has_cell: whether the file has lattice vectors, without which nothing can be periodic.

    Raises:
        InputError: neither is known. A liquid taken for a droplet has surfaces all around, and the
            predictions there are wrong.
    """
    flags = stated if given is None else given
    if flags is None:
        bulk = "Write the cell into the file"
        if has_cell:
            bulk = (
                "Say which directions are periodic, such as --pbc T,T,T (start.pbc of simulate; in "
                "Python pbc=(True, True, True))"
            )
        raise InputError(
            f"{where}: periodicity: expected {expected}; found {found}. {bulk}, or give --pbc "
            "F,F,F for a droplet in empty space"
        )
    return flags


def check_n_atoms(where: str, stated: int, found: int) -> None:
    """Compare the number of particles that a file states with that of those read.

    Raises:
        InputError: they differ.
    """
    if stated != found:
        raise InputError(
            f"{where}: number of particles: expected {stated}, as the file states; found {found}"
        )


def check_ids(where: str, ids: np.ndarray) -> None:
    """Check that no id [N] occurs twice.

    Raises:
        InputError: one does: particles were written twice, or under wrong ids.
    """
    unique, counts = np.unique(ids, return_counts=True)
    if len(unique) != len(ids):
        raise InputError(
            f"{where}: id: expected {len(ids)} different ids; found {len(unique)}, and "
            f"{unique[counts.argmax()]} {counts.max()} times"
        )


def check_types(where: str, types: np.ndarray, n_types: int | None = None) -> None:
    """Check that types [N] are those that a file states, 1 to ``n_types``.

    Raises:
        InputError: one is not.
    """
    wrong = types < 1 if n_types is None else (types < 1) | (types > n_types)
    if wrong.any():
        index = int(np.flatnonzero(wrong)[0])
        allowed = "1 and more" if n_types is None else f"1 to {n_types}, as the file states"
        raise InputError(
            f"{where}: type: expected types of {allowed}; found {types[index]} (particle {index})"
        )


def check_different(where: str, names: Sequence[str]) -> None:
    """Check that no column has the name of another one.

    Raises:
        InputError: one has.
    """
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{where}: columns: expected each name once; found {name!r} twice")


def check_box(where: str, low: np.ndarray, high: np.ndarray, pbc: Pbc | None) -> None:
    """Check the bounds [3] of a box [length], which may be equal where it is known not periodic.

    Raises:
        InputError: they are not finite, or one is not below the other.
    """
    flat = (low == high) & ~np.array((True, True, True) if pbc is None else pbc)
    if not (np.isfinite(low).all() and np.isfinite(high).all() and ((low < high) | flat).all()):
        raise InputError(
            f"{where}: box: expected bounds with low < high (or equal ones in directions that are "
            f"not periodic); found {low.tolist()} and {high.tolist()}"
        )


def check_last_line(where: str, text: str, what: str = "file") -> None:
    """Check that a text ends with a line break; else its last number may have lost digits.

    Raises:
        InputError: it does not.
    """
    if not text.endswith("\n"):
        last = text.rpartition("\n")[2].strip()
        raise InputError(
            f"{where}: expected a {what} whose last line is complete; found an end within the "
            f"line {last[-60:]!r}. Was it cut off? If it is complete, add a line break at its end"
        )
