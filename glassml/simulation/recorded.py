"""The interactions with which a dataset was made, from its own record."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from glassml.data import Dataset, dataset_path
from glassml.errors import InputError
from glassml.simulation.system import System

__all__ = ["check_agreement", "check_files", "recorded_system"]

# Commands of an include file that do not change the interactions.
_NO_INTERACTIONS = frozenset(
    {
        *("neighbor", "neigh_modify", "timestep", "comm_modify"),
        *("thermo", "thermo_style", "thermo_modify"),
    }
)


def recorded_system(source: str | Path) -> System | None:
    """The system of a dataset that `glassml simulate` made, also after a split.

    Args:
        source: a dataset, the name of a shipped one, or any other file.

    Returns:
        The system with its units and time step; None if the file does not record one.
    """
    with suppress(InputError), Dataset(dataset_path(source)) as dataset:
        return _system_of(dataset.description)
    return None  # not a dataset, or a damaged one, which the reader reports


def check_agreement(
    chosen: System, recorded: System, source: str | Path, *, other_interactions: bool = False
) -> None:
    """Refuse interactions other than those with which the data were made.

    Files of potentials may be in another folder now, and commands that do not change the
    interactions may differ.

    Args:
        chosen: the system that is to be used.
        recorded: that of `recorded_system`.
        source: the data, for messages.
        other_interactions: accept other interactions, as they are meant. Units and dimension must
            agree nevertheless.

    Raises:
        InputError: the units, the dimension or the commands are others.
    """
    hint = "Leave out --system and --include to use those of the record"
    for field in ("units", "dimension"):
        expected, found = getattr(recorded, field), getattr(chosen, field)
        if found != expected:
            raise InputError(
                f"{source}: {field}: expected {expected}, with which glassml simulate made the "
                f"data; found {found}. {hint}"
            )
    expected_lines, found_lines = _compared(recorded.commands), _compared(chosen.commands)
    if found_lines != expected_lines and not other_interactions:
        other = [line for line in found_lines if line not in expected_lines]
        lacking = [line for line in expected_lines if line not in found_lines]
        raise InputError(
            f"{source}: expected the interactions of {recorded.name}, with which glassml simulate "
            f"made the data ({'; '.join(lacking[:2]) or 'no further commands'}); found those of "
            f"{chosen.name} ({'; '.join(other[:2]) or 'fewer commands'}). {hint}, or give "
            "--other-interactions if you mean the others"
        )


def check_files(recorded: System, source: str | Path) -> None:
    """Refuse recorded interactions whose files of potentials are gone.

    Args:
        recorded: that of `recorded_system`, to be used as it is.
        source: the data, for messages.

    Raises:
        InputError: a file does not exist; the message names it.
    """
    lines = (line.partition("#")[0] for line in recorded.commands.splitlines())
    words = [word.strip("\"'") for line in lines for word in line.split()]
    gone = [word for word in words if Path(word).is_absolute() and not Path(word).exists()]
    if gone:
        raise InputError(
            f"{source}: expected the file {gone[0]}, with which glassml simulate made the data; "
            "found no such file. Put it back, or give the interactions with --include FILE"
        )


def _system_of(description: dict[str, Any]) -> System | None:
    about = description.get("system")
    if description.get("made_by") != "glassml simulate" or not isinstance(about, dict):
        return None
    counts: list[int] = about.get("particles_of_types") or about["particles"]
    total = sum(counts)
    # A species without particles has no fraction; the composition is not used for given data.
    fractions = counts if min(counts) > 0 else [total / len(counts)] * len(counts)
    return System(
        name=about["name"],
        species_names=tuple(about["species"]),
        composition=tuple(count / total for count in fractions),
        number_density=description.get("number_density"),
        timestep=description["timestep"],
        commands=about["commands"],
        masses=tuple(about["masses"]),
        citation=about["citation"],
        units=about["units"],
        dimension=about.get("dimension", 3),
        type_species=tuple(about.get("type_species", ())),
        diameters=tuple(about.get("diameters", ())),
    )


def _compared(commands: str) -> list[str]:
    """The commands that define interactions, without comments, layout and folders of files."""
    lines = (line.partition("#")[0].split() for line in commands.splitlines())
    return [
        " ".join(map(_without_folder, words))
        for words in lines
        if words and words[0] not in _NO_INTERACTIONS
    ]


def _without_folder(word: str) -> str:
    """A word of a command; of a path its last part, but pair styles such as lj/cut are whole."""
    path = word.strip("\"'")
    is_path = "/" in path and (path[0] in "/.~" or "." in path.rpartition("/")[2])
    return path.rpartition("/")[2] if is_path else path
