"""Writing and reading model files: a TorchScript archive that carries ``manifest.json``."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, cast

import torch
from pydantic import ValidationError

from glassml.errors import ModelFileError, did_you_mean, field_problem, shown
from glassml.export.baking import bake
from glassml.export.manifest import FORMAT_VERSION, DType, Manifest, manifest_of
from glassml.export.scripting import load_script, save_script, script_model
from glassml.files import atomic_write
from glassml.models import GlassModel
from glassml.nn import ops
from glassml.pretrained import pretrained_names, pretrained_path

__all__ = ["load_module", "model_path", "read_manifest", "save_model", "write_archive"]

_MANIFEST = "manifest.json"
_DTYPES = {"float32": torch.float32, "float64": torch.float64}


def save_model(
    model: GlassModel,
    path: str | Path,
    *,
    dtype: str = "float32",
    radial: str | None = None,
    tolerance: float = 1e-4,
    training: dict[str, Any] | None = None,
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
            on a fixed test system; it and the error found go into the manifest.
        training: provenance for the manifest.

    Returns:
        The manifest that was written.

    Raises:
        ModelFileError: unknown dtype or form of the radial networks, or a tolerance that tables
            cannot reach.
        ConfigError: a tolerance that is not positive.
    """
    if dtype not in _DTYPES:
        raise ModelFileError(f"dtype: expected float32 or float64; found {dtype!r}")
    radial = radial or ("table" if dtype == "float32" else "exact")
    if radial not in ("table", "exact"):
        raise ModelFileError(f"radial: expected table or exact; found {radial!r}")
    baked, table = bake(model, tolerance, _DTYPES[dtype]) if radial == "table" else (model, None)
    manifest = manifest_of(model, cast(DType, dtype), training or {}, table)
    script = script_model(baked, _DTYPES[dtype])
    write_archive(script, manifest, path)
    return manifest


def write_archive(script: torch.jit.ScriptModule, manifest: Manifest, path: str | Path) -> None:
    """Write a model file: an exported module and its manifest."""
    buffer = save_script(script, {_MANIFEST: manifest.model_dump_json(indent=2)})
    with atomic_write(path) as partial:
        _copy_without_traces(buffer, partial)


def _copy_without_traces(archive: io.BytesIO, path: Path) -> None:
    """Leave out the records that map code to source lines.

    They are most of a small model's size and hold the folders of the machine that exported it.
    """
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                target.writestr(entry, source.read(entry))


def model_path(path: str | Path) -> Path:
    """The file itself, or that of a model that ships with glassml, given by its name."""
    file = Path(path)
    return (
        pretrained_path(str(path))
        if not file.exists() and str(path) in pretrained_names()
        else file
    )


def read_manifest(path: str | Path) -> Manifest:
    """The manifest of a model file; reads no code and no parameters.

    Raises:
        ModelFileError: the file is missing, truncated, not a glassml model, or of a format
            version that this glassml does not know.
    """
    file = model_path(path)
    if not file.is_file():
        raise ModelFileError(
            f"{file}: no such model file, nor one that ships with glassml "
            f"({', '.join(pretrained_names())}){did_you_mean(file.name, pretrained_names())}"
        )
    try:
        with zipfile.ZipFile(file) as archive:
            names = [n for n in archive.namelist() if n.endswith(f"/extra/{_MANIFEST}")]
            text = archive.read(names[0]) if names else None
    except (zipfile.BadZipFile, OSError) as error:
        raise ModelFileError(
            f"{file}: expected a model file written by `glassml export`; found a file that is "
            f"truncated or of another kind ({error})"
        ) from None
    if text is None:
        raise ModelFileError(
            f"{file}: expected a model file written by `glassml export`; found an archive "
            f"without {_MANIFEST}"
        )
    return _parse(file, text)


def _parse(file: Path, text: bytes) -> Manifest:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ModelFileError(
            f"{file}: {_MANIFEST}: expected JSON; found something else or a part ({error}); "
            "export the model again"
        ) from None
    if not isinstance(content, dict) or "format_version" not in content:
        found = ", ".join(content) if isinstance(content, dict) else shown(content)
        raise ModelFileError(
            f"{file}: {_MANIFEST}: expected the field format_version; found {found or 'no fields'}"
        )
    version = content["format_version"]
    if version != FORMAT_VERSION:
        raise ModelFileError(
            f"{file}: format version {version}; this glassml knows version {FORMAT_VERSION}. "
            f"Export the model again, or use the glassml that wrote it "
            f"({content.get('glassml_version', 'unknown')})"
        )
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        problems = [_problem(dict(item)) for item in error.errors()]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ModelFileError(
            f"{file}: {_MANIFEST}: {problems[0]}{more}; export the model again"
        ) from None


def _problem(error: dict[str, Any]) -> str:
    """One of pydantic's errors on a manifest: the field, what was expected, what was found."""
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"field '{field}': expected a value; found nothing"
    if error["type"] == "extra_forbidden":
        return f"field '{field}': expected no such field; found {shown(error['input'])}"
    if not field:  # what the manifest's own check says: "field: expected ...; found ..."
        field, _, text = str(error["msg"]).removeprefix("Value error, ").partition(": ")
        return f"field '{field}': {text}"
    return f"field '{field}': {field_problem(error)}"


def load_module(path: str | Path, device: torch.device) -> torch.jit.ScriptModule:
    """The TorchScript module of a model file, in evaluation mode.

    TorchScript archives hold tensors and TorchScript code; loading one runs no Python.

    Raises:
        ModelFileError: the file is damaged.
    """
    ops.load()
    try:
        return load_script(str(model_path(path)), device)
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelFileError(f"{path}: the model cannot be loaded: {reason}") from None
