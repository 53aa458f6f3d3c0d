"""Which configurations an epoch consists of, and in which order."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from torch.utils.data import Dataset, DistributedSampler

__all__ = ["EpochSampler"]


class EpochSampler(DistributedSampler):
    """Every training configuration once per epoch, and some of the reversed runs.

    Of a configuration with several windows, one window is drawn.

    Args:
        everything: graphs of training configurations, then of reversed runs.
        windows: number of graphs of each of these.
        n_train: number of training configurations.
        n_reversed: number of reversed runs drawn per epoch.
        world: number of processes.
        rank: of this process.
        seed: of all draws.
        epochs_before: number of epochs in the stages before.
    """

    def __init__(
        self,
        everything: Dataset,
        windows: np.ndarray,
        n_train: int,
        n_reversed: int,
        world: int,
        rank: int,
        seed: int,
        epochs_before: int = 0,
    ) -> None:
        super().__init__(everything, num_replicas=world, rank=rank, seed=seed)
        self.epochs_before = epochs_before
        self.windows = windows
        self.first = np.cumsum(windows) - windows
        self.n_train = n_train
        self.n_reversed = n_reversed
        self.num_samples = math.ceil((n_train + n_reversed) / world)
        self.total_size = self.num_samples * world

    def __iter__(self) -> Iterator[int]:
        """Indices of this process, from the seed and the epoch alone."""
        epoch = self.epochs_before + self.epoch
        random = np.random.default_rng((self.seed, epoch))
        n_runs = len(self.windows) - self.n_train
        drawn = self.n_train + random.permutation(n_runs)[: self.n_reversed]
        chosen = random.permutation(np.concatenate([np.arange(self.n_train), drawn]))
        window = np.random.default_rng((self.seed, epoch, 1)).integers(self.windows[chosen])
        indices = self.first[chosen] + window
        shared = np.resize(indices, self.total_size)  # repeats the first ones if some are missing
        return iter(shared[self.rank :: self.num_replicas].tolist())
