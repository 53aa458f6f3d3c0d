"""How the C library treats the memory of arrays that are no longer used."""

from __future__ import annotations

import ctypes
import platform

__all__ = ["keep_freed_memory"]

# Constants of malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = 2**31 - 1  # [bytes] the largest int: such a request never comes


def keep_freed_memory() -> bool:
    """Have glibc keep freed memory for later allocations of this process.

    By default glibc returns large arrays to the system when they are freed. Every training step
    then waits for new pages, for up to a tenth of its time. With this setting the process keeps its
    peak memory until it ends.

    Returns:
        Whether this C library can do that; otherwise nothing changes.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_TRIM_THRESHOLD, _NEVER)) and bool(mallopt(_MMAP_MAX, 0))
