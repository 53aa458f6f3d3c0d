"""Per-particle scalars that a model needs, from computes, fixes and variables of LAMMPS."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from systems import liquid

MOVE = "minimize 0.0 1.0e-2 50 200\nreset_timestep 0\nvelocity all create 1.0 71\nfix nve all nve\n"
ENERGY = "compute energy all pe/atom\n"


@pytest.fixture
def one(models):
    """A model with one scalar, which enters its values everywhere."""
    return models("analytic", scalar_inputs=("potential_energy",))


def with_scalars(frame, configuration, **columns):
    now = frame.configuration(configuration)
    scalars = {name: frame[column] for name, column in columns.items()}
    return dataclasses.replace(now, scalars=scalars)


def dump_with(columns, every=10):
    return (
        f"dump d all custom {every} dump.out id type x y z f_g[*] {columns}\n"
        "dump_modify d sort id format float %20.17g\n"
    )


@pytest.mark.parametrize("ranks", [1, 2])
def test_potential_energy_during_a_run(bench, one, agrees, ranks):
    # Thermo and dump ask for the energy at other steps than the fix: it must see to its own.
    configuration = liquid(216, seed=40)
    script = bench.start(configuration) + MOVE + ENERGY
    script += f"fix g all glassml 10 {one} A B scalar c_energy\nthermo 1000\n"
    bench.run(script + dump_with("c_energy") + "run 30", ranks=ranks)
    frames = bench.frames()
    assert len(frames) == 4
    for frame in frames:
        now = with_scalars(frame, configuration, potential_energy="c_energy")
        agrees(frame.values("g"), now, one)


def test_potential_energy_without_anyone_else_asking(bench, one, agrees):
    configuration = liquid(120, seed=41)
    script = bench.start(configuration) + MOVE + ENERGY
    script += f"fix g all glassml 3 {one} A B scalar c_energy\nthermo 1000\n"
    script += dump_with("", every=3)
    bench.run(script + "run 10\nrun 11\nminimize 0.0 0.0 8 1000\nrun 5 post no")
    frames = bench.frames()
    assert [frame.step for frame in frames] == list(range(0, 36, 3))
    # The energies, which nothing but the fix asked for, are computed anew from the positions.
    again = bench.start(configuration) + ENERGY + "dump e all custom 3 energy.out id c_energy\n"
    again += "dump_modify e sort id format float %20.17g\nrerun dump.out dump x y z"
    bench.run(again)
    for frame, energies in zip(frames, bench.frames("energy.out"), strict=True):
        assert energies.step == frame.step
        now = frame.configuration(configuration)
        scalars = {"potential_energy": energies["c_energy"]}
        agrees(frame.values("g"), dataclasses.replace(now, scalars=scalars), one)


def test_potential_energy_of_the_minimised_configuration(bench, one, agrees):
    configuration = liquid(120, seed=42)
    script = bench.start(configuration) + ENERGY
    script += f"fix g all glassml 1000 {one} A B scalar c_energy\n"
    bench.run(script + dump_with("c_energy", 1000) + "minimize 1.0e-4 0.0 900 9000", ranks=2)
    frames = bench.frames()
    assert frames[-1].step % 1000 != 0
    for frame in frames:
        now = with_scalars(frame, configuration, potential_energy="c_energy")
        agrees(frame.values("g"), now, one)


def test_columns_variables_and_fixes(bench, models, agrees):
    configuration = liquid(216, seed=43)
    model = models("analytic", scalar_inputs=("first", "second", "third"))
    script = bench.start(configuration) + ENERGY
    script += "compute place all property/atom x y\nvariable half atom c_energy/2+id/100\n"
    script += "fix kept all store/state 0 x z\n"
    script += f"fix g all glassml 1 {model} A B scalar c_place[2] scalar v_half scalar f_kept[2]\n"
    run = bench.run(script + dump_with("v_half f_kept[2]", 1) + "run 0", ranks=2)
    (frame,) = bench.frames()
    now = with_scalars(frame, configuration, first="y", second="v_half", third="f_kept[2]")
    np.testing.assert_array_equal(frame["f_kept[2]"], frame["z"])
    agrees(frame.values("g")[:, :2], now, model)
    assert "scalar input: second = v_half" in run.log.read_text()


@pytest.mark.parametrize(
    ("commands", "keywords", "words"),
    [
        (
            ENERGY,
            "scalar c_energy scalar c_energy",
            "expected no keyword scalar, as the fix knows potential_energy itself, or 1 of them, ",
        ),
        (
            "variable e atom exp(id*100)\n",
            "scalar v_e",
            "expected a finite number; found inf for atom",
        ),
        ("", "scalar energy", "for the model's input 'potential_energy': expected c_ID"),
        ("", "scalar c_nothing", "expected a compute of that ID; found none"),
        ("", "scalar f_nothing", "expected a fix of that ID; found none"),
        ("", "scalar v_nothing", "expected a variable of that name; found none"),
        ("compute p all pe\n", "scalar c_p", "expected per-atom values; found compute p of style"),
        (
            "fix m all momentum 1 linear 1 1 1\n",
            "scalar f_m",
            "expected per-atom values; found fix m of style momentum",
        ),
        ("variable e equal 1.0\n", "scalar v_e", "expected a variable of style atom"),
        (ENERGY, "scalar c_energy[1]", "expected no index, as the source has a per-atom vector"),
        ("compute s all stress/atom NULL\n", "scalar c_s", "expected an index in brackets from 1"),
        (
            "compute s all stress/atom NULL\n",
            "scalar c_s[7]",
            "from 1 to 6, as the source has a per-atom array; found [7]",
        ),
        (
            ENERGY,
            "scalar c_energy[x]",
            "expected a positive index in brackets; found 'c_energy[x]'",
        ),
        (
            "group a type 1\ncompute e a pe/atom\n",
            "scalar c_e",
            "expected values of all 60 atoms, as the model needs; found ",
        ),
        (
            "fix a all ave/atom 1 2 2 vx\n",
            "scalar f_a",
            "found fix a of style ave/atom, which works at the end of the step",
        ),
        ("fix k all store/state 2 vx\n", "scalar f_k", "unfinished values. Use a compute"),
    ],
)
def test_misuse_is_explained(bench, one, commands, keywords, words):
    script = bench.start(liquid(60, seed=44)) + commands
    message = bench.refused(script + f"fix g all glassml 2 {one} A B {keywords}\nrun 0")
    assert "ERROR: fix g glassml: " in message
    assert words in message


@pytest.mark.parametrize(
    ("scalars", "keywords", "words"),
    [
        (("first",), "", "expected 1 keyword(s) scalar, one for each scalar input of model"),
        (("first",), "", "(first [-]); found 0. Give 'scalar c_ID', 'scalar f_ID' or"),
        (("first",), "scalar c_a scalar c_b", "found 2. Give"),
        (
            ("potential_energy", "first"),
            "",
            "expected 1 keyword scalar, for first [-], as the fix knows potential_energy itself, "
            "or 2 of them, one for each scalar input of model",
        ),
    ],
)
def test_the_number_of_sources_is_explained(bench, models, scalars, keywords, words):
    model = models("analytic", scalar_inputs=scalars)
    script = bench.start(liquid(60, seed=44))
    message = bench.refused(script + f"fix g all glassml 2 {model} A B {keywords}\nrun 0")
    assert words in message


@pytest.mark.parametrize(
    ("formula", "words"), [("1/(id-3)", "Divide by 0"), ("sqrt(2-id)", "Sqrt of negative")]
)
def test_formulae_that_lammps_itself_refuses(bench, one, formula, words):
    script = bench.start(liquid(60, seed=44)) + f"variable e atom {formula}\n"
    assert words in bench.refused(script + f"fix g all glassml 2 {one} A B scalar v_e\nrun 0")


def test_a_fix_whose_values_come_too_seldom(bench, one, models):
    script = bench.start(liquid(60, seed=45)) + f"fix a all glassml 7 {models()} A B\n"
    message = bench.refused(script + f"fix g all glassml 2 {one} A B scalar f_a[1]\nrun 0")
    expected = (
        "expected values every 2 steps; found fix a, which computes them every 7: Nevery of fix g "
        "must be a multiple"
    )
    assert expected in message


@pytest.mark.parametrize("ranks", [1, 2])
def test_predictions_that_are_not_finite(bench, models, ranks):
    # 1e300 is a number in double precision, but not in the model's: all that it enters overflows.
    model = models("analytic", "float32", scalar_inputs=("potential_energy",))
    script = bench.start(liquid(60, seed=46)) + "variable e atom (id==17)*1e300\n"
    script += f"fix g all glassml 1 {model} A B scalar v_e output descriptors propensity\nrun 0"
    message = bench.refused(script, ranks=ranks)
    words = r"glassml: output '\w+', column '[\w=.]+': expected a finite number; found -?(inf|nan) "
    assert re.search(words + r"for atom \d+: a scalar input is", message), message
    assert "too large for a float32 model" in message


def test_predictions_outside_the_group_are_not_judged(bench, models):
    model = models("analytic", "float32", scalar_inputs=("potential_energy",))
    script = bench.start(liquid(60, seed=46)) + "variable e atom 1e300\ngroup none empty\n"
    bench.run(script + f"fix g none glassml 1 {model} A B scalar v_e\nrun 0")
