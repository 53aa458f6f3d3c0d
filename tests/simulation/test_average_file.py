"""Averages over short runs, against what is known of the motion, and of whole files."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from systems import liquid, moved

from glassml.data import (
    Configuration,
    Dataset,
    DatasetWriter,
    Window,
    number_of_windows,
    window_of,
    with_windows,
)
from glassml.errors import InputError, SimulationError
from glassml.physics import AveragedPositions, PositionAverage
from glassml.simulation import (
    AverageReport,
    ShortRun,
    System,
    average_file,
    average_positions,
    find_lammps,
    from_include,
    kob_andersen,
    kob_andersen_2d,
    quench,
)
from glassml.simulation.binary_dump import read_binary_dump
from glassml.simulation.short_runs import Samples, drawn_temperature, lammps_seed, windows_of

FREE = "mass * 1.0\npair_style zero 1.0\npair_coeff * *\nneighbor 0.3 bin\n"
# Only nearest neighbours of the crystal, which are in the minimum, are within the cutoff.
SPRINGS = "mass * 1.0\npair_style lj/cut 1.4\npair_coeff * * 1.0 1.0\nneighbor 0.3 bin\n"


def system_of(folder: Path, commands: str, timestep: float) -> System:
    (folder / "own.in").write_text(commands)
    return from_include(folder / "own.in", ("A", "B"), timestep=timestep)


def relaxed(n: int = 180, **options: object) -> Configuration:
    """A liquid without overlaps; energies and temperature play no part in most tests."""
    start = quench(liquid(n, **options), kob_andersen(), force_tolerance=1.0)  # type: ignore[arg-type]
    positions = start.structures["inherent"]
    return replace(start, positions=positions, scalars={}, structures={}, provenance={})


def test_free_particles_move_on_straight_lines(tmp_path: Path):
    """Then x = v t: shift <t> v and vibration std(t) |v|, also across the boundary."""
    start = liquid(200, seed=1)
    run = ShortRun(Window(0.5, 3), 4, 0.05)  # a particle crosses the box of 5.5 within 12 windows
    temperature, seed = 2.0, 7
    done = average_positions(start, system_of(tmp_path, FREE, 0.05), temperature, run, seed=seed)
    first = done.structures["average"] - start.positions
    velocity = first / 0.5  # the mean of 0, 0.5 and 1.0
    drawn = drawn_temperature(temperature, 200, 3, lammps_seed(seed))
    np.testing.assert_allclose(velocity.mean(axis=0), 0, atol=1e-12)
    # LAMMPS scales the velocities to the drawn temperature.
    assert (velocity**2).sum() == pytest.approx(3 * 199 * drawn, rel=1e-9)
    for k in range(4):
        suffix = "" if k == 0 else f"_{k + 1}"
        shift = done.structures["average" + suffix] - start.positions
        np.testing.assert_allclose(shift, velocity * (0.5 + 1.5 * k), rtol=0, atol=1e-10)
        np.testing.assert_allclose(
            done.scalars["vibration" + suffix],
            np.linalg.norm(velocity, axis=1) * 0.5 * np.sqrt(2 / 3),
            rtol=1e-7,  # from a difference of squares
        )
        np.testing.assert_allclose(
            done.scalars["average_displacement" + suffix],
            np.linalg.norm(velocity, axis=1) * 0.5,  # from the window's own last sample
        )
    assert np.abs(done.structures["average_4"] - start.positions).max() > 5.5


def test_drawn_temperatures_have_the_distribution_of_a_canonical_ensemble():
    drawn = np.array([drawn_temperature(2.0, 50, 3, seed) for seed in range(2000)])
    # Mean T, variance 2 T^2 / f with f = 147; errors of 2000 draws are below 0.3 and 4 per cent.
    assert drawn.mean() == pytest.approx(2.0, rel=0.01)
    assert drawn.var() == pytest.approx(2 * 2.0**2 / 147, rel=0.15)


def fcc(per_side: int) -> tuple[Configuration, np.ndarray]:
    """A crystal whose nearest neighbours are in the minimum of V, and its 3N x 3N Hessian."""
    distance = 2 ** (1 / 6)
    edge = distance * np.sqrt(2)
    cells = np.stack(np.meshgrid(*[np.arange(per_side)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    base = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    positions = ((cells + base) * edge).reshape(-1, 3)
    length = per_side * edge
    n = len(positions)
    crystal = Configuration(
        positions=positions,
        cell=np.eye(3) * length,
        species=np.zeros(n, int),
        species_names=("A", "B"),
    )
    vectors = positions[None] - positions[:, None]
    vectors -= length * np.rint(vectors / length)
    r = np.linalg.norm(vectors, axis=2)
    near = (r > 0) & (r < 1.4)
    unit = np.where(near[..., None], vectors / np.where(near, r, 1.0)[..., None], 0.0)
    stiffness = 72 / 2 ** (1 / 3) * unit[..., :, None] * unit[..., None, :]  # V''
    hessian = -stiffness
    hessian[np.arange(n), np.arange(n)] = stiffness.sum(axis=1)
    return crystal, hessian.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)


def test_a_crystal_at_low_temperature_is_a_sum_of_oscillators(tmp_path: Path):
    """Namely x(t) = sum over modes of e (e.v) sin(w t) / w, with v of the same seed."""
    crystal, hessian = fcc(3)
    system = system_of(tmp_path, SPRINGS, 0.001)
    temperature = 1e-8  # amplitudes of 1e-5: harmonic to about 1e-4
    tiny = average_positions(
        crystal, system, temperature, ShortRun(Window(0.001, 2), 1, 0.001), seed=3
    )
    velocity = 2 * (tiny.structures["average"] - crystal.positions) / 0.001
    samples, interval = 20, 0.03
    run = ShortRun(Window(interval, samples), 2, 0.001)
    done = average_positions(crystal, system, temperature, run, seed=3)
    squares, modes = np.linalg.eigh(hessian)
    w = np.sqrt(np.maximum(squares, 0.0))[3:]  # three translations
    t = interval * np.arange(2 * samples)
    amplitude = (modes[:, 3:].T @ velocity.ravel()) / w
    path = (np.sin(np.outer(t, w)) * amplitude) @ modes[:, 3:].T
    path = path.reshape(2, samples, crystal.n_particles, 3)
    # Beyond anharmonicity: leapfrog's frequencies are off by (w dt)^2 / 24 = 2e-5.
    tolerance = 2e-3 * np.sqrt(temperature / squares[3:].mean())
    for stretch, suffix in zip(path, ("", "_2"), strict=True):
        mean = stretch.mean(axis=0)
        found = done.structures["average" + suffix] - crystal.positions
        np.testing.assert_allclose(found, mean, rtol=0, atol=tolerance)
        vibration = np.sqrt(((stretch - mean) ** 2).sum(axis=2).mean(axis=0))
        np.testing.assert_allclose(
            done.scalars["vibration" + suffix], vibration, rtol=0, atol=tolerance
        )


def test_a_run_seen_backwards_gives_what_its_observer_would_have():
    """Frames in the order of time, and from the last one backwards: the same window."""
    rng = np.random.default_rng(0)
    start = liquid(60, triclinic=True)
    frames = start.positions + rng.normal(0, 0.1, (5, 60, 3)).cumsum(axis=0)
    energies = rng.normal(size=(5, 60))
    observer = PositionAverage()
    for frame, energy in zip(frames, energies, strict=True):
        observer.add(frame, start.cell, energy)
    backwards = Samples(frames[::-1], energies[::-1], np.zeros((5, 60)), start.cell)
    (found,) = windows_of(backwards, start.pbc, 5)
    expected = observer.result()
    np.testing.assert_array_equal(found.shift, expected.shift)
    np.testing.assert_array_equal(found.vibration, expected.vibration)
    np.testing.assert_array_equal(found.energy, expected.energy)


def test_averages_are_those_of_the_same_run_made_by_hand(tmp_path: Path):
    start, system = relaxed(), kob_andersen()
    run = ShortRun(Window(0.02, 4), 2, 0.005)
    done = average_positions(start, system, 1.0, run, seed=11)
    seed = lammps_seed(11)
    drawn = drawn_temperature(1.0, 180, 3, seed)
    lines = [
        f"{i + 1} {k + 1} {x!r} {y!r} {z!r}"
        for i, (k, (x, y, z)) in enumerate(
            zip(start.species.tolist(), start.positions.tolist(), strict=True)
        )
    ]
    length = float(start.cell[0, 0])
    bounds = "\n".join(f"0 {length!r} {a}lo {a}hi" for a in "xyz")
    (tmp_path / "start.data").write_text(
        f"#\n\n{start.n_particles} atoms\n2 atom types\n{bounds}\n\nAtoms\n\n" + "\n".join(lines)
    )
    (tmp_path / "in.lammps").write_text(
        f"units lj\nread_data start.data\n{system.commands}\ntimestep 0.005\n"
        f"velocity all create {drawn!r} {seed} mom yes dist gaussian\n"
        "fix move all nve\ncompute e all pe/atom\n"
        "dump d all custom 4 samples.txt xu yu zu c_e\n"
        "dump_modify d sort id format float %.17g\nrun 28\n"
    )
    subprocess.run([find_lammps().lmp, "-in", "in.lammps"], cwd=tmp_path, check=True)
    rows = [r.split() for r in (tmp_path / "samples.txt").read_text().splitlines()]
    table = np.array([r for r in rows if len(r) == 4 and r[0] != "ITEM:"], float).reshape(
        2, 4, 180, 4
    )
    path = table[..., :3] - table[0, 0, :, :3]
    path -= path.mean(axis=2, keepdims=True)
    for k, suffix in enumerate(("", "_2")):
        mean = path[k].mean(axis=0)
        # The same trajectory; only sums are rounded in another order.
        np.testing.assert_allclose(
            done.structures["average" + suffix], start.positions + mean, rtol=0, atol=1e-12
        )
        vibration = np.sqrt(((path[k] - mean) ** 2).sum(axis=2).mean(axis=0))
        np.testing.assert_allclose(done.scalars["vibration" + suffix], vibration, rtol=1e-9)
        np.testing.assert_allclose(
            done.scalars["average_energy" + suffix], table[k, ..., 3].mean(axis=0), rtol=1e-12
        )
    np.testing.assert_array_equal(done.scalars["potential_energy"], table[0, 0, :, 3])
    assert abs(done.provenance["average_energy_drift"]) < 0.01


def test_a_window_of_one_sample_is_the_configuration():
    start = relaxed()
    done = average_positions(start, kob_andersen(), 1.0, ShortRun(Window(0.1, 1), 1, 0.005), seed=1)
    np.testing.assert_array_equal(done.structures["average"], start.positions)
    np.testing.assert_array_equal(done.scalars["vibration"], 0)
    np.testing.assert_array_equal(done.scalars["average_energy"], done.scalars["potential_energy"])


def test_a_turned_tilted_cell_gives_the_turned_averages():
    start = relaxed(triclinic=True)
    turn = Rotation.random(random_state=3).as_matrix()
    turned = moved(start, positions=start.positions @ turn, cell=start.cell @ turn)
    run = ShortRun(Window(0.02, 5), 2, 0.005)
    expected, found = (
        average_positions(c, kob_andersen(), 1.0, run, seed=5) for c in (start, turned)
    )
    for name in ("average", "average_2"):
        np.testing.assert_allclose(
            found.structures[name], expected.structures[name] @ turn, rtol=0, atol=1e-8
        )  # rounding, which chaos has multiplied for 40 steps


def test_particles_of_a_plane_stay_in_it():
    flat = moved(
        liquid(1),
        positions=_square(12),
        cell=np.diag([12 * 0.95, 12 * 0.95, 1.0]),
        pbc=(True, True, False),
        species=np.arange(144) % 3,
        species_names=("A", "B", "C"),
    )
    done = average_positions(
        flat, kob_andersen_2d(), 0.5, ShortRun(Window(0.02, 5), 2, 0.005), seed=1
    )
    for name in ("average", "average_2"):
        np.testing.assert_array_equal(done.structures[name][:, 2], flat.positions[:, 2])
        assert np.abs(done.structures[name] - flat.positions)[:, :2].min() > 0


def _square(side: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    return 0.95 * np.stack([x.ravel(), y.ravel(), np.zeros(side**2)], axis=1)


def dataset(path: Path, n: int = 3) -> Path:
    with DatasetWriter(path, {"made": "for a test"}) as writer:
        for k in range(n):
            rng = np.random.default_rng(k)
            start = relaxed(seed=k)
            writer.add(
                moved(
                    start,
                    name=f"liquid-{k}",
                    times=np.array([1.0]),
                    propensity=rng.random((180, 1)),
                    n_runs=4,
                    scalars={"density": rng.random(180)},
                    structures={"cage": start.positions},
                    final_positions=rng.random((4, 1, 180, 3)),
                    provenance={"temperature": 1.0, "replica": k},
                )
            )
    return path


def test_a_dataset_keeps_all_else_and_loses_its_former_windows(tmp_path: Path):
    source = dataset(tmp_path / "in.h5")
    with Dataset(source) as data, DatasetWriter(tmp_path / "old.h5") as writer:
        for c in data:
            nothing = AveragedPositions(np.ones((180, 3)), np.ones(180), np.ones(180))
            old = with_windows(data.read(c.name, final_positions=True), [nothing] * 3, Window(9, 9))
            writer.add(replace(old, provenance={**old.provenance, "average_source": "nowhere"}))
    report = average_file(
        tmp_path / "old.h5",
        tmp_path / "new.h5",
        kob_andersen(),
        window=Window(0.05, 3),
        n_windows=2,
        jobs=2,
    )
    assert (report.configurations, report.resumed) == (3, 0)
    assert np.isnan(report.energy_change_error)  # of too few configurations
    assert report.warning is None
    with Dataset(source) as before, Dataset(tmp_path / "new.h5") as after:
        assert after.description["average"]["windows"] == 2
        for name in before.names:
            old, new = (d.read(name, final_positions=True) for d in (before, after))
            assert number_of_windows(new) == 2
            assert window_of(new) == Window(0.05, 3)
            for field in ("positions", "cell", "propensity", "final_positions"):
                np.testing.assert_array_equal(getattr(new, field), getattr(old, field))
            assert set(new.structures) == {"cage", "average", "average_2"}
            np.testing.assert_array_equal(new.scalars["density"], old.scalars["density"])
            assert new.provenance["replica"] == old.provenance["replica"]
            assert "average_source" not in new.provenance
            assert new.provenance["average_temperature"] == 1.0


def test_one_or_two_at_once_and_any_order_give_the_same_bytes(tmp_path: Path):
    source = dataset(tmp_path / "in.h5")
    for jobs in (1, 2):
        average_file(
            source, tmp_path / f"{jobs}.h5", kob_andersen(), window=Window(0.05, 3), jobs=jobs
        )
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
    with Dataset(source) as data, DatasetWriter(tmp_path / "last.h5") as writer:
        writer.add(replace(data[2], name="renamed"))
    average_file(tmp_path / "last.h5", tmp_path / "3.h5", kob_andersen(), window=Window(0.05, 3))
    with Dataset(tmp_path / "1.h5") as a, Dataset(tmp_path / "3.h5") as b:
        np.testing.assert_array_equal(a[2].structures["average"], b[0].structures["average"])


def test_a_wrong_temperature_is_noticed(tmp_path: Path):
    """Minima of the energy, as if they were a liquid at T = 1: half of the heat goes into them."""
    with DatasetWriter(tmp_path / "cold.h5", {"warnings": ["mine"]}) as writer:
        for k in range(5):
            writer.add(moved(relaxed(seed=k), name=str(k)))
    report = average_file(
        tmp_path / "cold.h5",
        tmp_path / "out.h5",
        kob_andersen(),
        window=Window(0.05, 4),
        temperature=1.0,
    )
    assert report.energy_change > 4 * report.energy_change_error
    assert report.warning is not None
    assert "not in equilibrium at this temperature" in report.warning
    with Dataset(tmp_path / "out.h5") as found:
        assert found.description["warnings"] == ["mine", f"glassml average: {report.warning}"]
    # Averages of fewer configurations say nothing about equilibrium, and replace the others.
    with Dataset(tmp_path / "out.h5") as data, DatasetWriter(tmp_path / "few.h5") as writer:
        writer.add(data[0])
        writer.describe(data.description)
    average_file(
        tmp_path / "few.h5",
        tmp_path / "again.h5",
        kob_andersen(),
        window=Window(0.05, 2),
        temperature=1.0,
    )
    with Dataset(tmp_path / "again.h5") as found:
        assert found.description["warnings"] == ["mine"]


def test_chance_is_no_warning():
    """Few configurations have an uncertain error bar, which Student's distribution allows for."""

    def warned(number: int, change: float, error: float) -> bool:
        report = AverageReport(Path("out.h5"), number, 0, 0.1, change, error)
        return report.warning is not None

    # Two-sided p = 1e-4: 15.54 errors with 4 degrees of freedom, 3.91 with 999.
    assert [warned(5, x, 1.0) for x in (15.4, -15.4, 15.7, -15.7)] == [False, False, True, True]
    assert [warned(1000, x, 1.0) for x in (3.9, -4.0)] == [False, True]
    assert not warned(5, 1e-3, 0.0)  # copies of one configuration have no scatter
    assert not warned(4, 1.0, np.nan)


def test_new_scalars_replace_those_without_positions(tmp_path: Path):
    """As of a structure file: scalars of a window that the file does not have."""
    old = {"vibration": np.full(180, 9.0), "density": np.ones(180)}
    with DatasetWriter(tmp_path / "in.h5") as writer:
        writer.add(replace(relaxed(), scalars=old))
    out = tmp_path / "out.h5"
    window = Window(0.05, 2)
    average_file(tmp_path / "in.h5", out, kob_andersen(), window=window, temperature=1.0)
    with Dataset(out) as found:
        assert found[0].scalars["vibration"].max() < 1.0
        np.testing.assert_array_equal(found[0].scalars["density"], 1.0)


def test_energies_of_other_interactions_are_refused(tmp_path: Path):
    cold = quench(relaxed(), kob_andersen(), force_tolerance=1.0)
    start = replace(cold, structures={})
    run = ShortRun(Window(0.05, 2), 1, 0.005)
    done = average_positions(start, kob_andersen(), 1.0, run, seed=1)
    np.testing.assert_array_equal(
        done.scalars["potential_energy"], start.scalars["potential_energy"]
    )
    with pytest.raises(InputError, match="potential_energy: expected energies of the system"):
        average_positions(start, kob_andersen("force-shifted"), 1.0, run, seed=1)


def test_mistakes_are_named(tmp_path: Path):
    start, kob = relaxed(), kob_andersen()
    with pytest.raises(InputError, match=r"interval: expected a multiple of the timestep 0.005"):
        ShortRun(Window(0.012, 2), 1, 0.005)
    with pytest.raises(InputError, match="windows: expected at least 1; found 0"):
        ShortRun(Window(0.1, 2), 0, 0.005)
    with pytest.raises(InputError, match="temperature: expected a positive number; found 0"):
        average_positions(start, kob, 0.0, ShortRun(Window(0.1, 2), 1, 0.005), seed=1)
    with pytest.raises(SimulationError, match="expected a constant total energy"):
        average_positions(start, kob, 1.0, ShortRun(Window(0.1, 9), 1, 0.025), seed=1)
    with DatasetWriter(tmp_path / "in.h5") as writer:
        writer.add(start)
    with pytest.raises(InputError, match=r"expected the temperature .* found None. Give it"):
        average_file(tmp_path / "in.h5", tmp_path / "out.h5", kob, window=Window(0.1, 2))


def test_damaged_binary_dumps_are_refused(tmp_path: Path):
    system = kob_andersen()
    commands = (
        f"units lj\nregion b block 0 9 0 9 0 9\ncreate_box 2 b\ncreate_atoms 1 single 1 2 3\n"
        f"{system.commands}\ndump d all custom 2 d.bin id xu\nrun 4\n"
    )
    (tmp_path / "in.lammps").write_text(commands)
    subprocess.run([find_lammps().lmp, "-in", "in.lammps"], cwd=tmp_path, check=True)
    file, whole = tmp_path / "d.bin", (tmp_path / "d.bin").read_bytes()
    tables = [s.table.tolist() for s in read_binary_dump(file, ("id", "xu"), [0, 2, 4])]
    assert tables == [[[1.0, 1.0]]] * 3
    for columns, steps, content, found in (
        (("id", "yu"), [0, 2, 4], whole, r"columns \['id', 'xu'\]"),
        (("id", "xu"), [0, 3, 4], whole, "step 2 instead of 3"),
        (("id", "xu"), [0, 2], whole, "further snapshots"),
        (("id", "xu"), [0, 2, 4], whole[:-1], "cut off; is the disk full"),
        (("id", "xu"), [0, 2, 4], b"x" * 200, "another format"),
    ):
        file.write_bytes(content)
        with pytest.raises(SimulationError, match=found):
            list(read_binary_dump(file, columns, steps))
