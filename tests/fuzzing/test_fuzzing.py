"""A short run of fuzzing in Python; docs/results/fuzzing.md records a long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzzing.seeds import SEEDS
from fuzzing.short import fuzz
from fuzzing.targets import TARGETS


def test_every_kind_of_file_has_a_reader() -> None:
    assert SEEDS.keys() == TARGETS.keys()


@pytest.mark.parametrize("kind", SEEDS)
def test_correct_files_are_accepted(tmp_path: Path, kind: str) -> None:
    name, write = SEEDS[kind]
    write(tmp_path / name)
    TARGETS[kind](tmp_path / name)


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    counts = fuzz("--cases", str(15 * len(SEEDS)), keep=tmp_path)
    assert counts.total() == 15 * len(SEEDS)
    assert counts["accepted"] > 0.05 * counts.total()
    assert counts["refused"] > 0.5 * counts.total()
