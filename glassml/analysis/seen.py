"""Which configurations of a dataset a model knows from its training, as its manifest tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glassml.data import Dataset
from glassml.export import Manifest

__all__ = ["seen_configurations", "trainings"]

_RUN = "_reversed_"  # in the names that `reversed_runs` gives, after that of the start


def seen_configurations(manifest: Manifest, dataset: Dataset) -> tuple[str, ...]:
    """Names of the configurations that the model, a member of it or its network has seen.

    In training or in validation, which chooses the epoch. A reversed run counts as seen if the
    configuration that it began from does. Datasets are compared by checksum, so one that was split
    or merged since is not recognised.
    """
    known = _seen(manifest.training, dataset.sha256, dataset.names)
    return tuple(name for name in dataset.names if name in known)


def trainings(training: Any) -> list[Mapping[str, Any]]:
    """The entry ``training`` of a manifest: of a committee one for each member, as if alone."""
    if not isinstance(training, Mapping):
        return []
    members = training.get("members")
    if not isinstance(members, list):
        return [training]
    shared = {key: value for key, value in training.items() if key != "members"}
    return [{**shared, **member} for member in members if isinstance(member, Mapping)]


def _seen(training: Any, checksum: str, names: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    for one in trainings(training):
        files = one.get("data")
        if isinstance(files, list) and any(
            isinstance(entry, Mapping) and entry.get("sha256") == checksum for entry in files
        ):
            # Files of the first versions do not say which configurations: all of them, then.
            found |= {*one.get("train", names), *one.get("validation", ())}
            found |= {name for name in names if name.rpartition(_RUN)[0] in found}
        network = one.get("network")
        if isinstance(network, Mapping):
            found |= _seen(network.get("training"), checksum, names)
    return found
