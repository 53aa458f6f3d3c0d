"""`fix glassml` with the keyword smooth: mean and spread over the last evaluations of each atom."""

from __future__ import annotations

import itertools
import re
import subprocess

import numpy as np
import pytest
from systems import liquid

from glassml.export import save_model
from glassml.models import Committee, build

# From a jittered lattice to something that can be integrated.
RELAX = """
minimize 0.0 1.0e-2 50 200
reset_timestep 0
velocity all create 1.0 4928459
fix nve all nve
timestep 0.005
"""
# The sums of the fix and of numpy are in different order; values are of order 10.
EXACT = {"rtol": 0, "atol": 1e-12}


def fixes(model, window, every=10, group="all"):
    """The same model without and with smoothing; the dump holds the columns of both."""
    raw = f"fix raw all glassml {every} {model} A B\n"
    return raw + (
        f"fix g {group} glassml {every} {model} A B "
        f"smooth {window} output propensity propensity_spread\n"
    )


class Memory:
    """The last evaluations of each atom, as Python keeps them."""

    def __init__(self, window):
        self.window = window
        self.kept = {}  # ID -> {step: values}

    def add(self, frame):
        """The values that the fix must report, [N, 2 T]: means, then spreads."""
        found = []
        for atom, value in zip(frame["id"], frame.values("raw"), strict=True):
            history = self.kept.setdefault(atom, {})
            history[frame.step] = value
            last = np.array([history[step] for step in sorted(history)[-self.window :]])
            found.append(np.r_[last.mean(axis=0), last.std(axis=0)])
        return np.array(found)


def check(frames, window):
    memory = Memory(window)
    for frame in frames:
        np.testing.assert_allclose(frame.values("g"), memory.add(frame), **EXACT)
    return memory


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_mean_and_spread_stay_with_atoms_that_migrate(bench, models, ranks):
    script = bench.start(liquid(216, seed=90), before="atom_modify sort 5 1.0") + RELAX
    script += fixes(models(), 3) + "compute owner all property/atom proc\n"
    script += "dump d all custom 10 dump.out id type c_owner f_raw[*] f_g[*]\n"
    script += "dump_modify d sort id format float %20.17g\n"
    run = bench.run(script + "run 200", ranks=ranks)
    frames = bench.frames()
    assert [frame.step for frame in frames] == list(range(0, 201, 10))
    assert int(re.findall(r"Neighbor list builds = (\d+)", run.stdout)[-1]) > 5
    moved = sum(np.any(one["c_owner"] != two["c_owner"]) for one, two in itertools.pairwise(frames))
    assert (moved > 5) == (ranks > 1)
    check(frames, window=3)
    spread = frames[-1].values("g")[:, 2:]
    assert spread.min() > 1e-3  # far from rounding: the means are means of different values


def test_a_run_that_is_continued_counts_its_step_once(bench, models, dump):
    configuration = liquid(120, seed=91)
    script = bench.start(configuration) + RELAX + fixes(models(), 4) + dump("raw", "g", every=10)
    bench.run(script + "run 40")
    whole = bench.frames()
    bench.run(script + "run 20\nrun 0\nrun 20")
    parts = bench.frames()
    assert [frame.step for frame in parts] == [frame.step for frame in whole]
    check(whole, window=4)
    check(parts, window=4)


def test_the_start_of_a_run_counts_on_any_step(bench, models, dump):
    script = bench.start(liquid(120, seed=92)) + RELAX + fixes(models(), 2)
    # LAMMPS writes values of the fix on multiples of its Nevery only: step 15 from another fix.
    script = script.replace("fix raw all glassml 10", "fix raw all glassml 5")
    script += dump("raw", every=5) + dump("g", every=10, name="dump.smooth")
    bench.run(script + "run 15\nrun 5")
    raw = {frame.step: frame.values("raw") for frame in bench.frames()}
    *_, last = bench.frames("dump.smooth")
    assert (sorted(raw), last.step) == ([0, 5, 10, 15, 20], 20)
    both = np.array([raw[15], raw[20]])
    np.testing.assert_allclose(
        last.values("g"), np.hstack([both.mean(axis=0), both.std(axis=0)]), **EXACT
    )


@pytest.mark.parametrize("ranks", [1, 2])
def test_created_atoms_begin_without_evaluations(bench, models, dump, ranks):
    # Nothing moves, but the new atoms change what the others see.
    script = bench.start(liquid(100, density=0.5, seed=93), pair="pair_style zero 2.0")
    script = script.replace("zero 2.0", "zero 2.0\npair_coeff * *")
    script += fixes(models(), 3) + dump("raw", "g", every=10) + "run 20\nundump dump_out\n"
    script += "create_atoms 2 random 50 4711 NULL overlap 0.6 maxtry 500\n"
    bench.run(script + dump("raw", "g", every=10, name="dump.later") + "run 30", ranks=ranks)
    before, after = bench.frames(), bench.frames("dump.later")
    assert [frame.step for frame in after] == [20, 30, 40, 50]  # step 20 again, with more atoms
    memory = check(before, window=3)
    for frame in after:
        np.testing.assert_allclose(frame.values("g"), memory.add(frame), **EXACT)
    created = after[0]["id"] > 100
    assert created.sum() > 20
    assert np.all(after[0].values("g")[created, 2:] == 0.0)
    assert after[0].values("g")[~created, 2:].max() > 0.1


def test_deleted_atoms_leave_the_others_their_evaluations(bench, models, dump):
    script = bench.start(liquid(216, seed=94)) + RELAX + fixes(models(), 4)
    script += dump("raw", "g", every=10) + "run 30\nundump dump_out\n"
    script += "region corner block 0 2.5 0 2.5 0 2.5\ndelete_atoms region corner compress no\n"
    bench.run(script + dump("raw", "g", every=10, name="dump.later") + "run 10", ranks=2)
    memory = check(bench.frames(), window=4)
    later = bench.frames("dump.later")
    assert 100 < len(later[0]["id"]) < 216
    for frame in later:
        np.testing.assert_allclose(frame.values("g"), memory.add(frame), **EXACT)


@pytest.mark.parametrize(("step", "begins_anew"), [(0, True), (1000, False)])
def test_reset_timestep_to_an_earlier_step_begins_anew(bench, models, dump, step, begins_anew):
    script = bench.start(liquid(120, seed=95)) + RELAX + fixes(models(), 4)
    script += dump("raw", "g", every=10) + f"run 20\nundump dump_out\nreset_timestep {step}\n"
    bench.run(script + dump("raw", "g", every=10, name="dump.later") + "run 20")
    memory = check(bench.frames(), window=4)
    frames = bench.frames("dump.later")
    assert np.all(frames[0].values("g")[:, 2:] == 0.0) == begins_anew
    memory = Memory(4) if begins_anew else memory
    for frame in frames:
        np.testing.assert_allclose(frame.values("g"), memory.add(frame), **EXACT)


def test_atoms_count_evaluations_while_they_are_in_the_group(bench, models, dump):
    script = bench.start(liquid(216, seed=96)) + RELAX + "variable left atom x<3\n"
    script += "group left dynamic all every 10 var left\n" + fixes(models(), 3, group="left")
    bench.run(script + dump("raw", "g", every=10) + "run 300", ranks=2)
    memory, returned = Memory(3), 0
    for frame in bench.frames():
        inside = frame.values("g")[:, 0] != 0.0
        assert 50 < inside.sum() < 166
        assert np.all(frame.values("g")[~inside] == 0.0)
        columns = {name: values[inside] for name, values in frame.columns.items()}
        chosen = type(frame)(frame.step, columns)
        steps = [list(memory.kept.get(atom, [frame.step])) for atom in chosen["id"]]
        returned += sum(frame.step - known[-1] > 10 for known in steps)
        np.testing.assert_allclose(chosen.values("g"), memory.add(chosen), **EXACT)
    assert returned > 0  # atoms came back after evaluations outside


def test_rerun_smooths_as_the_run_did(bench, models, dump):
    script = bench.start(liquid(120, seed=97))
    command = fixes(models(), 3)
    bench.run(script + RELAX + command + dump("raw", "g", every=10) + "run 50")
    again = dump("raw", "g", every=10, name="dump.again") + "rerun dump.out dump x y z"
    bench.run(script + command + again, ranks=2)
    for one, two in zip(bench.frames(), bench.frames("dump.again"), strict=True):
        # Positions in the dump have 17 digits, but are wrapped into the box.
        np.testing.assert_allclose(two.values("g"), one.values("g"), rtol=1e-10, atol=1e-10)


def test_outputs_in_any_order_of_which_only_the_propensity_is_smoothed(bench, dump):
    file = bench.folder / "committee.pt"
    members = [build("analytic", cutoff=cutoff) for cutoff in (1.6, 2.0)]
    save_model(Committee(members), file, dtype="float64")
    names = "propensity_spread propensity_std propensity"
    script = bench.start(liquid(120, seed=98)) + RELAX + fixes(file, 3)
    script += f"fix many all glassml 10 {file} A B output {names} smooth 3\n"
    script += f"fix std all glassml 10 {file} A B output propensity_std\n"
    run = bench.run(script + dump("raw", "g", "many", "std", every=10) + "run 50", ranks=2)
    for frame in bench.frames():
        propensity, spread = np.hsplit(frame.values("g"), 2)
        expected = np.hstack([spread, frame.values("std"), propensity])
        np.testing.assert_array_equal(frame.values("many"), expected)
    log = run.log.read_text()
    assert "f_many[1] propensity_spread_t=1\n" in log
    assert "f_many[6] propensity_t=2\n" in log
    assert log.count("propensity: mean over the last 3 evaluations") == 2


def test_one_evaluation_is_no_smoothing(bench, models, dump):
    script = bench.start(liquid(60, seed=99)) + RELAX + fixes(models(), 1)
    bench.run(script + dump("raw", "g", every=10) + "run 30")
    for frame in bench.frames():
        np.testing.assert_array_equal(frame.values("g")[:, :2], frame.values("raw"))
        assert np.all(frame.values("g")[:, 2:] == 0.0)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ("smooth 0", "keyword smooth: expected a positive integer; found '0'"),
        ("smooth 2.5", "keyword smooth: expected a positive integer; found '2.5'"),
        ("smooth", "keyword smooth: expected a value; found none"),
        ("smooth 3 4", "keyword smooth: expected one value; found also '4'"),
        (
            "smooth 3 output descriptors",
            "keyword smooth: expected propensity among the outputs; found descriptors",
        ),
        (
            "output propensity propensity_spread",
            "propensity_spread: expected the keyword smooth, which sets the number of evaluations; "
            "found none. Add 'smooth M'",
        ),
        (
            "smooth 3 output propensity colour",
            "(propensity, descriptors, equivariant, propensity_spread); found 'colour'",
        ),
    ],
)
def test_misuse(bench, models, keywords, words):
    script = bench.start(liquid(60, seed=31)) + f"fix g all glassml 1 {models()} A B {keywords}\n"
    assert words in bench.refused(script + "run 0")


def test_the_memory_of_an_atom_alone(build_tree):
    """Moves between ranks at every fill, and evaluations without values, which are left out."""
    rng = np.random.default_rng(100)
    commands, expected, history = [], [], []
    for number in range(12):
        place, step = number % 3, 10 * number + 10 * (number > 6)  # none at step 70
        values = rng.normal(size=2)
        history = [*history, values][-4:]
        commands.append(f"add {place} {step} " + " ".join(map(repr, values.tolist())))
        commands += [f"{'move' if number % 2 else 'copy'} {place} {(place + 1) % 3}"]
        expected.append(np.r_[np.mean(history, axis=0), np.std(history, axis=0)])
    commands += ["clear 0", "add 0 500 1.0 2.0"]
    expected.append([1.0, 2.0, 0.0, 0.0])
    result = subprocess.run(
        [build_tree / "bin" / "glassml_statistics_driver", "smoothing", "4", "2"],
        input="\n".join(commands),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = np.array([line.split() for line in result.stdout.splitlines()], dtype=float)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)
