"""Convert files of any known format into one dataset."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from glassml.data.dataset import DatasetWriter
from glassml.data.readers.base import ReadOptions
from glassml.data.readers.frames import DATASET_SUFFIXES
from glassml.data.readers.registry import formats_called, read_configurations
from glassml.data.rearranging import joint_description
from glassml.errors import InputError
from glassml.progress import SILENT, Progress

__all__ = ["convert", "find_inputs"]


def find_inputs(inputs: Sequence[str | Path], file_format: str = "auto") -> list[Path]:
    """Resolve files, folders and glob patterns to a list of files.

    Args:
        inputs: files; folders, for their files with a suffix of the format; and patterns, for all
            files that match. The order of the list is kept; the files of a folder or pattern are in
            natural order (2 before 10).
        file_format: a name in `glassml.data.FORMATS`, or "auto" for any of them.

    Returns:
        The files, each once.

    Raises:
        InputError: the format is unknown, or an input is missing or matches no file.
    """
    suffixes = sorted({s for known in formats_called(file_format) for s in known.suffixes})
    files: dict[Path, None] = {}
    for text in inputs:
        path = Path(text).expanduser()
        if path.is_dir():
            found = [child for child in path.iterdir() if child.suffix in suffixes]
            expected = f"files ending in {', '.join(suffixes)} in this folder"
        elif path.exists():
            found, expected = [path], ""
        else:
            found = [Path(match) for match in glob.glob(str(path), recursive=True)]  # noqa: PTH207
            expected = "a file, a folder or a pattern that matches files"
        if not found:
            raise InputError(f"{text}: expected {expected}; found none")
        files.update(dict.fromkeys(sorted(found, key=_natural_order)))
    return list(files)


def convert(
    inputs: Sequence[str | Path],
    output: str | Path,
    file_format: str = "auto",
    options: ReadOptions | None = None,
    limit: int | None = None,
    progress: Progress = SILENT,
) -> int:
    """Convert files into one dataset, with one configuration in memory at a time.

    Args:
        inputs: the files, as `find_inputs` returns them.
        output: the HDF5 file; written whole or not at all.
        file_format: a name in `glassml.data.FORMATS`, or "auto".
        options: what the files do not state.
        limit: the largest number of configurations to convert. Default: all.
        progress: of the files.

    Returns:
        The number of configurations.

    Raises:
        InputError: a file cannot be read, or configurations do not belong together.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit: expected at least 1 configuration; found {limit}")
    labels = options.labels if options is not None else None
    if labels is not None and len(inputs) > 1 and "{stem}" not in labels:
        raise InputError(
            f"labels: expected a file for each of the {len(inputs)} inputs, such as "
            f"'labels/{{stem}}.txt', where {{stem}} stands for an input's name; found {labels!r}"
        )
    prefixes = _distinguishing_prefixes([Path(path) for path in inputs])
    datasets = [path for path in inputs if Path(path).suffix in DATASET_SUFFIXES]
    description = joint_description(datasets) if file_format in ("auto", "glassml") else {}
    with DatasetWriter(output, description) as writer:
        for path, prefix in progress.watch(prefixes.items(), "converting", len(prefixes)):
            remaining = None if limit is None else limit - writer.n_configurations
            if remaining == 0:
                break
            for configuration in islice(read_configurations(path, file_format, options), remaining):
                writer.add(replace(configuration, name=prefix + configuration.name))
        return writer.n_configurations


def _natural_order(path: Path) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]


def _distinguishing_prefixes(paths: Sequence[Path]) -> dict[Path, str]:
    """A prefix per file for its configurations' names; not empty if file names are not unique."""
    if len({path.stem for path in paths}) == len(paths):
        return dict.fromkeys(paths, "")
    common = Path(os.path.commonpath([path.resolve().parent for path in paths]))
    return {
        path: "".join(f"{part}-" for part in path.resolve().parent.relative_to(common).parts)
        for path in paths
    }
