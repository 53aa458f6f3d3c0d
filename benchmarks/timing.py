"""Wall times of functions that are run in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

from benchmarks.outcome import Series

__all__ = ["in_turn"]

_WARM_UP = 4


def in_turn(
    rounds: int, **contenders: tuple[str, int, Callable[[], object]]
) -> Mapping[str, Series]:
    """Time functions A B C, A B C, ...: other load on the machine then affects all alike.

    Args:
        rounds: number of turns.
        contenders: name of the series, calls a turn, function. A turn's value is the median of
            its calls. Each is called before the clock starts, those with several calls a turn
            four times: TorchScript compiles at the second and third.

    Returns:
        Seconds, one value a turn, under the keywords of the contenders.
    """
    for _, calls, function in contenders.values():
        for _ in range(_WARM_UP if calls > 1 else 1):
            function()
    seconds: dict[str, list[float]] = {key: [] for key in contenders}
    for _ in range(rounds):
        for key, (_, calls, function) in contenders.items():
            seconds[key].append(statistics.median(_seconds(function) for _ in range(calls)))
    return {key: Series(name, "s", tuple(seconds[key])) for key, (name, _, _) in contenders.items()}


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
