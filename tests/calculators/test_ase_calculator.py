"""The ASE calculator: right values, right inputs, and the base calculator left alone."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.io.trajectory import Trajectory
from ase.md.verlet import VelocityVerlet
from systems import liquid, rotation

from glassml.calculators import GlassMLCalculator
from glassml.data import atoms_from_configuration
from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import build

MakeModel = Callable[..., Path]
CUTOFF = 2.0


def weight(distance: float) -> float:
    return (1 - (distance / CUTOFF) ** 2) ** 2


def dimer(distance: float = 1.2, **options: object) -> Atoms:
    return Atoms("HHe", positions=[[0, 0, 0], [distance, 0, 0]], **options)


def mixture(n: int = 60, seed: int = 0) -> Atoms:
    return atoms_from_configuration(liquid(n, seed=seed))


def soft() -> LennardJones:
    """A base calculator; small sigma, as the particles of `mixture` come close."""
    return LennardJones(sigma=0.8, epsilon=0.1, rc=2.0, smooth=True)


@pytest.fixture
def calculator(analytic: MakeModel) -> GlassMLCalculator:
    return GlassMLCalculator(analytic(), species=("A", "B"), device="cpu")


@pytest.fixture
def observer(analytic: MakeModel) -> GlassMLCalculator:
    return GlassMLCalculator(analytic(), base=soft(), species=("A", "B"), device="cpu")


def count_runs(calculator: GlassMLCalculator, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one whenever the model runs."""
    runs: list[int] = []
    predict = calculator.predictor.predict

    def counted(configurations: list, outputs: tuple, *, as_given: bool) -> list:
        runs.append(len(configurations))
        return predict(configurations, outputs, as_given=as_given)

    monkeypatch.setattr(calculator.predictor, "predict", counted)
    return runs


# --- values -------------------------------------------------------------------------------------


def test_two_particles_have_the_closed_form(calculator: GlassMLCalculator) -> None:
    g = weight(1.2)
    expected = [[2 * g + t * g**2 for t in (1, 2)], [g + 2 * t * g**2 for t in (1, 2)]]
    # 1e-14: a few roundings of numbers of order one in float64
    np.testing.assert_allclose(calculator.get_propensity(dimer()), expected, atol=1e-14)
    np.testing.assert_allclose(
        calculator.get_descriptors(dimer()), [[2 * g, g**2, 2.4 * g], [g, 2 * g**2, 1.2 * g]]
    )


def test_isolated_particle_has_no_neighbour(calculator: GlassMLCalculator) -> None:
    assert calculator.get_propensity(Atoms("H")).tolist() == [[0, 0]]


def test_particle_sees_its_own_periodic_images(calculator: GlassMLCalculator) -> None:
    g = weight(1.5)  # six images at 1.5, the next twelve at 1.5 sqrt(2) > r_c
    atoms = Atoms("He", cell=[1.5] * 3, pbc=True)
    np.testing.assert_allclose(
        calculator.get_propensity(atoms), [[12 * g + 72 * g**2, 12 * g + 144 * g**2]], atol=1e-13
    )


@pytest.mark.parametrize("pbc", [False, (True, False, True)])
def test_cell_does_not_matter_where_it_is_not_periodic(
    calculator: GlassMLCalculator, pbc: bool | tuple[bool, bool, bool]
) -> None:
    atoms = dimer(cell=[5, 0.1, 5], pbc=pbc)
    atoms.positions = [[0, 0, 0], [0, -1.2, 0]]  # far outside the cell
    np.testing.assert_allclose(
        calculator.get_propensity(atoms), calculator.get_propensity(dimer()), atol=1e-14
    )


def test_equals_the_predictor(analytic: MakeModel, calculator: GlassMLCalculator) -> None:
    names = ("propensity", "descriptors", "equivariant")
    expected = Predictor(analytic(), device="cpu").predict([liquid()], names)[0]
    for name in names:
        assert np.array_equal(calculator.get_property(name, mixture()), expected[name])


def test_network_equals_the_predictor(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_model(build("se3gnn-v2", n_layers=2, channels=4, times=(0.5, 3.0)), tmp_path / "net.pt")
    calculator = GlassMLCalculator(tmp_path / "net.pt", species=("A", "B"), device="cpu")
    expected = calculator.predictor.predict([liquid()])[0]["propensity"]
    assert expected.std() > 0
    assert np.array_equal(calculator.get_propensity(mixture()), expected)


def test_equivariant_features_turn_with_the_atoms(calculator: GlassMLCalculator) -> None:
    atoms = mixture()
    before = calculator.get_equivariant(atoms)
    turn = rotation(seed=3)
    atoms.set_cell(atoms.cell @ turn.T, scale_atoms=True)
    after = calculator.get_equivariant(atoms)
    assert calculator.manifest.output("equivariant").irreps == "1x0e+1x1e"
    np.testing.assert_allclose(after[:, 0], before[:, 0], atol=1e-12)
    np.testing.assert_allclose(after[:, 1:], before[:, 1:] @ turn.T, atol=1e-12)


def test_batch_equals_one_by_one(calculator: GlassMLCalculator) -> None:
    several = [mixture(60), dimer(), mixture(40, seed=1), Atoms("H")]
    batch = calculator.predict(several, outputs=["propensity", "descriptors"])
    for atoms, values in zip(several, batch, strict=True):
        np.testing.assert_allclose(values["propensity"], calculator.get_propensity(atoms), 1e-13)
        np.testing.assert_allclose(values["descriptors"], calculator.get_descriptors(atoms), 1e-13)


# --- base calculator ----------------------------------------------------------------------------


def run_dynamics(atoms: Atoms, observe: Callable[[], object] | None = None) -> list[float]:
    """Thirty steps of 0.002 (LJ units: ASE's own for mass 1); total energies."""
    atoms.set_masses(np.ones(len(atoms)))
    atoms.set_velocities(np.random.default_rng(0).normal(scale=0.3, size=(len(atoms), 3)))
    dynamics = VelocityVerlet(atoms, timestep=0.002)
    energies: list[float] = []
    dynamics.attach(lambda: energies.append(atoms.get_total_energy()))
    if observe is not None:
        dynamics.attach(observe, interval=10)
    dynamics.run(30)
    return energies


def test_dynamics_are_those_of_the_base(observer: GlassMLCalculator) -> None:
    alone, observed = mixture(), mixture()
    alone.calc, observed.calc = soft(), observer
    expected = run_dynamics(alone)
    found = run_dynamics(observed, lambda: observer.annotate(observed))
    assert found == expected
    assert np.array_equal(observed.positions, alone.positions)
    assert np.array_equal(observed.get_forces(), alone.get_forces())
    assert np.array_equal(observed.get_stress(), alone.get_stress())
    assert np.ptp(found) < 1e-3 * abs(found[0])  # and they conserve energy
    np.testing.assert_array_equal(observed.arrays["propensity"], observer.get_propensity(observed))


def test_model_runs_only_when_asked(
    observer: GlassMLCalculator, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = count_runs(observer, monkeypatch)
    atoms = mixture()
    atoms.calc = observer
    run_dynamics(atoms)
    assert runs == []
    observer.annotate(atoms)
    observer.get_descriptors(atoms)
    atoms.get_potential_energy()
    observer.get_propensity()
    assert runs == [1]


def test_base_is_asked_anew_after_it_was_changed(observer: GlassMLCalculator) -> None:
    atoms = mixture()
    atoms.calc = observer
    before = atoms.get_potential_energy()
    observer.base.set(epsilon=0.2)
    observer.base.reset()
    assert atoms.get_potential_energy() == pytest.approx(2 * before)
    assert observer.results["energy"] == pytest.approx(2 * before)


def test_values_of_other_atoms_are_forgotten(observer: GlassMLCalculator) -> None:
    """`calculate` may be called directly, as some of ASE's tools do."""
    first, second = mixture(seed=1), mixture(seed=2)
    observer.calculate(first, ["propensity"])
    observer.calculate(second, ["energy"])
    expected = observer.predict([second])[0]["propensity"]
    np.testing.assert_array_equal(observer.get_property("propensity", second), expected)


@pytest.mark.parametrize("prop", ["energy", "forces", "stress"])
def test_without_a_base_there_is_no_energy(calculator: GlassMLCalculator, prop: str) -> None:
    with pytest.raises(PropertyNotImplementedError, match=prop):
        calculator.get_property(prop, dimer())


def test_calculation_required(observer: GlassMLCalculator) -> None:
    atoms = mixture()
    assert observer.calculation_required(atoms, ["energy"])
    observer.get_potential_energy(atoms)
    assert not observer.calculation_required(atoms, ["energy", "forces"])
    assert observer.calculation_required(atoms, ["energy", "propensity"])
    assert observer.get_property("propensity", atoms, allow_calculation=False) is None
    observer.get_propensity(atoms)
    assert not observer.calculation_required(atoms, ["energy", "propensity"])


def test_real_metal_with_emt(analytic: MakeModel) -> None:
    from ase.build import bulk

    model = analytic(species=("Cu", "Au"), cutoff=4.0, length_unit="angstrom")
    atoms = bulk("Cu", cubic=True) * 2
    atoms.symbols[::3] = "Au"
    atoms.calc = GlassMLCalculator(model, base=EMT())
    alone = atoms.copy()
    alone.calc = EMT()
    assert atoms.get_potential_energy() == alone.get_potential_energy()
    assert atoms.calc.get_propensity(atoms).shape == (32, 2)


# --- cache --------------------------------------------------------------------------------------


def test_cache_follows_what_the_model_sees(
    analytic: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = analytic(scalar_inputs=("potential_energy",))
    calculator = GlassMLCalculator(model, species=("A", "B"))
    runs = count_runs(calculator, monkeypatch)
    atoms = mixture()
    atoms.set_array("potential_energy", np.zeros(len(atoms)))
    first = calculator.get_propensity(atoms)
    calculator.get_propensity(atoms.copy())
    atoms.set_initial_charges(np.ones(len(atoms)))
    calculator.get_propensity(atoms)
    assert len(runs) == 1
    atoms.arrays["potential_energy"] += 1.0
    assert (calculator.get_propensity(atoms) > first).all()
    atoms.positions[0] += 0.01
    calculator.get_propensity(atoms)
    atoms.arrays["type"] = 3 - atoms.arrays["type"]
    calculator.get_propensity(atoms)
    assert len(runs) == 4


def test_results_given_away_cannot_change_the_cache(calculator: GlassMLCalculator) -> None:
    atoms = dimer()
    calculator.get_propensity(atoms)[:] = 0
    assert calculator.get_propensity(atoms).min() > 0.5


def test_copies_predict_the_same(observer: GlassMLCalculator) -> None:
    atoms = mixture()
    expected = observer.get_propensity(atoms)
    for twin in (copy.deepcopy(observer), pickle.loads(pickle.dumps(observer))):  # noqa: S301
        twin.reset()
        assert np.array_equal(twin.get_propensity(atoms), expected)
        assert twin.get_potential_energy(atoms) == observer.get_potential_energy(atoms)


# --- files --------------------------------------------------------------------------------------


def test_annotations_survive_extxyz(observer: GlassMLCalculator, tmp_path: Path) -> None:
    atoms = mixture()
    atoms.calc = observer
    atoms.get_forces()
    observer.annotate(atoms, outputs=["propensity", "descriptors"])
    ase.io.write(tmp_path / "a.extxyz", atoms)
    found = ase.io.read(tmp_path / "a.extxyz")
    # 5e-9: extxyz holds eight decimals
    for name in ("propensity", "descriptors"):
        expected = observer.get_property(name, atoms)
        np.testing.assert_allclose(found.arrays[name], expected, atol=6e-9)
    np.testing.assert_allclose(found.get_forces(), atoms.get_forces(), atol=6e-9)
    assert found.info["propensity_times"].tolist() == [1, 2]
    assert found.info["propensity_model"] == "analytic"
    assert found.info["propensity_unit"] == "lj"


def test_one_time_is_one_column(analytic: MakeModel, tmp_path: Path) -> None:
    calculator = GlassMLCalculator(analytic(times=(4120.0,)), species=("A", "B"))
    several = calculator.annotate([dimer(), mixture()])
    assert [atoms.arrays["propensity"].shape for atoms in several] == [(2,), (60,)]
    ase.io.write(tmp_path / "a.extxyz", several)
    found = ase.io.read(tmp_path / "a.extxyz", index=":")
    np.testing.assert_allclose(
        found[1].arrays["propensity"], calculator.get_propensity(several[1])[:, 0], atol=6e-9
    )
    assert found[0].info["propensity_times"] == 4120


def test_labels_are_not_lost(calculator: GlassMLCalculator) -> None:
    labels = np.full((60, 1), 0.5)
    atoms = atoms_from_configuration(liquid(times=[3.0], propensity=labels))
    for _ in range(2):  # the second time it is a prediction that is replaced
        calculator.annotate(atoms)
        assert np.array_equal(atoms.arrays["propensity_label"], labels)
        assert np.array_equal(atoms.arrays["propensity"], calculator.get_propensity(atoms))


def test_trajectory_files_keep_what_the_base_gives(
    observer: GlassMLCalculator, tmp_path: Path
) -> None:
    atoms = mixture()
    atoms.calc = observer
    energy = atoms.get_potential_energy()
    observer.get_propensity(atoms)
    with Trajectory(tmp_path / "a.traj", "w", atoms) as writer:
        writer.write()
    assert ase.io.read(tmp_path / "a.traj").get_potential_energy() == energy
    assert dict(observer.export_properties())["energy"] == energy
