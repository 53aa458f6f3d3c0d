"""Which configurations of a dataset a model knows from its training, as its manifest tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glassml.data import Dataset
from glassml.export import Manifest

__all__ = ["seen_configurations"]


def seen_configurations(manifest: Manifest, dataset: Dataset) -> tuple[str, ...]:
    """Names of the configurations that the model, or its network before a refit, has seen.

    In training or in validation, which chooses the epoch. Datasets are compared by checksum, so
    one that was split or merged since is not recognised.
    """
    known = _seen(manifest.training, dataset.sha256, dataset.names)
    return tuple(name for name in dataset.names if name in known)


def _seen(training: Any, checksum: str, names: tuple[str, ...]) -> set[str]:
    if not isinstance(training, Mapping):
        return set()
    files = training.get("data")
    found: set[str] = set()
    if isinstance(files, list) and any(
        isinstance(entry, Mapping) and entry.get("sha256") == checksum for entry in files
    ):
        # Files of the first versions do not say which configurations: all of them, then.
        found = {*training.get("train", names), *training.get("validation", ())}
    network = training.get("network")
    inner = network.get("training") if isinstance(network, Mapping) else None
    return found | _seen(inner, checksum, names)
