"""Set-ups of LAMMPS, one per row: what the fix writes for a configuration is what Python says.

Runs, minimisations, potentials and atom styles; see test_fix_matrix.py for boxes, groups and atoms.
"""

from __future__ import annotations

import numpy as np
import pytest
from conftest import KOB_ANDERSEN
from matrix import (
    BOX,
    NONE,
    RELAX,
    SKEW,
    Row,
    all_of,
    box_changes,
    check_row,
    moves,
    says,
    shrinks,
)

# Atoms on a lattice, displaced, of any style.
STYLE = """units lj
atom_style {style}
lattice sc 1.2
region box block 0 5 0 5 0 5
create_box 2 box
create_atoms 1 box
set group all type/fraction 2 0.2 33
displace_atoms all random 0.1 0.1 0.1 7
{settings}
"""


ATOM_STYLES = [
    ("full", "mass * 1.0\nset group all charge 0.1 mol 3", "nve"),
    ("charge", "mass * 1.0\nset group all charge 0.1", "nve"),
    ("sphere", "set group all diameter 0.9 density 1.5", "nve/sphere"),
    ("ellipsoid", "set group all shape 1.0 1.0 1.2 mass 1.0 quat/random 9", "nve/asphere"),
    ("hybrid sphere charge", "set group all diameter 0.9 charge 0.1", "nve/sphere"),
]
MINIMISERS = ("cg", "sd", "hftn", "quickmin", "fire")


def bodies() -> str:
    """Reads a data file in which every fifth atom is a body of two particles."""
    n = BOX.n_particles
    lines = ["bodies", "", f"{n} atoms", "2 atom types", f"{n // 5} bodies", ""]
    lines += [f"0 {BOX.cell[k, k]:.17g} {axis}lo {axis}hi" for k, axis in enumerate("xyz")]
    lines += ["", "Atoms", ""]
    for k, (x, y, z) in enumerate(BOX.positions, start=1):
        lines.append(f"{k} {1 + (k % 5 == 0)} {int(k % 5 == 0)} 1.0 {x:.17g} {y:.17g} {z:.17g}")
    lines += ["", "Bodies", ""]
    for k in range(5, n + 1, 5):
        lines += [f"{k} 1 12", "2", "0.1 0.3 0.3 0.0 0.0 0.0 -0.2 0.0 0.0 0.2 0.0 0.0"]
    return "\n".join(lines)


ROWS = [
    # Runs
    Row(
        "several runs",
        RELAX + "FIX 5\nDUMP 5 a\nrun 0\nrun 0\nrun 7\nDUMP 5 b\ndump_modify b first yes\n"
        "run 6\nrun 0\nDUMP 5 c\ndump_modify c first yes\nrun 3\nrun 0",
        (0, 5, 10, 15, 7, 10, 15, 13, 15),
        moves,
        ranks=2,
    ),
    Row(
        "run every",
        RELAX + "FIX 5\nDUMP 5\n"
        'run 20 every 8 "displace_atoms all random 0.02 0.02 0.02 $(step+1)"',
        range(0, 21, 5),
        moves,
        ranks=2,
    ),
    Row(
        "run pre no",
        RELAX + "FIX 5\nDUMP 5\nrun 7 post no\nrun 6 pre no post no\nrun 7 pre no",
        range(0, 21, 5),
        moves,
        ranks=2,
    ),
    Row(
        "commands between runs",
        RELAX + "FIX 5\nDUMP 5\nrun 5\nchange_box all x scale 1.1 remap\nset type 2 type 1\n"
        "set group all type/fraction 2 0.5 77\ndelete_atoms random count 9 no all NULL 7\n"
        "reset_atoms id\nvelocity all zero linear\nrun 5",
        (0, 5, 10),
        all_of(shrinks, moves),
        ranks=2,
    ),
    Row(
        "rerun",
        RELAX + "unfix nve\nfix npt all npt temp 1.0 1.0 0.2 tri 40.0 40.0 0.1\n"
        "FIX 5\nDUMP 5\nrun 20\nundump d\nunfix npt\nDUMP 5 e\n"
        "rerun d.dump first 5 dump x y z",
        (*range(0, 21, 5), *range(5, 21, 5)),
        box_changes,
        ranks=2,
        liquid=SKEW,
    ),
    Row(
        "minimisers",
        "FIX 3\n"
        + "".join(
            f"DUMP 3 {style}\nmin_style {style}\nminimize 0.0 0.0 7 1000\n"
            f"undump {style}\nreset_timestep 0\n"
            for style in MINIMISERS
        ),
        (0, 3, 6) * len(MINIMISERS),
        moves,
        ranks=2,
        models=("exact",),
    ),
    Row(
        "minimize with fix box/relax",
        "fix relax all box/relax aniso 1.0 vmax 0.01\nFIX 3\nDUMP 3\nminimize 0.0 0.0 7 1000",
        (0, 3, 6),
        box_changes,
    ),
    Row(
        "restart after clear",
        RELAX + "FIX 5\nDUMP 5\nrun 8\nwrite_restart middle\nclear\nread_restart middle\n"
        "fix nve all nve\nFIX 5\nDUMP 5 e\ndump_modify e first yes\nrun 7",
        (0, 5, 8, 10, 15),
        moves,
        ranks=2,
    ),
    Row(
        "reset_timestep",
        RELAX + "FIX 5\nDUMP 5\nrun 7\nundump d\nreset_timestep 3000000000\nDUMP 5 e\nrun 5\n"
        "undump e\nreset_timestep 2\nDUMP 5 f\nrun 3",
        (0, 5, 3 * 10**9, 3 * 10**9 + 5, 5),
        moves,
    ),
    Row(
        "two models at different times",
        RELAX + "FIX 2 all exact\nFIX 3 all net\nDUMP 6\nrun 18",
        range(0, 19, 6),
        moves,
        ranks=2,
    ),
    # Potentials and the program
    Row("pair none", "FIX 1\nDUMP 1\nrun 0", (0,), says(r"^Nghost: +0 ave"), ranks=2, pair=NONE),
    Row(
        "pairs without forces",
        "neigh_modify exclude type 1 2\n" + RELAX + "FIX 5\nDUMP 5\nrun 5",
        (0, 5),
        moves,
        ranks=2,
    ),
    Row(
        "pair hybrid",
        RELAX + "FIX 5\nDUMP 5\nrun 10",
        (0, 5, 10),
        all_of(moves, says("pair soft")),
        pair="pair_style hybrid lj/cut 2.5 soft 1.2\npair_coeff 1 * lj/cut 1.0 1.0\n"
        "pair_coeff 2 2 soft 50.0",
    ),
    Row(
        "pair hybrid/overlay",
        RELAX + "FIX 5\nDUMP 5\nrun 10",
        (0, 5, 10),
        all_of(moves, says("pair zero")),
        pair="pair_style hybrid/overlay lj/cut 2.5 zero 3.0\npair_coeff * * lj/cut 1.0 0.9\n"
        "pair_coeff * * zero",
    ),
    Row(
        "partitions",
        "variable p world 1 2\ndisplace_atoms all random 0.1 0.1 0.1 ${p}\n"
        + RELAX
        + "FIX 5\nDUMP 5 d${p}\nrun 5",
        (0, 5, 0, 5),
        lambda seen: not np.allclose(seen.frames[0].positions, seen.frames[2].positions),
        ranks=3,
        args=("-partition", "1", "2"),
    ),
    *(
        Row(
            f"suffix {suffix}",
            RELAX + "FIX 5\nDUMP 5\nrun 10",
            (0, 5, 10),
            says(f"pair lj/cut/{suffix}"),
            args=("-suffix", suffix),
        )
        for suffix in ("omp", "opt")
    ),
    Row(
        "-log none",
        "FIX 1\nDUMP 1\nrun 0",
        (0,),
        lambda seen: not seen.has_log,
        args=("-log", "none"),
    ),
    Row(
        "fix halt",
        RELAX + "FIX 5\nDUMP 5\nvariable mean equal f_exact[1]\n"
        "fix h all halt 5 v_mean > 0.0 error continue\nrun 20\nrun 20",
        (0, 5, 10),
        says("halt"),
    ),
    Row(
        "type labels",
        "labelmap atom 1 A 2 B\ngroup b type B\n" + RELAX + "FIX 5 b\nDUMP 5\nrun 5",
        (0, 5),
        lambda seen: 0 < seen.reported[0] < 60,
        ranks=2,
    ),
    Row(
        "atom styles",
        "clear\n".join(
            STYLE.format(style=style, settings=settings)
            + KOB_ANDERSEN
            + RELAX.replace("nve all nve", f"nve all {integrator}")
            + f"FIX 5\nDUMP 5 {style.split()[0]}\nrun 10\ninfo system\n"
            for style, settings, integrator in ATOM_STYLES
        ),
        (0, 5, 10) * len(ATOM_STYLES),
        all_of(moves, *(says(rf"Atom style *= {style}") for style, *_ in ATOM_STYLES)),
        ranks=2,
        start="# one simulation after another\n",
    ),
    Row(
        "atom_style body",
        "group rods type 2\n" + RELAX.replace("all nve", "rods nve/body") + "FIX 5\nDUMP 5\nrun 10",
        (0, 5, 10),
        all_of(moves, says(r"^ *30 bodies")),
        ranks=2,
        start="units lj\natom_style body nparticle 2 2\nread_data data.bodies\n" + KOB_ANDERSEN,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_values_are_those_of_python(bench, models, row: Row):
    (bench.folder / "data.bodies").write_text(bodies())
    check_row(bench, models, row)
