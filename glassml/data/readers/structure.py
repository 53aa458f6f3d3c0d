"""Structure files and trajectories in formats of ASE: extxyz, LAMMPS dump and data, ..."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np
from ase import Atoms

from glassml.data.atoms import atoms_from_configuration, configuration_from_atoms, label_array
from glassml.data.configuration import Configuration
from glassml.data.readers.base import ReadOptions, source_provenance
from glassml.data.readers.frames import ase_format, open_frames
from glassml.data.readers.labels import LabelTable, read_labels
from glassml.data.species import SpeciesMap
from glassml.data.stated_species import species_in_file, symbols_of
from glassml.errors import InputError

__all__ = ["read_structures", "recognises_structure", "species_of_atoms"]


def recognises_structure(path: Path) -> bool:
    """Whether ASE can read this file."""
    return ase_format(path) is not None


def read_structures(path: Path, options: ReadOptions) -> Iterator[Configuration]:
    """Read every frame of a file through ASE, one at a time.

    Labels come from the frame (see `glassml.data.atoms.label_array`; predictions of a model are no
    labels) or from the file of labels in ``options``. Species come from ``options``, or from
    ``species_names`` in the frame's ``info``, which glassml writes. If a file has several frames,
    they are named ``<file>-<index>``.

    Raises:
        InputError: ASE cannot read the file, or a frame cannot be converted.
    """
    table = None
    if options.labels is not None:
        table = read_labels(Path(options.labels.replace("{stem}", path.stem)))
    source = open_frames(path, pbc=options.pbc, ids=table is not None)
    provenance = source_provenance(path, source.format)
    first_two = list(islice(source.frames, 2))
    for index, (_, frame) in enumerate(chain(first_two, source.frames)):
        atoms = frame if isinstance(frame, Atoms) else atoms_from_configuration(frame)
        name = path.stem if len(first_two) == 1 else f"{path.stem}-{index}"
        if table is not None:
            _add_labels(path, atoms, table, len(first_two))
        labelled = label_array(atoms) is not None
        if options.times is not None and not labelled:
            predicted = "propensity_model" in atoms.info
            raise InputError(
                f"{path}: frame {index}: propensity: expected labels, as times are given "
                f"(--time); found {'predictions of a model and ' if predicted else ''}the arrays "
                f"{sorted(atoms.arrays)}"
            )
        yield configuration_from_atoms(
            atoms,
            species_of_atoms(atoms, options.species, str(path)),
            options.scalars,
            labels=labelled,
            times=options.times,
            length_unit=options.length_unit,
            name=name,
            provenance=provenance | {"frame": index},
        )


def _add_labels(path: Path, atoms: Atoms, table: LabelTable, n_frames: int) -> None:
    """Add the labels of a separate file to the atoms.

    Raises:
        InputError: the labels are of other particles, or the structure file has several frames.
    """
    if n_frames > 1:
        raise InputError(
            f"{path}: expected one frame, as {table.path} holds the labels of one; found several"
        )
    ids = atoms.arrays.get("id", np.arange(1, len(atoms) + 1))
    atoms.set_array("propensity", table.of(ids))
    atoms.info.pop("propensity_model", None)
    if table.times is not None:
        atoms.info["times"] = table.times


def species_of_atoms(atoms: Atoms, species: SpeciesMap | None, where: str) -> SpeciesMap:
    """The species of a frame: those given, else those that the file names.

    Raises:
        InputError: there are neither.
    """
    if species is not None:
        return species
    found_names = species_in_file(atoms, where)
    if found_names is not None:
        return found_names
    symbols = ", ".join(sorted(set(symbols_of(atoms))))
    types = atoms.arrays.get("type")
    found = f"symbols {symbols}" + ("" if types is None else f", types 1 to {types.max()}")
    raise InputError(
        f"{where}: species: expected names for the file's symbols or types "
        f'(--species "A,B" for types 1 and 2, or "Cu=Cu,Zr=Zr" for symbols); found {found}'
    )
