"""LAMMPS inside Python: `python library.py MODEL`, or `mpiexec -n 2 python library.py MODEL`.

A Kob-Andersen liquid runs with fix glassml, and Python reads what the model predicts.
"""

from __future__ import annotations

import argparse

from glassml.lammps import attach, open_lammps

LIQUID = """
units lj
lattice sc 1.2
region box block 0 6 0 6 0 6
create_box 2 box
create_atoms 1 box
set group all type/subset 2 43 4101
mass * 1.0
pair_style lj/cut 2.5
pair_modify shift yes
pair_coeff 1 1 1.0 1.00 2.5
pair_coeff 1 2 1.5 0.80 2.0
pair_coeff 2 2 0.5 0.88 2.2
timestep 0.005
velocity all create 2.0 4101
fix move all nvt temp 2.0 0.5 0.5
run 1000
"""


def main() -> None:
    """Run, and after each 200 steps name the atom that is predicted to move furthest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="kob_andersen_T0.44")
    options = parser.parse_args()

    lmp = open_lammps("-screen", "none")
    lmp.commands_string(LIQUID)
    lmp.command(f"fix ml all glassml 200 {options.model} A B")
    system = attach(lmp)
    for _ in range(3):
        lmp.command("run 200 post no")
        values = system.fix("ml", gathered=True)  # of all ranks, sorted by ID
        slowest = values.column(values.columns[-1])
        if system.rank == 0:
            largest = slowest.argmax()
            print(
                f"step {values.step}  {values.columns[-1]}: mean {slowest.mean():.4f}, "
                f"largest {slowest[largest]:.4f} of atom {values.ids[largest]}"
            )
    lmp.close()


if __name__ == "__main__":
    main()
