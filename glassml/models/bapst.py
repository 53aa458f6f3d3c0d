"""The graph network of Bapst et al."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from glassml.models.interaction_network import InteractionNetwork
from glassml.models.registry import register

__all__ = ["Bapst"]

_CITATION = (
    "V. Bapst, T. Keck, A. Grabska-Barwinska, C. Donner, E. D. Cubuk, S. S. Schoenholz, A. Obika, "
    "A. W. R. Nelson, T. Back, D. Hassabis, P. Kohli, Unveiling the predictive power of static "
    "structure in glassy systems, Nature Physics 16, 448 (2020)"
)


@register("bapst")
class Bapst(InteractionNetwork):
    """The graph network of Bapst et al., GNN-DM.

    V. Bapst et al., Nature Physics 16, 448 (2020).

    The network of the published code (TensorFlow): thermal positions, edges within 2 sigma and from
    each particle to itself, seven steps with one set of weights. Edges read the codes of both
    particles together with their first codes (see `InteractionNetwork`). One time per network was
    published; here it may predict several.

    Not rotation-invariant: training permutes and reflects the axes at random.

    Args:
        species: names of the species.
        times: times [time] at which the propensity is predicted.
        cutoff: r_c [length].
        scalar_inputs: names of per-particle scalars (not published).
        length_unit: unit of length, "lj" or another of `glassml.physics.units.LENGTH_UNITS`.
        width: columns of codes and hidden layers.
        n_layers: number of steps.

    Raises:
        ConfigError: a value out of range; the message names it.
    """

    def __init__(
        self,
        species: Sequence[str] = ("A", "B"),
        times: Sequence[float] = (1.0,),
        cutoff: float = 2.0,
        scalar_inputs: Sequence[str] = (),
        length_unit: str = "lj",
        width: int = 64,
        n_layers: int = 7,
    ) -> None:
        super().__init__(
            species, times, cutoff, scalar_inputs, length_unit, width, n_layers,
            self_edges=True, edges_read_first=True, citation=_CITATION,
        )  # fmt: skip
        for module in self.modules():
            if isinstance(module, nn.Linear):
                _variance_scaling(module)


def _variance_scaling(linear: nn.Linear) -> None:
    """Truncated normal numbers of variance 1/inputs, biases 0.1/outputs, as in the published code.

    Cutting a normal distribution at two standard deviations makes it narrower by 0.8796.
    """
    for values, variance in (
        (linear.weight, 1.0 / linear.in_features),
        (linear.bias, 0.1 / linear.out_features),
    ):
        std = variance**0.5 / 0.87962566103423978
        nn.init.trunc_normal_(values, std=std, a=-2 * std, b=2 * std)
