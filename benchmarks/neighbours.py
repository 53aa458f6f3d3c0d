"""The neighbour search: the compiled cell list against that of matscipy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.outcome import CheckError, Comparison, Figure, Outcome, Series, Size, ratios
from benchmarks.systems import liquid
from benchmarks.timing import in_turn
from glassml.data import Configuration
from glassml.physics import Neighbours, find_neighbours
from glassml.physics import neighbour_library as library
from glassml.physics import neighbours as module

__all__ = ["measure"]

CUTOFF = 2.0
THREADS = {"tiny": 1, "full": 2}
CELLS = {"tiny": 5, "full": 16}  # particles along an edge
MANY = {"tiny": 8, "full": 100}
ROUNDS = {"tiny": 2, "full": 5}
CALLS = {"tiny": 2, "full": 5}
# Numbers of particles are equal, or differ by 1.
EQUAL = 1e-7
# Coordinates of the order of 100, in double precision.
ROUNDING = 1e-13


def measure(size: Size, folder: Path) -> Outcome:
    """Both searches for one configuration, on one thread and on all; and for many particles."""
    if library.compiled_search() is None:
        raise CheckError("expected the compiled neighbour search; found none: run `glassml build`")
    few, many = liquid(CELLS[size]), liquid(MANY[size])
    threads, calls = THREADS[size], CALLS[size]
    n, m = few.n_particles, many.n_particles
    times = in_turn(
        ROUNDS[size],
        matscipy=(f"matscipy, N = {n}", calls, lambda: _matscipy(few)),
        one=(f"glassml, 1 thread, N = {n}", calls, lambda: _compiled(few, 1)),
        all=(f"glassml, {threads} threads, N = {n}", calls, lambda: _compiled(few, threads)),
        many=(f"glassml, {threads} threads, N = {m}", 1, lambda: _compiled(many, threads)),
    )
    linear = ratios(f"a particle, N = {m} / {n}", times["many"], times["all"], scale=n / m)
    return Outcome(
        title=f"neighbour search, N = {n} and {m}",
        series=tuple(times.values()),
        comparisons=_comparisons(few),
        figures=(
            _figure("neighbour search, matscipy / glassml, 1 thread", times, "one"),
            _figure(f"neighbour search, matscipy / glassml, {threads} threads", times, "all"),
            Figure(linear, reach=1.5, better="lower"),
        ),
        notes=(
            f"{len(_compiled(few, 1).sender) / n:.1f} neighbours within {CUTOFF:g}",
            "more particles no longer fit into the caches: their pairs alone are 40 bytes each",
        ),
    )


def _figure(name: str, times: Mapping[str, Series], ours: str) -> Figure:
    return Figure(ratios(name, times["matscipy"], times[ours]), reach=4, better="higher")


def _matscipy(configuration: Configuration) -> Neighbours:
    with mock.patch.object(module, "compiled_search", return_value=None):
        return _search(configuration)


def _compiled(configuration: Configuration, threads: int) -> Neighbours:
    with mock.patch.object(library, "search_threads", return_value=threads):
        return _search(configuration)


def _search(configuration: Configuration) -> Neighbours:
    return find_neighbours(configuration.positions, configuration.cell, configuration.pbc, CUTOFF)


def _comparisons(configuration: Configuration) -> tuple[Comparison, ...]:
    found, expected = (
        _in_order(pairs) for pairs in (_compiled(configuration, 2), _matscipy(configuration))
    )
    return (
        Comparison("senders", found.sender, expected.sender, EQUAL),
        Comparison("receivers", found.receiver, expected.receiver, EQUAL),
        Comparison("vectors", found.vector, expected.vector, ROUNDING),
    )


def _in_order(pairs: Neighbours) -> Neighbours:
    """Sorted by receiver and sender; images of a pair by their vectors."""
    order = np.lexsort((*np.round(pairs.vector, 9).T, pairs.sender, pairs.receiver))
    return Neighbours(*(part[order] for part in pairs))
