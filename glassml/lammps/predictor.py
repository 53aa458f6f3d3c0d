"""Models that Python evaluates for a running LAMMPS which cannot load the plugin."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassml.errors import GlassMLError, InputError, not_one_of
from glassml.lammps.system import LammpsSystem, attach

if TYPE_CHECKING:
    from glassml.data import Configuration
    from glassml.inference import Predictor

__all__ = ["LammpsPredictor"]


class LammpsPredictor:
    """Evaluates a model for the present configuration of a running LAMMPS.

    It needs no plugin. On several MPI ranks every rank gathers all atoms and evaluates the model
    for all of them, so the values do not depend on the number of ranks, and more ranks do not
    make an evaluation faster. `fix glassml` divides the work.

    Args:
        model: model file, the name of a shipped model, or a `glassml.inference.Predictor`.
        species: the model's name of the species of each atom type, as for ``fix glassml``.
        outputs: names of outputs of the model.
        write: property of a ``fix property/atom`` -> column of an output that is written to it,
            such as ``{"d_slow": "propensity_t=4120"}``; an output of one column may be named
            itself.
        scalars: scalar input of the model -> per-atom vector of LAMMPS: "d_NAME", "c_ID" or "f_ID"
            (see `LammpsSystem.quantity`).
        device: "cpu", "cuda", "cuda:N" or "auto"; not used if ``model`` is a Predictor.
        threads: CPU threads of torch on each rank.
        trust: do not check the code in the model file, which could do anything that you may do.

    Attributes:
        predictor: the model.
        results: outputs of the last evaluation, name -> [n, columns], for the atoms of this rank.
        step: the step of the last evaluation, None before the first.

    Raises:
        ModelFileError: the model file is missing, damaged, or of an unknown format version.
        InputError: an argument does not fit the model, or the model reads averages over a window.

    Warns:
        UserWarning: on the first evaluation, if the model reads other positions than thermal ones.
        OutsideDomainWarning: on evaluation, if density, composition or local structure are unlike
            those of the training data. The temperature is not compared.
    """

    def __init__(
        self,
        model: str | Path | Predictor,
        species: Sequence[str],
        *,
        outputs: Sequence[str] = ("propensity",),
        write: Mapping[str, str] | None = None,
        scalars: Mapping[str, str] | None = None,
        device: str = "cpu",
        threads: int = 1,
        trust: bool = False,
    ) -> None:
        # torch and all that comes with it take seconds to import
        from glassml.inference import Predictor

        self.predictor = Predictor.of(model, device, threads, trust=trust)
        self._name = self.predictor.path.name
        self.outputs = self._known_outputs(outputs)
        self._written = {name: self._place(name, column) for name, column in (write or {}).items()}
        self._species = self._indices(species)
        self._scalars = self._sources(scalars or {})
        self._refuse_windows()
        self.results: dict[str, np.ndarray] = {}
        self.step: int | None = None

    def __call__(self, lmp: Any) -> dict[str, np.ndarray]:
        """Evaluate the model for all atoms, and write what is to be written. Collective.

        Args:
            lmp: as for `glassml.lammps.attach`.

        Returns:
            Output -> [n, columns], for the atoms of this rank in LAMMPS' order.

        Raises:
            InputError: types, units or scalars do not fit the model, or a property is missing.
        """
        system = attach(lmp)
        ids = system.array("id", gathered=True)
        configuration = self._configuration(system)
        with warnings.catch_warnings():
            if system.rank > 0:  # all ranks see the same system
                warnings.simplefilter("ignore")
            note = self.predictor.manifest.positions_note
            if note and self.step is None:
                warnings.warn(f"{self._name}: {note}", stacklevel=2)
            found = self.predictor.predict([configuration], self.outputs, as_given=True)[0]
        rows = np.searchsorted(ids, system.ids)
        self.results = {name: values[rows].astype(np.float64) for name, values in found.items()}
        self.step = system.step
        for name, (output, column) in self._written.items():
            system.write(name, self.results[output][:, column])
        return self.results

    def invoke(self, pointer: Any, *_: Any) -> None:
        """For ``fix python/invoke`` and ``python ... invoke``: evaluate, and write the values.

        Args:
            pointer: the first argument that LAMMPS hands to its functions of Python.
        """
        try:
            self(pointer)
        except GlassMLError:
            # LAMMPS prints the exception and stops. Lines of the program would hide the message.
            sys.tracebacklimit = 0
            raise

    def observe(self, lmp: Any, every: int, fix: str = "glassml_observer") -> None:
        """Evaluate at the end of the force computation of every ``every``-th step.

        This defines a ``fix external`` that changes no forces. It needs neither the plugin nor
        LAMMPS' package PYTHON, but LAMMPS must have been started from Python.

        Args:
            lmp: an object of ``lammps.lammps``.
            every: steps between two evaluations; the first one is at the start of a run on such a
                step.
            fix: ID of the fix.

        Raises:
            InputError: ``lmp`` is no such object, or ``every`` is not positive.
        """
        if every < 1:
            raise InputError(f"every: expected a positive number of steps; found {every}")
        if not hasattr(lmp, "set_fix_external_callback"):
            raise InputError(
                "lmp: expected an object of lammps.lammps, with which Python has started LAMMPS; "
                f"found {type(lmp).__name__}. Use fix python/invoke"
            )
        lmp.command(f"fix {fix} all external pf/callback {every} 1")
        lmp.set_fix_external_callback(fix, self._on_step, lmp)

    def _on_step(self, lmp: Any, *arguments: Any) -> None:
        """Called by LAMMPS through ctypes, which drops exceptions: LAMMPS itself must stop."""
        arguments[-1][:] = 0.0  # the forces that the fix adds
        try:
            self(lmp)
        except GlassMLError as problem:
            attach(lmp).library.stop(str(problem), on_all_ranks=True)
        except BaseException:
            traceback.print_exc()
            message = "LammpsPredictor failed, see above"
            attach(lmp).library.stop(message, on_all_ranks=False)

    def _configuration(self, system: LammpsSystem) -> Configuration:
        from glassml.data import Configuration

        if system.n_types != len(self._species):
            raise InputError(
                f"species: expected one for each of the {system.n_types} atom types of LAMMPS; "
                f"found {len(self._species)}"
            )
        return Configuration(
            positions=system.array("x", gathered=True),
            cell=system.cell,
            species=self._species[system.array("type", gathered=True) - 1],
            species_names=self.predictor.manifest.species,
            pbc=system.pbc,
            scalars={name: system.quantity(source) for name, source in self._scalars.items()},
            length_unit=system.length_unit,
            name=f"step {system.step} of LAMMPS",
        )

    def _known_outputs(self, outputs: Sequence[str]) -> tuple[str, ...]:
        known = [entry.name for entry in self.predictor.manifest.outputs]
        chosen = (outputs,) if isinstance(outputs, str) else tuple(outputs)
        for name in chosen:
            if name not in known:
                raise InputError(f"outputs: {self._name}: {not_one_of(name, known)}")
        return chosen

    def _place(self, name: str, column: str) -> tuple[str, int]:
        """The output and the number of a column that is written to a property."""
        if not name.startswith("d_"):
            raise InputError(f"write: expected names d_NAME of a fix property/atom; found {name!r}")
        entries = [self.predictor.manifest.output(output) for output in self.outputs]
        places = {c: (e.name, k) for e in entries for k, c in enumerate(e.columns)}
        places |= {e.name: (e.name, 0) for e in entries if len(e.columns) == 1}
        if column not in places:
            raise InputError(f"write: {name}: {self._name}: {not_one_of(column, places)}")
        return places[column]

    def _indices(self, species: Sequence[str]) -> np.ndarray:
        """The model's number of the species of each atom type."""
        known = self.predictor.manifest.species
        if isinstance(species, str):
            raise InputError(f"species: expected a list of names; found the text {species!r}")
        for name in species:
            if name not in known:
                raise InputError(f"species: {self._name}: {not_one_of(name, known)}")
        return np.array([known.index(name) for name in species], dtype=np.int64)

    def _sources(self, scalars: Mapping[str, str]) -> dict[str, str]:
        wanted = [entry.name for entry in self.predictor.manifest.scalar_inputs]
        for name in scalars:
            if name not in wanted:
                raise InputError(
                    f"scalars: expected inputs of {self._name} ({', '.join(wanted) or 'none'}); "
                    f"found {name!r}"
                )
        missing = [name for name in wanted if name not in scalars]
        if missing and self.predictor.manifest.window is None:
            raise InputError(
                f"scalars: expected a source for {missing[0]}, which {self._name} reads; found "
                f"none. Give a per-atom vector of LAMMPS, such as {{{missing[0]!r}: 'd_NAME'}}"
            )
        return dict(scalars)

    def _refuse_windows(self) -> None:
        window = self.predictor.manifest.window
        if window is not None:
            raise InputError(
                f"model: expected one of present positions; found {self._name}, which reads "
                f"averages over {window}. In LAMMPS fix glassml makes such averages; in Python "
                "glassml.calculators.PropensityObserver and `glassml predict` do"
            )
