"""What every model offers, so that it can be exported and run by every engine.

A model sees a graph whose nodes are particles and whose edges carry x_j - x_i. It keeps one state
vector a node and renews it in ``n_steps`` steps; before each step an engine that splits the system
into domains forwards the state of the senders to their ghosts, which makes the result independent
of the number of domains. Engines know nothing of a model but these methods and its manifest.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from glassml.data import LENGTH_UNITS, THERMAL
from glassml.errors import ConfigError, not_one_of

__all__ = ["GlassModel", "Output", "Redecoded", "ScalarInput"]

# Scalars whose meaning is agreed on; a model may ask for others, with a meaning of its own.
KNOWN_SCALARS = {
    "potential_energy": ("potential energy of the particle, sum over j of V(r_ij)/2", "[energy]"),
    "inherent_energy": ("its potential energy in the inherent structure", "[energy]"),
    "inherent_displacement": ("distance from its thermal to its inherent position", "[length]"),
    "cage_displacement": ("distance from its thermal position to its cage centre", "[length]"),
}


@dataclass(frozen=True)
class ScalarInput:
    """A per-particle scalar that a model needs: its name, meaning and dimension."""

    name: str
    meaning: str
    dimension: str

    @classmethod
    def named(cls, name: str) -> ScalarInput:
        """A scalar by its name; meaning and dimension are filled in where the name is known."""
        meaning, dimension = KNOWN_SCALARS.get(name, ("as in the training data", "[-]"))
        return cls(name, meaning, dimension)


@dataclass(frozen=True)
class Output:
    """A per-particle output.

    Attributes:
        name: of the method that gives it.
        columns: names of its columns.
        dimension: of its values, such as "[length]".
        irreps: how it turns with the system, in e3nn's notation; None for scalars.
        times: the time [time] of each column, None if they are of no time.
        error_unit: output whose largest value its errors are measured in; None: its own.
    """

    name: str
    columns: tuple[str, ...]
    dimension: str
    irreps: str | None = None
    times: tuple[float, ...] | None = None
    error_unit: str | None = None


@dataclass(frozen=True)
class Redecoded:
    """A model whose propensity is another linear function of its ``descriptors``.

    Attributes:
        model: has the new times and decoder; its other parameters are fresh and mean nothing.
        attributes: dotted names of all that an exported model must take over from it.
    """

    model: GlassModel
    attributes: tuple[str, ...]


class GlassModel(nn.Module, ABC):
    """Base class of all models: the parts of the contract that do not depend on the network.

    Args:
        species: names of the species, in the order of the species indices.
        times: times [time] at which the propensity is predicted.
        cutoff: r_c [length].
        scalar_inputs: names of the per-particle scalars that the model needs.
        length_unit: "lj", or the unit of lengths ("angstrom", ...).

    Subclasses declare ``state_widths`` (widths W_0..W_n of the node state before each step and
    after the last) and ``outputs``, and write ``embed``, ``embed_edges``, ``step`` and one method
    for each output, each marked `torch.jit.export`. Shapes: n nodes, E edges sorted by receiver,
    the receivers being the first ``len(first_edge) - 1`` rows of the state.

    Raises:
        ConfigError: an argument has no sensible value; the message names it.
    """

    def __init__(
        self,
        species: Sequence[str],
        times: Sequence[float],
        cutoff: float,
        scalar_inputs: Iterable[str] = (),
        length_unit: str = "lj",
    ) -> None:
        super().__init__()
        # Annotated here and not in the class body: TorchScript reads annotations there and refuses
        # types that it does not know.
        self.name = type(self).__name__
        self.hyperparameters: Mapping[str, Any] = {}
        self.citations: tuple[str, ...] = ()
        self.outputs: tuple[Output, ...] = ()
        self.state_widths: tuple[int, ...] = ()
        self.n_steps = 0
        self.has_radial_networks = False  # whether `bake` does anything
        self.trained_knots: int | None = None  # of tables that it was trained with, for good
        self.positions = THERMAL  # of `glassml.data.POSITIONS`: what it was trained on
        self.species = tuple(species)
        self.times = tuple(float(t) for t in times)
        self.cutoff = float(cutoff)
        self.scalar_inputs = tuple(ScalarInput.named(name) for name in scalar_inputs)
        self.length_unit = length_unit
        self._check()
        self.n_species = len(self.species)
        self.n_times = len(self.times)
        self.n_inputs = self.n_species + len(self.scalar_inputs)

    def _check(self) -> None:
        if not self.species or len(set(self.species)) != len(self.species):
            raise ConfigError(
                f"species: expected one or more different names; found {self.species}"
            )
        for name in self.species:
            # Engines take lists of names, separated by commas or white space.
            if not name or "," in name or any(character.isspace() for character in name):
                raise ConfigError(
                    f"species: expected names without commas and white space; found {name!r}"
                )
        if not self.times or any(not 0 < t < math.inf for t in self.times):
            raise ConfigError(f"times: expected one or more positive times; found {self.times}")
        if len(set(self.times)) != len(self.times):
            raise ConfigError(f"times: expected different times; found {self.times}")
        if not 0 < self.cutoff < math.inf:
            raise ConfigError(f"cutoff: expected a positive length; found {self.cutoff}")
        names = [scalar.name for scalar in self.scalar_inputs]
        if len(set(names)) != len(names):
            raise ConfigError(f"scalar_inputs: expected different names; found {tuple(names)}")
        if self.length_unit not in LENGTH_UNITS:
            raise ConfigError(f"length_unit: {not_one_of(self.length_unit, LENGTH_UNITS)}")

    def _declare(
        self,
        state_widths: Sequence[int],
        outputs: Sequence[Output],
        citations: Sequence[str] = (),
    ) -> None:
        """Called once by a subclass: widths of the state, what the model gives, what to cite."""
        self.state_widths = tuple(state_widths)
        self.n_steps = len(self.state_widths) - 1
        self.outputs = tuple(outputs)
        self.citations = tuple(citations)

    def propensity_output(self) -> Output:
        """The output every model has: one column a time."""
        columns = tuple(f"propensity_t={t:g}" for t in self.times)
        return Output("propensity", columns, "[length]", times=self.times)

    @torch.jit.unused
    def bake(self, n_knots: int) -> None:
        """Turn radial networks into tables with ``n_knots`` even knots and more where they pay.

        Tables that the model was trained with stay (``trained_knots``, None if not all are such).

        Used at export, in float64 and evaluation mode. Outputs change by as much as the tables err.
        """

    @torch.jit.unused
    def deploy(self) -> None:
        """Become what is exported: the same outputs, without what only training needs.

        Used on a copy in evaluation mode, which is scripted afterwards.
        """

    @torch.jit.unused
    def redecoded(self, times: Sequence[float], weight: Tensor, bias: Tensor) -> Redecoded | None:
        """What an exported model of this kind needs to become propensity = bias + weight x.

        x are the columns of the output ``descriptors``. None, unless a subclass says otherwise:
        the propensity is no linear function of them.

        Args:
            times: the new times [time].
            weight: float64 [species, T, D] [length].
            bias: float64 [species, T] [length].
        """
        return None

    @torch.jit.unused
    def trial_scalars(self, n: int, generator: torch.Generator) -> Tensor:
        """Scalar inputs [n, S] of usual size, to try the model out: float64."""
        return torch.randn(n, len(self.scalar_inputs), generator=generator, dtype=torch.float64)

    @abstractmethod
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        """The first state: species int64 [n], scalars [n, S] to [n, W_0]."""

    @abstractmethod
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        """What the steps need of the edges: edge_vector [E, 3] [length] to [E, F]."""

    @abstractmethod
    def step(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """Step k: the state [n_all, W_k] of all nodes to that of the receivers [n, W_(k+1)]."""

    @abstractmethod
    def propensity(self, state: Tensor) -> Tensor:
        """Final state [n, W_n] to the propensity [n, T] [length]."""

    @torch.jit.export
    def encode(
        self,
        species: Tensor,
        scalars: Tensor,
        edge_vector: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> Tensor:
        """All steps for a system in one piece: final state [n, W_n]."""
        state = self.embed(species, scalars)
        edges = self.embed_edges(edge_vector)
        for k in range(self.n_steps):
            state = self.step(k, state, edges, sender, first_edge)
        return state

    def forward(
        self,
        species: Tensor,
        scalars: Tensor,
        edge_vector: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> Tensor:
        """The propensity [n, T] of a system in one piece; arguments as in ``encode``."""
        return self.propensity(self.encode(species, scalars, edge_vector, sender, first_edge))
