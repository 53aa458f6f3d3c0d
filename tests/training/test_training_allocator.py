"""Memory of a training step is kept for the next."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from glassml.training import allocator

_STEPS = """
import ctypes, resource, runpy, sys

if sys.argv[1:]:  # as a file: the package around it imports torch, which is not needed here
    assert runpy.run_path(sys.argv[1])["keep_freed_memory"]()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

def step():
    arrays = [libc.malloc(48 << 20) for _ in range(4)]
    for array in arrays:
        libc.memset(array, 1, 48 << 20)
    for array in arrays:
        libc.free(array)

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(*setting: str) -> int:
    """Pages that the second of two steps with 4 x 48 MB waits for."""
    command = [sys.executable, "-c", _STEPS, *setting]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is for glibc only")
def test_a_second_step_finds_its_memory_in_place() -> None:
    # A hundredth of the 49152 pages of 4 kB; where the system has larger ones, both are few.
    kept = _faults(allocator.__file__)
    assert kept < 500
    assert _faults() > kept
