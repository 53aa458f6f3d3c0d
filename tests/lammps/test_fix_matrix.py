"""Set-ups of LAMMPS, one per row: what the fix writes for a configuration is what Python says.

Tasks, boxes, groups and atoms. The other rows are in test_fix_matrix_runs.py, the comparison in
matrix.py.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from conftest import KOB_ANDERSEN
from matrix import (
    BOX,
    NONE,
    OUTPUTS,
    RELAX,
    SKEW,
    Row,
    Seen,
    all_of,
    box_changes,
    check_row,
    flips,
    grows,
    moves,
    says,
    shrinks,
    stretched,
    tilted,
)
from systems import liquid

empty_rank = says(r"^Nlocal: .* 0 min")


def tilts(seen: Seen) -> bool:
    """The box is tilted in the end."""
    return bool(seen.cells[-1, 1, 0] > 1.0)


def images(seen: Seen) -> bool:
    """There are more edges than ordered pairs: some atoms are connected with several images."""
    found = re.search(r"fix exact glassml: (\d+) edges", seen.text)
    return int(found[1]) > seen.numbers[0] * (seen.numbers[0] - 1)


ROWS = [
    # Division among tasks
    *(
        Row(
            f"{ranks} ranks",
            "timestep 1e-4\nfix nve all nve\nFIX 1\nDUMP 1 a\nrun 1\nnewton off on\nrun 1\n"
            "undump a\nchange_box all triclinic xy final 1.6 xz final -1.0 yz final 0.5 remap\n"
            "DUMP 1 b\nrun 1\nnewton on\nrun 1",
            (0, 1, 2, 2, 3, 4),
            all_of(says("newton off"), says("newton on"), tilts),
            ranks=ranks,
            models=("exact", "net", "single"),
            outputs=(*OUTPUTS, "equivariant"),
        )
        for ranks in (1, 2, 3, 4, 8)
    ),
    Row(
        "tiled, balanced again and again",
        "balance 1.0 rcb\n" + RELAX + "FIX 5\nDUMP 5\nfix b all balance 2 1.0 rcb\nrun 10",
        (0, 5, 10),
        says("rebalancing time"),
        ranks=4,
        before="comm_style tiled",
        liquid=stretched(SKEW, 2.0, 1.0, 1.0),
    ),
    Row(
        "brick, balanced again and again",
        RELAX + "FIX 5\nDUMP 5\nfix b all balance 2 1.0 shift xz 5 1.0\nrun 10\n"
        'print "imbalance $(f_b)"',
        (0, 5, 10),
        says(r"^imbalance 1(\.0\d*)?$"),
        ranks=2,
        liquid=stretched(BOX, 2.0, 1.0, 1.0),
    ),
    Row(
        "a rank without atoms",
        "FIX 1\nDUMP 1\nrun 0",
        (0,),
        empty_rank,
        ranks=4,
        before="processors 1 1 4",
        liquid=stretched(BOX, 1.0, 1.0, 6.0),
    ),
    Row(
        "five atoms on four ranks",
        "FIX 1\nDUMP 1\nrun 0",
        (0,),
        all_of(empty_rank, images),
        ranks=4,
        liquid=liquid(5, seed=5),
        pair=NONE,
    ),
    *(
        Row(
            f"{n} atoms in a tilted box below the cutoff",
            "FIX 1\nDUMP 1\nrun 0",
            (0,),
            images,
            ranks=ranks,
            liquid=liquid(n, seed=5, triclinic=True),
        )
        for n, ranks in [(1, 1), (5, 2)]
    ),
    *(
        Row(
            f"communication {name}",
            f"{commands}\nvelocity all create 1.0 5\nfix nve all nve\ntimestep 0.005\n"
            "FIX 5\nDUMP 5\nrun 10",
            (0, 5, 10),
            moves,
            ranks=2,
            liquid=SKEW,
            pair="pair_style zero 2.5\npair_coeff * *",
        )
        for name, commands in {
            "multi": "neighbor 0.3 multi\ncomm_modify mode multi",
            "tiled multi": "comm_style tiled\nneighbor 0.3 multi\ncomm_modify mode multi\n"
            "balance 1.0 rcb",
            "group": "group some id 1:50\natom_modify first some\ncomm_modify group some",
        }.items()
    ),
    # Boxes
    Row(
        "fix deform with flips",
        RELAX + "FIX 3\nDUMP 3\nfix d all deform 5 xy erate 5.0 remap x\nrun 14",
        range(0, 15, 3),
        flips,
        ranks=2,
        liquid=SKEW,
    ),
    Row(
        "fix deform of edges",
        RELAX + "FIX 3\nDUMP 3\n"
        "fix d all deform 5 x erate 2.0 y scale 0.9 z erate -1.0 remap v\nrun 14",
        range(0, 15, 3),
        box_changes,
        ranks=2,
    ),
    Row(
        "fix npt",
        RELAX + "unfix nve\nfix npt all npt temp 1.0 1.0 0.2 aniso 40.0 40.0 0.1\n"
        "FIX 5\nDUMP 5\nrun 20",
        range(0, 21, 5),
        box_changes,
        ranks=2,
    ),
    Row(
        "fix npt with flips",
        RELAX + "unfix nve\nfix npt all npt temp 1.0 1.0 0.2 tri 40.0 40.0 1.0 xy -90.0 -90.0 0.5\n"
        "FIX 5\nDUMP 5\nrun 15",
        range(0, 16, 5),
        all_of(flips, box_changes),
        ranks=2,
        liquid=tilted(0.595),
    ),
    *(
        Row(
            f"boundary {words}",
            RELAX + "FIX 5\nDUMP 5\nrun 20",
            range(0, 21, 5),
            moves,
            ranks=2,
            before=f"boundary {words}",
            liquid=stretched(BOX, 1.0, 1.0, 1.0),
        )
        for words in ("s p s", "m m p", "p sm ms")
    ),
    Row(
        "boundary f f f, atoms are lost",
        "thermo_modify lost ignore\n" + RELAX + "neigh_modify every 1 delay 0 check no\n"
        "FIX 5\nDUMP 5\nrun 20",
        range(0, 21, 5),
        shrinks,
        ranks=2,
        before="boundary f f f",
        liquid=stretched(BOX, 1.0, 1.0, 1.0),
    ),
    Row(
        "tilted box with boundary p p s",
        RELAX + "FIX 5\nDUMP 5\nrun 10",
        range(0, 11, 5),
        tilts,
        ranks=2,
        before="boundary p p s",
        liquid=stretched(tilted(0.3, alone=True), 1.0, 1.0, 1.0),
    ),
    # Groups
    Row(
        "a group on one of two ranks",
        "region r block INF INF INF INF 0.0 1.5\ngroup low region r\n"
        + RELAX
        + "FIX 5 low\nDUMP 5\nrun 10",
        (0, 5, 10),
        lambda seen: 0 < seen.reported[-1] < 75,
        ranks=2,
        before="processors 1 1 2",
    ),
    Row(
        "an empty group",
        "group nobody id 100000\nFIX 1 nobody\nDUMP 1\nrun 0",
        (0,),
        lambda seen: seen.reported == [0],
        ranks=2,
    ),
    Row(
        "a group that is made dynamic",
        "group fast id 1:9\n" + RELAX + "FIX 5 fast\nDUMP 5\n"
        "variable fast atom vx>0.5\ngroup fast dynamic all var fast every 1\nrun 20",
        range(0, 21, 5),
        lambda seen: min(seen.reported) > 10 and len(set(seen.reported)) > 2,
        ranks=2,
    ),
    Row(
        "a dynamic group that becomes empty",
        RELAX + "variable early atom step<12\ngroup early dynamic all var early every 1\n"
        "FIX 5 early\nDUMP 5\nrun 20",
        range(0, 21, 5),
        lambda seen: seen.reported == [150, 150, 150, 0, 0],
        ranks=2,
    ),
    # Atoms
    Row(
        "atoms are sorted and migrate",
        RELAX + "velocity all scale 3.0\nFIX 20\nDUMP 20\nrun 100",
        range(0, 101, 20),
        all_of(moves, says(r"Neighbor list builds = (\d{2}|[5-9])")),
        ranks=2,
        before="atom_modify sort 5 1.0",
    ),
    Row(
        "deleted atoms",
        RELAX + "FIX 5\nDUMP 5\nrun 5\n"
        "delete_atoms random fraction 0.3 no all NULL 482793 compress no\nrun 5",
        (0, 5, 10),
        shrinks,
        ranks=2,
    ),
    Row(
        "large ids in a hash map",
        RELAX + "FIX 5\nDUMP 5\nrun 10\ninfo system",
        (0, 5, 10),
        all_of(lambda seen: seen.frames[0].arrays["id"].max() == 2**31 - 2, says("hash")),
        ranks=2,
        before="atom_modify map hash",
        ids=2**31 - 2 - np.random.default_rng(14).permutation(150) * 10**7,
    ),
    Row(
        "create_atoms",
        RELAX + "FIX 5\nDUMP 5\nrun 5\n"
        "create_atoms 2 random 20 4711 NULL overlap 0.8 maxtry 500\nrun 5",
        (0, 5, 10),
        grows,
        ranks=2,
        liquid=liquid(100, density=0.7, seed=15),
    ),
    Row(
        "create_atoms in an empty box",
        "fix nve all nve\nFIX 5\nthermo_style custom step atoms f_exact[1]\nrun 5\n"
        "create_atoms 1 random 20 1 NULL overlap 1.0 maxtry 99\nDUMP 5\nrun 5",
        (5, 10),
        says(r"^ +5 +0 +0 *$"),
        ranks=2,
        start="units lj\nregion b block 0 5 0 5 0 5\ncreate_box 2 b\nmass * 1.0\n" + KOB_ANDERSEN,
    ),
    Row(
        "fix deposit",
        "region top block 0.5 4.5 0.5 4.5 7.0 12.0\n" + RELAX + "FIX 5\nDUMP 5\n"
        "fix in all deposit 10 2 3 8123 region top near 0.9 attempt 200 vz -1.0 -1.0\nrun 30",
        range(0, 31, 5),
        grows,
        ranks=2,
        liquid=stretched(BOX, 1.0, 1.0, 3.0),
    ),
    Row(
        "fix evaporate",
        "region all block INF INF INF INF INF INF\n" + RELAX + "FIX 5\nDUMP 5\n"
        "fix out all evaporate 2 20 all 49892\nrun 10",
        (0, 5, 10),
        shrinks,
        ranks=2,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_values_are_those_of_python(bench, models, row: Row):
    check_row(bench, models, row)
