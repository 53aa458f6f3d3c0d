"""A short run of fuzzing through the runner of `fix glassml`."""

from __future__ import annotations

from pathlib import Path

from fuzzing.short import fuzz


def test_damaged_models_are_run_or_refused(build_tree: Path, tmp_path: Path) -> None:
    runner = build_tree / "bin" / "glassml_runner_driver"
    counts = fuzz("--cases", "50", "--runner", str(runner), keep=tmp_path)
    assert counts.total() == 50
    assert counts["accepted"] > 3
    assert counts["refused"] > 25
