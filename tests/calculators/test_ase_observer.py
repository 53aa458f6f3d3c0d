"""The observer of ASE's dynamics: averages over its calls, as offline, and clear messages."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from systems import liquid
from vibrating import averaged_model, frames_of, seen_by_model, vibrating

from glassml.calculators import GlassMLCalculator, PropensityObserver
from glassml.data import Configuration, Window, atoms_from_configuration, open_frames
from glassml.errors import InputError
from glassml.export import save_model
from glassml.inference import (
    FrameAverages,
    ModelInputs,
    Predictor,
    predict_file,
    write_frame,
)
from glassml.models import build

MakeModel = Callable[..., Path]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    path = averaged_model(tmp_path_factory.mktemp("model") / "average.pt")
    return Predictor(path, device="cpu")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A model that reads no energies."""
    path = averaged_model(tmp_path_factory.mktemp("model") / "plain.pt", ("vibration",))
    return Predictor(path, device="cpu")


def moving_atoms() -> Atoms:
    """Atoms that `observe` moves; their energies are in an array."""
    return frames_of(vibrating(1), None)[0]


def observe(observer: PropensityObserver, frames: Sequence[Configuration]) -> None:
    """Move the atoms along a trajectory and call the observer in every frame, as dynamics do."""
    for frame in frames:
        observer.atoms.positions = frame.positions
        observer.atoms.arrays["pe"] = frame.scalars["pe"]
        observer()


def expected(predictor: Predictor, samples: Sequence[Configuration]) -> np.ndarray:
    return predictor.predict([seen_by_model(samples)], as_given=True)[0]["propensity"]


ENERGY = {"scalars": {"average_energy": "pe"}}


def test_windows_of_calls(predictor: Predictor) -> None:
    """Calls count from 0, at the start of a simulation."""
    moving, seen = vibrating(25), []
    observer = PropensityObserver(
        moving_atoms(),
        predictor,
        every=8,
        **ENERGY,
        callback=lambda o: seen.append((o.number - 1, o.evaluations, o.results["propensity"])),
    )
    observe(observer, moving)
    assert [number for number, *_ in seen] == [8, 16, 24]
    assert [evaluations for _, evaluations, _ in seen] == [1, 2, 3]
    for number, _, values in seen:
        # 1e-12: the same arithmetic, except that ASE's Atoms hold what the dataset held
        wanted = expected(predictor, moving[number - 4 : number + 1])
        np.testing.assert_allclose(values, wanted, rtol=1e-12)


def test_windows_of_other_sizes(predictor: Predictor) -> None:
    moving = vibrating(8)
    with pytest.warns(
        UserWarning,
        match=r"average\.pt was trained on averages over 5 samples every 0\.1; found averages over "
        r"7 samples every 0\.1",
    ):
        observer = PropensityObserver(moving_atoms(), predictor, samples=7, **ENERGY)
    observe(observer, moving)
    np.testing.assert_allclose(  # 1e-12: as above
        observer.results["propensity"], expected(predictor, moving[1:]), rtol=1e-12
    )


def test_what_the_model_read(plain: Predictor) -> None:
    moving = vibrating(6)
    observer = PropensityObserver(moving_atoms(), plain)
    assert (observer.results, observer.averaged) == ({}, None)
    observe(observer, moving)
    view = seen_by_model(moving[1:])
    assert observer.averaged is not None
    # 1e-14: see above
    np.testing.assert_allclose(observer.averaged.positions, view.positions, atol=1e-14)
    np.testing.assert_allclose(
        observer.averaged.scalars["vibration"], view.scalars["vibration"], rtol=1e-12
    )
    np.testing.assert_array_equal(observer.atoms.positions, moving[5].positions)


def test_smoothed(predictor: Predictor) -> None:
    moving = vibrating(21)
    observer = PropensityObserver(moving_atoms(), predictor, smooth=3, **ENERGY)
    observe(observer, moving)
    last = [expected(predictor, moving[k - 4 : k + 1]) for k in (10, 15, 20)]
    # 1e-12: as above; the spread is a difference of nearly equal numbers
    np.testing.assert_allclose(observer.results["propensity"], np.mean(last, axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        observer.results["propensity_spread"], np.std(last, axis=0), atol=1e-11
    )


def test_begins_anew(predictor: Predictor) -> None:
    moving = vibrating(30)
    observer = PropensityObserver(moving_atoms(), predictor, smooth=2, **ENERGY)
    observe(observer, moving[:13])
    observer.reset()
    assert (observer.number, observer.evaluations, observer.results) == (0, 0, {})
    observe(observer, moving[20:26])
    np.testing.assert_allclose(  # 1e-12: as above
        observer.results["propensity"], expected(predictor, moving[21:26]), rtol=1e-12
    )
    np.testing.assert_array_equal(observer.results["propensity_spread"], 0)


def test_annotations(predictor: Predictor, tmp_path: Path) -> None:
    observer = PropensityObserver(
        moving_atoms(), predictor, outputs=["propensity", "descriptors"], smooth=2, **ENERGY
    )
    with pytest.raises(
        InputError, match=r"annotate: expected an evaluation, .* in call 5; found 0"
    ):
        observer.annotate()
    observe(observer, vibrating(6))
    ase.io.write(tmp_path / "md.extxyz", observer.annotate())
    found = ase.io.read(tmp_path / "md.extxyz")
    for name in ("propensity", "propensity_spread", "descriptors"):
        # 1e-7: extxyz files of ASE have eight decimals
        np.testing.assert_allclose(found.arrays[name], observer.results[name], atol=1e-7)
    assert found.info["propensity_model"] == "analytic"
    other = observer.annotate(moving_atoms())
    np.testing.assert_array_equal(other.arrays["propensity"], observer.results["propensity"])


# --- in dynamics --------------------------------------------------------------------------------


def dynamics_of(atoms: Atoms) -> VelocityVerlet:
    """LJ units: ASE's own for mass 1."""
    atoms.calc = LennardJones(sigma=0.8, epsilon=0.5, rc=2.0, smooth=True)
    atoms.set_masses(np.ones(len(atoms)))
    atoms.set_velocities(np.random.default_rng(0).normal(scale=0.5, size=(len(atoms), 3)))
    return VelocityVerlet(atoms, timestep=0.005)


@pytest.mark.parametrize("pbc", [True, (True, False, True)])
def test_equals_the_prediction_for_a_file(
    predictor: Predictor, tmp_path: Path, pbc: bool | tuple[bool, ...]
) -> None:
    """The same frames offline: energies of the calculator, in a file with all digits."""
    atoms, found = atoms_from_configuration(liquid(60)), []
    atoms.pbc = pbc
    dynamics = dynamics_of(atoms)
    observer = PropensityObserver(
        atoms,
        predictor,
        every=7,
        dynamics=dynamics,
        interval=20,
        time_unit=1.0,
        callback=lambda o: found.append(o.results["propensity"]),
    )
    dynamics.attach(observer, interval=20)
    source = tmp_path / "run.extxyz"

    def write() -> None:
        atoms.info["time"] = dynamics.get_time()
        copy = atoms.copy()
        copy.set_array("pe", atoms.get_potential_energies())
        with source.open("a") as stream:
            write_frame(stream, copy)

    dynamics.attach(write, interval=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the window is that of the model
        dynamics.run(14 * 20)
        report = predict_file(
            predictor,
            open_frames(source, "1:"),
            tmp_path / "out.extxyz",
            inputs=ModelInputs(predictor.manifest, scalars={"average_energy": "pe"}),
            averages=FrameAverages(every=7),
        )
    assert (report.frames, report.window.same_as(Window(0.1, 5))) == (2, True)
    offline = ase.io.read(tmp_path / "out.extxyz", index=":")
    assert len(found) == 2
    assert not np.allclose(found[0], found[1], rtol=1e-3)
    for values, atoms_offline in zip(found, offline, strict=True):
        # 1e-12: files of ASE's own reader hold the same numbers, edges may be in another order
        np.testing.assert_allclose(atoms_offline.arrays["propensity"], values, rtol=1e-12)


def test_dynamics_are_not_disturbed(predictor: Predictor) -> None:
    alone, observed = (atoms_from_configuration(liquid(60)) for _ in range(2))
    dynamics_of(alone).run(12)
    dynamics = dynamics_of(observed)
    dynamics.attach(PropensityObserver(observed, predictor), interval=2)
    dynamics.run(12)
    np.testing.assert_array_equal(observed.positions, alone.positions)
    np.testing.assert_array_equal(observed.get_momenta(), alone.get_momenta())


def test_energies_of_a_glassml_calculator(predictor: Predictor) -> None:
    """The base behind it gives the energies."""
    atoms = atoms_from_configuration(liquid(60))
    dynamics_of(atoms)
    alone = PropensityObserver(atoms, predictor)
    behind = PropensityObserver(atoms.copy(), predictor)
    with pytest.warns(UserWarning, match="PropensityObserver averages them"):
        behind.atoms.calc = GlassMLCalculator(predictor.path, base=atoms.calc, species=("A", "B"))
    for observer in (alone, behind):
        for _ in range(6):
            observer()
    np.testing.assert_array_equal(alone.results["propensity"], behind.results["propensity"])


@pytest.mark.parametrize("source", ["energies", None])
def test_thermal_energy_is_that_of_the_calculator(tmp_path: Path, source: str | None) -> None:
    names = ("potential_energy", "average_energy")
    model = averaged_model(tmp_path / "m.pt", names)
    atoms = atoms_from_configuration(liquid(60))
    dynamics_of(atoms)
    scalars = None if source is None else dict.fromkeys(names, source)
    observer = PropensityObserver(atoms, model, scalars=scalars, device="cpu")
    for k in range(6):
        atoms.positions += 0.01 * np.sin(np.arange(180.0) + k).reshape(60, 3)
        observer()
    assert observer.averaged is not None
    energy = observer.averaged.scalars
    np.testing.assert_array_equal(energy["potential_energy"], atoms.get_potential_energies())
    assert np.abs(energy["average_energy"] - energy["potential_energy"]).max() > 1e-3


def test_a_real_metal_in_its_own_units(tmp_path: Path) -> None:
    from ase.build import bulk

    model = build("analytic", species=("Cu",), cutoff=0.4, length_unit="nm")
    model.positions, model.window = "average", Window(8.0, 3)  # femtoseconds
    save_model(model, tmp_path / "cu.pt", dtype="float64")
    atoms = bulk("Cu", cubic=True) * 2
    atoms.calc = EMT()
    atoms.set_momenta(np.random.default_rng(1).normal(size=(32, 3)))
    dynamics = VelocityVerlet(atoms, timestep=4 * units.fs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        observer = PropensityObserver(
            atoms, tmp_path / "cu.pt", dynamics=dynamics, interval=2, time_unit=units.fs
        )
    dynamics.attach(observer, interval=2)
    dynamics.run(6)
    assert observer.evaluations == 1
    assert observer.averaged is not None
    cell = observer.averaged.cell
    np.testing.assert_allclose(cell, atoms.cell.array / 10)
    np.testing.assert_allclose(observer.averaged.positions, atoms.positions / 10, atol=0.02)


def test_another_interval_warns(plain: Predictor) -> None:
    dynamics = dynamics_of(moving_atoms())
    with pytest.warns(UserWarning, match=r"5 samples every 0\.1; found .* 5 samples every 0\.05"):
        PropensityObserver(dynamics.atoms, plain, dynamics=dynamics, interval=10, time_unit=1.0)


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples: expected a positive number; found 0"),
        ({"every": 4}, "every: expected 5 or more, as a window of 5 samples must fit .*found 4"),
        ({"samples": 9, "every": 6}, "every: expected 9 or more, as a window of 9 .*found 6"),
        ({"smooth": 0}, "smooth: expected a positive number of evaluations; found 0"),
        ({"outputs": ["colour"]}, "outputs: expected one of propensity, .*found 'colour'"),
        (
            {"outputs": ["descriptors"], "smooth": 2},
            "outputs: expected propensity among them, as smooth averages it; found descriptors",
        ),
        ({"scalars": {"vibration": "pe"}}, "'vibration': expected no source, as it comes from the"),
        ({"scalars": {"charge": "pe"}}, "scalars: expected inputs of the model analytic"),
        ({"species": {"H": "C"}}, "one of the model's species .*; found 'C'"),
        ({"interval": 0, "time_unit": 1.0}, "interval: expected a positive number of steps"),
        ({}, r"time_unit: expected the model's unit of time .* such as ase\.units\.fs, .*None"),
        ({"time_unit": -1.0}, r"time_unit: expected .* found -1\.0"),
    ],
)
def test_wrong_arguments(plain: Predictor, options: dict[str, Any], message: str) -> None:
    dynamics = dynamics_of(moving_atoms())
    with pytest.raises(InputError, match=message):
        PropensityObserver(dynamics.atoms, plain, dynamics=dynamics, **options)


def test_dynamics_have_a_time_step(plain: Predictor) -> None:
    atoms = moving_atoms()
    dynamics_of(atoms)
    with pytest.raises(InputError, match=r"dynamics: expected an object of ase\.md .*found BFGS"):
        PropensityObserver(atoms, plain, dynamics=BFGS(atoms, logfile=None), time_unit=1.0)


def test_a_model_without_averages(analytic: MakeModel) -> None:
    with pytest.raises(
        InputError,
        match=r"model: expected one of averaged positions; found analytic\d+\.pt, which reads "
        "thermal positions. Use GlassMLCalculator for it",
    ):
        PropensityObserver(moving_atoms(), analytic())


def test_the_calculator_names_the_observer(plain: Predictor) -> None:
    with pytest.warns(
        UserWarning,
        match=r"plain\.pt: the model reads positions averaged over 5 samples every 0\.1; the given "
        r"positions are used .*\. PropensityObserver averages them",
    ):
        GlassMLCalculator(plain, species=("A", "B"))


def test_atoms_that_come_and_go(plain: Predictor) -> None:
    observer = PropensityObserver(moving_atoms(), plain)
    observe(observer, vibrating(3))
    del observer.atoms[7]
    with pytest.raises(
        InputError,
        match=r"atoms in call 3: particles: expected the 60 of atoms in call 1, .*; found 59",
    ):
        observer()
    observer.reset()
    for _ in range(6):
        observer()
    assert observer.results["propensity"].shape == (59, 2)


def test_calculators_without_energies_of_particles(predictor: Predictor) -> None:
    observer = PropensityObserver(moving_atoms(), predictor)
    observer()
    message = "scalars: expected a calculator that gives the energy of each particle .* found none"
    with pytest.raises(InputError, match=message):
        observer()
    observer.atoms.calc = SinglePointCalculator(observer.atoms, energy=1.0)
    observer.reset()
    observer()
    with pytest.raises(InputError, match=r"found unknown .*scalars=\{'average_energy'"):
        observer()
