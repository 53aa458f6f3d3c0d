"""Mistakes in Python: the ASE calculator and observer, and LAMMPS as a library."""

from __future__ import annotations

import pytest
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from mistakes.place import LIQUID, Place, Section, plain
from vibrating import averaged_model

from glassml.calculators import GlassMLCalculator, PropensityObserver
from glassml.lammps import LammpsPredictor, attach, open_lammps

mistake = Section("Python and ASE")


def dimer(**options: object) -> Atoms:
    return Atoms("HHe", positions=[[0, 0, 0], [1.2, 0, 0]], **options)


@mistake("A keyword of the calculator is misspelt")
def misspelt_keyword(at: Place) -> str:
    return at.raised(lambda: GlassMLCalculator(at.models(), specis=("A", "B")))


@mistake("The calculator does not know which symbol is which species")
def no_species(at: Place) -> str:
    return at.raised(lambda: GlassMLCalculator(at.models()).get_propensity(dimer()))


@mistake("Species are given that the model does not have")
def no_such_species(at: Place) -> str:
    return at.raised(lambda: GlassMLCalculator(at.models(), species=("A", "C")))


@mistake("The atoms are periodic and have no cell")
def no_cell(at: Place) -> str:
    calculator = GlassMLCalculator(at.models(), species=("A", "B"))
    return at.raised(lambda: calculator.get_propensity(dimer(pbc=True)))


@mistake("Energies or forces are asked for, and no other calculator gives them")
def no_forces(at: Place) -> str:
    atoms = dimer()
    calculator = GlassMLCalculator(at.model(), species=("A", "B"))
    atoms.calc = calculator
    with pytest.raises(PropertyNotImplementedError) as caught:
        atoms.get_potential_energy()
    return plain(str(caught.value))


@mistake("The calculator is given a model of averaged positions")
def averaging_calculator(at: Place) -> str:
    with pytest.warns(UserWarning, match="reads positions averaged") as caught:
        GlassMLCalculator("kob_andersen_T0.44_average", species=("A", "B"))
    return plain(str(caught[0].message))


@mistake("The observer is given a model of present positions")
def observed_positions(at: Place) -> str:
    return at.raised(lambda: PropensityObserver(dimer(), at.model(), species=("A", "B"), every=10))


def library(text: str) -> object:
    lmp = open_lammps("-log", "none", "-screen", "none")
    lmp.commands_string(text)
    return lmp


@mistake("Values of a fix are read that does not exist")
def no_fix(at: Place) -> str:
    return at.raised(lambda: attach(library(LIQUID)).fix("g"))


@mistake("LAMMPS has no box yet")
def no_box(at: Place) -> str:
    return at.raised(lambda: attach(library("units lj\n")).positions)


@mistake("An array of LAMMPS is misspelt")
def no_array(at: Place) -> str:
    return at.raised(lambda: attach(library(LIQUID)).array("velocity"))


@mistake("Species of the atom types are written as one text")
def species_as_text(at: Place) -> str:
    return at.raised(lambda: LammpsPredictor(at.model(), "A,B"))


@mistake("Python gives too few species for the atom types of LAMMPS")
def too_few_species(at: Place) -> str:
    return at.raised(lambda: LammpsPredictor(at.model(), ["A"])(library(LIQUID)))


@mistake("A model of energies is observed, and no calculator gives them")
def no_energies(at: Place) -> str:
    model = averaged_model(at.folder / "model.pt")
    observer = PropensityObserver(dimer(), model, species=("A", "B"), every=8)
    return at.raised(lambda: [observer() for _ in range(9)])
