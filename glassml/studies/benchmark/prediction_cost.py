"""Time and memory of one prediction, measured in a process that does nothing else.

python -m glassml.studies.benchmark.prediction_cost MODEL DATASET CONFIGURATION THREADS
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import time
from pathlib import Path

from glassml.errors import GlassMLError
from glassml.studies.benchmark.results import Cost

__all__ = ["prediction_cost"]

_REPEATS = 5
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def prediction_cost(model: Path, dataset: Path, configuration: str, threads: int) -> Cost:
    """The cost of a prediction for one configuration.

    Args:
        model: model file.
        dataset: the file that holds the configuration.
        configuration: its name.
        threads: CPU threads.

    Raises:
        GlassMLError: the process failed.
    """
    words = [sys.executable, "-m", __name__, model, dataset, configuration, threads]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise GlassMLError(f"{model.name}: expected a prediction for {configuration}; {reason}")
    return Cost.model_validate_json(done.stdout.strip().splitlines()[-1])


def _main(model: Path, dataset: Path, name: str, threads: int) -> None:
    from glassml.data import Dataset
    from glassml.inference import Predictor

    predictor = Predictor(model, "cpu", threads, check_domain=False)
    configuration = Dataset(dataset)[name]
    predictor.predict([configuration])  # compiles, and loads what is loaded when it is needed
    times, peaks = [], []
    for _ in range(_REPEATS):
        before = _forget_peak()
        began = time.monotonic()
        predictor.predict([configuration])
        times.append(time.monotonic() - began)
        if before is not None:
            peaks.append(max(_read("VmHWM:") - before, 0.0))
    cost = Cost(
        particles=configuration.n_particles,
        seconds=min(times),  # other programs can only make it longer
        peak_bytes=max(peaks) if peaks else None,
    )
    print(json.dumps(cost.model_dump()))


def _forget_peak() -> float | None:
    """Make the memory [bytes] that is resident now the peak so far (Linux, proc(5))."""
    try:
        # What was freed would otherwise stay resident and be used again, so nothing would be seen.
        ctypes.CDLL(None).malloc_trim(0)
        _CLEAR.write_text("5", encoding="ascii")
        return _read("VmRSS:")
    except (OSError, AttributeError):  # not Linux with glibc, or not allowed in a container
        return None


def _read(entry: str) -> float:
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith(entry))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
