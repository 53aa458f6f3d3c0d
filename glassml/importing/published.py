"""What is known of weights that were published, which are recognised by their numbers.

A file may have any name, and others with the same names of tensors may hold anything. So facts such
as the time of the labels are stated only of parameters that are exactly the published ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from glassml.provenance.record import OriginValue

__all__ = ["Published", "published_with"]


@dataclass(frozen=True)
class Published:
    """What the authors of published weights say about them.

    Attributes:
        where: repository and folder.
        licence: of the repository.
        trained_on: in words.
        times: of the labels [time]; None if they are not stated.
        origin: of the training data, as in `TrainingRecord`.
        untrained: see `glassml.provenance.TrainingRecord`.
    """

    where: str
    licence: str
    trained_on: str
    times: tuple[float, ...] | None = None
    origin: dict[str, tuple[OriginValue, ...]] = field(default_factory=dict)
    untrained: tuple[str, ...] = ()


_BAPST_T044_S09 = Published(
    where="google-deepmind/deepmind-research on GitHub, glassy_dynamics/checkpoints/t044_s09.ckpt",
    licence="Apache-2.0",
    trained_on="400 configurations of the authors at T = 0.44 (labels of species A, at the time at "
    "which the intermediate scattering function is 0.9)",
    times=(0.132,),  # that of the published test configurations at this temperature
    origin={
        "system": ("Kob-Andersen 80:20",),
        "temperature": (0.44,),
        "citation": ("V. Bapst et al., Nat. Phys. 16, 448 (2020)",),
    },
)
_BOTAN_START = Published(
    where="h3-Open-BDEC/pyg_botan on GitHub, initial_model",
    licence="Apache-2.0",
    trained_on="edges alone (bond displacements at a temperature and time that are not stated), as "
    "the start of trainings on propensities",
    origin={"system": ("Kob-Andersen 80:20",)},
    untrained=("propensity",),
)

# Checksum of the parameters (see `_checksum`) -> what is known of them.
_KNOWN: dict[str, Published] = {
    "28be827668d633b4a69a93ac082960eb3d4dbb5caa06fef419fbbadad996bcda": _BAPST_T044_S09,
    "f129d6a8d79f608dd6b0300adcdec31a7d175fbdb738c7901475df49844659f4": _BOTAN_START,
    "c26db02cf50933d285803e88ba8df740ca8c6eb9e582cfb49c1ee87b4f4899c7": _BOTAN_START,
    "058c0b5b2a743c1977b817065220ee7c683312e71d4ea9d4a6c9391d179ee126": _BOTAN_START,
    "a74deba3d7a298cfdba3dca2ec87959e891d57b5beb7f0007d4b3d02bf5d0997": _BOTAN_START,
    "4786f5ac0df2df265dee6ae70eb9a80e94ef7ef180857ee5188d2254afd83b06": _BOTAN_START,
    "f473412f1fd9ef9a5b882634ff392182513d200fd77ad03db471fff0f8195f8e": _BOTAN_START,
    "961e08a7216eac44530ed4be68030b9b6e1b497e6779ceab4bba4fbbf3eaaaff": _BOTAN_START,
    "6baffbc694d13ff3856e39581decc41fa86ee68ce7f3fee136824d8ba15ba2f1": _BOTAN_START,
}


def published_with(parameters: Mapping[str, Tensor]) -> Published | None:
    """The published weights that are equal to these parameters, None if there are none."""
    return _KNOWN.get(_checksum(parameters))


def _checksum(parameters: Mapping[str, Tensor]) -> str:
    """SHA-256 of all numbers, little-endian float32, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(parameters):
        digest.update(np.ascontiguousarray(parameters[name].numpy(), "<f4").tobytes())
    return digest.hexdigest()
