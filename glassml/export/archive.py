"""Writing and reading model files: a TorchScript archive that carries ``manifest.json``."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import cast

import torch
from pydantic import ValidationError

from glassml.domain import Domain
from glassml.errors import ModelFileError, ModelFileWarning, did_you_mean, shown
from glassml.export.archive_check import (
    LARGEST_FILE,
    MANIFEST,
    UNREADABLE,
    check_archive,
    open_archive,
)
from glassml.export.baking import bake
from glassml.export.manifest import (
    FORMAT_VERSION,
    FORMAT_VERSIONS_READ,
    DType,
    Manifest,
    manifest_of,
)
from glassml.export.scripting import load_script, save_script, script_model
from glassml.files import atomic_write
from glassml.models import GlassModel
from glassml.nn import ops
from glassml.pretrained import pretrained_names, pretrained_path
from glassml.provenance import TrainingRecord, first_problem, migrated_training

__all__ = [
    "load_module",
    "model_path",
    "read_manifest",
    "rewrite_manifest",
    "save_model",
    "write_archive",
]

_MANIFEST = "manifest.json"
_IN_ARCHIVE = f"/{MANIFEST}"
_DTYPES = {"float32": torch.float32, "float64": torch.float64}


def save_model(
    model: GlassModel,
    path: str | Path,
    *,
    dtype: str = "float32",
    radial: str | None = None,
    tolerance: float = 1e-4,
    training: TrainingRecord | None = None,
) -> Manifest:
    """Export a model: the one file that LAMMPS, ASE and offline prediction run.

    Args:
        model: a model of the registry; it is copied, put into evaluation mode and converted.
        path: the file to write (complete, or not at all).
        dtype: "float32" or "float64".
        radial: "table" (the default in float32) replaces each radial network by a table, which is
            several times faster; "exact" (the default in float64) keeps it. A model that was
            trained with ``radial_table`` keeps its tables in any case.
        tolerance: largest relative error of the outputs that tables and their rounding may cause,
            on fixed test systems. The manifest records the tolerance and the measured error.
        training: its training record, for the manifest; None if it was never trained.

    Returns:
        The manifest that was written.

    Raises:
        ModelFileError: unknown dtype or form of the radial networks, or a tolerance that tables
            cannot reach.
        ConfigError: a tolerance that is not positive.

    Warns:
        ModelFileWarning: the code names operators that no engine runs without ``trust``.
    """
    if dtype not in _DTYPES:
        raise ModelFileError(f"dtype: expected float32 or float64; found {dtype!r}")
    radial = radial or ("table" if dtype == "float32" else "exact")
    if radial not in ("table", "exact"):
        raise ModelFileError(f"radial: expected table or exact; found {radial!r}")
    baked, table = bake(model, tolerance, _DTYPES[dtype]) if radial == "table" else (model, None)
    manifest = manifest_of(model, cast(DType, dtype), training or TrainingRecord(), table)
    script = script_model(baked, _DTYPES[dtype])
    write_archive(script, manifest, path)
    try:
        check_archive(Path(path), _content(Path(path)))
    except ModelFileError as problem:  # of a model that is not ours
        warnings.warn(str(problem), ModelFileWarning, stacklevel=2)
    return manifest


def write_archive(script: torch.jit.ScriptModule, manifest: Manifest, path: str | Path) -> None:
    """Write a model file: an exported module and its manifest."""
    buffer = save_script(script, {_MANIFEST: ""})
    with atomic_write(path) as partial:
        _copy_with_manifest(buffer, manifest, partial)


def rewrite_manifest(
    path: str | Path,
    output: str | Path,
    *,
    training: TrainingRecord | None = None,
    domain: Domain | None = None,
) -> Manifest:
    """Write a copy of a model file with a manifest of the current format.

    Code and tensors are copied byte by byte.

    Args:
        path: model file, or the name of a model that ships with glassml.
        output: the file to write (complete, or not at all); may be ``path``.
        training: the training record to write; None: that of the file.
        domain: what the training data were like; None: as the file says.

    Returns:
        The manifest that was written.

    Raises:
        ModelFileError: see `read_manifest`.
    """
    manifest = read_manifest(path)
    if training is not None:
        manifest = manifest.model_copy(update={"training": training})
    if domain is not None:
        manifest = manifest.model_copy(update={"domain": domain})
    content = _content(model_path(path))
    check_archive(model_path(path), content, trust=True)  # whole; no code runs here
    with atomic_write(output) as partial:
        return _copy_with_manifest(io.BytesIO(content), manifest, partial)


def _copy_with_manifest(archive: io.BytesIO, manifest: Manifest, path: Path) -> Manifest:
    """Copy an archive with another manifest, without the records that map code to source lines.

    Those are most of a small model's size and hold the folders of the machine that exported it.
    """
    written = manifest.model_copy(update={"format_version": FORMAT_VERSION})
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            if entry.filename.endswith(_IN_ARCHIVE):
                target.writestr(entry, written.model_dump_json(indent=2))
            elif not entry.filename.endswith(".debug_pkl"):
                target.writestr(entry, source.read(entry))
    return written


def model_path(path: str | Path) -> Path:
    """The path as given, or the file of the shipped model of that name."""
    file = Path(path)
    return (
        pretrained_path(str(path))
        if not file.exists() and str(path) in pretrained_names()
        else file
    )


def read_manifest(path: str | Path) -> Manifest:
    """The manifest of a model file; reads no code and no parameters.

    The training record of a file of format 1 is converted to the current format.

    Raises:
        ModelFileError: the file is missing, truncated, not a glassml model, or of a format
            version that this glassml does not know.
    """
    file = model_path(path)
    if not file.is_file():
        raise ModelFileError(
            f"{file}: expected a model file, or the name of one that ships with glassml "
            f"({', '.join(pretrained_names())}); found none"
            f"{did_you_mean(file.name, pretrained_names())}"
        )
    with open_archive(file, _content(file)) as archive:
        names = [n for n in archive.namelist() if n.endswith(_IN_ARCHIVE)]
        if not names:
            raise ModelFileError(
                f"{file}: expected a model file written by `glassml export`; found an archive "
                f"without {_MANIFEST}"
            )
        try:
            text = archive.read(names[0])
        except UNREADABLE as error:
            raise ModelFileError(
                f"{file}: {_MANIFEST}: expected the bytes that were written; found others "
                f"({error}). The file is damaged. Copy it again, or export the model again"
            ) from None
    return _parse(file, text)


def _content(file: Path) -> bytes:
    """All bytes of a model file: what was checked is what is loaded."""
    try:
        size = file.stat().st_size
        if size <= LARGEST_FILE:
            return file.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{file}: cannot be read ({error.strerror})") from None
    raise ModelFileError(
        f"{file}: expected a model file of at most {LARGEST_FILE // 2**20} MB; found "
        f"{size / 2**20:.0f} MB"
    )


def _parse(file: Path, text: bytes) -> Manifest:
    try:
        content = json.loads(text)
    except RecursionError:
        raise ModelFileError(
            f"{file}: {_MANIFEST}: expected lists in lists as in a manifest; found them nested "
            "too deeply. Export the model again"
        ) from None
    except ValueError as error:
        raise ModelFileError(
            f"{file}: {_MANIFEST}: expected JSON; found other or truncated text ({error}). "
            "Export the model again"
        ) from None
    if not isinstance(content, dict) or "format_version" not in content:
        found = ", ".join(content) if isinstance(content, dict) else shown(content)
        raise ModelFileError(
            f"{file}: {_MANIFEST}: expected the field format_version; found {found or 'no fields'}"
        )
    version = content["format_version"]
    if version not in FORMAT_VERSIONS_READ:
        *others, newest = map(str, FORMAT_VERSIONS_READ)
        known = f"{', '.join(others)} and {newest}"
        raise ModelFileError(
            f"{file}: format version: expected {known}, which this glassml knows; found {version}. "
            f"Export the model again, or use the glassml that wrote it "
            f"({content.get('glassml_version', 'unknown')})"
        )
    try:
        if version == 1:
            content["training"] = migrated_training(content.get("training", {}))
    except ValidationError as error:
        raise _wrong_field(file, error, "training") from None
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise _wrong_field(file, error) from None


def _wrong_field(file: Path, error: ValidationError, inside: str = "") -> ModelFileError:
    field, text = first_problem(error, inside)
    return ModelFileError(f"{file}: {_MANIFEST}: field '{field}': {text}. Export the model again")


def load_module(
    path: str | Path, device: torch.device, *, trust: bool = False
) -> torch.jit.ScriptModule:
    """The TorchScript module of a model file, in evaluation mode.

    All that it holds is checked before it is loaded (`glassml.export.archive_check`).

    Args:
        path: model file, or the name of a model that ships with glassml.
        device: where the module runs.
        trust: do not check the code. It can do anything that the user may do.

    Raises:
        ModelFileError: the file is damaged, or its code does more than to calculate.
    """
    ops.load()
    content = _content(model_path(path))
    try:
        check_archive(model_path(path), content, trust=trust)
        return load_script(io.BytesIO(content), device)
    except (RuntimeError, ValueError, IndexError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelFileError(
            f"{path}: expected a model that torch loads; found one that it refuses ({reason})"
        ) from None
