"""The interface of every model, through which it is exported and run by every engine.

A model sees a graph whose nodes are particles and whose edges carry x_j - x_i. It has one state
vector per node, which ``n_steps`` steps update. Before each step, an engine that divides the system
into domains forwards the state of the senders to their ghosts, so the result does not depend on the
number of domains. Engines use only these methods and the manifest of a model.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from glassml.data import THERMAL, Window
from glassml.domain import Domain
from glassml.errors import ConfigError, not_one_of
from glassml.models.limits import LARGEST_CUTOFF
from glassml.models.scalar_inputs import ScalarInput
from glassml.physics.units import LENGTH_UNITS

__all__ = ["GlassModel", "Output", "Redecoded", "ScalarInput"]


@dataclass(frozen=True)
class Output:
    """An output for each particle, or for each edge.

    Attributes:
        name: name of the output and of the method that returns it: of the final state, or of the
            edges after the last step.
        columns: names of its columns.
        dimension: dimension of its values, such as "[length]".
        irreps: its irreps under rotation, in e3nn's notation; None for scalars.
        times: the time [time] of each column; None if columns have no time.
        error_unit: the output whose largest value is the unit of its errors; None: itself.
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
        model: a model with the new times and decoder; its other parameters are not used.
        attributes: dotted names of the attributes that an exported model must take from it.
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
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.

    The class attribute ``lengths`` names the arguments that are lengths. Their defaults are those
    of the Kob-Andersen liquid (see `glassml.models.lengths`). ``trained_by`` names the command that
    trains the model. ``needs_training`` is False for fixed descriptors, which `glassml refit` gives
    a decoder.

    Subclasses declare ``state_widths`` (widths W_0..W_n of the node state before each step and
    after the last) and ``outputs``, and implement ``embed``, ``embed_edges``, ``step`` and one
    method for each output, each with the decorator `torch.jit.export`. Shapes: n nodes, E edges
    sorted by receiver; the receivers are the first ``len(first_edge) - 1`` rows of the state.

    Three declarations are optional. ``sent_widths``: only the first S_k columns of the state are
    read of senders in step k, so only these travel to other domains (default: all W_k).
    ``edge_width``: the edges have a memory of F columns, which the steps renew; then the class
    implements ``advance`` in place of ``step``, and may have ``edge_outputs``. ``summed_widths``:
    before step k (k = n_steps: before the outputs) T_k numbers of each particle are summed over the
    whole system; then the class implements ``summands`` and ``settle``. Each of these sums is one
    reduction over all domains.

    Models whose first ``fixed_steps`` steps have no parameters say so (default: 0). Training then
    computes the state after them once for each configuration. If it is to standardise what they
    give, the class has the methods ``columns`` and ``set_column_scale``, as `GlassMLP`.

    Raises:
        ConfigError: an argument has an invalid value; the message names it.
    """

    lengths: ClassVar[tuple[str, ...]] = ("cutoff",)
    trained_by: ClassVar[str] = "glassml train"
    needs_training: ClassVar[bool] = True

    def __init__(
        self,
        species: Sequence[str],
        times: Sequence[float],
        cutoff: float,
        scalar_inputs: Iterable[str] = (),
        length_unit: str = "lj",
    ) -> None:
        super().__init__()
        # Annotated here and not in the class body, where TorchScript would read the annotations and
        # refuse types that it does not know.
        self.name = type(self).__name__
        self.hyperparameters: Mapping[str, Any] = {}
        self.citations: tuple[str, ...] = ()
        self.outputs: tuple[Output, ...] = ()
        self.edge_outputs: tuple[Output, ...] = ()
        self.state_widths: tuple[int, ...] = ()
        self.sent_widths: tuple[int, ...] = ()
        self.summed_widths: list[int] = []  # a list, which TorchScript can index
        self.sums_over_system = False  # if so, systems cannot share a batch
        self.edge_width = 0
        self.n_steps = 0
        self.fixed_steps = 0
        # Whether propensity and descriptors are the same for a rotated system; if not, training
        # permutes and reflects the axes at random.
        self.rotation_invariant = True
        self.has_radial_networks = False  # whether `bake` has an effect
        self.trained_knots: int | None = None  # of the tables that it was trained with
        self.positions = THERMAL  # one of `glassml.data.POSITIONS`: those it was trained on
        self.window: Window | None = None  # of averaged positions
        self.domain: Domain | None = None  # of the data that it was trained on
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
            # Engines read lists of names that are separated by commas or white space.
            if not name or "," in name or any(character.isspace() for character in name):
                raise ConfigError(
                    f"species: expected names without commas and white space; found {name!r}"
                )
        if not self.times or any(not 0 < t < math.inf for t in self.times):
            raise ConfigError(f"times: expected one or more positive times; found {self.times}")
        if len(set(self.times)) != len(self.times):
            raise ConfigError(f"times: expected different times; found {self.times}")
        if not 0 < self.cutoff <= LARGEST_CUTOFF:
            raise ConfigError(
                f"cutoff: expected a positive length of at most {LARGEST_CUTOFF:g}; found "
                f"{self.cutoff}"
            )
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
        sent_widths: Sequence[int] | None = None,
        edge_width: int = 0,
        edge_outputs: Sequence[Output] = (),
        summed_widths: Sequence[int] | None = None,
    ) -> None:
        """Called once by a subclass: widths of state and edges, outputs, what to cite."""
        if type(self).step is GlassModel.step and type(self).advance is GlassModel.advance:
            raise TypeError(f"{type(self).__name__}: expected a method step or advance; found none")
        self.state_widths = tuple(state_widths)
        self.n_steps = len(self.state_widths) - 1
        self.sent_widths = tuple(self.state_widths[:-1] if sent_widths is None else sent_widths)
        self.summed_widths = list(summed_widths or [0] * (self.n_steps + 1))
        self.sums_over_system = any(self.summed_widths)
        self.edge_width = edge_width
        self.outputs = tuple(outputs)
        self.edge_outputs = tuple(edge_outputs)
        self.citations = tuple(citations)

    def propensity_output(self) -> Output:
        """The output that every model has, with one column per time."""
        columns = tuple(f"propensity_t={t:g}" for t in self.times)
        return Output("propensity", columns, "[length]", times=self.times)

    @torch.jit.unused
    def bake(self, n_knots: int) -> None:
        """Replace radial networks by tables with ``n_knots`` even knots, and more where useful.

        Tables that the model was trained with are kept (``trained_knots``, None unless all tables
        are of this kind).

        Used at export, in float64 and evaluation mode. Outputs change by the error of the tables.
        """

    @torch.jit.unused
    def deploy(self) -> None:
        """Remove what only training needs; outputs stay the same.

        Called at export on a copy in evaluation mode, which is then scripted.
        """

    @torch.jit.unused
    def redecoded(self, times: Sequence[float], weight: Tensor, bias: Tensor) -> Redecoded | None:
        """What an exported model of this kind needs to have the propensity bias + weight x.

        x are the columns of the output ``descriptors``. None if the propensity is not a linear
        function of them, which is the default.

        Args:
            times: the new times [time].
            weight: float64 [species, T, D] [length].
            bias: float64 [species, T] [length].
        """
        return None

    @torch.jit.unused
    def trial_scalars(self, n: int, generator: torch.Generator) -> Tensor:
        """Scalar inputs of typical size, for tests of the model at export: float64 [n, S].

        Args:
            n: number of particles.
            generator: of the random numbers.
        """
        return torch.randn(n, len(self.scalar_inputs), generator=generator, dtype=torch.float64)

    @abstractmethod
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        """The first state [n, W_0] of n particles.

        Args:
            species: int64 [n], index of each particle's species.
            scalars: [n, S], the columns in the order of ``scalar_inputs``.
        """

    @abstractmethod
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        """The edge data [E, F] that the steps need; engines do not look into it.

        Args:
            edge_vector: x_j - x_i [E, 3] [length] of receivers i and senders j within the cutoff.
        """

    @torch.jit.export
    def step(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> Tensor:
        """The state of the receivers after step k: [n, W_(k+1)].

        Every model implements this or `advance`.

        Args:
            k: number of the step, from 0.
            state: [n_all, W_k] of all nodes; the first n are the receivers.
            edges: [E, F] of `embed_edges`, sorted by receiver.
            sender: int64 [E], row of the state from which an edge reads.
            first_edge: int64 [n + 1]; the edges of receiver i are first_edge[i]:first_edge[i+1].
        """
        return self.advance(k, state, edges, sender, first_edge)[0]

    @torch.jit.export
    def advance(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Step k: the state of the receivers [n, W_(k+1)], and the edges for the next step.

        Only models with an ``edge_width`` change the edges; they may do so in place where no
        gradients are recorded. Arguments as for `step`.
        """
        return self.step(k, state, edges, sender, first_edge), edges

    @torch.jit.export
    def summands(self, k: int, state: Tensor) -> Tensor:
        """What is summed over all particles of the system before step k: [n, T_k].

        Args:
            k: number of the step; n_steps for sums before the outputs.
            state: [n, W_k].
        """
        return state[:, :0]

    @torch.jit.export
    def settle(self, k: int, state: Tensor, sums: Tensor) -> Tensor:
        """The state [n, W_k] before step k, completed by the sums over the system.

        Args:
            k: as for `summands`.
            state: [n, W_k].
            sums: float64 [T_k] of `summands`, over the particles of all domains.
        """
        return state

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
        """All steps for a whole system: final state [n, W_n].

        Args:
            species: int64 [n].
            scalars: [n, S].
            edge_vector: [E, 3] [length].
            sender: int64 [E].
            first_edge: int64 [n + 1].
        """
        return self.encode_all(species, scalars, edge_vector, sender, first_edge)[0]

    @torch.jit.export
    def encode_all(
        self,
        species: Tensor,
        scalars: Tensor,
        edge_vector: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """`encode`, with the edges after the last step, of which ``edge_outputs`` are made.

        Arguments as for `encode`. For a model with ``summed_widths`` they must be of one system.

        Returns:
            The final state [n, W_n] and the edges [E, F].
        """
        state = self.embed(species, scalars)
        edges = self.embed_edges(edge_vector)
        for k in range(self.n_steps):
            state = self._settled(k, state)
            state, edges = self.advance(k, state, edges, sender, first_edge)
        return self._settled(self.n_steps, state), edges

    def _settled(self, k: int, state: Tensor) -> Tensor:
        if self.summed_widths[k] == 0:
            return state
        # In float64, so that the sums do not depend on how many domains are added up.
        sums = self.summands(k, state).to(torch.float64).sum(dim=0)
        return self.settle(k, state, sums)

    def forward(
        self,
        species: Tensor,
        scalars: Tensor,
        edge_vector: Tensor,
        sender: Tensor,
        first_edge: Tensor,
    ) -> Tensor:
        """The propensity [n, T] [length] of a whole system.

        Args:
            species: int64 [n].
            scalars: [n, S].
            edge_vector: [E, 3] [length].
            sender: int64 [E].
            first_edge: int64 [n + 1].
        """
        return self.propensity(self.encode(species, scalars, edge_vector, sender, first_edge))
