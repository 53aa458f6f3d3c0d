"""Which configurations of a dataset a model knows from its training, as its manifest tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glassml.data import Dataset
from glassml.export import Manifest

__all__ = ["seen_configurations"]

_RUN = "_reversed_"  # in the names that `reversed_runs` gives, after that of the start


def seen_configurations(manifest: Manifest, dataset: Dataset) -> tuple[str, ...]:
    """Names of the configurations that the model has seen.

    Its network before a refit and the members of a committee count, too; in training or in
    validation, which chooses the epoch. A reversed run counts as seen if the configuration that it
    began from does. Datasets are compared by checksum, so one that was split or merged since is
    not recognised.
    """
    known = _seen(manifest.training, dataset.sha256, dataset.names)
    return tuple(name for name in dataset.names if name in known)


def _seen(training: Any, checksum: str, names: tuple[str, ...]) -> set[str]:
    if not isinstance(training, Mapping):
        return set()
    members = training.get("members")
    if isinstance(members, list) and members:
        # What all of them share stands once, beside them.
        shared = {key: value for key, value in training.items() if key != "members"}
        parts = [{**shared, **member} for member in members if isinstance(member, Mapping)]
        return set().union(*(_seen(part, checksum, names) for part in parts))
    files = training.get("data")
    found: set[str] = set()
    if isinstance(files, list) and any(
        isinstance(entry, Mapping) and entry.get("sha256") == checksum for entry in files
    ):
        # Files of the first versions do not say which configurations: all of them, then.
        found = {*training.get("train", names), *training.get("validation", ())}
        found |= {name for name in names if name.rpartition(_RUN)[0] in found}
    network = training.get("network")
    inner = network.get("training") if isinstance(network, Mapping) else None
    return found | _seen(inner, checksum, names)
