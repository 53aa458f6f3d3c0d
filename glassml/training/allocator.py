"""What the C library does with the memory of arrays that are no longer used."""

from __future__ import annotations

import ctypes
import platform

__all__ = ["keep_freed_memory"]

# Of malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = 2**31 - 1  # [bytes] more than an int holds is never asked for


def keep_freed_memory() -> bool:
    """Have glibc keep freed memory for later allocations of this process.

    By default large arrays are given back to the system when they are freed. A training step then
    waits for the pages of its arrays anew, up to a tenth of its time. The process holds on to the
    most that it has needed, until it ends.

    Returns:
        Whether this C library does that; elsewhere nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_TRIM_THRESHOLD, _NEVER)) and bool(mallopt(_MMAP_MAX, 0))
