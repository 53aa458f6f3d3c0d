"""What a report shows, and whether it fits the dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glassml.analysis.published import PublishedCurves
from glassml.data import Dataset
from glassml.errors import InputError, not_one_of
from glassml.physics import column_of

__all__ = ["ReportOptions", "chosen_species", "chosen_times"]


@dataclass(frozen=True)
class ReportOptions:
    """What a report shows.

    Attributes:
        species: species of the figures; None: the first.
        times: times of the labels [time] for those figures that show a single time. If empty: the
            time of the largest chi4 of the labels; without chi4, the time at which the labels of
            the species vary most, relative to their mean.
        published: published curves for comparison.
        command: the command that made the report, for its header.
    """

    species: str | None = None
    times: tuple[float, ...] = ()
    published: tuple[PublishedCurves, ...] = ()
    command: str = ""

    def check(self, dataset: Dataset, folder: str | Path) -> None:
        """Refuse what `write_report` would refuse, before the work begins.

        Raises:
            InputError: an unknown species or time, published curves of another material, or the
                folder is a file.
        """
        for curves in self.published:
            _check_material(curves, dataset)
        chosen_species(self, dataset.species_names)
        chosen_times(self, dataset.common_times().tolist())
        if Path(folder).exists() and not Path(folder).is_dir():
            raise InputError(f"{folder}: expected a folder for the report; found a file")

    def notes(self, dataset: Dataset) -> list[str]:
        """What a reader of the published curves should know, in sentences."""
        found = []
        for curves in self.published:
            material = curves.material
            other = None if material is None else material.other_temperature(dataset)
            if material is not None and other is not None:
                found.append(
                    f"Published curves of {curves.name} are of the temperature "
                    f"{material.temperature:g}; the dataset is of {other:g}"
                )
            known = [t for times, _ in curves.pearson.values() for t in times]
            times = dataset.common_times().tolist()
            if all(column_of(t, known) is None for t in times):
                found.append(
                    f"{curves.name}: none of the published times is a time of the dataset "
                    f"({', '.join(f'{t:g}' for t in times)}), so no table compares them"
                )
        return found


def _check_material(curves: PublishedCurves, dataset: Dataset) -> None:
    """Refuse curves that were measured on something else than the dataset."""
    misfits = [] if curves.material is None else curves.material.misfits(dataset)
    if misfits:
        raise InputError(
            f"--published: {curves.name}: expected a dataset of {curves.material}, on which these "
            f"curves were measured; found {', '.join(misfits)} in {dataset.path.name}. Leave the "
            "option out, or give curves of this material (a CSV file)"
        )


def chosen_species(options: ReportOptions, known: Sequence[str]) -> str:
    """The species of the figures.

    Raises:
        InputError: it is not among those of the dataset.
    """
    species = options.species or known[0]
    if species not in known:
        raise InputError(f"--species: {not_one_of(species, known)}")
    return species


def chosen_times(options: ReportOptions, known: Sequence[float]) -> tuple[float, ...]:
    """The times [time] that the user chose; empty if none.

    Raises:
        InputError: the labels have another time.
    """
    times: dict[float, None] = {}
    for time in options.times:
        column = column_of(time, known)
        if column is None:
            raise InputError(
                f"--time: expected one of {', '.join(f'{t:g}' for t in known)}; found {time:g}"
            )
        times[known[column]] = None
    return tuple(times)
