"""Graphs of the labelled configurations, in batches."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence

import lightning.pytorch as pl
import numpy as np
import torch
from platformdirs import user_cache_path
from torch.utils.data import ConcatDataset, Subset
from torch.utils.data import Dataset as TorchDataset
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from glassml.data import AVERAGE, Configuration, Window, reads_window, view_of, window_needed
from glassml.domain import Domain, domain_of, label_range, measured
from glassml.errors import InputError
from glassml.graph import GraphCache, build_graph
from glassml.models import GlassModel
from glassml.physics import bond_displacement, label_trust
from glassml.progress import SILENT, Progress
from glassml.provenance import KnownConfiguration, Origins
from glassml.training.epoch_sampler import EpochSampler
from glassml.training.fixed_steps import FixedSteps, set_column_scales
from glassml.training.losses import add_places
from glassml.training.split import ConfigurationSource, Split, check_fits, check_new_positions
from glassml.training.stages import stages_of
from glassml.training.statistics import LabelMoments, Statistics
from glassml.training.train_config import DataConfig, TrainingConfig

__all__ = ["DataModule", "GraphDataset"]


class GraphDataset(TorchDataset):
    """Labelled configurations as graphs, each built once and kept unless ``cache`` is off.

    Where averaged positions become nodes, a configuration has a graph for each of its windows; they
    follow one another.

    Args:
        sources: the configurations.
        windows: number of graphs of each configuration.
        cutoff: r_c [length].
        scalars: per-particle scalars that become node inputs.
        positions: which positions become nodes, see `glassml.data.view_of`.
        dtype: floating-point type of the graphs.
        cache: keep the graphs in memory.
        on_disk: cache of their edges for later runs; None to search for them in every run.
        stands_for: weight of each configuration: how many it represents in an epoch.
        label_noise: parameter of the labels' weights, see `glassml.physics.label_trust`.
        is_reversed: whether these are reversed runs.
        places: graphs hold thermal positions too, see `glassml.training.losses.add_places`.
        bonds: edges have labels too, ``bond_label`` [E, T] [length], made from the final positions
            of the runs.
    """

    def __init__(
        self,
        sources: Sequence[ConfigurationSource],
        windows: Sequence[int],
        cutoff: float,
        scalars: Sequence[str],
        positions: str,
        dtype: torch.dtype,
        cache: bool,
        on_disk: GraphCache | None = None,
        stands_for: float = 1.0,
        label_noise: float = 0.0,
        is_reversed: bool = False,
        bonds: bool = False,
        places: bool = False,
    ) -> None:
        self.sources = sources
        self.windows = np.array(windows, dtype=np.int64)
        self.entries = [(i, w) for i, n in enumerate(windows) for w in range(1, n + 1)]
        self.cutoff = cutoff
        self.scalars = tuple(scalars)
        self.positions = positions
        self.dtype = dtype
        self.on_disk = on_disk
        self.stands_for = stands_for
        self.label_noise = label_noise
        self.is_reversed = is_reversed
        self.bonds = bonds
        self.places = places
        self.fixed: FixedSteps | None = None
        self.awaits_steps = False
        self._graphs: list[Data | None] | None = [None] * len(self.entries) if cache else None

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Data:
        graph = None if self._graphs is None else self._graphs[index]
        if graph is None:
            source, window = self.entries[index]
            graph = self._built(self.sources[source].read(self.bonds), window)
            if self.fixed is not None:
                graph = self.fixed.added_to(graph)
            if self._graphs is not None:
                self._graphs[index] = graph
        return graph

    @property
    def keeps(self) -> bool:
        """Whether graphs are kept, in memory or on disk."""
        return self._graphs is not None or self.on_disk is not None

    def keep(self, source: int, configuration: Configuration) -> Data:
        """Build the graphs of a configuration that is already read, and keep them if any are kept.

        Returns:
            The graph of its first window.
        """
        kept = self.on_disk is not None if self.awaits_steps else self.keeps
        first = int(self.windows[:source].sum())
        entries = slice(first, first + (int(self.windows[source]) if kept else 1))
        graphs = [self._built(configuration, window) for _, window in self.entries[entries]]
        if self._graphs is not None and not self.awaits_steps:
            self._graphs[entries] = graphs
        return graphs[0]

    def _built(self, configuration: Configuration, window: int) -> Data:
        build = build_graph if self.on_disk is None else self.on_disk.graph
        view = view_of(configuration, self.positions, window)
        graph = build(view, self.cutoff, self.scalars, self.dtype)
        # Per particle, because of batching: the trust in the labels, the weight of the
        # configuration, and which kind it is.
        trust = label_trust(configuration.n_runs, self.label_noise)
        graph.trust = torch.full((graph.num_nodes,), trust)
        graph.stands_for = torch.full((graph.num_nodes,), self.stands_for)
        graph.is_reversed = torch.full((graph.num_nodes,), self.is_reversed)
        if self.places:
            add_places(graph, configuration)
        if self.bonds:
            graph.bond_label = self._bond_labels(configuration, view, graph)
        return graph

    def _bond_labels(
        self, configuration: Configuration, view: Configuration, graph: Data
    ) -> torch.Tensor:
        runs = configuration.final_positions
        if runs is None:
            raise InputError(
                f"{configuration.name}: expected final positions of the runs, as "
                "training.bond_weight asks for labels of edges; found none. Files that hold the "
                "runs (BOTAN, GlassBench) give them by `glassml data convert --final-positions`; "
                "for other data set training.bond_weight to 0"
            )
        labels = bond_displacement(
            graph.edge_index.numpy(),
            graph.edge_vector.double().numpy(),
            configuration.positions - view.positions,
            (run - view.positions for run in runs),
        )
        return torch.from_numpy(labels).to(self.dtype)


class DataModule(pl.LightningDataModule):
    """Reads and checks all configurations once, then serves batches of their graphs.

    The order of the training configurations depends on the seed and the epoch alone, so that a
    resumed run sees the same batches as one that was never interrupted.

    Args:
        split: what to train and validate on.
        data: section ``data`` of the configuration.
        training: section ``training`` of the configuration.
        cutoff: r_c of the model [length].
        fixed_steps: of the model; if there are any, `fix_steps` must follow `prepare`.
    """

    def __init__(
        self,
        split: Split,
        data: DataConfig,
        training: TrainingConfig,
        cutoff: float,
        fixed_steps: int = 0,
    ) -> None:
        super().__init__()
        self.split = split
        self.training = training
        n_runs = len(split.reversed)
        self._on_disk = _graph_cache(data)
        self._reads_window = reads_window(data.positions, data.scalars)
        self.n_reversed = min(n_runs, max(1, round(data.reversed_share * len(split.train))))
        self.train_set, self.validation_set, self.reversed_set = (
            self._graphs(sources, data, cutoff, several, stands_for, is_reversed)
            for sources, several, stands_for, is_reversed in (
                (split.train, True, 1.0, False),
                (split.validation, False, 1.0, False),
                (split.reversed, True, n_runs / max(self.n_reversed, 1), True),
            )
        )
        self.has_fixed_steps = fixed_steps > 0
        for stage in self._sets:
            stage.awaits_steps = self.has_fixed_steps
        self.epochs_before = 0  # in the stages before
        self.window: Window | None = None
        self.statistics: Statistics | None = None
        self.domain: Domain | None = None
        self.known: dict[ConfigurationSource, KnownConfiguration] = {}
        self.origins = Origins()

    def _graphs(
        self,
        sources: Sequence[ConfigurationSource],
        data: DataConfig,
        cutoff: float,
        several: bool,
        stands_for: float,
        is_reversed: bool,
    ) -> GraphDataset:
        """The graphs of some configurations, of ``several`` windows or of the first."""
        several = several and data.positions == AVERAGE  # others belong to the first window alone
        most = (data.windows or sys.maxsize) if several else 1
        return GraphDataset(
            sources,
            [min(source.n_windows, most) for source in sources],
            cutoff,
            data.scalars,
            data.positions,
            getattr(torch, self.training.dtype),
            data.cache,
            self._on_disk,
            stands_for,
            self.training.label_noise,
            is_reversed,
            self.training.bond_weight > 0,
            any(stage.loss.spatial is not None for stage in stages_of(self.training)),
        )

    def prepare(self, progress: Progress = SILENT) -> Statistics:
        """Read and check every configuration, build its graph, and measure the labels.

        Args:
            progress: shows how many configurations have been read.

        Raises:
            InputError: a configuration is unlabelled, lacks a scalar or averages that are read, or
                has other species, times or units than the first one; a species has no particle in
                the training set.
            ConfigError: two configurations have the same positions.
        """
        n_species = len(self.split.species)
        moments = LabelMoments(n_species)
        systems, labels = [], []
        seen: dict[str, ConfigurationSource] = {}
        total = sum(len(stage.sources) for stage in self._sets)
        for stage, index, source in progress.watch(self._all(), "reading configurations", total):
            configuration = source.read(stage.bonds)
            source.dataset.verify(configuration)
            view = view_of(configuration, self.train_set.positions)
            self._check_window(source, configuration)
            check_fits(source, view, self.split, self.train_set.scalars)
            check_new_positions(source, configuration, seen)
            self.known[source] = KnownConfiguration.of(configuration)
            if stage is not self.reversed_set:  # their provenance repeats that of their starts
                self.origins.add(configuration)
            if stage is self.train_set or stage.keeps:
                graph = stage.keep(index, configuration)
            if stage is self.train_set:
                moments.add(view, self.train_set.scalars)
                if stage.bonds:
                    moments.add_bonds(graph.bond_label)
                systems.append(measured(view, graph, n_species, self.train_set.cutoff))
                labels.append(label_range(view.propensity))
        self.domain = domain_of(systems, labels)
        self.statistics = moments.statistics(self.split)
        return self.statistics

    @property
    def _sets(self) -> tuple[GraphDataset, ...]:
        return self.train_set, self.validation_set, self.reversed_set

    def fix_steps(self, model: GlassModel, measure: bool, progress: Progress = SILENT) -> None:
        """Take the fixed steps of a model, and give it the scales of what they give.

        Args:
            model: with the scales of its scalar inputs.
            measure: whether to set these scales; a trained model has them.
            progress: shows how many configurations are done.
        """
        for stage in self._sets:
            stage.fixed = FixedSteps(model, self.train_set.dtype)
            stage.awaits_steps = False
        if measure:
            graphs = range(len(self.train_set))
            watched = progress.watch(graphs, "first steps of the model", len(graphs))
            set_column_scales(model, (self.train_set[k] for k in watched))

    def _check_window(self, source: ConfigurationSource, configuration: Configuration) -> None:
        """Check that all averages are over the same window, which the model file states."""
        if not self._reads_window:
            return
        window = window_needed(configuration, str(source))
        if self.window is None:
            self.window = window
        if not window.same_as(self.window):
            raise InputError(
                f"{source}: window: expected averages over {self.window}, as in "
                f"{self.split.train[0]}; found {window}. All configurations of a run need the same"
            )

    def _all(self) -> Iterator[tuple[GraphDataset, int, ConfigurationSource]]:
        for stage in self._sets:
            for index, source in enumerate(stage.sources):
                yield stage, index, source

    def steps_per_epoch(self, world: int) -> int:
        """Steps of the optimiser per epoch, shared by ``world`` processes."""
        drawn = len(self.split.train) + self.n_reversed
        return math.ceil(math.ceil(drawn / world) / self.training.batch_size)

    def train_dataloader(self) -> DataLoader:
        """Batches in an order drawn from the seed and the epoch; each process has its share."""
        world, rank = self._world()
        everything: ConcatDataset = ConcatDataset([self.train_set, self.reversed_set])
        sampler = EpochSampler(
            everything,
            np.concatenate([self.train_set.windows, self.reversed_set.windows]),
            len(self.split.train),
            self.n_reversed,
            world,
            rank,
            self.training.seed,
            self.epochs_before,
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
