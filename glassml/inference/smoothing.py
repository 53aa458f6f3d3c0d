"""The mean of a particle's predictions over its last evaluations."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from glassml.errors import InputError

__all__ = ["PROPENSITY", "SPREAD", "Smoothing"]

PROPENSITY, SPREAD = "propensity", "propensity_spread"


class Smoothing:
    """Mean and spread of the propensity of each particle over the last evaluations.

    Successive windows of a trajectory are different samples of nearly the same structure: the mean
    of their predictions is more accurate than each of them.

    Args:
        last: number of evaluations. The first means are over those that there are.

    Raises:
        InputError: the number is not positive.
    """

    def __init__(self, last: int) -> None:
        if last < 1:
            raise InputError(f"smooth: expected a positive number of evaluations; found {last}")
        self.last = last
        self._kept: deque[np.ndarray] = deque(maxlen=last)

    def clear(self) -> None:
        """Forget all evaluations."""
        self._kept.clear()

    def add(self, outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of an evaluation, with the propensity smoothed.

        Args:
            outputs: output name -> [N, columns], with ``propensity`` [N, T] [length].

        Returns:
            ``propensity``: the mean over the last evaluations, ``propensity_spread`` [N, T]
            [length]: the standard deviation over them (root of the mean square deviation), which
            is 0 after one evaluation. Other outputs are unchanged.

        Raises:
            InputError: there is no propensity, or another number of particles than before.
        """
        if PROPENSITY not in outputs:
            raise InputError(
                f"smooth: expected {PROPENSITY!r} among the outputs, as it is smoothed; found "
                f"{', '.join(outputs)}"
            )
        new = outputs[PROPENSITY]
        if self._kept and self._kept[-1].shape != new.shape:
            raise InputError(
                f"smooth: expected the {len(self._kept[-1])} particles of the evaluation before; "
                f"found {len(new)}"
            )
        self._kept.append(np.array(new))
        kept = np.stack(self._kept)
        return {
            **outputs,
            PROPENSITY: kept.mean(axis=0, dtype=np.float64).astype(new.dtype),
            SPREAD: kept.std(axis=0, dtype=np.float64).astype(new.dtype),
        }
