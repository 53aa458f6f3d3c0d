"""Several trained models as one: their mean, and their spread as an estimate of uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from glassml.domain import united
from glassml.errors import ConfigError
from glassml.models.contract import GlassModel, Output

__all__ = ["Committee"]

# Outputs that are concatenated if every member has them.
_JOINED = ("descriptors", "equivariant")


class Committee(GlassModel):
    """Runs its members side by side; to engines it is one model.

    With the members' propensities x_m and weights w_m that sum to 1:

    - ``propensity``: mu = sum_m w_m x_m
    - ``propensity_std``: sqrt(sum_m w_m (x_m - mu)^2 / (1 - sum_m w_m^2)), which is the sample
      standard deviation (divisor M - 1) for equal weights; 0 for a single member
    - ``propensity_members``: x_m, the times of the first member first
    - ``descriptors``, ``equivariant``: those of the members one after the other, if all have them

    Members may have any architecture, depth, cutoff and scalar inputs. The state is the members'
    states side by side. Members with fewer steps begin later: their first state, which is forwarded
    to ghosts meanwhile, is the narrowest. The edges are the vectors, unchanged, then what the edges
    of each member remember; each member uses those within its own cutoff, compared in the precision
    of the vectors.

    Args:
        members: trained models with the same species, times and unit of length. They become
            submodules and are not copied.
        weights: one positive number for each member; only ratios matter. Default: equal weights.

    Raises:
        ConfigError: the members do not fit together; the message names what differs.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        seats: Sequence[_Seat]

    def __init__(
        self, members: Sequence[GlassModel], weights: Sequence[float] | None = None
    ) -> None:
        members = tuple(members)
        _check_members(members)
        shares = _shares(weights, len(members))
        names = list(dict.fromkeys(s.name for m in members for s in m.scalar_inputs))
        first = members[0]
        cutoff = max(m.cutoff for m in members)
        super().__init__(first.species, first.times, cutoff, names, first.length_unit)
        self.name = "committee"
        self.positions = first.positions
        self.window = first.window
        self.rotation_invariant = all(m.rotation_invariant for m in members)
        self.domain = united([m.domain for m in members], [m.cutoff == cutoff for m in members])
        self.hyperparameters = {
            "members": [_description(m, w) for m, w in zip(members, shares, strict=True)]
        }
        self._place(members, shares, names)
        # 1 / (1 - sum of squares) makes the variance unbiased; that of a single member is 0.
        rest = 1.0 - sum(share**2 for share in shares)
        self.unbiasing = 1.0 / rest if len(members) > 1 else 0.0
        self.n_members = len(members)
        networks = [m for m in members if m.has_radial_networks]
        self.has_radial_networks = bool(networks)
        knots = [m.trained_knots for m in networks if m.trained_knots is not None]
        self.trained_knots = max(knots) if knots and len(knots) == len(networks) else None
        memory = sum(m.edge_width for m in members)
        self._declare(
            state_widths=[sum(m.widths[k] for m in self.seats) for k in range(self.depth + 1)],
            outputs=(*self._own_outputs(), *_joined_outputs(members)),
            citations=list(dict.fromkeys(text for m in members for text in m.citations)),
            edge_width=3 + memory if memory else 0,
            summed_widths=[sum(m.summed[k] for m in self.seats) for k in range(self.depth + 1)],
        )

    def _place(
        self, members: Sequence[GlassModel], shares: Sequence[float], names: Sequence[str]
    ) -> None:
        self.depth = max(m.n_steps for m in members)
        starts, first_memory = [0] * (self.depth + 1), 3
        seats = []
        for member, share in zip(members, shares, strict=True):
            scalars = [names.index(s.name) for s in member.scalar_inputs]
            place = self.depth, self.cutoff, starts, first_memory
            seats.append(_Seat(member, share, *place, scalars))
            first_memory += member.edge_width
            starts = [start + w for start, w in zip(starts, seats[-1].widths, strict=True)]
        self.seats = cast(Any, nn.ModuleList(seats))

    @torch.jit.unused
    def _own_outputs(self) -> tuple[Output, ...]:
        mean = self.propensity_output()
        spread = tuple(f"propensity_std_t={t:g}" for t in self.times)
        single = tuple(
            f"propensity_member={m + 1}_t={t:g}" for m in range(self.n_members) for t in self.times
        )
        return (
            mean,
            # Rounding errors are proportional to the propensities, even if these differ little.
            Output("propensity_std", spread, "[length]", times=self.times, error_unit="propensity"),
            Output("propensity_members", single, "[length]"),
        )

    @torch.jit.unused
    def bake(self, n_knots: int) -> None:
        """Turn the radial networks of all members into tables with ``n_knots`` even knots."""
        for seat in self.seats:
            seat.model.bake(n_knots)

    @torch.jit.unused
    def deploy(self) -> None:
        """Deploy every member."""
        for seat in self.seats:
            seat.model.deploy()

    @torch.jit.unused
    def trial_scalars(self, n: int, generator: torch.Generator) -> Tensor:
        """Each scalar from the first member that has it: float64 [n, S]."""
        values: dict[str, Tensor] = {}
        for seat in self.seats:
            columns = seat.model.trial_scalars(n, generator)
            for k, scalar in enumerate(seat.model.scalar_inputs):
                values.setdefault(scalar.name, columns[:, k])
        empty = torch.empty(n, 0, dtype=torch.float64)
        return torch.stack(list(values.values()), dim=1) if values else empty

    @torch.jit.export
    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        """The members' first states, each from the scalars of that member: [n, W_0]."""
        parts = []
        for seat in self.seats:
            parts.append(seat.embed(species, scalars))
        return torch.cat(parts, dim=1)

    @torch.jit.export
    def embed_edges(self, edge_vector: Tensor) -> Tensor:
        """The vectors [E, 3], as each member selects its own edges, and room for their memory."""
        if self.edge_width == 0:
            return edge_vector
        return nn.functional.pad(edge_vector, [0, self.edge_width - 3])

    @torch.jit.export
    def advance(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Step k of the members that have begun: [n_all, W_k] to [n, W_(k+1)]."""
        parts = []
        memories = [edges[:, :3]]
        for seat in self.seats:
            part, memory = seat.advance(k, state, edges, sender, first_edge)
            parts.append(part)
            memories.append(memory)
        if self.edge_width > 0:
            edges = torch.cat(memories, dim=1)
        return torch.cat(parts, dim=1), edges

    @torch.jit.export
    def summands(self, k: int, state: Tensor) -> Tensor:
        """Those of the members that have begun, side by side: [n, T_k]."""
        parts = []
        for seat in self.seats:
            parts.append(seat.summands(k, state))
        return torch.cat(parts, dim=1)

    @torch.jit.export
    def settle(self, k: int, state: Tensor, sums: Tensor) -> Tensor:
        """The members' states, each completed by its own sums: [n, W_k]."""
        parts, first = [], 0
        for seat in self.seats:
            parts.append(seat.settle(k, state, sums[first : first + seat.summed[k]]))
            first += seat.summed[k]
        return torch.cat(parts, dim=1)

    def each(self, state: Tensor) -> Tensor:
        """The members' propensities: [n, M, T]."""
        parts = []
        for seat in self.seats:
            parts.append(seat.model.propensity(seat.own(self.depth, state)))
        return torch.stack(parts, dim=1)

    def mean(self, values: Tensor) -> Tensor:
        """Weighted mean over the members: [n, M, T] to [n, T]."""
        total = torch.zeros_like(values[:, 0])
        for m, seat in enumerate(self.seats):
            total = total + seat.share * values[:, m]
        return total

    @torch.jit.export
    def propensity(self, state: Tensor) -> Tensor:
        """Weighted mean of the members' propensities: [n, T] [length]."""
        return self.mean(self.each(state))

    @torch.jit.export
    def propensity_std(self, state: Tensor) -> Tensor:
        """Standard deviation of the members' propensities: [n, T] [length]."""
        values = self.each(state)
        difference = values - self.mean(values).unsqueeze(1)
        return (self.mean(difference * difference) * self.unbiasing).sqrt()

    @torch.jit.export
    def propensity_members(self, state: Tensor) -> Tensor:
        """The members' propensities, the first member's times first: [n, M T] [length]."""
        return self.each(state).flatten(1)

    @torch.jit.export
    def descriptors(self, state: Tensor) -> Tensor:
        """The members' descriptors one after the other: [n, columns]."""
        parts = []
        for seat in self.seats:
            parts.append(seat.descriptors(seat.own(self.depth, state)))
        return torch.cat(parts, dim=1)

    @torch.jit.export
    def equivariant(self, state: Tensor) -> Tensor:
        """The members' equivariant features one after the other: [n, columns]."""
        parts = []
        for seat in self.seats:
            parts.append(seat.equivariant(seat.own(self.depth, state)))
        return torch.cat(parts, dim=1)


class _Seat(nn.Module):
    """A member and its columns in the committee's state.

    Args:
        model: the member.
        share: its weight in the mean, where all weights sum to 1.
        depth: number of steps of the committee.
        cutoff: the committee's [length].
        starts: [depth + 1] the member's first column in the committee's state, before each step and
            after the last.
        first_memory: its first column in the committee's edges.
        scalars: columns of its scalar inputs among those of the committee.
    """

    if TYPE_CHECKING:  # TorchScript refuses annotations in the class body
        columns: Tensor
        model: Any  # a GlassModel, which may have any outputs

    def __init__(
        self,
        model: GlassModel,
        share: float,
        depth: int,
        cutoff: float,
        starts: Sequence[int],
        first_memory: int,
        scalars: Sequence[int],
    ) -> None:
        super().__init__()
        self.model = model
        self.share = share
        self.delay = depth - model.n_steps
        self.widths = [model.state_widths[max(k - self.delay, 0)] for k in range(depth + 1)]
        # Before a member begins its first state waits, and is not completed yet.
        self.summed = [0] * self.delay + model.summed_widths
        self.starts = list(starts)
        self.first_memory = first_memory
        self.edge_width = model.edge_width
        self.cutoff = model.cutoff
        self.sees_all = model.cutoff >= cutoff
        columns = torch.tensor(scalars, dtype=torch.int64)
        self.register_buffer("columns", columns, persistent=False)

    def own(self, k: int, state: Tensor) -> Tensor:
        """The member's part of the state before the committee's step k."""
        return state[:, self.starts[k] : self.starts[k] + self.widths[k]]

    def embed(self, species: Tensor, scalars: Tensor) -> Tensor:
        """The member's first state."""
        return self.model.embed(species, scalars[:, self.columns])

    def advance(
        self, k: int, state: Tensor, edges: Tensor, sender: Tensor, first_edge: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The member's part of state and edges after the committee's step k."""
        state, n_edges = self.own(k, state), edges.shape[0]
        memory = edges[:, self.first_memory : self.first_memory + self.edge_width]
        if k < self.delay:
            return state[: first_edge.shape[0] - 1], memory
        vector, kept = edges[:, :3], sender
        if not self.sees_all:
            within = torch.linalg.vector_norm(vector, dim=1) < self.cutoff
            kept = torch.nonzero(within)[:, 0]
            vector, memory, sender = vector[kept], memory[kept], sender[kept]
            first_edge = nn.functional.pad(within.cumsum(0), [1, 0])[first_edge]
        if k == self.delay or self.edge_width == 0:
            memory = self.model.embed_edges(vector)
        state, memory = self.model.advance(k - self.delay, state, memory, sender, first_edge)
        if self.edge_width == 0:
            return state, edges[:, :0]
        if not self.sees_all:
            memory = memory.new_zeros(n_edges, self.edge_width).index_add(0, kept, memory)
        return state, memory

    def summands(self, k: int, state: Tensor) -> Tensor:
        """What is summed of the member's state before the committee's step k: [n, T]."""
        if self.summed[k] == 0:
            return state[:, :0]
        return self.model.summands(k - self.delay, self.own(k, state))

    def settle(self, k: int, state: Tensor, sums: Tensor) -> Tensor:
        """The member's state before the committee's step k, completed by its sums."""
        if self.summed[k] == 0:
            return self.own(k, state)
        return self.model.settle(k - self.delay, self.own(k, state), sums)

    def descriptors(self, state: Tensor) -> Tensor:
        """The member's descriptors; [n, 0] if it has none."""
        if hasattr(self.model, "descriptors"):
            return self.model.descriptors(state)
        return state[:, :0]

    def equivariant(self, state: Tensor) -> Tensor:
        """The member's equivariant features; [n, 0] if it has none."""
        if hasattr(self.model, "equivariant"):
            return self.model.equivariant(state)
        return state[:, :0]


def _joined_outputs(members: Sequence[GlassModel]) -> list[Output]:
    """Outputs that all members have, their columns numbered by member."""
    result = []
    for name in _JOINED:
        entries = [output for m in members for output in m.outputs if output.name == name]
        if len(entries) < len(members):
            continue
        columns = tuple(
            f"member={k}_{column}" for k, entry in enumerate(entries, 1) for column in entry.columns
        )
        irreps = [entry.irreps for entry in entries if entry.irreps is not None]
        whole = "+".join(irreps) if len(irreps) == len(entries) else None
        result.append(Output(name, columns, entries[0].dimension, irreps=whole))
    return result


def _description(member: GlassModel, share: float) -> dict[str, Any]:
    return {
        "model": member.name,
        "weight": share,
        "parameters": sum(p.numel() for p in member.parameters()),
        "hyperparameters": dict(member.hyperparameters),
    }


def _check_members(members: Sequence[GlassModel]) -> None:
    if not members:
        raise ConfigError("members: expected one trained model or more; found none")
    for k, member in enumerate(members, 1):
        if isinstance(member, Committee):
            raise ConfigError(
                f"members: expected single models; found a committee as number {k}. "
                "Give its members"
            )
        if any(member is other for other in members[: k - 1]):
            raise ConfigError(f"members: expected each model once; found number {k} twice")
    alike: Sequence[tuple[str, Callable[[GlassModel], Iterable[Any]]]] = (
        ("species", lambda m: m.species),
        ("times", lambda m: m.times),
        ("length_unit", lambda m: [m.length_unit]),
        ("positions", lambda m: [m.positions]),
        ("window", lambda m: [m.window]),
    )
    for what, value in alike:
        expected = tuple(value(members[0]))
        for k, member in enumerate(members[1:], 2):
            if tuple(value(member)) != expected:
                raise ConfigError(
                    f"members: {what}: expected {_listed(expected)} in all, in this order, as in "
                    f"number 1; found {_listed(value(member))} in number {k}"
                )


def _shares(weights: Sequence[float] | None, n_members: int) -> list[float]:
    weights = [1.0] * n_members if weights is None else [float(w) for w in weights]
    if len(weights) != n_members:
        raise ConfigError(
            f"weights: expected one for each of the {n_members} members; found {len(weights)}"
        )
    if not all(0 < w < float("inf") for w in weights):
        raise ConfigError(f"weights: expected positive numbers; found {_listed(weights)}")
    return [w / sum(weights) for w in weights]


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
