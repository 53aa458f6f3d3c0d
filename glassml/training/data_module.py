"""Graphs of the labelled configurations, in batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import lightning.pytorch as pl
import numpy as np
import torch
from platformdirs import user_cache_path
from torch.utils.data import ConcatDataset, DistributedSampler, Subset
from torch.utils.data import Dataset as TorchDataset
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from glassml.data import Configuration, view_of
from glassml.graph import GraphCache, build_graph
from glassml.physics import label_trust
from glassml.progress import SILENT, Progress
from glassml.provenance import KnownConfiguration, Origins
from glassml.training.split import ConfigurationSource, Split, check_fits, check_new_positions
from glassml.training.statistics import LabelMoments, Statistics
from glassml.training.train_config import DataConfig, TrainingConfig

__all__ = ["DataModule", "GraphDataset"]


class GraphDataset(TorchDataset):
    """Labelled configurations as graphs, each built once and kept unless ``cache`` is off.

    Args:
        sources: the configurations.
        cutoff: r_c [length].
        scalars: per-particle scalars that become node inputs.
        positions: which positions become nodes, see `glassml.data.view_of`.
        dtype: floating-point type of the graphs.
        cache: keep the graphs in memory.
        on_disk: cache of their edges for later runs; None to search for them in every run.
        stands_for: weight of each configuration: how many it represents in an epoch.
        label_noise: parameter of the labels' weights, see `glassml.physics.label_trust`.
    """

    def __init__(
        self,
        sources: Sequence[ConfigurationSource],
        cutoff: float,
        scalars: Sequence[str],
        positions: str,
        dtype: torch.dtype,
        cache: bool,
        on_disk: GraphCache | None = None,
        stands_for: float = 1.0,
        label_noise: float = 0.0,
    ) -> None:
        self.sources = sources
        self.cutoff = cutoff
        self.scalars = tuple(scalars)
        self.positions = positions
        self.dtype = dtype
        self.on_disk = on_disk
        self.stands_for = stands_for
        self.label_noise = label_noise
        self._graphs: list[Data | None] | None = [None] * len(sources) if cache else None

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> Data:
        if self._graphs is None:
            return self._built(self.sources[index].read())
        graph = self._graphs[index]
        return graph if graph is not None else self.keep(index, self.sources[index].read())

    def keep(self, index: int, configuration: Configuration) -> Data | None:
        """Build the graph of a configuration that is already read, if graphs are kept."""
        if self._graphs is not None:
            self._graphs[index] = self._built(configuration)
            return self._graphs[index]
        return None if self.on_disk is None else self._built(configuration)

    def _built(self, configuration: Configuration) -> Data:
        build = build_graph if self.on_disk is None else self.on_disk.graph
        view = view_of(configuration, self.positions)
        graph = build(view, self.cutoff, self.scalars, self.dtype)
        # Per particle, because of batching: the trust in the labels and the weight of the
        # configuration.
        trust = label_trust(configuration.n_runs, self.label_noise)
        graph.trust = torch.full((graph.num_nodes,), trust)
        graph.stands_for = torch.full((graph.num_nodes,), self.stands_for)
        return graph


class _EpochSampler(DistributedSampler):
    """Every training configuration once per epoch, and some of the reversed runs.

    Args:
        everything: training configurations, then reversed runs.
        n_train: number of training configurations.
        n_reversed: number of reversed runs drawn per epoch.
        world: number of processes.
        rank: of this process.
        seed: of all draws.
    """

    def __init__(
        self,
        everything: TorchDataset,
        n_train: int,
        n_reversed: int,
        world: int,
        rank: int,
        seed: int,
    ) -> None:
        super().__init__(everything, num_replicas=world, rank=rank, seed=seed)
        self.n_train = n_train
        self.n_reversed = n_reversed
        self.num_samples = math.ceil((n_train + n_reversed) / world)
        self.total_size = self.num_samples * world

    def __iter__(self) -> Iterator[int]:
        """Indices of this process, from the seed and the epoch alone."""
        random = np.random.default_rng((self.seed, self.epoch))
        n_runs = len(self.dataset) - self.n_train  # type: ignore[arg-type]
        drawn = self.n_train + random.permutation(n_runs)[: self.n_reversed]
        indices = random.permutation(np.concatenate([np.arange(self.n_train), drawn]))
        shared = np.resize(indices, self.total_size)  # repeats the first ones if some are missing
        return iter(shared[self.rank :: self.num_replicas].tolist())


class DataModule(pl.LightningDataModule):
    """Reads and checks all configurations once, then serves batches of their graphs.

    The order of the training configurations depends on the seed and the epoch alone, so that a
    resumed run sees the same batches as one that was never interrupted.

    Args:
        split: what to train and validate on.
        data: section ``data`` of the configuration.
        training: section ``training`` of the configuration.
        cutoff: r_c of the model [length].
    """

    def __init__(
        self, split: Split, data: DataConfig, training: TrainingConfig, cutoff: float
    ) -> None:
        super().__init__()
        self.split = split
        self.training = training
        dtype = getattr(torch, training.dtype)
        on_disk = _graph_cache(data)
        n_runs = len(split.reversed)
        self.n_reversed = min(n_runs, max(1, round(data.reversed_share * len(split.train))))
        self.train_set, self.validation_set, self.reversed_set = (
            GraphDataset(
                sources,
                cutoff,
                data.scalars,
                data.positions,
                dtype,
                data.cache,
                on_disk,
                stands_for,
                training.label_noise,
            )
            for sources, stands_for in (
                (split.train, 1.0),
                (split.validation, 1.0),
                (split.reversed, n_runs / max(self.n_reversed, 1)),
            )
        )
        self.statistics: Statistics | None = None
        self.known: dict[ConfigurationSource, KnownConfiguration] = {}
        self.origins = Origins()

    def prepare(self, progress: Progress = SILENT) -> Statistics:
        """Read and check every configuration, build its graph, and measure the labels.

        Args:
            progress: shows how many configurations have been read.

        Raises:
            InputError: a configuration is unlabelled, lacks a scalar, or has other species, times
                or units than the first one; a species has no particle in the training set.
            ConfigError: two configurations have the same positions.
        """
        moments = LabelMoments(len(self.split.species))
        seen: dict[str, ConfigurationSource] = {}
        total = len(self.train_set) + len(self.validation_set) + len(self.reversed_set)
        for stage, index, source in progress.watch(self._all(), "reading configurations", total):
            configuration = source.read()
            source.dataset.verify(configuration)
            view = view_of(configuration, self.train_set.positions)
            check_fits(source, view, self.split, self.train_set.scalars)
            check_new_positions(source, configuration, seen)
            self.known[source] = KnownConfiguration.of(configuration)
            if stage is not self.reversed_set:  # their provenance repeats that of their starts
                self.origins.add(configuration)
            stage.keep(index, configuration)
            if stage is self.train_set:
                moments.add(view, self.train_set.scalars)
        self.statistics = moments.statistics(self.split)
        return self.statistics

    def _all(self) -> Iterator[tuple[GraphDataset, int, ConfigurationSource]]:
        for stage in (self.train_set, self.validation_set, self.reversed_set):
            for index, source in enumerate(stage.sources):
                yield stage, index, source

    def steps_per_epoch(self, world: int) -> int:
        """Steps of the optimiser per epoch, shared by ``world`` processes."""
        drawn = len(self.train_set) + self.n_reversed
        return math.ceil(math.ceil(drawn / world) / self.training.batch_size)

    def train_dataloader(self) -> DataLoader:
        """Batches in an order drawn from the seed and the epoch; each process has its share."""
        world, rank = self._world()
        everything: ConcatDataset = ConcatDataset([self.train_set, self.reversed_set])
        sampler = _EpochSampler(
            everything, len(self.train_set), self.n_reversed, world, rank, self.training.seed
        )
        # A separate generator: the loader would draw from the global one, which dropout uses too.
        return DataLoader(
            everything,
            batch_size=self.training.batch_size,
            sampler=sampler,
            generator=torch.Generator(),
        )

    def val_dataloader(self) -> DataLoader:
        """Every validation configuration once, shared among the processes."""
        world, rank = self._world()
        mine = Subset(self.validation_set, range(rank, len(self.validation_set), world))
        return DataLoader(mine, batch_size=self.training.batch_size, generator=torch.Generator())

    def _world(self) -> tuple[int, int]:
        if self.trainer is None:
            return 1, 0
        return self.trainer.world_size, self.trainer.global_rank


def _graph_cache(data: DataConfig) -> GraphCache | None:
    if data.graph_cache is None:
        return None
    folder = (
        user_cache_path("glassml") / "graphs" if data.graph_cache == "auto" else data.graph_cache
    )
    return GraphCache(folder, limit=1e9 * data.graph_cache_gb)
