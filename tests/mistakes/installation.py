"""Mistakes of building and installing."""

from __future__ import annotations

from mistakes.place import Place, Section

from glassml.native.location import (
    PLUGIN_FILE,
    build_dir,
    build_status,
    read_record,
    write_record,
)

mistake = Section("Installation")


def other_place(at: Place) -> None:
    at.monkeypatch.setenv("GLASSML_NATIVE_DIR", str(at.folder / "native"))


@mistake("`--lammps` names a folder without LAMMPS")
def no_lammps(at: Place) -> str:
    other_place(at)
    (at.folder / "lammps").mkdir()
    return at.refused("build", "--lammps", "lammps")


@mistake("Operators alone are to be built, for another LAMMPS")
def ops_for_lammps(at: Place) -> str:
    other_place(at)
    return at.refused("build", "--ops-only", "--lammps", "lammps")


@mistake("The MPI compiler does not exist")
def no_mpi_compiler(at: Place) -> str:
    other_place(at)
    return at.refused("build", "--mpicxx", "mpic")


@mistake("The folder of the build cannot be written to")
def unwritable(at: Place) -> str:
    at.write("native", "")
    other_place(at)
    return at.refused("build", "--ops-only")


@mistake("torch was upgraded, and the plugin was built for another one")
def other_torch(at: Place) -> str:
    return built_for(at, "torch", version="2.4.0")


@mistake("LAMMPS was upgraded, and the plugin was built for another one")
def other_release(at: Place) -> str:
    return built_for(at, "lammps", version="2024.8.29")


def built_for(at: Place, part: str, **changes: str) -> str:
    """What `glassml doctor` says about this build if its record says something else."""
    record = read_record(build_dir())
    assert record is not None
    other_place(at)
    (at.folder / "native").mkdir()
    (at.folder / "native" / PLUGIN_FILE).write_bytes(b"")
    write_record(at.folder / "native", {**record, part: {**record[part], **changes}})
    return build_status("plugin").reason
