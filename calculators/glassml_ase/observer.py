"""An observer of ASE's dynamics: propensities from positions averaged over a window."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError

from glassml.data import Configuration, SpeciesMap, Window, view_of
from glassml.errors import InputError, not_one_of
from glassml.export import Manifest
from glassml.inference import (
    ModelInputs,
    PositionWindow,
    Predictor,
    SampleClock,
    ScalarSource,
    Smoothing,
    annotate_atoms,
    window_note,
)
from glassml_ase.temperature import temperature_of

__all__ = ["PropensityObserver"]

# Scalars that are, or are made from, the energies of the calculator if nothing else is given.
_ENERGIES = ("average_energy", "potential_energy")


class PropensityObserver:
    """Averages the positions of moving atoms and evaluates a model of averaged positions.

    To be attached to an object of `ase.md` (``dynamics.attach(observer, interval=n)``). Each call
    is a sample. The call at the start of a simulation has number 0, and the calls with the
    numbers ``every``, 2 ``every``, ... end with an evaluation for the last ``samples`` samples.
    `glassml.physics.averaging` defines the averages.

    Args:
        atoms: the atoms that move, N particles.
        model: model file, or a `glassml.inference.Predictor`; it reads averaged positions or
            scalars.
        species: which species of the model the particles are; see `glassml.inference.ModelInputs`.
        samples: samples of a window. Default: as many as in the training of the model.
        every: calls from one evaluation to the next, at least ``samples``. Default: ``samples``.
        smooth: number of evaluations over which the propensity of each particle is averaged (see
            `glassml.inference.Smoothing`). Default: no such average.
        dynamics: the object that the observer is attached to; its time step shows the time between
            two samples. Default: that time is taken to be the one of the model, without a check.
        interval: the steps between two calls, as given to ``attach``.
        time_unit: the model's unit of time in ASE's units, such as ``ase.units.fs``; needed with
            ``dynamics``. It is 1 for a model in LJ units if masses are 1 u, lengths sigma = 1
            Angstrom and energies epsilon = 1 eV.
        scalars: where other scalar inputs come from; see `ModelInputs`. The potential energy, of
            which ``average_energy`` is the mean over the samples, is that of the calculator.
        outputs: names of outputs of the model.
        length_unit: unit of the positions; see `ModelInputs`. Outputs are in the model's unit.
        device: "cpu", "cuda", "cuda:N" or "auto"; not used if ``model`` is a Predictor.
        threads: CPU threads of torch; None keeps the present setting.
        trust: do not check the code in the model file, which could do anything that you may do.
        callback: called after each evaluation with the observer, for instance to write a file.

    Attributes:
        atoms: as given.
        results: outputs of the last evaluation, name -> [N, columns], with ``propensity_spread``
            if ``smooth`` is given; empty before the first evaluation.
        averaged: what the model read in the last evaluation, with averaged positions in the
            model's unit; None before the first evaluation.
        number: number of the next call.
        evaluations: number of evaluations so far.

    Raises:
        ModelFileError: the model file is missing, damaged, or of an unknown format version.
        InputError: an argument does not fit the model or another one; the message names it.

    Warns:
        UserWarning: the window is not that of the model.
        OutsideDomainWarning: on a call, if the atoms are unlike the training data of the model;
            once for each quantity in which they are.
    """

    def __init__(
        self,
        atoms: Atoms,
        model: str | Path | Predictor,
        species: SpeciesMap | Mapping[str, str] | Sequence[str] | None = None,
        *,
        samples: int | None = None,
        every: int | None = None,
        smooth: int | None = None,
        dynamics: Any = None,
        interval: int = 1,
        time_unit: float | None = None,
        scalars: Mapping[str, ScalarSource] | None = None,
        outputs: Sequence[str] = ("propensity",),
        length_unit: str | None = None,
        device: str = "auto",
        threads: int | None = None,
        trust: bool = False,
        callback: Callable[[PropensityObserver], object] | None = None,
    ) -> None:
        self.predictor = Predictor.of(model, device, threads, trust=trust)
        self.atoms = atoms
        self.callback = callback
        expected = self._model_window
        self._inputs = self._inputs_of(species, scalars or {}, length_unit)
        self.outputs = self._checked(outputs, smooth)
        self._smoothing = None if smooth is None else Smoothing(smooth)
        samples = expected.samples if samples is None else samples
        self._clock = SampleClock(samples, samples if every is None else every)
        time = _time_between(dynamics, interval, time_unit)
        self.window = Window(expected.interval if time is None else time, samples)
        note = window_note(self.predictor.path.name, expected, self.window)
        if note:
            warnings.warn(note, stacklevel=2)
        self.reset()

    @property
    def manifest(self) -> Manifest:
        """Window and species of the model, and the columns of its outputs."""
        return self.predictor.manifest

    def reset(self) -> None:
        """Forget samples and evaluations; the next call has number 0."""
        self.number = self.evaluations = 0
        self.results: dict[str, np.ndarray] = {}
        self.averaged: Configuration | None = None
        self._window = PositionWindow(self._clock, self.window.interval)
        if self._smoothing is not None:
            self._smoothing.clear()

    def __call__(self) -> None:
        """Take a sample, and evaluate the model if it is due.

        Raises:
            InputError: the atoms do not fit the model or the samples before, or their calculator
                lacks energies that the model reads.
        """
        number = self.number
        self.number += 1
        if not self._clock.is_sample(number):
            return
        name = f"atoms in call {number}"
        temperature = temperature_of(self.atoms, self.manifest.length_unit)
        sample = self._inputs.configuration(self.atoms, name, self.atoms.calc, temperature)
        averaged = self._window.add(number, sample)
        if averaged is None:
            return
        view = view_of(averaged, self.manifest.positions)
        values = self.predictor.predict([view], self.outputs, as_given=True)[0]
        self.results = values if self._smoothing is None else self._smoothing.add(values)
        self.averaged = view
        self.evaluations += 1
        if self.callback is not None:
            self.callback(self)

    def annotate(self, atoms: Atoms | None = None) -> Atoms:
        """Write the results into ``atoms.arrays``, which extxyz files keep.

        `glassml.inference.annotate_atoms` lists what is written. The arrays do not change until
        this is called again.

        Args:
            atoms: N particles. Default: those that the observer follows.

        Returns:
            The atoms, for chaining.

        Raises:
            InputError: there was no evaluation yet.
        """
        atoms = self.atoms if atoms is None else atoms
        if not self.results:
            raise InputError(
                f"annotate: expected an evaluation, of which the first is in call "
                f"{self._clock.every}; found {self.number} calls so far"
            )
        annotate_atoms(atoms, self.results, self.manifest)
        return atoms

    @property
    def _model_window(self) -> Window:
        window = self.manifest.window
        if window is None:
            raise InputError(
                f"model: expected one of averaged positions; found {self.predictor.path.name}, "
                f"which reads {self.manifest.positions} positions. Use GlassMLCalculator for it"
            )
        return window

    def _inputs_of(
        self,
        species: SpeciesMap | Mapping[str, str] | Sequence[str] | None,
        scalars: Mapping[str, ScalarSource],
        length_unit: str | None,
    ) -> ModelInputs:
        known = {entry.name for entry in self.manifest.scalar_inputs}
        energies = {name: _energies for name in _ENERGIES if name in known}
        inputs = ModelInputs(self.manifest, species, {**energies, **scalars}, length_unit)
        return inputs.of_samples()

    def _checked(self, outputs: Sequence[str], smooth: int | None) -> tuple[str, ...]:
        known = [entry.name for entry in self.manifest.outputs]
        chosen = (outputs,) if isinstance(outputs, str) else tuple(outputs)
        for name in chosen:
            if name not in known:
                raise InputError(f"outputs: {not_one_of(name, known)}")
        if smooth is not None and "propensity" not in chosen:
            raise InputError(
                "outputs: expected propensity among them, as smooth averages it; found "
                f"{', '.join(chosen) or 'none'}"
            )
        return chosen


def _time_between(dynamics: Any, interval: int, time_unit: float | None) -> float | None:
    """Time between two calls, in the model's unit; None if it is not known."""
    if dynamics is None:
        return None
    if not hasattr(dynamics, "dt"):
        raise InputError(
            "dynamics: expected an object of ase.md with a time step dt; found "
            f"{type(dynamics).__name__}"
        )
    if interval < 1:
        raise InputError(
            f"interval: expected a positive number of steps between two calls; found {interval}"
        )
    if time_unit is None or not time_unit > 0:
        raise InputError(
            "time_unit: expected the model's unit of time in ASE's units, such as ase.units.fs, "
            "or 1 for a model in LJ units if masses are 1 u, sigma 1 Angstrom and epsilon 1 eV; "
            f"found {time_unit}"
        )
    return float(dynamics.dt) * interval / time_unit


def _energies(atoms: Atoms) -> np.ndarray:
    """Potential energy [N] of each particle, from the calculator of the atoms."""
    try:
        return atoms.get_potential_energies()
    except (RuntimeError, PropertyNotImplementedError, NotImplementedError) as error:
        raise InputError(
            "scalars: expected a calculator that gives the energy of each particle ('energies'), "
            f"which the model reads; found {getattr(atoms.calc, 'name', 'none')} ({error}). Give "
            "a source, such as scalars={'average_energy': function}"
        ) from error
