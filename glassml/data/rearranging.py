"""Split and merge datasets. Configurations are copied as they are stored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassml.data.configuration import REVERSED_FROM, Configuration
from glassml.data.dataset import Dataset, DatasetWriter
from glassml.data.storage import plain_value
from glassml.data.windows import Window, number_of_windows, window_of
from glassml.errors import InputError
from glassml.physics import same_times

__all__ = ["joint_description", "merge_datasets", "parts_by_key", "parts_by_size", "split_dataset"]

# Mixtures that differ by more are different systems, unless the user allows it. Densities vary at
# constant pressure.
_COMPOSITION_TOLERANCE = 0.02  # of the fraction of a species
_DENSITY_TOLERANCE = 0.1  # relative


def parts_by_size(
    dataset: Dataset, sizes: Mapping[str, float], seed: int = 0
) -> dict[str, list[str]]:
    """Draw parts of a dataset at random.

    Parts are independent: configurations with the same positions (such as labels of one structure
    at several times) are always in the same part, and so are the reversed runs of a configuration.

    Args:
        dataset: what to divide.
        sizes: name of the part -> a number of configurations (an integer), or a fraction of all of
            them (a float up to 1.0). A part may get a few more if positions are shared.
        seed: of the draw.

    Returns:
        Name of the part -> names of its configurations, in the order of the dataset. What remains
        is in no part.

    Raises:
        InputError: a size is not positive, there are too few configurations, or a part is empty.
    """
    wanted = _numbers(dataset, sizes)
    groups: dict[str, list[int]] = {}
    for index, configuration in enumerate(dataset):
        key = configuration.provenance.get(REVERSED_FROM, configuration.positions_sha256)
        groups.setdefault(str(key), []).append(index)
    shuffled = [
        list(groups.values())[k] for k in np.random.default_rng(seed).permutation(len(groups))
    ]
    parts = {}
    for name, number in wanted.items():
        chosen: list[int] = []
        while shuffled and len(chosen) < number:
            chosen += shuffled.pop(0)
        if len(chosen) < number:
            raise InputError(
                f"{dataset.path}: part {name}: expected {number} configurations; found "
                f"{len(chosen)} left, as those with the same positions must stay together"
            )
        parts[name] = [dataset.names[index] for index in sorted(chosen)]
    return parts


def parts_by_key(dataset: Dataset, key: str) -> dict[str, list[str]]:
    """One part for each value of an entry of the provenance.

    Args:
        dataset: the dataset to divide.
        key: the entry, such as ``temperature``.

    Returns:
        Value of the entry -> names of the configurations that have it.

    Raises:
        InputError: a configuration has no such entry.
    """
    parts: dict[str, list[str]] = {}
    for name in dataset.names:
        provenance = dataset.stored(name)["provenance"].attrs
        if key not in provenance:
            raise InputError(
                f"{dataset.path}: {name}: provenance: expected an entry {key!r}; found "
                f"{sorted(provenance)}"
            )
        part = re.sub(r"[^\w.+-]+", "-", f"{key}{plain_value(provenance[key])}")
        parts.setdefault(part, []).append(name)
    return parts


def split_dataset(
    dataset: Dataset,
    parts: Mapping[str, Sequence[str]],
    files: Mapping[str, Path],
    how: Mapping[str, Any],
) -> None:
    """Write parts of a dataset; all of them or, after an error, none.

    Args:
        dataset: what to divide.
        parts: name of the part -> names of its configurations.
        files: name of the part -> the dataset to write.
        how: how the parts were chosen, for the description.
    """
    origin = {
        "file": dataset.path.name,
        "sha256": dataset.sha256,
        **how,
        "sizes": {part: len(names) for part, names in parts.items()},
    }
    if "split" in dataset.description:
        origin["split"] = dataset.description["split"]
    with ExitStack() as stack:
        for part, names in parts.items():
            writer = stack.enter_context(
                DatasetWriter(
                    files[part], {**dataset.description, "split": {"part": part, **origin}}
                )
            )
            for name in names:
                writer.copy(dataset, name)


def merge_datasets(
    paths: Sequence[str | Path], output: str | Path, *, allow_different: bool = False
) -> int:
    """Merge several datasets into one.

    If the name of a configuration is taken, it is prefixed with the name of its file.

    Args:
        paths: the datasets, in order.
        output: the dataset to write.
        allow_different: accept different compositions, densities, times of labels and windows of
            averaged positions. Species, unit of length and dimension must always agree.

    Returns:
        The number of configurations.

    Raises:
        InputError: the datasets differ in one of these, or hold the same configuration twice.
    """
    datasets = [Dataset(path) for path in paths]
    facts: dict[str, tuple[str, Any]] = {}
    seen: dict[str, str] = {}
    taken: set[str] = set()
    with DatasetWriter(output, joint_description(paths)) as writer:
        for dataset in datasets:
            with dataset:
                for name in dataset.names:
                    where = f"{dataset.path}: {name}"
                    _check_belongs(dataset, name, where, facts, allow_different)
                    twin = seen.setdefault(dataset.checksum(name), where)
                    if twin is not where:
                        raise InputError(f"{where}: expected new data; found those of {twin}")
                    new = name if name not in taken else f"{dataset.path.stem}-{name}"
                    taken.add(new)
                    writer.copy(dataset, name, new)
        return writer.n_configurations


def joint_description(paths: Sequence[str | Path]) -> dict[str, Any]:
    """A common description of several datasets, with the warnings of all of them."""
    datasets = [Dataset(path) for path in paths]
    descriptions = [dataset.description for dataset in datasets]
    if all(description == descriptions[0] for description in descriptions):
        return descriptions[0] if descriptions else {}
    warnings = [text for description in descriptions for text in description.get("warnings", [])]
    merged = [
        {"file": dataset.path.name, "sha256": dataset.sha256, "description": dataset.description}
        for dataset in datasets
    ]
    for dataset in datasets:
        dataset.close()
    return {"merged": merged} | ({"warnings": list(dict.fromkeys(warnings))} if warnings else {})


@dataclass(frozen=True)
class _Averages:
    """How the averaged positions of a configuration were made."""

    number: int
    window: Window | None

    def __str__(self) -> str:
        return "none" if self.window is None else f"{self.number} windows of {self.window}"

    def same_as(self, other: _Averages) -> bool:
        """Whether a model can be trained on both; the number of windows may differ."""
        if self.window is None or other.window is None:
            return self.window is other.window
        return self.window.same_as(other.window)


def _averages(configuration: Configuration) -> _Averages:
    return _Averages(number_of_windows(configuration), window_of(configuration))


def _numbers(dataset: Dataset, sizes: Mapping[str, float]) -> dict[str, int]:
    """The number of configurations of each part."""
    total = len(dataset)
    for name, size in sizes.items():
        if not size > 0 or (size > 1 and size != int(size)):
            raise InputError(
                f"part {name}: expected a number of configurations, or a fraction below 1; found "
                f"{size:g}"
            )
    # Rounding the ends and not the sizes: fractions that sum to 1 take every configuration.
    fractions = {
        name: size for name, size in sizes.items() if isinstance(size, float) and size <= 1
    }
    ends = np.rint(np.cumsum(list(fractions.values())) * total).astype(int)
    numbers = dict(zip(fractions, np.diff(ends, prepend=0).tolist(), strict=True))
    wanted = {name: numbers[name] if name in numbers else int(size) for name, size in sizes.items()}
    if sum(wanted.values()) > total:
        raise InputError(
            f"{dataset.path}: parts: expected at most {total} configurations together; found "
            f"{', '.join(f'{name}: {number}' for name, number in wanted.items())}"
        )
    for name, number in wanted.items():
        if number == 0:
            raise InputError(
                f"{dataset.path}: part {name}: expected at least one of the {total} "
                f"configurations; found none (a fraction of {sizes[name]:g})"
            )
    return wanted


def _check_belongs(
    dataset: Dataset,
    name: str,
    where: str,
    facts: dict[str, tuple[str, Any]],
    allow_different: bool,
) -> None:
    """Compare a configuration with the first one."""
    configuration = dataset[name]
    found: dict[str, Any] = {"dimension": configuration.dimension}
    if not allow_different:
        counts = np.bincount(configuration.species, minlength=len(configuration.species_names))
        times = configuration.times
        found |= {
            "composition": (counts / configuration.n_particles).round(4).tolist(),
            "number density": round(configuration.number_density, 6),
            "times of the labels": None if times is None else times.tolist(),
            "averaged positions": _averages(configuration),
        }
    for what, value in found.items():
        first, expected = facts.setdefault(what, (where, value))
        tolerance = {
            "composition": _COMPOSITION_TOLERANCE,
            "number density": _DENSITY_TOLERANCE * configuration.number_density,
        }.get(what)
        if tolerance is not None:
            same = bool(np.allclose(value, expected, rtol=0, atol=tolerance))
        elif isinstance(value, list) and isinstance(expected, list):
            same = same_times(value, expected)
        elif isinstance(value, _Averages) and isinstance(expected, _Averages):
            same = value.same_as(expected)
        else:
            same = value == expected
        if not same:
            raise InputError(
                f"{where}: {what}: expected {expected} as in {first}; found {value}. Merge only "
                "what belongs together"
                + ("" if what == "dimension" else ", or add --allow-different")
            )
