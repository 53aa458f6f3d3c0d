"""Whether interactions are those with which a dataset was made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from glassml.errors import InputError
from glassml.simulation import System
from glassml.simulation.recorded import check_agreement, check_files

COMMANDS = """\
mass 1 63.546
pair_style eam/fs
pair_coeff * * {file} Cu
"""


def system(commands: str = COMMANDS.format(file="/there/potentials/copper"), **changes) -> System:
    given = System("copper", ("Cu",), (1.0,), 0.085, 0.001, commands, (63.546,), units="metal")
    return replace(given, **changes)


@pytest.mark.parametrize("file", ["/here/copper", "'/here/copper'", "/there/potentials/copper"])
def test_potential_files_may_be_elsewhere_with_and_without_a_dot(file: str):
    check_agreement(system(COMMANDS.format(file=file)), system(), "a.h5")
    dotted = system(COMMANDS.format(file="/there/Cu.eam.fs"))
    check_agreement(system(COMMANDS.format(file="Cu.eam.fs")), dotted, "a.h5")


def test_commands_that_leave_interactions_alone_may_differ():
    more = (
        "neighbor 1.0 bin\nneigh_modify every 1 delay 0\ntimestep 0.002\ncomm_modify cutoff 9\n"
        "thermo 10\nthermo_style one\nthermo_modify norm no\n"
    )
    check_agreement(system(COMMANDS.format(file="/here/copper") + more), system(), "a.h5")
    check_agreement(system(), system(system().commands + more), "a.h5")


@pytest.mark.parametrize(
    "commands",
    [
        COMMANDS.format(file="/here/brass"),
        COMMANDS.format(file="/here/copper").replace("eam/fs", "meam/fs"),
        COMMANDS.format(file="/here/copper").replace("63.546", "64"),
    ],
)
def test_other_interactions_need_to_be_meant(commands: str):
    with pytest.raises(InputError, match="give --other-interactions if you mean the others"):
        check_agreement(system(commands), system(), "a.h5")
    check_agreement(system(commands), system(), "a.h5", other_interactions=True)


def test_other_units_and_dimensions_do_not_fit_the_data():
    for field, value in (("units", "real"), ("dimension", 2)):
        with pytest.raises(InputError, match=f"a.h5: {field}: expected"):
            check_agreement(system(**{field: value}), system(), "a.h5", other_interactions=True)


def test_a_potential_file_that_is_gone_is_named(tmp_path: Path):
    file = tmp_path / "copper"
    text = COMMANDS.format(file=file) + "# see /no/such/page\n"
    with pytest.raises(InputError) as caught:
        check_files(system(text), "a.h5")
    assert f"a.h5: expected the file {file}" in str(caught.value)
    assert "with --include FILE" in str(caught.value)
    file.write_text("")
    check_files(system(text), "a.h5")
    check_files(system(COMMANDS.format(file="Cu.eam.fs")), "a.h5")  # found by LAMMPS
