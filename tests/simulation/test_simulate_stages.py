"""How trajectories are cut into pieces, and how the pieces are measured."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from simulation.simulations import liquid_config

from glassml.simulation.pipeline.liquid import liquid_of
from glassml.simulation.pipeline.stage_tasks import melt, trajectory_pieces

SEGMENT = 100_000


@pytest.mark.parametrize("steps", [1, 7, 999, 20_000, SEGMENT, SEGMENT + 500, 723_457, 35_000_123])
def test_pieces_are_equal_and_their_lines_evenly_spaced(steps: int):
    pieces, interval = trajectory_pieces(steps, SEGMENT)
    assert len(pieces) == -(-steps // SEGMENT)
    assert [pieces[0][0], pieces[-1][1]] == [0, steps]
    lengths = np.diff(pieces).ravel()
    # A remainder of less than a step for each line is left to the last piece.
    assert np.ptp(lengths) < 2 * interval
    assert lengths.max() < SEGMENT + interval
    lines = np.concatenate([np.arange(begin, end, interval) for begin, end in pieces])
    np.testing.assert_array_equal(lines, np.arange(0, steps, interval))
    assert min(steps, 200) <= len(lines) < 2 * max(200, len(pieces))


def test_short_rest_of_a_window_weighs_no_more_than_its_length(tmp_path: Path):
    """A window of a segment and 500 steps: the energies of its pieces are one even series."""
    chain, _ = melt(liquid_of(liquid_config(tmp_path, f"segment={SEGMENT}")), replica=1)
    pieces, measure = chain.window("w", SEGMENT + 500)
    runs = [int(re.search(r"^run (\d+)$", p.facts["script"], re.MULTILINE)[1]) for p in pieces]
    intervals = [
        int(re.search(r"^thermo (\d+)$", p.facts["script"], re.MULTILINE)[1]) for p in pieces
    ]
    assert runs == [50_250 // 502 * 502, SEGMENT + 500 - 50_250 // 502 * 502]
    assert intervals == [502, 502]
    about = measure.facts["parameters"]
    assert about["first_steps"] == [0, runs[0]]
    frames = [
        first + step
        for first, p in zip([0, runs[0]], pieces, strict=True)
        for step in p.facts["parameters"]["frames"]
    ]
    wanted = {
        o + lag
        for o in measure.facts["parameters"]["origins"]
        for lag in measure.facts["parameters"]["lags"]
    }
    assert wanted <= set(frames)
