"""What `fix glassml ... positions inherent` accepts and refuses, and what it says."""

from __future__ import annotations

import pytest
from averages import WINDOW, averaging_model
from conftest import KOB_ANDERSEN
from inherent import MOVE, SCALARS, inherent_model
from model_files import rewritten
from systems import liquid

PREFIX = "fix g glassml: inherent structure: expected"


def words(text: str) -> str:
    return " ".join(text.split())


def command(model, keyword: str = "positions inherent", every: int = 10) -> str:
    return f"fix g all glassml {every} {model} A B {keyword}\n"


@pytest.mark.parametrize(
    ("keyword", "message"),
    [
        ("inherent 0", "keyword positions: ftol: expected a positive force; found '0'"),
        ("inherent soft", "keyword positions: ftol: expected a positive force; found 'soft'"),
        ("inherent 1e-5 0", "positions: maxiter: expected a positive integer; found '0'"),
        ("inherent 1e-5 10 20", "'average Nsample Nrepeat'; found 'inherent 1e-5 10 20'"),
        ("inherent scalar c_a", "expected no keyword scalar, as the fix knows inherent_energy"),
    ],
)
def test_wrong_arguments(bench, keyword: str, message: str) -> None:
    model = inherent_model(bench.folder)
    script = bench.start(liquid(60)) + "compute a all pe/atom\n"
    assert message in bench.refused(script + command(model, f"positions {keyword}"))


@pytest.mark.parametrize(("units", "length"), [("micro", "um"), ("si", "m"), ("cgs", "cm")])
def test_units_in_which_ftol_has_no_default(bench, units: str, length: str) -> None:
    own = inherent_model(bench.folder, ())
    model = rewritten(own, bench.folder / "other.pt", length_unit=length)
    script = bench.start(liquid(60)).replace("units lj", f"units {units}")
    message = bench.refused(script + command(model))
    assert f"{PREFIX} ftol, which has no default in 'units {units}'; found none. Give" in message
    bench.run(script + command(model, "positions inherent 1e-12"))


def test_without_the_keyword_sources_are_needed(bench) -> None:
    model = inherent_model(bench.folder)
    message = bench.refused(bench.start(liquid(60)) + command(model, ""))
    assert "expected 3 keyword(s) scalar, one for each scalar input of model" in message


@pytest.mark.parametrize(
    ("pair", "found"),
    [
        ("", "a pair style, whose energy is minimised; found none"),
        (
            "pair_style hybrid/overlay lj/cut 2.5 mie/cut 2.5\n"
            "pair_coeff * * lj/cut 1.0 1.0\npair_coeff * * mie/cut 1.0 1.0 12 6\n",
            "coefficients into restart files; found hybrid/overlay: minimise the simulation itself",
        ),
        (
            KOB_ANDERSEN + "pair_write 1 1 100 r 0.5 2.5 table.txt LJ\n"
            "pair_style table linear 100\npair_coeff * * table.txt LJ\n",
            "a pair style that writes its coefficients into restart files; found table",
        ),
        (
            KOB_ANDERSEN + "neigh_modify exclude type 1 2\n",
            "interactions of all pairs; found 'neigh_modify exclude'",
        ),
    ],
)
def test_interactions_that_cannot_be_copied(bench, pair: str, found: str) -> None:
    model = inherent_model(bench.folder, ())
    script = bench.start(liquid(120), pair=pair) + command(model) + "run 0\n"
    message = bench.refused(script, ranks=2)
    assert PREFIX in message
    assert found in message


def test_bonds_and_masses_of_single_atoms(bench) -> None:
    model = inherent_model(bench.folder, ())
    head = "units lj\natom_style {}\nregion box block 0 6 0 6 0 6\n"
    for style, box, more, found in (
        (
            "bond",
            " bond/types 1 extra/bond/per/atom 1",
            "special_bonds lj 1 1 1\nbond_style "
            "harmonic\nbond_coeff 1 1.0 1.0\ncreate_bonds single/bond 1 1 2\n",
            "interactions of a pair style alone; found bonds",
        ),
        ("sphere", "", "", "masses of atom types; found masses of single atoms"),
    ):
        script = head.format(style) + f"create_box 2 box{box}\n"
        script += "create_atoms 1 random 100 1 NULL overlap 0.9 maxtry 100\n"
        script += ("mass * 1.0\n" if style == "bond" else "") + KOB_ANDERSEN + more
        message = bench.refused(script + command(model) + "run 0\n")
        assert f"{PREFIX} {found}" in message


def test_a_copy_with_other_energies_is_refused(bench) -> None:
    """Fix adapt changes the pair style within a run."""
    model = inherent_model(bench.folder)
    script = bench.start(liquid(120)) + MOVE + "variable eps equal 1.0+0.01*step\n"
    script += "fix change all adapt 1 pair lj/cut epsilon 1 1 v_eps\n"
    message = bench.refused(script + command(model) + "run 20\n", ranks=2)
    assert f"{PREFIX} the energies of the simulation in a copy of its configuration" in message
    assert "pair style lj/cut cannot be copied, or a fix changes it" in message


def test_a_fix_that_acts_on_the_forces_warns(bench) -> None:
    model = inherent_model(bench.folder)
    script = bench.start(liquid(120)) + MOVE + "fix push all addforce 0.0 0.0 0.0\n"
    script += "fix watch all store/force\nfix other all print 10 hello\n"
    script += "variable never equal 0\nfix stop all halt 1 v_never > 1\n"
    text = words(bench.run(script + command(model) + "run 10\nrun 10\n").stdout)
    warning = "expected forces of the pair style alone; found fix push of style addforce"
    assert text.count(f"fix g glassml: inherent structure: {warning}") == 1
    assert text.count("is left out of the minimisation") == 1


@pytest.mark.parametrize(
    ("fix", "found"),
    [
        ("", "20 atoms that no fix integrates"),
        ("fix body wall rigid single\n", "fix body of style rigid"),
    ],
)
def test_atoms_that_the_run_does_not_move_freely_warn(bench, fix: str, found: str) -> None:
    model = inherent_model(bench.folder)
    script = bench.start(liquid(120)) + MOVE + "unfix move\ngroup wall id 1:20\n"
    script += "group free subtract all wall\nfix move free nve\n" + fix
    text = words(bench.run(script + command(model) + "run 1\nrun 1\n", ranks=2).stdout)
    warning = f"inherent structure: expected atoms that move freely; found {found}: in the "
    assert text.count(f"WARNING: fix g glassml: {warning}minimisation all atoms move") == 1


def test_a_minimisation_that_does_not_converge_warns(bench) -> None:
    model = inherent_model(bench.folder)
    script = bench.start(liquid(120)) + MOVE + command(model, "positions inherent 1e-6 3")
    text = words(bench.run(script + "run 20\n", ranks=2).stdout)
    assert text.count("expected no force above 1e-06 in the inherent structure; found") == 3
    for step, count in ((0, 1), (10, 2), (20, 3)):
        assert f"WARNING: fix g glassml: step {step}: expected" in text
        assert f"after 3 iterations ({count} of {count} minimisations so far)" in text


@pytest.mark.parametrize("positions", ["thermal", "average", "cage"])
def test_a_model_of_other_positions_warns(bench, positions: str) -> None:
    if positions == "average":
        model = averaging_model(bench.folder, (), positions, WINDOW)
    else:
        model = inherent_model(bench.folder, (), positions)
    script = bench.start(liquid(60)) + MOVE + command(model)
    text = words(bench.run(script + "run 0\nrun 1\n").stdout)
    warning = (
        f"model {model} reads {positions} positions, but is given those of inherent structures"
    )
    assert text.count(f"WARNING: fix g glassml: {warning}: its values are less accurate") == 1


def test_a_model_of_inherent_structures_without_the_keyword(bench) -> None:
    """The positions are used as they are, and the warning names the keyword."""
    model = inherent_model(bench.folder, ())
    start = bench.start(liquid(60)) + MOVE
    text = words(bench.run(start + command(model, "") + "run 1\n").stdout)
    assert text.count("reads inherent positions, but is evaluated while the atoms move") == 1
    assert "not meaningful there (give 'positions inherent')" in text
    assert "the positions of the atoms are used unchanged (see 'positions inherent')" in text
    text = words(bench.run(start + command(model) + "run 1\n").stdout)
    assert "WARNING: fix g" not in text
    assert "used unchanged" not in text


def test_window_scalars_at_inherent_positions(bench) -> None:
    """Averages over a window and inherent structures together."""
    model = averaging_model(bench.folder, ("vibration", *SCALARS), "inherent", WINDOW)
    script = bench.start(liquid(120)) + MOVE + command(model, every=20)
    run = bench.run(script + "thermo_style custom step f_g[1]\nthermo 20\nrun 20\n", ranks=2)
    assert "scalars: averages over 5 samples every 0.02 time units" in run.stdout
    assert "positions: inherent, each evaluation minimises a copy" in run.stdout
    assert "vibration = average over the window" in run.stdout
    first, last = run.thermo()[-1]["f_g[1]"]
    assert first == 0.0  # the window is not full
    assert last < -100.0  # energies, summed over neighbours


def test_window_scalars_at_the_positions_of_the_atoms(bench) -> None:
    model = averaging_model(bench.folder, ("vibration",), "inherent", WINDOW)
    script = bench.start(liquid(60)) + MOVE + command(model, "", every=20)
    run = bench.run(script + "run 0\n")
    assert "scalars: averages over 5 samples every 0.02 time units" in run.stdout
    assert "positions: inherent; the positions of the atoms are used unchanged" in run.stdout
