"""`fix glassml` at averaged positions: the numbers of Python, however atoms and box move."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from averages import (
    BETWEEN,
    EVERY,
    MOVE,
    POSITIONS,
    RELAX,
    SAMPLES,
    TIMESTEP,
    averaged,
    averaged_by_id,
    averaging_model,
    check,
    dumps,
    read,
)
from systems import liquid

from glassml.physics import PositionAverage

AT = (20, 40, 60)


def samples_and_values(bench):
    return (read(bench.folder / f"{name}.dump") for name in ("samples", "values"))


MOTIONS = {
    "nve": "fix move all nve\n",
    "npt": "fix move all npt temp 1.0 1.0 0.2 aniso 8.0 8.0 0.5\n",
    "flip": "fix move all nve\nchange_box all xy final {xy} remap\n"
    "fix shear all deform 1 xy erate 1.0 remap v\n",
}


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("motion", MOTIONS)
def test_equals_python(bench, motion: str, ranks: int) -> None:
    configuration = liquid(216, seed=60, triclinic=motion == "flip")
    model = averaging_model(bench.folder)
    script = bench.start(configuration, before="atom_modify sort 5 1.0") + RELAX
    script += f"timestep {TIMESTEP}\n" + MOTIONS[motion].format(xy=0.45 * configuration.cell[0, 0])
    script += f"fix g all glassml {EVERY} {model} A B {POSITIONS}\n" + dumps(between=1) + "run 60\n"
    run = bench.run(script, ranks=ranks)
    samples, values = samples_and_values(bench)
    assert list(values) == [0, 20, 40, 60]
    assert not values[0].values().any()
    late = 1 if motion == "flip" else 0
    expected = {t: averaged(samples, configuration, t, late=late) for t in AT}
    check(values, expected, model)
    text = (
        "fix g glassml: values are 0 until step 20, when a window of averaged positions "
        "(5 samples every 4 steps) is full"
    )
    assert run.stdout.count("values are 0 until step") == 1
    assert text in run.stdout
    assert int(re.findall(r"Neighbor list builds = (\d+)", run.stdout)[-1]) >= 2
    tilts = np.diff([snapshot.cell[1, 0] for snapshot in samples.values()])
    assert (tilts.min() < -3.0) == (motion == "flip")
    volumes = [np.linalg.det(snapshot.cell) for snapshot in samples.values()]
    assert (np.ptp(volumes) > 1e-3 * volumes[0]) == (motion == "npt")


@pytest.mark.parametrize("ranks", [1, 2])
def test_boundaries_that_follow_the_atoms(bench, ranks: int) -> None:
    periodic = liquid(100, seed=61)
    wrapped = periodic.positions % np.diag(periodic.cell)
    configuration = dataclasses.replace(periodic, positions=wrapped, pbc=(False, True, False))
    model = averaging_model(bench.folder)
    script = bench.start(configuration, before="boundary s p s") + MOVE
    script += f"fix g all glassml {EVERY} {model} A B\n" + dumps() + "run 60\n"
    bench.run(script, ranks=ranks)
    samples, values = samples_and_values(bench)
    assert np.ptp([snapshot.cell[0, 0] for snapshot in samples.values()]) > 0.1
    check(values, {t: averaged(samples, configuration, t) for t in AT}, model)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_particles_that_fly_through_the_box(bench, ranks: int) -> None:
    """They are far from their averaged positions, on other ranks and beyond the ghosts."""
    configuration = liquid(216, seed=62)
    model = averaging_model(bench.folder, scalars=("vibration", "average_displacement"))
    script = bench.start(configuration, pair="pair_style none")
    script += f"timestep {TIMESTEP}\nfix move all nve\nneigh_modify every 1 delay 0 check yes\n"
    script += "velocity all create 1.0 4928459\ngroup fast id 1:6\n"
    script += "velocity fast set 60.0 -40.0 50.0\n"
    script += f"fix g all glassml {EVERY} {model} A B {POSITIONS}\n"
    bench.run(script + dumps(energy=False) + "run 60\n", ranks=ranks)
    samples, values = samples_and_values(bench)
    average = PositionAverage()
    for k in range(SAMPLES):
        now = samples[60 - (SAMPLES - 1 - k) * BETWEEN]
        average.add(now.positions, now.cell)
    # Two steps of the window of five: 2 * 4 * 0.005 * |v|.
    assert average.result().displacement[:6].min() > 3.0
    check(values, {t: averaged(samples, configuration, t) for t in AT}, model)


@pytest.mark.parametrize("ranks", [1, 2])
def test_atoms_that_are_created_and_deleted(bench, ranks: int) -> None:
    configuration = liquid(120, density=0.5, seed=63)
    model = averaging_model(bench.folder)
    script = bench.start(configuration) + MOVE
    script += "region all block EDGE EDGE EDGE EDGE EDGE EDGE\n"
    script += "fix in all deposit 12 1 6 4711 region all near 0.9 attempt 200\n"
    script += "fix out all evaporate 7 2 all 4712\ncompute_modify thermo_temp dynamic/dof yes\n"
    script += f"fix g all glassml {EVERY} {model} A B {POSITIONS}\n"
    bench.run(script + dumps() + "run 60\n", ranks=ranks)
    samples, values = samples_and_values(bench)
    ids = [set(snapshot.columns["id"]) for snapshot in samples.values()]
    # Some came and some went within a window, and some of them in the same one.
    assert len(set.union(*ids)) > 124
    assert len(set.intersection(*ids)) < 110
    assert len(ids[-1] - ids[-4]) >= 1
    check(values, {t: averaged_by_id(samples, configuration, t) for t in AT}, model)


def test_a_position_that_is_not_finite_is_told_with_the_atom(bench) -> None:
    model = averaging_model(bench.folder, scalars=())
    script = bench.start(liquid(60, seed=53), pair="pair_style none", before="processors * 1 1")
    script += "neigh_modify every 100 delay 100 check no\ntimestep 1000.0\nfix n all nve\n"
    script += "group fast id 17\nvelocity fast set 0.0 1.0e308 0.0\nthermo 100\n"
    script += f"fix g all glassml 4 {model} A B positions average 2 2\nrun 5"
    message = bench.refused(script, ranks=2)
    # Fractional coordinates of an atom are not finite if one of its positions is not.
    expected = (
        r"fix g glassml: position [xyz] of atom 17: expected a finite number; found -?(nan|inf)"
    )
    assert re.search(expected, message), message


@pytest.mark.parametrize("ranks", [1, 2])
def test_only_full_windows_count_in_means_over_evaluations(bench, ranks: int) -> None:
    model = averaging_model(bench.folder)
    script = bench.start(liquid(216, seed=64)) + MOVE
    script += f"fix g all glassml {EVERY} {model} A B {POSITIONS}\n"
    script += f"fix h all glassml {EVERY} {model} A B {POSITIONS} smooth 2\n"
    script += "thermo_style custom step f_h[1]\nthermo_modify format float %20.15g\nthermo 20\n"
    script += "dump v all custom 20 values.dump id type x y z f_g[*] f_h[*]\n"
    script += "dump_modify v format float %20.17g\nrun 60\n"
    run = bench.run(script, ranks=ranks)
    snapshots = read(bench.folder / "values.dump")
    g, h = ({t: s.values(fix) for t, s in snapshots.items()} for fix in "gh")
    expected = {0: 0.0 * g[0], 20: g[20], 40: (g[20] + g[40]) / 2, 60: (g[40] + g[60]) / 2}
    assert abs(g[40] - g[20]).max() > 1e-3
    for step, values in expected.items():
        np.testing.assert_allclose(h[step], values, rtol=1e-12, atol=1e-9)
    means = [values[:, 0].mean() for values in expected.values()]
    np.testing.assert_allclose(run.thermo()[-1]["f_h[1]"], means, rtol=1e-10)
