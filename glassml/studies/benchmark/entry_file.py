"""What takes part in the benchmark: a recipe, an exported model, or predictions alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from glassml.data import POSITIONS
from glassml.errors import ConfigError, InputError, did_you_mean, not_one_of
from glassml.inference import check_settings
from glassml.models import available, untrained_models
from glassml.settings import read_yaml, validated

__all__ = ["Entry", "Reads", "Refit", "load_entry"]

_PREDICTIONS = (".npz", ".csv")
_WAYS = ("train", "refit", "model", "predictions")
# Of the section `data` of a training: what the task decides.
_OF_THE_TASK = ("train", "validation", "exclude", "split_seed")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _positions(value: Any) -> Any:
    if value not in POSITIONS:
        raise ValueError(f"expected one of {', '.join(POSITIONS)}")
    return value


_Positions = Annotated[str, BeforeValidator(_positions)]


class Reads(_Part):
    """What predictions are made from."""

    positions: _Positions = Field(
        description="`thermal`, `average`, `inherent` or `cage`; those that are most expensive to "
        "get, if there are several"
    )
    scalars: tuple[str, ...] = Field(
        default=(), description="per-particle scalars, such as `inherent_energy`"
    )

    def __str__(self) -> str:
        shown: list[str] = []
        for name in self.scalars:  # a vector, such as inherent_shift_x, _y and _z, once
            vector = name[:-2] if name.endswith(("_shift_x", "_shift_y", "_shift_z")) else name
            shown += [vector] if vector not in shown else []
        return " + ".join((self.positions, *shown))


def _reads(value: Any) -> Any:
    return {"positions": value} if isinstance(value, str) else value


def _of_fold(name: str, fold: int) -> str:
    return name.replace("{fold}", str(fold))


class Refit(_Part):
    """Linear decoders that are fitted to descriptors, as `glassml refit` does."""

    model: str = Field(
        default="structural",
        description="descriptors of the registry that need no training, or a model file; `{fold}` "
        "in its name stands for the number of the fold, from 1",
    )
    positions: _Positions = Field(
        default="thermal", description="what descriptors of the registry are calculated from"
    )
    scalars: tuple[str, ...] = Field(default=(), description="per-particle scalars that they read")
    settings: dict[str, Any] = Field(
        default={},
        description="hyperparameters of descriptors of the registry; lengths in the unit of the "
        "data",
    )
    label_noise: float = Field(
        default=0.0, ge=0, description="labels of R runs have the weight R / (R + this) in the fit"
    )

    def of_fold(self, fold: int) -> Refit:
        """The same with the model of a fold, counted from 1."""
        return self.model_copy(update={"model": _of_fold(self.model, fold)})


def _stages(value: Any) -> Any:
    stages = [value] if isinstance(value, dict) else value
    if not isinstance(stages, list | tuple) or not stages:
        raise ValueError("expected sections model and training, or a list of such stages")
    for stage in stages:
        if not isinstance(stage, dict) or not set(stage) <= {"data", "model", "training"}:
            raise ValueError("expected the sections data, model and training of `glassml train`")
        given = stage.get("data") or {}
        taken = [name for name in _OF_THE_TASK if name in given]
        if taken:
            raise ValueError(f"expected no data.{taken[0]}, which the task decides; found one")
    return tuple(stages)


class Entry(_Part):
    """One entry. Exactly one of ``train``, ``refit``, ``model`` and ``predictions`` is given."""

    name: str = Field(default="", description="name in tables; the name of the file by default")
    train: Annotated[tuple[dict[str, Any], ...] | None, BeforeValidator(_stages)] = Field(
        default=None,
        description="sections `model`, `training` and `data` of `glassml train`, without the "
        "datasets; or a list of such stages, each of which starts from the one before",
    )
    refit: Refit | None = Field(default=None, description="decoders fitted to descriptors")
    model: str | None = Field(
        default=None,
        description="model file; `{fold}` as in `refit.model`",
    )
    predictions: str | None = Field(
        default=None,
        description="npz or CSV file of predictions, as of `glassml evaluate --predictions`; "
        "`{fold}` as in `refit.model`",
    )
    reads: Annotated[Reads | None, BeforeValidator(_reads)] = Field(
        default=None,
        description="positions that predictions were made from, or a section `positions`, "
        "`scalars`; needed for predictions, as model files say it themselves",
    )
    parameters: int | None = Field(
        default=None, ge=0, description="of predictions: number of fitted parameters, if known"
    )
    citation: str = Field(default="", description="publication, if the model does not name it")
    published_as: str = Field(
        default="", description="name of the same model among the published curves"
    )
    note: str = Field(default="", description="what a reader of the table should know")

    @model_validator(mode="after")
    def _is_one_of(self) -> Entry:
        given = [way for way in _WAYS if getattr(self, way) is not None]
        if len(given) != 1:
            raise ValueError(
                f"expected exactly one of {', '.join(_WAYS)}; found {', '.join(given) or 'none'}"
            )
        if self.predictions is not None and self.reads is None:
            raise ValueError(
                f"reads: expected the positions that the predictions were made from "
                f"({', '.join(POSITIONS)}); found none"
            )
        if self.predictions is None and self.reads is not None:
            raise ValueError("reads: expected none, as the model says it itself; found some")
        return self

    @property
    def way(self) -> str:
        """How it takes part: ``train``, ``refit``, ``model`` or ``predictions``."""
        return next(way for way in _WAYS if getattr(self, way) is not None)

    def file(self, fold: int) -> Path:
        """The model file or the predictions of a fold, counted from 1.

        Raises:
            InputError: there is no such file.
        """
        path = Path(_of_fold(self.model or self.predictions or "", fold))
        if not path.is_file():
            kind = "a model file" if self.model else "predictions (.npz or .csv)"
            raise InputError(f"{path}: expected {kind} for fold {fold}; found no such file")
        return path


def load_entry(text: str, reads: str | None = None) -> Entry:
    """The checked entry that a user names.

    Args:
        text: an entry file (.yaml); a model file (.pt); predictions (.npz or .csv); or the name of
            a model of the registry, which is then fitted with default settings.
        reads: positions that predictions were made from.

    Raises:
        ConfigError: there is no such file or model, or a field is unknown or has a wrong value.
    """
    path = Path(text)
    if path.suffix in (".yaml", ".yml"):
        entry = validated(Entry, read_yaml(path, Entry), text)
        _check_models(entry, text)
        return _named(_beside(entry, path), path.stem)
    values: dict[str, Any] = {}
    if path.suffix == ".pt" or path.suffix in _PREDICTIONS:
        if not path.is_file() and "{fold}" not in text:
            raise ConfigError(f"{text}: expected a model file or predictions; found no such file")
        values = {"model": text} if path.suffix == ".pt" else {"predictions": text, "reads": reads}
        stem = path.stem.replace("{fold}", "").strip("-_ ") or path.parent.name
        if path.suffix in _PREDICTIONS and reads is None:
            raise ConfigError(
                f"--reads: expected the positions that {text} was predicted from "
                f"({', '.join(POSITIONS)}); found none"
            )
        return _named(validated(Entry, values, text), stem)
    if text not in available():
        raise ConfigError(
            f"entry: expected an entry file (.yaml), a model file (.pt), predictions (.npz, .csv) "
            f"or one of the models {', '.join(available())}; found {text!r}"
            f"{did_you_mean(text, available())}"
        )
    fitted = text in untrained_models()
    values = {"refit": {"model": text}} if fitted else {"train": {"model": {"name": text}}}
    return _named(validated(Entry, values, text), text)


def _named(entry: Entry, stem: str) -> Entry:
    name = entry.name or stem
    if "/" in name or name.startswith("."):
        raise ConfigError(f"name: expected a name that a folder can have; found {name!r}")
    return entry.model_copy(update={"name": name})


def _beside(entry: Entry, path: Path) -> Entry:
    """The entry with its files relative to the working folder, as they are to the entry file."""
    changes = {
        way: str(path.parent / str(getattr(entry, way)))
        for way in ("model", "predictions")
        if getattr(entry, way) is not None
    }
    if entry.refit is not None and entry.refit.model.endswith(".pt"):
        model = str(path.parent / entry.refit.model)
        changes["refit"] = entry.refit.model_copy(update={"model": model})  # type: ignore[assignment]
    return entry.model_copy(update=changes)


def _check_models(entry: Entry, source: str) -> None:
    """Say at once that a model does not exist."""
    names = [stage.get("model", {}).get("name", "se3gnn") for stage in entry.train or ()]
    for name in names:
        if name not in available():
            raise ConfigError(f"{source}: train.model.name: {not_one_of(name, available())}")
    if entry.refit is None or not entry.refit.settings:
        return
    if entry.refit.model not in untrained_models():
        raise ConfigError(
            f"{source}: refit.settings: expected none for {entry.refit.model}, as they are for "
            f"{', '.join(untrained_models())}; found {', '.join(entry.refit.settings)}"
        )
    try:
        check_settings(entry.refit.model, entry.refit.settings)
    except ConfigError as error:
        raise ConfigError(f"{source}: refit.{error}") from None
