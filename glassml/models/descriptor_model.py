"""Models of fixed descriptors: averaged several times, and a linear decoder per species and time.

Nothing but the decoders is fitted, by `glassml refit` in closed form.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from glassml.models.contract import GlassModel, Output, Redecoded
from glassml.models.limits import MOST_COLUMNS, MOST_STEPS, check_at_most, check_whole
from glassml.models.registry import build
from glassml.nn import ops

__all__ = ["DescriptorModel", "check_averages"]


class DescriptorModel(GlassModel):
    """Descriptors in step 0, an average over neighbours in each further step.

    A subclass calls ``_add_decoder`` and implements ``_local`` and ``_averaged``. The state holds,
    in this order: ``n_read`` scalar inputs that each step reads of the senders too, the descriptors
    with the latest average first, the species, the other scalar inputs. Only what is averaged
    travels to other domains.
    """

    needs_training: ClassVar[bool] = False

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        one_hot: Tensor

    def _add_decoder(
        self, names: Sequence[str], averages: int, citations: Sequence[str], n_read: int = 0
    ) -> None:
        """Called once by a subclass, after `check_averages`.

        Args:
            names: of the D descriptors of a particle.
            averages: number of times that they are averaged.
            citations: see `GlassModel._declare`.
            n_read: how many of the scalar inputs, the first ones, each step reads of the senders.
        """
        ops.load()
        self.averages = averages
        self.fixed_steps = averages + 1
        self.n_read = n_read
        self.n_descriptors = len(names)
        columns = tuple(f"{name}_average={k}" for k in range(averages + 1) for name in names)
        self.decoder = nn.Linear(len(columns), self.n_species * self.n_times)
        self.register_buffer("one_hot", torch.eye(self.n_species), persistent=False)
        self._declare(
            state_widths=[self.n_inputs + k * self.n_descriptors for k in range(averages + 2)],
            sent_widths=[n_read + self.n_species, *[n_read + self.n_descriptors] * averages],
            outputs=(self.propensity_output(), Output("descriptors", columns, "[-]")),
            citations=citations,
        )

    @torch.jit.unused
    def redecoded(self, times: Sequence[float], weight: Tensor, bias: Tensor) -> Redecoded:
        """The decoder, [species, T, D] and [species, T]; nothing else is fitted."""
        model = build(self.name, **{**self.hyperparameters, "times": tuple(times)})
        assert isinstance(model, DescriptorModel)
        model.to(torch.float64)
        with torch.no_grad():
            model.decoder.weight.copy_(weight.reshape(-1, weight.shape[-1]))
            model.decoder.bias.copy_(bias.reshape(-1))
        return Redecoded(model, ("decoder.weight", "decoder.bias", "n_times"))

    @torch.jit.export
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        """Species int64 [n] and scalars [n, S] to [n, species + S]."""
        read, rest = scalars[:, : self.n_read], scalars[:, self.n_read :]
        return torch.cat([read, self.one_hot[species], rest], dim=1)

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        """The vectors themselves: [E, 3] [length]."""
        return edge_vector

    @torch.jit.export
    def step(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """Descriptors in step 0, then their averages: [n_all, W_k] to [n, W_(k+1)]."""
        own = state[: first_edge.shape[0] - 1]
        read, kept = state[:, : self.n_read], own[:, self.n_read :]
        if k == 0:
            kinds = state[:, self.n_read : self.n_read + self.n_species]
            others = kept[:, self.n_species :]
            new = self._local(read, kinds, others, edges, sender, first_edge)
        else:
            latest = state[:, self.n_read : self.n_read + self.n_descriptors]
            new = self._averaged(read, latest, edges, sender, first_edge)
        return torch.cat([own[:, : self.n_read], new, kept], dim=1)

    @abstractmethod
    def _local(
        self,
        read: Tensor,
        kinds: Tensor,
        others: Tensor,
        edges: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> Tensor:
        """Descriptors [n, D] of the receivers.

        Args:
            read: [n_all, n_read], the scalar inputs that are read of senders.
            kinds: [n_all, species], 1 for the species of each node.
            others: [n, S - n_read], the other scalar inputs of the receivers.
            edges: [E, 3], x_j - x_i [length], or what else ``embed_edges`` gives.
            sender: int64 [E].
            first_edge: int64 [n + 1].
        """

    @abstractmethod
    def _averaged(
        self, read: Tensor, values: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """Means [n, D] of ``values`` [n_all, D] over each receiver and its neighbours."""

    @torch.jit.export
    def descriptors(self, state: Tensor) -> Tensor:
        """All descriptors, in order of the number of averages: [n, (averages + 1) D]."""
        last = self.n_read + self.averages * self.n_descriptors
        parts = []
        for k in range(self.averages + 1):
            first = last - k * self.n_descriptors
            parts.append(state[:, first : first + self.n_descriptors])
        return torch.cat(parts, dim=1)

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        """Propensity [n, T] [length]: the decoder of each particle's own species."""
        first = self.n_read + (self.averages + 1) * self.n_descriptors
        kinds = state[:, first : first + self.n_species]
        values = self.decoder(self.descriptors(state))
        values = values.reshape(state.shape[0], self.n_species, self.n_times)
        return (values * kinds.unsqueeze(2)).sum(dim=1)


def check_averages(averages: int, n_descriptors: int, cause: str) -> None:
    """Refuse too many averages, or too many descriptors with them.

    Args:
        averages: number of times that the descriptors are averaged.
        n_descriptors: how many there are before.
        cause: the hyperparameters that this follows from, with their values.

    Raises:
        ConfigError: names the hyperparameter and its range.
    """
    check_whole("averages", averages, 0, MOST_STEPS - 1)
    columns = n_descriptors * (averages + 1)
    cause = f"{cause}, averages {averages}"
    check_at_most(columns, MOST_COLUMNS, "descriptors of a particle", cause)
