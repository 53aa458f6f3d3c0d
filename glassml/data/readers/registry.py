"""The formats that glassml reads, by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from glassml.data.configuration import Configuration
from glassml.data.dataset import Dataset
from glassml.data.readers.base import Format, ReadOptions
from glassml.data.readers.botan import read_botan, recognises_botan
from glassml.data.readers.deepmind import read_deepmind, recognises_deepmind
from glassml.data.readers.frames import DATASET_SUFFIXES
from glassml.data.readers.glassbench import read_glassbench, recognises_glassbench
from glassml.data.readers.glassbench2d import read_glassbench2d, recognises_glassbench2d
from glassml.data.readers.structure import read_structures, recognises_structure
from glassml.data.shipped import dataset_path
from glassml.errors import InputError, not_one_of

__all__ = ["FORMATS", "formats_called", "read_configurations", "recognise"]


def _read_dataset(path: Path, options: ReadOptions) -> Iterator[Configuration]:
    if options != ReadOptions(scalars=options.scalars, final_positions=options.final_positions):
        raise InputError(
            f"{path}: expected no times, species or length unit, as a dataset holds its own; "
            f"found {options}"
        )
    with Dataset(path) as dataset:
        for name in dataset.names:
            yield dataset.read(name, final_positions=options.final_positions)


#: The readable formats by name, in the order in which they are tried on a file of unknown format.
#:
#: :meta hide-value:
FORMATS: dict[str, Format] = {
    "glassbench": Format(
        description="GlassBench KA npz (Jung 2023)",
        suffixes=(".npz",),
        recognises=recognises_glassbench,
        read=read_glassbench,
    ),
    "glassbench2d": Format(
        description="GlassBench KA2D npz (Jung 2023)",
        suffixes=(".npz",),
        recognises=recognises_glassbench2d,
        read=read_glassbench2d,
    ),
    "botan": Format(
        description="BOTAN npz (Shiba 2023)",
        suffixes=(".npz",),
        recognises=recognises_botan,
        read=read_botan,
    ),
    "deepmind": Format(
        description="DeepMind pickle (Bapst 2020)",
        suffixes=(".pickle", ".pkl"),
        recognises=recognises_deepmind,
        read=read_deepmind,
    ),
    "glassml": Format(
        description="glassml HDF5 dataset",
        suffixes=DATASET_SUFFIXES,
        recognises=lambda path: path.suffix in DATASET_SUFFIXES,
        read=_read_dataset,
    ),
    "ase": Format(
        description="structures, trajectories: GSD, and formats of ASE (extxyz, LAMMPS, ...)",
        suffixes=(".extxyz", ".xyz", ".lammpstrj", ".dump", ".data", ".gsd"),
        recognises=recognises_structure,
        read=read_structures,
    ),
}


def formats_called(name: str) -> list[Format]:
    """The format of this name in a list; for "auto", all formats.

    Raises:
        InputError: there is no such format.
    """
    if name == "auto":
        return list(FORMATS.values())
    if name not in FORMATS:
        raise InputError(f"format: {not_one_of(name, ['auto', *FORMATS])}")
    return [FORMATS[name]]


def recognise(path: Path, file_format: str = "auto") -> Format:
    """The format of a file: the named one, or for "auto" by the file's name and contents.

    Raises:
        InputError: the file is missing, or its format is unknown.
    """
    candidates = formats_called(file_format)
    if not path.is_file():
        raise InputError(
            f"{path}: expected a file; found {'a folder' if path.is_dir() else 'none'}"
        )
    if len(candidates) == 1:
        return candidates[0]
    for candidate in candidates:
        if candidate.recognises(path):
            return candidate
    for candidate in candidates:
        if path.suffix in candidate.suffixes:
            return candidate  # its reader will say what is wrong with the file
    known = "; ".join(f"{name}: {known.description}" for name, known in FORMATS.items())
    raise InputError(f"{path}: expected a file of a known format ({known}); found another file")


def read_configurations(
    path: str | Path, file_format: str = "auto", options: ReadOptions | None = None
) -> Iterator[Configuration]:
    """Read the configurations of one file, one at a time.

    Args:
        path: the file, or the name of a dataset that ships with glassml.
        file_format: a name in `FORMATS`, or "auto".
        options: what the file does not state.

    Raises:
        InputError: the format is unknown; the file is missing, damaged or breaks a convention of
            its format; or it lacks a scalar that ``options`` name.
    """
    options = options or ReadOptions()
    source = dataset_path(path)
    found = recognise(source, file_format)
    if found is not FORMATS["ase"] and (options.labels is not None or options.pbc is not None):
        given = "labels" if options.labels is not None else "pbc"
        raise InputError(
            f"{source}: {given}: expected a structure file (format ase), as only those have this "
            f"option; found a file of the format {found.description}"
        )
    for configuration in found.read(source, options):
        for scalar in options.scalars:
            if scalar not in configuration.scalars:
                raise InputError(
                    f"{source}: {configuration.name}: expected a scalar {scalar!r}; "
                    f"found {sorted(configuration.scalars)}"
                )
        yield configuration
