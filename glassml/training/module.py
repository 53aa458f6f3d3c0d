"""The training step: loss, metrics, optimiser, and what is added to a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch_geometric.data import Data

from glassml.errors import ConfigError, GlassMLError
from glassml.graph import collate, first_edge
from glassml.models import GlassModel
from glassml.provenance import TrainingRecord
from glassml.training.augmentation import turned_edges
from glassml.training.losses import SpatialLoss, propensity_loss
from glassml.training.pearson_metric import PropensityPearson, named_coefficients
from glassml.training.run_record import with_results
from glassml.training.statistics import Statistics
from glassml.training.train_config import TrainingConfig

__all__ = ["PropensityModule"]

_SHELL = 0.675  # of the cutoff: the first shell of neighbours
_OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def bond_pearson(bonds: Tensor, batch: Data, cutoff: float) -> Tensor:
    """Pearson coefficient of bond displacements, the mean over configurations and times.

    Of pairs of the first species in the first shell of neighbours: r < 1.35 sigma in H. Shiba et
    al., J. Chem. Phys. 158, 084503 (2023), where the cutoff is 2 sigma.

    Args:
        bonds: [E, T] [length].
        batch: with ``bond_label`` [E, T] [length].
        cutoff: r_c [length].

    Returns:
        A scalar [-]; NaN if no configuration has such pairs.
    """
    sender, receiver = batch.edge_index
    r = torch.linalg.vector_norm(batch.edge_vector, dim=1)
    near = (batch.species[sender] == 0) & (batch.species[receiver] == 0) & (r < _SHELL * cutoff)
    coefficients = []
    for graph in range(batch.num_graphs):
        chosen = near & (batch.batch[receiver] == graph)
        pair = torch.stack([bonds[chosen].T, batch.bond_label[chosen].T])
        centred = pair - pair.mean(dim=2, keepdim=True)
        covariance, spread = (centred[0] * centred[1]).sum(1), centred.square().sum(2).sqrt()
        coefficients.append((covariance / (spread[0] * spread[1])).mean())
    return torch.stack(coefficients).nanmean()


class PropensityModule(pl.LightningModule):
    """A model in training.

    Args:
        model: predicts propensity in physical units.
        settings: section ``training`` of the configuration.
        scale: float [S, T] [length], unit of the errors in the loss.
        bond_scale: float [T] [length], the same for bond displacements.
        about: plain values kept in every checkpoint under ``glassml``, for resuming and export.
        record: the training record, as far as it is known before the first epoch.
        statistics: of the labels, which losses of correlations in space need.
    """

    scale: Tensor
    bond_scale: Tensor
    weight: Tensor

    def __init__(
        self,
        model: GlassModel,
        settings: TrainingConfig,
        scale: Tensor,
        bond_scale: Tensor,
        about: Mapping[str, Any],
        record: TrainingRecord,
        statistics: Statistics | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.settings = settings
        self.statistics = statistics
        self.about = dict(about)
        self.record = record
        wanted = settings.augmentation or ("none" if model.rotation_invariant else "axes")
        self.turns = wanted == "axes"
        self.register_buffer("scale", scale.clone(), persistent=False)
        self.register_buffer("bond_scale", bond_scale.clone(), persistent=False)
        weight = species_weights(model.species, settings.species_weight)
        self.register_buffer("weight", torch.tensor(weight, dtype=scale.dtype), persistent=False)
        shape = (len(model.species), len(model.times))
        self.train_pearson = PropensityPearson(*shape)
        self.validation_pearson = PropensityPearson(*shape)
        self.begin_stage(0, settings, 0)

    def begin_stage(self, number: int, settings: TrainingConfig, epochs_before: int) -> None:
        """Take the settings of a stage.

        Args:
            number: from 0.
            settings: of this stage.
            epochs_before: number of epochs in all stages before.
        """
        self.stage, self.settings, self.epochs_before = number, settings, epochs_before
        self.spatial: SpatialLoss | None = None
        if settings.loss.spatial is not None:
            assert self.statistics is not None, "a loss of correlations needs them"
            labels = self.statistics.mean, self.statistics.scale
            self.spatial = SpatialLoss(settings.loss.spatial, *labels, self.weight)

    @property
    def epoch(self) -> int:
        """Number of the present epoch, from 0, counted through all stages."""
        return self.epochs_before + self.current_epoch

    def predict(self, batch: Data) -> tuple[Tensor, Tensor | None]:
        """Predictions for a batch of graphs, in training with random axes if these are asked for.

        Returns:
            The propensity [n, T] of every particle and, where edges have labels, the bond
            displacement [E, T] of every edge [length].
        """
        if "state" in batch:
            return self.model.propensity(self._last_state(batch)), None
        if self.model.sums_over_system and batch.num_graphs > 1:
            parts = [self.predict(collate([graph])) for graph in batch.to_data_list()]
            return torch.cat([part[0] for part in parts]), _joined([part[1] for part in parts])
        sender, receiver = batch.edge_index
        vectors = turned_edges(batch) if self.training and self.turns else batch.edge_vector
        system = batch.species, batch.scalars, vectors, sender, first_edge(receiver, len(batch.y))
        if "bond_label" not in batch:
            return self.model(*system), None
        state, edges = self.model.encode_all(*system)
        bonds = cast(Callable[[Tensor], Tensor], self.model.bond_displacement)
        return self.model.propensity(state), bonds(edges)

    def _last_state(self, batch: Data) -> Tensor:
        """The last state of a batch whose fixed steps are done."""
        state, model = cast(Tensor, batch.state), self.model
        if model.fixed_steps < model.n_steps:
            sender, receiver = batch.edge_index
            edges, pointer = (
                model.embed_edges(batch.edge_vector),
                first_edge(receiver, len(batch.y)),
            )
            for k in range(model.fixed_steps, model.n_steps):
                state = model.step(k, state, edges, sender, pointer)
        return state

    def training_step(self, batch: Data, batch_idx: int) -> dict[str, Tensor]:
        """The loss of a batch, which is minimised, and the error that is shown for it.

        ``train/loss`` is defined as ``validation/loss`` is, so that the two can be compared: over
        the particles of the training configurations, without the weights of their labels. What is
        minimised also counts reversed runs and has these weights; it is ``train/weighted_loss``.

        Returns:
            ``loss`` [-], and ``error`` [-]: that of the training configurations in the batch, NaN
            if it holds none.
        """
        prediction, bonds = self.predict(batch)
        trust = batch.trust * batch.stands_for
        terms = None if self.spatial is None else self.spatial.of_configurations(prediction, batch)
        loss = self._loss(prediction, batch, terms, trust)
        if bonds is not None:
            share = self.settings.bond_weight
            loss = (1 - share) * loss + share * self._bond_loss(bonds, batch, trust)
        self._check(loss, "training")
        self.train_pearson.update(prediction.detach(), batch.y, batch.species, batch.batch)
        self._log("train/weighted_loss", loss.detach(), batch.num_nodes)
        weight = self.weight[batch.species] * ~batch.is_reversed
        terms = None if terms is None else terms.detach()
        error = self._loss(prediction.detach(), batch, terms, weight=weight)
        number = int((~batch.is_reversed).sum())
        self._log("train/loss", error, number)
        return {"loss": loss, "error": error if number else torch.full_like(error, math.nan)}

    def validation_step(self, batch: Data, batch_idx: int) -> None:
        """Loss and metrics of a batch, with running batch statistics and without dropout."""
        prediction, bonds = self.predict(batch)
        terms = None if self.spatial is None else self.spatial.of_configurations(prediction, batch)
        loss = self._loss(prediction, batch, terms)
        self._check(loss, "validation")
        self.validation_pearson.update(prediction, batch.y, batch.species, batch.batch)
        self._log("validation/loss", loss, batch.num_nodes)
        if bonds is not None:
            self._log("validation/bond_loss", self._bond_loss(bonds, batch), batch.num_nodes)
            pearson = bond_pearson(bonds, batch, self.model.cutoff)
            if pearson.isfinite():
                self._log("validation/bond_pearson", pearson, batch.num_nodes)

    def _bond_loss(self, bonds: Tensor, batch: Data, trust: Tensor | None = None) -> Tensor:
        """As `propensity_loss`, over all edges."""
        scale = self.bond_scale.expand_as(bonds)
        of_edge = None if trust is None else trust[batch.edge_index[1]]
        return propensity_loss(
            bonds, batch.bond_label, scale, torch.ones_like(bonds[:, 0]), of_edge
        )

    def _loss(
        self,
        prediction: Tensor,
        batch: Data,
        terms: Tensor | None,
        trust: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> Tensor:
        """The errors of particles, and the terms of configurations [number], if there are any.

        A configuration counts by the weight of its particles, and by the trust in their labels.
        """
        if weight is None:
            weight = self.weight[batch.species]
        name, scale = self.settings.loss.name, self.scale[batch.species]
        loss = propensity_loss(prediction, batch.y, scale, weight, trust, name)
        if terms is None:
            return loss
        share = weight if trust is None else weight * trust
        total = weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
        return loss + (share * terms[batch.batch]).sum() / total

    def _check(self, loss: Tensor, stage: str) -> None:
        if not loss.isfinite():
            raise GlassMLError(
                f"loss of {stage}: expected a finite number; found {loss.item()} in epoch "
                f"{self.epoch + 1}. Lower training.optimiser.lr or set "
                "training.gradient_clip (for example 1.0), and look for outliers among the labels "
                "with `glassml data info`"
            )

    def _log(self, name: str, value: Tensor, particles: int) -> None:
        """Log the mean over the batches of an epoch, weighted by their numbers of particles."""
        self.log(
            name,
            value,
            on_step=False,
            on_epoch=True,
            batch_size=particles,
            sync_dist=self._distributed,
        )

    @property
    def _distributed(self) -> bool:
        return self.trainer.world_size > 1

    def on_train_epoch_start(self) -> None:
        """Seed the random numbers from the seed, the epoch and the process alone.

        Dropout then does not depend on what was drawn before, so a resumed run repeats exactly
        what an uninterrupted one does.
        """
        key = (self.settings.seed, self.epoch, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))

    def on_validation_epoch_start(self) -> None:
        """Give all processes the same running statistics: the mean over processes."""
        if self._distributed:
            for buffer in self.model.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(self.trainer.strategy.reduce(buffer, reduce_op="mean"))

    def on_validation_epoch_end(self) -> None:
        """Log the coefficients of this epoch's training and validation.

        Those of training come from the predictions of the training steps, with dropout. They are
        logged here because callbacks would see values logged at the end of a training epoch too
        late.
        """
        for stage, metric in (
            ("train", self.train_pearson),
            ("validation", self.validation_pearson),
        ):
            values = metric.tables()
            metric.reset()
            named = named_coefficients(stage, values, self.model.species, self.model.times)
            for kind, table in values.items():
                # NaN is an undefined coefficient, not a broken model: that has an infinite or
                # undefined loss, which has stopped the run.
                named[f"{stage}/pearson_{kind}"] = float(torch.nanmean(table[0]))
            # All processes hold the same values already; without this Lightning warns.
            self.log_dict(named, sync_dist=self._distributed)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimiser and the schedule of the configuration."""
        chosen = self.settings.optimiser
        optimiser = _OPTIMISERS[chosen.name](
            self.model.parameters(),
            lr=chosen.lr,
            betas=chosen.betas,
            weight_decay=chosen.weight_decay,
            fused=True,
        )
        schedule = self.settings.schedule
        if schedule.name == "steps":
            steps = torch.optim.lr_scheduler.MultiStepLR(
                optimiser, list(schedule.milestones), schedule.gamma
            )
            return [optimiser], [steps]
        total = int(self.trainer.estimated_stepping_batches)
        rise = max(1, total // self.settings.epochs)

        def factor(step: int) -> float:
            return min(1.0, (step + 1) / rise) * 0.5 * (1 + math.cos(math.pi * step / total))

        cosine = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": cosine, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the record, so that a checkpoint can be resumed and exported by itself."""
        metrics = {k: float(v) for k, v in self.trainer.callback_metrics.items()}
        finite = {k: v for k, v in sorted(metrics.items()) if math.isfinite(v)}
        epoch = self.epoch + 1
        record = with_results(self.record, epoch, finite, self.model.species, self.model.times)
        checkpoint["glassml"] = {
            **self.about,
            "training": record.model_dump(mode="json"),
            "epoch": epoch,
            "stage": self.stage,
            "epochs_before": self.epochs_before,
            "metrics": finite,
        }


def _joined(parts: list[Tensor | None]) -> Tensor | None:
    found = [part for part in parts if part is not None]
    return torch.cat(found) if found else None


def species_weights(species: tuple[str, ...], given: Mapping[str, float] | None) -> list[float]:
    """The weight of each species in the loss.

    Raises:
        ConfigError: a name is not a species of the data, or no species has a positive weight.
    """
    unknown = [name for name in given or () if name not in species]
    if unknown:
        raise ConfigError(
            f"training.species_weight.{unknown[0]}: expected species of the data "
            f"({', '.join(species)}); found {unknown[0]!r}"
        )
    weights = [float((given or {}).get(name, 1.0)) for name in species]
    if not sum(weights):
        raise ConfigError("training.species_weight: expected a positive weight for some species")
    return weights
