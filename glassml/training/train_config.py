"""The configuration of a training run: every setting, its accepted values and its default.

The defaults are the most accurate recipe for ten configurations (examples/few_configurations;
docs/results/few_configurations.md has the measurements). The published recipe of F. S. Pezzicoli,
G. Charpiat and F. P. Landes, SciPost Phys. 16, 136 (2024), appendix A 4, is
examples/train/se3gnn_v2.yaml. The tables in docs/reference/training_settings.md are made from the
descriptions below (docs/make_reference.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from glassml.errors import ConfigError, did_you_mean, not_one_of
from glassml.models import available, parameters_of, trained_by
from glassml.settings import apply_overrides, read_yaml, validated
from glassml.training.accepted import (
    cache_folder,
    listed,
    optional_paths,
    paths,
    validation_side,
)
from glassml.training.loss_config import (
    LossConfig,
    Monitor,
    StageConfig,
    check_epochs_of_stages,
    with_epochs_of_stages,
)
from glassml.training.optimisation_config import (
    EarlyStoppingConfig,
    OptimiserConfig,
    ScheduleConfig,
    Section,
)

__all__ = [
    "DataConfig",
    "EarlyStoppingConfig",
    "ModelConfig",
    "OptimiserConfig",
    "ScheduleConfig",
    "TrainConfig",
    "TrainingConfig",
    "load_config",
    "parse_config",
]

# Arguments of every model that the data determine, so a configuration cannot set them.
FROM_DATA = ("species", "times", "scalar_inputs", "length_unit")
_COMMAND = "glassml train"


class DataConfig(Section):
    """Labelled configurations to train on, and those to validate the model on."""

    train: Annotated[tuple[Path, ...], BeforeValidator(paths)] = Field(
        description="path of an HDF5 dataset, the name of one that ships with glassml "
        "(`kob_andersen_T0.64`), or a list of these"
    )
    validation: Annotated[float | str | tuple[str, ...], BeforeValidator(validation_side)] = Field(
        default=0.2,
        description="path of another HDF5 dataset; a fraction of the training configurations, "
        "drawn at random; or a list of names of training configurations (after conversion, the "
        "names of the files they come from)",
    )
    split_seed: NonNegativeInt = Field(
        default=0,
        description="seed of the random choice when `data.validation` is a fraction; separate "
        "from `training.seed`, so that several seeds share one split",
    )
    exclude: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        default=(),
        description="names of configurations of `data.train` to leave out, before a fraction is "
        "drawn for validation",
    )
    positions: Literal["thermal", "average", "inherent", "cage"] = Field(
        default="thermal",
        description="positions that the model reads: `thermal`, `average` (over a window of the "
        "trajectory, `glassml average`), or those of the `inherent` structure (`glassml quench`) "
        "or the `cage`, which the dataset must hold; the manifest of the exported model records "
        "which",
    )
    windows: PositiveInt | None = Field(
        default=None,
        description="with averaged positions: how many windows of each training configuration are "
        "used, of which one is drawn for every epoch; null: all. Validation reads the first window",
    )
    reversed: Annotated[tuple[Path, ...], BeforeValidator(optional_paths)] = Field(
        default=(),
        description="datasets of `glassml data reverse`; runs that started from a configuration "
        "that is not trained on are left out",
    )
    reversed_share: PositiveFloat = Field(
        default=2.0,
        description="reversed runs per training configuration in an epoch, drawn anew for every "
        "epoch; each has the weight of all reversed runs divided by the number drawn",
    )
    scalars: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        default=(),
        description="per-particle scalars that the model reads: scalars of the dataset, or "
        "`inherent_displacement` and `cage_displacement`, the distance of a particle from its "
        "thermal position in these structures. `average_energy` and `average_displacement` come "
        "from the window of averaged positions, and so does `vibration`, which is short-time "
        "dynamics rather than structure",
    )
    cache: bool = Field(
        default=True,
        description="keep all graphs in memory (in float32 about 1 kB per particle with 40 "
        "neighbours) instead of reading a configuration whenever it is needed",
    )
    graph_cache: Annotated[str | None, BeforeValidator(cache_folder)] = Field(
        default="auto",
        description="folder that keeps the edges of graphs for later epochs and runs; `auto`: "
        "`glassml/graphs` in the user's cache folder (`$XDG_CACHE_HOME` or `~/.cache`); null: none",
    )
    graph_cache_gb: NonNegativeFloat = Field(
        default=10.0,
        description="largest size of this folder in GB; the least recently used graphs are "
        "deleted, but none that was used within the last hour",
    )

    @field_validator("scalars", "exclude")
    @classmethod
    def _different(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("expected different names")
        return value


class ModelConfig(BaseModel):
    """A model of the registry: its name and any of its hyperparameters (see its class)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(
        default="se3gnn",
        description="a model of the registry; further fields of this section are its "
        "hyperparameters (`cutoff`, `l_max`, `channels`, `n_layers`, `dropout`, ...). A cutoff "
        "that is not given follows the material: 2.125 mean spacings of its particles, within "
        "which they have 40 neighbours (14 in two dimensions); for the Kob-Andersen liquid "
        "2 sigma. `se3gnn` is "
        "`se3gnn-v2` with l_max 2, 6 layers, no dropout, tables of 513 knots and a batch norm "
        "momentum of 0.1",
    )

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters that were given; the model knows the values of the others."""
        return dict(self.model_extra or {})


class TrainingConfig(Section):
    """How the model is trained."""

    epochs: PositiveInt = Field(
        default=100,
        description="passes over the training data; with `stages` the sum of theirs, which needs "
        "not be given",
    )
    batch_size: PositiveInt = Field(
        default=1, description="configurations per step, on each device"
    )
    optimiser: OptimiserConfig = Field(
        default_factory=OptimiserConfig, description="how steps are made from gradients"
    )
    schedule: ScheduleConfig = Field(
        default_factory=ScheduleConfig, description="how the learning rate falls"
    )
    loss: LossConfig = Field(default_factory=LossConfig, description="what is minimised")
    stages: tuple[StageConfig, ...] = Field(
        default=(),
        description="stages that follow each other: each with `epochs`, and optionally `lr`, "
        "`schedule`, `loss`, `early_stopping` and `monitor`, which replace those of this section. "
        "Each begins with the best epoch of the one before, and with a new optimiser; the best "
        "epoch of the last is exported. []: one stage",
    )
    early_stopping: EarlyStoppingConfig | None = Field(
        default=None,
        description="null, or a section with `patience` (epochs) and `min_delta`; a run that stops "
        "early says so",
    )
    time_limit: PositiveFloat | None = Field(
        default=None,
        description="largest time of all epochs together [s], also over interruptions: the run "
        "ends before an epoch that would exceed it, after one epoch at least; null: no limit. A "
        "learning rate that falls as a cosine has not reached 0 then",
    )
    processor_limit: PositiveFloat | None = Field(
        default=None,
        description="the same for the time that the process computes in all its threads [s], which "
        "depends less on what else runs on the machine",
    )
    monitor: Monitor = Field(
        default="pearson_mean",
        description="validation quantity that decides which epoch is the best and when to stop "
        "early: `pearson_mean`, `pearson_all` (of the first species, averaged over times), "
        "`loss`, or with `bond_weight` those of the edges, `bond_pearson` and `bond_loss`",
    )
    standardise: bool = Field(
        default=True,
        description="learn labels in units of their standard deviation, per species and time; "
        "mean and scale become part of the model, which predicts physical units",
    )
    standardise_scalars: bool = Field(
        default=True,
        description="scale the scalar inputs in the same way, to zero mean and unit variance",
    )
    label_noise: NonNegativeFloat = Field(
        default=12.0,
        description="labels that are averages over R runs have the weight R / (R + this) in the "
        "loss; the value is the number of runs whose noise is as large as the model's own error",
    )
    weight_averaging: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.99,
        description="decay per step of an exponential moving average of the parameters, which "
        "is validated and exported; 0: no averaging",
    )
    species_weight: dict[str, NonNegativeFloat] | None = Field(
        default=None,
        description="weight of each species' particles in the loss, such as `{B: 0}` to learn "
        "from A alone; null: 1 for every species and every model. `se3gnn-v1` has one decoder for "
        "all species and was published trained on A alone, so its recipe needs `{B: 0}`",
    )
    bond_weight: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0,
        description="share of the loss that is about edges, for models that predict their bond "
        "displacements (`botan`): 0 trains on particles alone, 1 on edges alone, which is how "
        "BOTAN is trained first; published then: 0.6. Needs the final positions of the runs "
        "(`glassml data convert --final-positions`)",
    )
    augmentation: Literal["none", "axes"] | None = Field(
        default=None,
        description="`axes`: in every step the axes of each configuration are permuted and "
        "reflected at random; `none`; null: `axes` for models that are not rotation-invariant "
        "(`bapst`, `botan`), `none` for others",
    )
    start_from: Path | None = Field(
        default=None,
        description="run folder or checkpoint of the same model, whose parameters, means and "
        "scales the training begins with, so its first predictions are those of that model; null: "
        "random ones. Published weights become a checkpoint by `glassml import`",
    )
    gradient_clip: PositiveFloat | None = Field(
        default=1.0, description="largest norm of the gradient; null: no limit"
    )
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = Field(
        default=0,
        description="seed of the initial parameters, of dropout and of the order of "
        "configurations; at most 4294967295",
    )
    dtype: Literal["float32", "float64"] = Field(
        default="float32", description="`float32` or `float64`"
    )
    accelerator: Literal["auto", "cpu", "gpu"] = Field(
        default="auto", description="`cpu`, `gpu`, or `auto`: a GPU if there is one"
    )
    devices: PositiveInt | Literal["auto"] = Field(
        default=1,
        description="number of devices, each with its own process, or `auto`: all of them",
    )

    @model_validator(mode="before")
    @classmethod
    def _epochs_of_stages(cls, value: Any) -> Any:
        return with_epochs_of_stages(value)

    @field_validator("stages")
    @classmethod
    def _same_epochs(cls, value: Any, info: ValidationInfo) -> Any:
        check_epochs_of_stages(value, info.data.get("epochs"))
        return value

    @field_validator("devices", mode="before")
    @classmethod
    def _number_or_auto(cls, value: Any) -> Any:
        # To Python true is the number 1.
        if value != "auto" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError("expected a positive number of devices or auto")
        return value


class TrainConfig(Section):
    """A whole training run."""

    data: DataConfig = Field(description="what the model learns from")
    model: ModelConfig = Field(default_factory=ModelConfig, description="the network")
    training: TrainingConfig = Field(
        default_factory=TrainingConfig, description="how the network is trained"
    )
    output: Path | None = Field(
        default=None,
        description="run folder, which must not exist yet; null: `runs/<name of the file>`",
    )

    @model_validator(mode="after")
    def _edges_fit(self) -> TrainConfig:
        share = self.training.bond_weight
        if share > 0 and self.data.reversed:
            raise ValueError(
                f"training.bond_weight: expected 0 with data.reversed, as a reversed run says "
                f"nothing about the mean over runs of a pair; found {share:g}"
            )
        for monitor in (self.training.monitor, *(s.monitor for s in self.training.stages)):
            if monitor is not None and share == 0 and monitor.startswith("bond"):
                raise ValueError(
                    "training.monitor: expected a quantity of particles, as training.bond_weight "
                    f"is 0; found {monitor}"
                )
            if monitor is not None and share == 1 and not monitor.startswith("bond"):
                raise ValueError(
                    "training.monitor: expected bond_pearson or bond_loss, as training.bond_weight "
                    f"is 1 and particles are not trained on; found {monitor}"
                )
        return self

    @model_validator(mode="before")
    @classmethod
    def _data_is_needed(cls, value: Any) -> Any:
        # "data: Field required" would not say what to write there.
        if isinstance(value, dict) and not (value.get("data") or {}):
            return {**value, "data": {}}
        return value


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """The checked configuration of a YAML file.

    Args:
        path: YAML file with the sections of `TrainConfig`.
        overrides: ``section.field=value`` each; the value is read as YAML.

    Raises:
        ConfigError: the file cannot be read, or a field is unknown or has a wrong value.
    """
    values = apply_overrides(read_yaml(path, TrainConfig), overrides, "training.epochs=20")
    config = parse_config(values, source=str(path))
    if config.output is None:
        config = config.model_copy(update={"output": Path("runs") / Path(path).stem})
    return config


def parse_config(values: Mapping[str, Any], source: str = "configuration") -> TrainConfig:
    """Check nested values and fill in the defaults.

    Args:
        values: nested mappings with the fields of `TrainConfig`.
        source: where they come from, for messages.

    Raises:
        ConfigError: a field is unknown, missing or has a wrong value; one line for each.
    """
    config = validated(TrainConfig, values, source)
    _check_model(config, source)
    return config


def _check_model(config: TrainConfig, source: str) -> None:
    name, given = config.model.name, config.model.hyperparameters
    if name not in available():
        raise ConfigError(f"{source}: model.name: {not_one_of(name, available())}")
    if trained_by(name) != _COMMAND:
        raise ConfigError(
            f"{source}: model.name: expected a model that `{_COMMAND}` trains; found {name!r}, "
            f"which `{trained_by(name)}` trains"
        )
    known = [key for key in parameters_of(name) if key not in FROM_DATA]
    for key in given:
        if key in FROM_DATA:
            where = "data.scalars" if key == "scalar_inputs" else "the dataset"
            raise ConfigError(
                f"{source}: model.{key}: expected no value, as it comes from {where}; found one"
            )
        if key not in known:
            raise ConfigError(
                f"{source}: model: expected hyperparameters of {name} ({', '.join(known)}); found "
                f"{key!r}{did_you_mean(key, known)}"
            )
