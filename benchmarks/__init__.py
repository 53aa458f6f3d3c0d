"""Measurements of speed and memory, run by ``make bench``; README.md explains every figure.

One module a benchmark, each with a function ``measure(size, folder) -> Outcome``. An outcome holds
what was measured together with what was computed on the way, so that no figure is reported for
results that are wrong.
"""

from __future__ import annotations
