"""The ASE calculator: predicts propensities while another calculator moves the particles."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import (
    BaseCalculator,
    Calculator,
    PropertyNotImplementedError,
    all_changes,
)
from ase.outputs import Properties, all_outputs

from glassml.data import Configuration, SpeciesMap
from glassml.errors import InputError
from glassml.export import Manifest
from glassml.inference import ModelInputs, Predictor, ScalarSource, annotate_atoms
from glassml_ase.temperature import temperature_of

__all__ = ["GlassMLCalculator"]

OneOrMore = TypeVar("OneOrMore", Atoms, Sequence[Atoms])


class GlassMLCalculator(Calculator):
    """An exported model as an ASE calculator.

    It provides the outputs of the model as properties: "propensity" [N, T], "descriptors",
    "equivariant", and for committees "propensity_std". A ``base`` calculator provides energy,
    forces and all its other properties, so that optimisers and `ase.md` run as they would with
    ``base`` alone. The model runs only when one of its outputs is asked for, and only once per
    configuration.

    Args:
        model: model file, or a `glassml.inference.Predictor`.
        base: calculator that provides energy and forces.
        species: which species of the model the particles are; see `glassml.inference.ModelInputs`.
        device: "cpu", "cuda", "cuda:N" or "auto"; not used if ``model`` is a Predictor.
        threads: CPU threads of torch; None keeps the present setting.
        trust: do not check the code in the model file, which could do anything that you may do.
        scalars: where the model's scalar inputs come from; see `ModelInputs`. If the result of a
            function depends on anything but the atoms, call `reset` when it changes.
        outputs: the outputs that `predict` and `annotate` give by default.
        length_unit: unit of the positions; see `ModelInputs`. Outputs are in the model's unit.
        kwargs: ``atoms``, ``label`` and ``directory``, as for other calculators.

    Raises:
        ModelFileError: the model file is missing, damaged, or of an unknown format version.
        InputError: an argument does not fit the model; the message names it.

    Warns:
        UserWarning: the model does not read thermal positions, but for instance those of inherent
            structures. Atoms must be brought there first. For averaged positions there is
            `PropensityObserver`.
        OutsideDomainWarning: on evaluation, if the atoms are unlike the training data of the model
            (density, composition, temperature, local structure); once for each quantity in which
            they are.
    """

    implemented_properties = ["propensity"]  # noqa: RUF012 (ASE's own declaration)
    # The model does not read these; the base calculator checks for itself whether they changed.
    ignored_changes = {"initial_charges", "initial_magmoms"}  # noqa: RUF012

    def __init__(
        self,
        model: str | Path | Predictor,
        base: BaseCalculator | None = None,
        species: SpeciesMap | Mapping[str, str] | Sequence[str] | None = None,
        device: str = "auto",
        threads: int | None = None,
        scalars: Mapping[str, ScalarSource] | None = None,
        outputs: Sequence[str] = ("propensity",),
        length_unit: str | None = None,
        trust: bool = False,
        **kwargs: Any,
    ) -> None:
        self.predictor = Predictor.of(model, device, threads, trust=trust)
        self.base = base
        self.inputs = ModelInputs(self.manifest, species, scalars, length_unit)
        self._own = tuple(entry.name for entry in self.manifest.outputs)
        self.outputs = self._checked(outputs)
        of_base = list(base.implemented_properties) if base is not None else []
        self.implemented_properties = [*self._own, *(p for p in of_base if p not in self._own)]
        super().__init__(**kwargs)
        if self.manifest.positions_note:
            averages = "" if self.manifest.window is None else ". PropensityObserver averages them"
            warnings.warn(
                f"{self.predictor.path.name}: {self.manifest.positions_note}{averages}",
                stacklevel=2,
            )
        self.parameters.update(
            model=str(self.predictor.path),
            base=None if base is None else base.name,
            species=None if species is None else str(SpeciesMap.of(species)),
            device=str(self.predictor.device),
            scalars={name: _label(source) for name, source in self.inputs.scalars.items()},
            outputs=list(self.outputs),
            length_unit=self.manifest.length_unit,
        )

    @property
    def manifest(self) -> Manifest:
        """Species and cutoff of the model, and the columns and irreps of its outputs."""
        return self.predictor.manifest

    @property
    def neighbours(self) -> float | None:
        """Mean number of neighbours of a particle in the last evaluation; None before the first."""
        last = self.predictor.measured
        return float(np.mean([one.structure.neighbours for one in last])) if last else None

    def set(self, **kwargs: Any) -> dict[str, Any]:
        """Refuse changes: the arguments are fixed on construction (ASE passes unknown ones here).

        Raises:
            InputError: always, if there are arguments.
        """
        if kwargs:
            raise InputError(
                "GlassMLCalculator: expected model, base, species, device, threads, scalars, "
                f"outputs or length_unit, on construction; found {next(iter(kwargs))!r}"
            )
        return {}

    def get_property(
        self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True
    ) -> Any:
        """A property of the atoms: an output of the model, or a property of the base.

        Raises:
            PropertyNotImplementedError: neither the model nor the base has it.
        """
        base = self._base_of(name)
        if base is None and name not in self._own:
            which = f"{self.base.name}, which lacks it" if self.base else "none"
            raise PropertyNotImplementedError(
                f"{name}: expected a calculator that gives it, as {self.predictor.path.name} gives "
                f"{', '.join(self._own)}; found {which}. Give one, such as "
                "GlassMLCalculator(..., base=EMT())"
            )
        if base is None:
            return super().get_property(name, atoms, allow_calculation)
        atoms = self.atoms if atoms is None else atoms
        if atoms is not None and self.check_state(atoms):
            self.reset()
        # The base has its own cache and is asked every time, so that users can change it at any
        # moment. Its values are mirrored for ASE's writers, which read `results`.
        value = base.get_property(name, atoms, allow_calculation)
        if value is not None:
            self._mirror(atoms, name, value)
        return value

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("propensity",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Run the model on the atoms (and the base, if one of its properties is asked for).

        All outputs of the model are kept: compared to running it they cost nothing.

        Raises:
            InputError: the atoms do not fit the model; see `ModelInputs.configuration`.
        """
        atoms = self.atoms if atoms is None else atoms
        if atoms is None:
            raise InputError(f"{properties[0]}: expected atoms as an argument; found no atoms yet")
        if self.check_state(atoms):
            self.results = {}  # they are of other atoms: a direct call skips `get_property`
        super().calculate(atoms, properties, system_changes)
        for name in properties:
            if self._base_of(name) is not None:
                self.get_property(name, atoms)
        if any(name in self._own for name in properties):
            configuration = self.configuration(atoms)
            self.results.update(
                self.predictor.predict([configuration], self._own, as_given=True)[0]
            )

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What has changed since the last calculation, including arrays that the model reads."""
        changes = super().check_state(atoms, tol=tol)
        if self.atoms is not None:
            for name in sorted(self.inputs.sources):
                if not np.array_equal(_stored(self.atoms, name), _stored(atoms, name)):
                    changes.append(name)
        return changes

    def calculation_required(self, atoms: Atoms, properties: Sequence[str]) -> bool:
        """Whether one of the properties is not known yet for these atoms."""
        own = [name for name in properties if self._base_of(name) is None]
        of_base = [name for name in properties if self._base_of(name) is not None]
        if self.base is not None and of_base and self.base.calculation_required(atoms, of_base):
            return True
        return bool(own) and super().calculation_required(atoms, own)

    def export_properties(self) -> Properties:
        """The results that ASE knows by name (energy, forces, ...)."""
        return Properties({k: v for k, v in self.results.items() if k in all_outputs})

    def get_propensity(self, atoms: Atoms | None = None) -> np.ndarray:
        """Predicted propensity [N, T] [length], in the model's unit; T: ``manifest.times``."""
        return self._output("propensity", atoms)

    def get_propensity_std(self, atoms: Atoms | None = None) -> np.ndarray:
        """Standard deviation over the members of a committee [N, T] [length].

        Raises:
            PropertyNotImplementedError: the model is not a committee.
        """
        return self._output("propensity_std", atoms)

    def get_descriptors(self, atoms: Atoms | None = None) -> np.ndarray:
        """Rotation-invariant descriptors [N, D] [-]."""
        return self._output("descriptors", atoms)

    def get_equivariant(self, atoms: Atoms | None = None) -> np.ndarray:
        """Features that rotate with the atoms, [N, sum of (2 l + 1) C] [-].

        Their order is that of e3nn for ``manifest.output("equivariant").irreps``.
        """
        return self._output("equivariant", atoms)

    def predict(
        self, atoms: Sequence[Atoms], outputs: Sequence[str] | None = None
    ) -> list[dict[str, np.ndarray]]:
        """Outputs for several Atoms in one batch; nothing is cached.

        Args:
            atoms: any number of Atoms, of any sizes.
            outputs: names of outputs. Default: those given on construction.

        Returns:
            One dict for each Atoms, from names of outputs to arrays [N, columns].

        Raises:
            InputError: an unknown output, or atoms that do not fit the model.
        """
        chosen = self.outputs if outputs is None else self._checked(outputs)
        configurations = [self.configuration(a, f"atoms[{k}]") for k, a in enumerate(atoms)]
        return self.predictor.predict(configurations, chosen, as_given=True)

    def annotate(self, atoms: OneOrMore, outputs: Sequence[str] | None = None) -> OneOrMore:
        """Write predictions into ``atoms.arrays``, which extxyz files keep.

        `glassml.inference.annotate_atoms` lists what is written. The arrays do not change when the
        atoms move: annotate again then.

        Args:
            atoms: Atoms, or several (which are predicted in one batch).
            outputs: names of outputs. Default: those given on construction.

        Returns:
            ``atoms``, for chaining.

        Raises:
            InputError: see `predict`.
        """
        chosen = self.outputs if outputs is None else self._checked(outputs)
        if isinstance(atoms, Atoms):
            values = {name: self._output(name, atoms) for name in chosen}
            annotate_atoms(atoms, values, self.manifest)
        else:
            for one, values in zip(atoms, self.predict(atoms, chosen), strict=True):
                annotate_atoms(one, values, self.manifest)
        return atoms

    def configuration(self, atoms: Atoms, name: str = "atoms") -> Configuration:
        """The input of the model for these atoms; see `ModelInputs.configuration`."""
        temperature = temperature_of(atoms, self.manifest.length_unit)
        return self.inputs.configuration(atoms, name, self.base, temperature)

    def _get_name(self) -> str:
        return "glassml"

    def _base_of(self, name: str) -> BaseCalculator | None:
        """The base calculator, if it is the one that provides this property."""
        if self.base is None or name in self._own:
            return None
        return self.base if name in self.base.implemented_properties else None

    def _mirror(self, atoms: Atoms | None, name: str, value: Any) -> None:
        if self.atoms is None and atoms is not None:
            self.atoms = atoms.copy()
        own = {k: v for k, v in self.results.items() if k in self._own}
        known = {name: value, **getattr(self.base, "results", {})}
        # Copies, because some calculators reuse their arrays.
        of_base = {k: copy.copy(v) for k, v in known.items() if self._base_of(k) is not None}
        self.results = own | of_base

    def _checked(self, outputs: Sequence[str]) -> tuple[str, ...]:
        for name in [outputs] if isinstance(outputs, str) else outputs:
            if name not in self._own or isinstance(outputs, str):
                raise InputError(
                    f"outputs: expected a sequence of {', '.join(self._own)}, which "
                    f"{self.predictor.path.name} gives; found {outputs!r}"
                )
        return tuple(outputs)

    def _output(self, name: str, atoms: Atoms | None) -> np.ndarray:
        if name not in self._own:
            raise PropertyNotImplementedError(
                f"{name}: expected one of {', '.join(self._own)}, which "
                f"{self.predictor.path.name} gives; found {name!r}"
            )
        return self.get_property(name, atoms)

    def __deepcopy__(self, memo: dict[int, Any]) -> GlassMLCalculator:
        # The loaded model never changes, so copies share it.
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        memo[id(self.predictor)] = self.predictor
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        # TorchScript modules cannot be pickled; the other process loads the file again.
        absolute = str(self.predictor.path.resolve())
        predictor = self.predictor
        return {
            **self.__dict__,
            "predictor": (absolute, str(predictor.device), predictor.trusted),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        path, device, trust = state["predictor"]
        self.__dict__.update(state, predictor=Predictor(path, device, trust=trust))


def _label(source: ScalarSource) -> str:
    return source if isinstance(source, str) else getattr(source, "__name__", repr(source))


def _stored(atoms: Atoms, name: str) -> Any:
    return atoms.arrays.get(name, atoms.info.get(name))
