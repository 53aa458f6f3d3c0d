"""Native code: where the build is, whether it fits, how it is made and checked.

`glassml.native.build` and `glassml.native.doctor` do the work of the commands of the same names.
They are not imported here, because LAMMPS imports this package each time it starts.
"""

from __future__ import annotations

from glassml.native.location import (
    BuildStatus,
    build_dir,
    build_status,
    library_path,
    plugin_dir,
    torch_root,
    version_of,
    writable_build_dir,
)

__all__ = [
    "BuildStatus",
    "build_dir",
    "build_status",
    "library_path",
    "plugin_dir",
    "torch_root",
    "version_of",
    "writable_build_dir",
]
