"""Mistakes with `fix glassml`, in the real `lmp`."""

from __future__ import annotations

from hostile_code import HOSTILE, with_line
from mistakes.place import LIQUID, Place, Section
from vibrating import averaged_model

from glassml.data import Window

mistake = Section("fix glassml in LAMMPS")


def stopped(at: Place, arguments: str, run: str = "run 0\n", **more: object) -> str:
    """The error of a fix with the model file of this folder."""
    at.model()
    return at.stopped(f"fix g all glassml {arguments}\n{run}", **more)


def averaging(at: Place) -> None:
    """A model of averaged positions in this folder."""
    averaged_model(at.folder / "average.pt", (), Window(0.02, 5))


@mistake("LAMMPS does not find the plugin")
def no_plugin(at: Place) -> str:
    # Importing lammps, in some test before, adds the folder of the build to the second variable.
    without = {"GLASSML_NATIVE_DIR": str(at.folder), "LAMMPS_PLUGIN_PATH": ""}
    return stopped(at, "10 model.pt A B", env=without)


@mistake("The fix has one species, LAMMPS two atom types")
def too_few_species(at: Place) -> str:
    return stopped(at, "10 model.pt A")


@mistake("A species is not one of the model")
def no_such_species(at: Place) -> str:
    return stopped(at, "10 model.pt Ni P")


@mistake("Labels of the atom types contradict the order of the species")
def other_order(at: Place) -> str:
    return stopped(at, "10 model.pt B A", "labelmap atom 1 A 2 B\nrun 0\n")


@mistake("The number of steps between two evaluations is missing")
def no_nevery(at: Place) -> str:
    return stopped(at, "model.pt A B 10")


@mistake("The model file is not where LAMMPS runs")
def no_model(at: Place) -> str:
    return stopped(at, "10 models/model.pt A B")


@mistake("The model file is a checkpoint or a truncated file")
def no_export(at: Place) -> str:
    at.write("last.ckpt", "no model\n")
    return stopped(at, "10 last.ckpt A B")


@mistake("A keyword is misspelt")
def misspelt_keyword(at: Place) -> str:
    return stopped(at, "10 model.pt A B outputs propensity")


@mistake("An output is not one of the model")
def no_such_output(at: Place) -> str:
    return stopped(at, "10 model.pt A B output mobility")


@mistake("The units of the simulation are not those of the model")
def other_units(at: Place) -> str:
    return stopped(at, "10 model.pt A B", start="units metal\n" + LIQUID)


@mistake("The simulation is two-dimensional")
def two_dimensions(at: Place) -> str:
    plane = "dimension 2\nlattice sq 1.0\nregion box block 0 9 0 9 -0.5 0.5\n"
    plane += "create_box 2 box\ncreate_atoms 1 box\nmass * 1.0\npair_style none\n"
    return stopped(at, "10 model.pt A B", start=plane)


@mistake("Atoms have no ids")
def no_ids(at: Place) -> str:
    return stopped(at, "10 model.pt A B", start="atom_modify id no\n" + LIQUID)


@mistake("Time steps of different lengths are used (respa)")
def respa(at: Place) -> str:
    style = "run_style respa 2 2 inner 1 1.0 1.2 outer 2\nfix n all nve\n"
    return stopped(at, "10 model.pt A B", style + "run 1\n")


@mistake("The time step is too large, and the simulation explodes")
def explodes(at: Place) -> str:
    run = "timestep 1000\nfix n all nve\ngroup one id 17\nvelocity one set 0 1e308 0\n"
    run += "neigh_modify every 100 delay 100 check no\nthermo 100\n"
    return stopped(at, "1 model.pt A B", run + "run 5\n")


@mistake("Lengths are in another unit than the coordinates of the model")
def tiny_lengths(at: Place) -> str:
    tiny = LIQUID.replace("lattice fcc 1.2", "lattice fcc 1200").replace(
        "lj/cut 2.5", "zero 0.25\ncomm_modify cutoff 0.3"
    )
    return stopped(at, "1 model.pt A B", start=tiny.replace("* * 1.0 1.0", "* *"))


@mistake("A source is given for a scalar that the model does not read")
def unread_scalar(at: Place) -> str:
    return stopped(at, "10 model.pt A B scalar c_pe")


@mistake("The window of averaged positions is longer than the time between evaluations")
def long_window(at: Place) -> str:
    averaging(at)
    return stopped(at, "8 average.pt A B positions average 4 5")


@mistake("The time step does not fit the window of the model")
def other_timestep(at: Place) -> str:
    averaging(at)
    return stopped(at, "100 average.pt A B", "timestep 0.003\nrun 0\n")


@mistake("A model of averaged positions is given thermal ones")
def thermal(at: Place) -> str:
    averaging(at)
    return at.log_warns("fix g all glassml 10 average.pt A B positions thermal\nrun 0\n")


@mistake("A model of inherent structures runs without a pair style")
def no_pair_style(at: Place) -> str:
    start = LIQUID.replace("pair_style lj/cut 2.5\npair_coeff * * 1.0 1.0", "pair_style none")
    return stopped(at, "10 model.pt A B positions inherent", start=start)


@mistake("In LAMMPS, a model file contains code that does more than calculate")
def stranger(at: Place) -> str:
    with_line(at.models(), HOSTILE[0][0], at.folder / "stranger.pt")
    return stopped(at, "10 stranger.pt A B")


@mistake("In LAMMPS, a liquid is unlike the training data of the model")
def other_liquid(at: Place) -> str:
    return at.log_warns("fix g all glassml 10 kob_andersen_T0.64_multitime A B\nrun 0\n")
