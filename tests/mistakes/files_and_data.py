"""Mistakes with files: what the file says, and what it leaves out."""

from __future__ import annotations

import numpy as np
from mistakes.place import Place, Section
from systems import liquid, moved

mistake = Section("Files and data")


@mistake("The name of a file is misspelt")
def no_file(at: Place) -> str:
    return at.refused(*at.predict("rum.dump"))


@mistake("The file is of a kind that nothing reads")
def unknown_format(at: Place) -> str:
    return at.refused(*at.predict(at.write("run.dat", "1 2 3\n")))


@mistake("Species of a file with numbers for types are not named")
def no_species(at: Place) -> str:
    return at.refused(*at.predict(at.dump().name))


@mistake("`--species` has fewer names than the file has types")
def too_few_species(at: Place) -> str:
    return at.refused(*at.predict(at.dump().name, "--species", "A"))


@mistake("`--species` contradicts names in the file")
def contradicting_species(at: Place) -> str:
    text = at.dump().read_text().replace("id type x y z c_pe", "id type x y z element")
    head, _, rows = text.partition("element\n")
    named = [" ".join([*row.split()[:-1], " AB"[int(row.split()[1])]]) for row in rows.splitlines()]
    at.write("run.dump", f"{head}element\n" + "\n".join(named) + "\n")
    return at.refused(*at.predict("run.dump", "--species", "B,A"))


@mistake("An xyz file has no `Lattice`, so that a bulk liquid would be a droplet")
def no_cell(at: Place) -> str:
    at.write("run.xyz", "2\n\nA 0 0 0\nB 1 0 0\n")
    return at.refused(*at.predict("run.xyz"))


@mistake("A dump has no positions")
def no_positions(at: Place) -> str:
    at.write("run.dump", at.dump().read_text().replace("x y z c_pe", "vx vy vz c_pe"))
    return at.refused(*at.predict("run.dump", "--species", "A,B"))


@mistake("A dump was cut off, or is still being written")
def cut_off(at: Place) -> str:
    at.write("run.dump", "".join(at.dump().read_text().splitlines(keepends=True)[:-10]))
    return at.refused(*at.predict("run.dump", "--species", "A,B"))


@mistake("Two particles have the same id")
def ids_twice(at: Place) -> str:
    at.write("run.dump", at.dump().read_text().replace("\n2 ", "\n1 ", 1))
    return at.refused(*at.predict("run.dump", "--species", "A,B"))


@mistake("The simulation exploded before the dump was written")
def not_finite(at: Place) -> str:
    lines = at.dump().read_text().splitlines()
    lines[-1] = "60 1 nan 1.0 1.0 0.5"
    at.write("run.dump", "\n".join(lines) + "\n")
    return at.refused(*at.predict("run.dump", "--species", "A,B"))


@mistake("A LAMMPS data file does not state its atom style")
def no_atom_style(at: Place) -> str:
    text = "by hand\n\n1 atoms\n1 atom types\n0 4 xlo xhi\n0 4 ylo yhi\n0 4 zlo zhi\n\n"
    return at.refused(
        *at.predict(at.write("data.liquid", text + "Atoms\n\n1 1 0.5 0 0 0\n"), "--species", "A")
    )


@mistake("Lengths are in angstrom, and the file does not say so")
def no_length_unit(at: Place) -> str:
    here = liquid(60, seed=1)
    wide = moved(here, positions=2.7 * here.positions, cell=2.7 * here.cell)
    return at.refused(*at.predict(at.dump(wide).name, "--species", "A,B"))


@mistake("The liquid is two-dimensional, in a box that is periodic across its plane")
def flat(at: Place) -> str:
    text = at.dump().read_text().splitlines()
    rows = [" ".join([*row.split()[:4], "0.0", "0.5"]) for row in text[9:]]
    at.write("run.dump", "\n".join([*text[:9], *rows]) + "\n")
    return at.refused(*at.predict("run.dump", "--species", "A,B"))


@mistake("A column is asked for that the file does not have")
def no_column(at: Place) -> str:
    at.dump()
    options = ("--species", "A,B", "--scalar", "potential_energy=c_energy", "-o", "data.h5")
    return at.refused("data", "convert", "run.dump", *options)


@mistake("Labels belong to another structure")
def labels_of_another(at: Place) -> str:
    at.dump()
    at.write("labels.txt", "".join(f"{k} 0.1\n" for k in range(11, 71)))
    options = ("--species", "A,B", "--labels", "labels.txt", "--time", "10", "-o", "data.h5")
    return at.refused("data", "convert", "run.dump", *options)


@mistake("A table of labels holds a word where a number belongs")
def labels_with_words(at: Place) -> str:
    at.dump()
    at.write("labels.txt", "1 0.1\n2 none\n")
    options = ("--species", "A,B", "--labels", "labels.txt", "--time", "10", "-o", "data.h5")
    return at.refused("data", "convert", "run.dump", *options)


@mistake("The time of the labels is not given")
def no_time(at: Place) -> str:
    at.dump()
    at.write("labels.txt", "".join(f"{k} 0.1\n" for k in range(1, 61)))
    options = ("--species", "A,B", "--labels", "labels.txt", "-o", "data.h5")
    return at.refused("data", "convert", "run.dump", *options)


def trajectory(at: Place, *lengths: float, shift: float = 0.1) -> str:
    """Frames 10 steps apart, scaled to a cell of these lengths [relative to the first]."""
    first, frames = liquid(60, seed=1), []
    for k, length in enumerate(lengths):
        ways = np.random.default_rng(k).normal(0, shift, first.positions.shape)
        frames.append(
            moved(first, positions=length * (first.positions + ways), cell=length * first.cell)
        )
    text = at.dump(*frames).read_text()
    for k in reversed(range(len(frames))):
        text = text.replace(f"TIMESTEP\n{k}\n", f"TIMESTEP\n{10 * k}\n")
    return at.write("run.dump", text)


LABEL = ("--species", "A,B", "-o", "data.h5")


@mistake("Labels are made from a trajectory whose steps have no known length")
def no_timestep(at: Place) -> str:
    return at.refused("data", "label", trajectory(at, 1, 1, 1), *LABEL, "--time", "0.1")


@mistake("Labels are asked for at a time that is longer than the trajectory")
def time_too_long(at: Place) -> str:
    options = (*LABEL, "--timestep", "0.005", "--time", "1000")
    return at.refused("data", "label", trajectory(at, 1, 1, 1), *options)


@mistake("Labels are made from a trajectory at constant pressure")
def other_volumes(at: Place) -> str:
    options = (*LABEL, "--timestep", "0.005", "--time", "0.05")
    return at.refused("data", "label", trajectory(at, 1, 1.1, 1.2), *options)


@mistake("Labels are made from wrapped positions in frames too far apart")
def too_far_apart(at: Place) -> str:
    options = (*LABEL, "--timestep", "0.005", "--time", "0.05")
    return at.refused("data", "label", trajectory(at, 1, 1, 1, shift=2.0), *options)


@mistake("A file is given where a dataset belongs")
def no_dataset(at: Place) -> str:
    return at.refused("data", "info", at.dump().name)


@mistake("A dataset was damaged, for instance by a disk or a copy")
def damaged_dataset(at: Place) -> str:
    import h5py

    with h5py.File(at.folder / at.dataset(), "r+") as file:
        positions = next(iter(file["configurations"].values()))["positions"]
        positions[0, 0] += 1.0
    return at.refused("evaluate", at.models(times=(0.5, 100.0)), "data.h5")


@mistake("Datasets of different liquids are merged")
def merged_liquids(at: Place) -> str:
    at.dataset(at.labelled(0), name="one.h5")
    other = at.labelled(1)
    at.dataset(moved(other, cell=1.1 * other.cell), name="two.h5")
    return at.refused("data", "merge", "one.h5", "two.h5", "-o", "both.h5")


@mistake("A pickle contains something other than arrays, which could be a program")
def pickled_program(at: Place) -> str:
    (at.folder / "data.pickle").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    options = ("--format", "deepmind", "-o", "data.h5")
    return at.refused("data", "convert", "data.pickle", *options)
