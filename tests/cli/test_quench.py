"""`glassml quench` on datasets and structure files, killed and resumed."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from systems import liquid, moved, write_dump

from glassml.cli.quench import quench as command
from glassml.data import Configuration, Dataset, DatasetWriter, atoms_from_configuration
from glassml.files import exclusive
from glassml.simulation import kob_andersen, quench, wahnstrom
from glassml.simulation.inherent import MAX_ITERATIONS

Run = Callable[..., Any]


def labelled(n: int, seed: int, **fields: object) -> Configuration:
    start = liquid(n, seed=seed, name=f"liquid-{seed}")
    rng = np.random.default_rng(seed)
    return moved(
        start,
        times=np.array([1.0, 10.0]),
        propensity=rng.random((n, 2)),
        n_runs=3,
        scalars={"density": rng.random(n)},
        final_positions=rng.random((3, 2, n, 3)).astype(np.float32),
        **fields,
    )


def write(path: Path, n_configurations: int = 3, n: int = 60) -> Path:
    with DatasetWriter(path, {"made": "for a test"}) as writer:
        for seed in range(n_configurations):
            writer.add(labelled(n, seed))
    return path


def same(a: Dataset, b: Dataset) -> bool:
    return (a.sha256, a.description) == (b.sha256, b.description) and all(
        x.provenance == y.provenance for x, y in zip(a, b, strict=True)
    )


def test_two_runs_do_not_write_one_output(glassml: Run, tmp_path: Path):
    """The first one to end would remove the files that the other one continues from."""
    source, folder = write(tmp_path / "in.h5"), tmp_path / ".out.h5.quench"
    folder.mkdir()
    with exclusive(folder / ".lock", lambda holder: None):
        run = glassml("quench", source, "-o", tmp_path / "out.h5", "--system", "kob-andersen")
    assert run.code == 1
    assert f"out.h5: another `glassml quench` is writing it (process {os.getpid()} on" in run.err
    assert not (tmp_path / "out.h5").exists()
    assert folder.is_dir()


def test_a_dataset_keeps_all_it_holds(glassml: Run, tmp_path: Path):
    source = write(tmp_path / "in.h5")
    run = glassml("quench", source, "-o", tmp_path / "out.h5", "--system", "kob-andersen")
    assert run.code == 0, run.err
    assert "out.h5: 3 configurations, largest force " in run.out
    with Dataset(source) as before, Dataset(tmp_path / "out.h5") as after:
        assert after.names == before.names
        assert after.description["made"] == "for a test"
        assert after.description["quench"]["commands"] == kob_andersen().commands
        for name in before.names:
            old, new = (data.read(name, final_positions=True) for data in (before, after))
            after.verify(new)
            for field in ("positions", "cell", "species", "times", "propensity", "final_positions"):
                np.testing.assert_array_equal(getattr(new, field), getattr(old, field))
            np.testing.assert_array_equal(new.scalars["density"], old.scalars["density"])
            expected = quench(old, kob_andersen())
            np.testing.assert_array_equal(
                new.structures["inherent"], expected.structures["inherent"]
            )
            for scalar in ("potential_energy", "inherent_energy"):
                np.testing.assert_array_equal(new.scalars[scalar], expected.scalars[scalar])
            assert new.provenance["quench_largest_force"] <= 1e-8
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_structure_file_of_several_frames(glassml: Run, tmp_path: Path):
    frames = [liquid(50, seed=k, triclinic=True) for k in range(2)]
    ase.io.write(tmp_path / "run.extxyz", [atoms_from_configuration(c) for c in frames])
    run = glassml(
        *("quench", tmp_path / "run.extxyz", "-o", tmp_path / "out.h5", "--system", "wahnstrom"),
        *("--species", "A,B", "--force-tolerance", "1e-6", "--truncation", "force-shifted", "-j1"),
    )
    assert run.code == 0, run.err
    with Dataset(tmp_path / "out.h5") as dataset:
        assert len(dataset) == 2
        for start, done in zip(frames, dataset, strict=True):
            expected = quench(start, wahnstrom("force-shifted"), force_tolerance=1e-6)
            # The file holds eight decimals.
            assert done.scalars["inherent_energy"].sum() == pytest.approx(
                expected.scalars["inherent_energy"].sum(), abs=1e-3
            )
            assert done.provenance["quench_force_tolerance"] == 1e-6


def test_a_file_that_does_not_state_which_directions_are_periodic(glassml: Run, tmp_path: Path):
    old = write_dump(tmp_path / "old.dump", [liquid(50, seed=1)], flags="")
    arguments = ("quench", old, "-o", tmp_path / "out.h5", "--system", "kob-andersen")
    options = ("--species", "A,B", "--force-tolerance", "1e-4", "-j1")
    assert "periodicity: expected " in glassml(*arguments, *options).err
    run = glassml(*arguments, *options, "--pbc", "T,T,T")
    assert run.code == 0, run.err
    expected = quench(liquid(50, seed=1), kob_andersen(), force_tolerance=1e-4)
    found = Dataset(tmp_path / "out.h5")[0]
    assert found.pbc == (True, True, True)
    # The dump holds all digits.
    np.testing.assert_allclose(
        found.scalars["inherent_energy"].sum(), expected.scalars["inherent_energy"].sum(), rtol=1e-9
    )
    refused = glassml(*arguments, *options, "--pbc", "T,T", "--overwrite")
    assert "--pbc: expected T or F for each lattice direction" in refused.err


def test_each_configuration_has_the_tolerance_of_its_density(glassml: Run, tmp_path: Path):
    with DatasetWriter(tmp_path / "in.h5") as writer:
        for density in (1.2, 0.8):
            start = liquid(200, density=density, seed=1)
            writer.add(replace(start, name=f"rho{density}"))
    out = tmp_path / "out.h5"
    run = glassml("quench", tmp_path / "in.h5", "-o", out, "--system", "kob-andersen")
    assert run.code == 0, run.err
    with Dataset(out) as dataset:
        found = [done.provenance["quench_force_tolerance"] for done in dataset]
        assert found == [1e-8, 9e-9]  # 1e-8 (0.8 / 1.2)^(1/3) = 8.7e-9
        assert all(
            done.provenance["quench_largest_force"] <= tolerance
            for done, tolerance in zip(dataset, found, strict=True)
        )
        assert dataset.description["quench"]["force_tolerance"] is None


def test_an_own_system_in_an_include_file(glassml: Run, tmp_path: Path):
    source = write(tmp_path / "in.h5", 1)
    (tmp_path / "own.in").write_text(kob_andersen().commands)
    run = glassml("quench", source, "-o", tmp_path / "out.h5", "--include", tmp_path / "own.in")
    assert run.code == 0, run.err
    with Dataset(source) as before, Dataset(tmp_path / "out.h5") as after:
        expected = quench(before[0], kob_andersen())
        np.testing.assert_array_equal(
            after[0].structures["inherent"], expected.structures["inherent"]
        )
        assert after.description["quench"]["system"] == "own"


def test_in_place(glassml: Run, tmp_path: Path):
    source = write(tmp_path / "data.h5", 2)
    arguments = ("quench", source, "-o", source, "--system", "kob-andersen")
    assert "found one that exists" in glassml(*arguments).err
    assert glassml(*arguments, "--overwrite").code == 0
    with Dataset(source) as dataset:
        assert all("inherent" in configuration.structures for configuration in dataset)


def test_killed_and_started_again_it_ends_with_the_same_dataset(glassml: Run, tmp_path: Path):
    source = write(tmp_path / "in.h5", 4, n=400)
    options = ("--system", "kob-andersen")
    killed = tmp_path / "killed.h5"
    parts = tmp_path / ".killed.h5.quench"
    code = "from glassml.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "quench", source, "-o", killed, "-j", "1", *options],
        env=os.environ,
    )
    deadline = time.monotonic() + 300
    while not list(parts.glob("[!.]*/result.h5")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    done = len(list(parts.glob("[!.]*/result.h5")))
    again = glassml("quench", source, "-o", killed, *options)
    assert f"4 configurations ({done} from an earlier run)" in again.out
    assert not parts.exists()
    assert glassml("quench", source, "-o", tmp_path / "whole.h5", *options).code == 0
    with Dataset(killed) as a, Dataset(tmp_path / "whole.h5") as b:
        assert same(a, b)


def test_other_settings_do_not_take_what_an_earlier_run_left(glassml: Run, tmp_path: Path):
    source = write(tmp_path / "in.h5", 2)
    out = tmp_path / "out.h5"
    failed = glassml(
        *("quench", source, "-o", out, "--system", "kob-andersen", "--max-iterations", "3")
    )
    assert failed.code == 1
    assert "liquid-0: quench: expected no force above 1e-08; found" in failed.err
    assert not out.exists()
    first = glassml("quench", source, "-o", out, "--system", "kob-andersen")
    assert "earlier" not in first.out
    second = glassml("quench", source, "-o", out, "--system", "wahnstrom", "--overwrite")
    assert "earlier" not in second.out


def test_mistakes_are_named(glassml: Run, tmp_path: Path):
    source = write(tmp_path / "in.h5", 1)
    other = tmp_path / "other.h5"
    with DatasetWriter(other) as writer:
        writer.add(moved(liquid(40), species_names=("Cu", "Zr")))
    wrong_include = tmp_path / "wrong.in"
    wrong_include.write_text("pair_style lj/cut 2.5\npair_coeff * * 1 1\n")
    kob = ("--system", "kob-andersen")
    for arguments, message in [
        ((source,), "--system, --include: expected one of them, for the interactions; found nei"),
        ((source, *kob, "--include", wrong_include), "found both"),
        (
            (source, "--system", "argon"),
            "expected one of ['kob-andersen', 'kob-andersen-2d', 'wahnstrom']",
        ),
        ((source, "--include", wrong_include), "ERROR: Not all per-type masses are set"),
        ((source, *kob, "--truncation", "shift"), "truncation: expected one of 'shifted'"),
        ((source, *kob, "-j", "0"), "jobs: expected at least 1"),
        ((source, *kob, "--species", "A,B"), "as a dataset holds its own"),
        ((other, *kob), "expected names of the system kob-andersen, ['A', 'B']; found 'Cu'"),
        ((tmp_path / "none.h5", *kob), "none.h5: expected a file; found none"),
    ]:
        run = glassml("quench", *arguments, "-o", tmp_path / "out.h5")
        assert run.code == 1, run.out
        assert message in run.err
        assert "Traceback" not in run.err
        assert not (tmp_path / "out.h5").exists()


def test_the_defaults_are_those_of_the_library():
    defaults = {
        name: parameter.default for name, parameter in inspect.signature(command).parameters.items()
    }
    assert defaults["force_tolerance"] is None  # that of the material
    assert defaults["max_iterations"] == MAX_ITERATIONS


def test_a_dump_of_a_metal_is_read_in_the_units_of_its_potential(glassml: Run, tmp_path: Path):
    """A dump states no units, unless it was asked to; --units says what its lengths are in."""
    here = liquid(60, seed=3)
    metal = moved(here, positions=here.positions * 2.7, cell=here.cell * 2.7)
    write_dump(tmp_path / "metal.dump", [metal])
    potential = tmp_path / "metal.lammps"
    potential.write_text(
        "mass * 60.0\npair_style lj/cut 6.0\npair_modify shift yes\npair_coeff * * 0.01 2.7\n"
    )
    options = ("-o", tmp_path / "out.h5", "--include", potential, "--species", "Cu,Zr")
    run = glassml("quench", tmp_path / "metal.dump", *options, "--units", "metal")
    assert run.code == 0, run.err
    with Dataset(tmp_path / "out.h5") as dataset:
        assert dataset.length_unit == "angstrom"
        assert dataset[0].spacing == pytest.approx(2.7 * 1.2 ** (-1 / 3))
    run = glassml("quench", tmp_path / "metal.dump", *options, "--units", "metall", "--overwrite")
    assert "--units: expected one of lj, real, metal" in run.err
    assert "(did you mean 'metal'?)" in run.err


def test_a_truncation_without_a_built_in_system_is_refused(glassml: Run, tmp_path: Path):
    run = glassml(
        "quench", "kob_andersen_T0.64", "-o", tmp_path / "o.h5", "--truncation", "force-shifted"
    )
    assert "--truncation: expected --system, the built-in system" in run.err
