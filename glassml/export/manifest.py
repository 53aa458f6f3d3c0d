"""The manifest: the description of an exported model, on which all engines rely."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

import glassml
from glassml.data import AVERAGE, THERMAL, Window, reads_window
from glassml.domain import Domain
from glassml.models import GlassModel, Output
from glassml.models.limits import LARGEST_CUTOFF, MOST_COLUMNS, MOST_STEPS
from glassml.provenance import TrainingRecord

__all__ = [
    "FORMAT_VERSION",
    "FORMAT_VERSIONS_READ",
    "Manifest",
    "OutputEntry",
    "RadialTableEntry",
    "ScalarEntry",
    "manifest_of",
]

#: The format version of model files that are written.
FORMAT_VERSION: Final = 5
#: The format versions that are read.
FORMAT_VERSIONS_READ = (1, 2, 3, 4, 5)

DType = Literal["float32", "float64"]
Positions = Literal["thermal", "average", "inherent", "cage"]  # glassml.data.POSITIONS


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScalarEntry(_Entry):
    """A per-particle scalar that the model needs.

    Attributes:
        name: by which data and engines know it, such as "potential_energy".
        meaning: what it is, in words.
        dimension: in brackets: "[energy]", "[length]", "[-]" for none.
    """

    name: str
    meaning: str
    dimension: str


class OutputEntry(_Entry):
    """An output: the method of the module that gives it, and its columns.

    Attributes:
        name: of the method, such as "propensity". It takes the final state [n, W_n] and returns
            [n, columns]; that of an output of edges takes the edges after the last step [E, F] and
            returns [E, columns].
        columns: names of the columns, such as "propensity_t=4120".
        dimension: of the values, in brackets: "[length]", "[-]" for none.
        times: time of each column [time]; None if the columns are no times.
        irreps: for equivariant features their irreps in the notation of e3nn; None for invariants.
    """

    name: str
    columns: tuple[str, ...] = Field(min_length=1, max_length=MOST_COLUMNS)
    dimension: str
    times: tuple[float, ...] | None = None
    irreps: str | None = None


class RadialTableEntry(_Entry):
    """Tables in place of the radial networks, and what they cost in accuracy.

    The error compares with the trained model in float64, on fixed test systems
    (`glassml.export.baking`). That model evaluates a network on every edge, or the same tables if
    it was trained with tables (hyperparameter ``radial_table``).

    Attributes:
        knots: number of distances that are tabulated; in a committee that of the tables made at
            export or, if there are none, the largest of any member.
        tolerance: largest error that was allowed at export, relative as ``measured_error`` is [-].
        measured_error: the largest difference of an output of this file, in its own precision, from
            that of the trained model, over the largest value of that output (for
            ``propensity_std`` over that of ``propensity``) [-].
    """

    knots: int = Field(ge=2)
    tolerance: float = Field(gt=0)
    measured_error: float = Field(ge=0)


class Manifest(_Entry):
    """Contents of ``manifest.json`` inside a model file (see ARCHITECTURE.md).

    Attributes:
        format: always the same; says what kind of file this is.
        format_version: of the file. `read_manifest` converts the contents of older files, and files
            are written in `FORMAT_VERSION`.
        glassml_version: the glassml that exported the model.
        model: name of the network in the registry, such as "se3gnn-v2".
        hyperparameters: of the network, which defines their names.
        n_parameters: number of its parameters.
        species: names of the species in the order of their indices in the model.
        cutoff: distance [length] within which particles are neighbours.
        length_unit: unit of positions, cutoff and propensity: "lj", "angstrom", "nm", ...
        positions: which positions of the particles the model reads: their own (thermal), those
            averaged over a window, or those of their inherent structure or cage.
        window: how averaged positions and scalars are made; None if the model reads none.
        domain: what the training data were like; None if this is unknown, as in files of formats 1
            and 2.
        dtype: precision of parameters, inputs and outputs.
        n_steps: number n of message-passing steps.
        state_widths: W_0..W_n [-]. W_k is the width of the node state before step k, W_n that of
            the final state.
        sent_widths: S_0..S_(n-1) [-]. The first S_k columns of the state are what an engine must
            send to other domains before step k; null, as in files of formats 1 to 3: all W_k.
        summed_widths: T_0..T_n [-]. Before step k, and before the outputs for k = n, the method
            ``summands`` gives T_k numbers of each particle. An engine sums them over the whole
            system, in float64, and the method ``settle`` completes the state with the sums. null,
            as in files of formats 1 to 4: no sums.
        edge_width: columns F that edges remember [-]: the method ``advance`` renews them. 0 if they
            have no memory.
        rotation_invariant: whether the propensity is the same for a rotated system.
        scalar_inputs: further inputs of every particle, in the order of the columns of ``scalars``.
        outputs: what the model predicts for particles.
        edge_outputs: what it predicts for edges, if it was trained for that.
        radial_table: tables in place of the radial networks; None if the file keeps the networks.
        training: how the model was trained.
        citations: publications to cite when using the model.
    """

    format: Literal["glassml-model"] = "glassml-model"
    format_version: Literal[1, 2, 3, 4, 5] = FORMAT_VERSION
    glassml_version: str
    model: str
    hyperparameters: dict[str, Any]
    n_parameters: int
    species: tuple[str, ...] = Field(min_length=1)
    cutoff: float = Field(gt=0, le=LARGEST_CUTOFF)
    length_unit: str
    positions: Positions = "thermal"
    window: Window | None = None
    domain: Domain | None = None
    dtype: DType
    n_steps: int = Field(ge=1, le=MOST_STEPS)
    state_widths: tuple[Annotated[int, Field(ge=1, le=MOST_COLUMNS)], ...]
    sent_widths: tuple[Annotated[int, Field(ge=0, le=MOST_COLUMNS)], ...] | None = None
    summed_widths: tuple[Annotated[int, Field(ge=0, le=MOST_COLUMNS)], ...] | None = None
    edge_width: int = Field(default=0, ge=0, le=MOST_COLUMNS)
    rotation_invariant: bool = True
    scalar_inputs: tuple[ScalarEntry, ...]
    outputs: tuple[OutputEntry, ...] = Field(min_length=1)
    edge_outputs: tuple[OutputEntry, ...] = ()
    radial_table: RadialTableEntry | None = None
    training: TrainingRecord = TrainingRecord()
    citations: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Manifest:
        if len(set(self.species)) != len(self.species):
            raise ValueError(f"species: expected different names; found {list(self.species)}")
        if len(self.state_widths) != self.n_steps + 1:
            raise ValueError(
                f"state_widths: expected {self.n_steps + 1} entries (n_steps + 1); "
                f"found {len(self.state_widths)}"
            )
        self._check_sent_widths()
        if self.summed_widths is not None and len(self.summed_widths) != self.n_steps + 1:
            raise ValueError(
                f"summed_widths: expected {self.n_steps + 1} entries (n_steps + 1); "
                f"found {len(self.summed_widths)}"
            )
        if self.edge_outputs and not self.edge_width:
            raise ValueError("edge_outputs: expected none, as edge_width is 0; found some")
        if self.domain is not None and len(self.domain.composition) != len(self.species):
            raise ValueError(
                f"domain: composition: expected {len(self.species)} ranges, one for each species; "
                f"found {len(self.domain.composition)}"
            )
        if self.domain is not None and self.domain.propensity is not None:
            columns = [len(entry.columns) for entry in self.outputs if entry.name == "propensity"]
            if columns != [len(self.domain.propensity)]:
                raise ValueError(
                    f"domain: propensity: expected {sum(columns)} ranges, one for each column of "
                    f"the propensity; found {len(self.domain.propensity)}"
                )
        scalars = [scalar.name for scalar in self.scalar_inputs]
        if reads_window(self.positions, scalars) != (self.window is not None):
            raise ValueError(
                "window: expected a window for averaged positions or scalars, and none for others; "
                f"found {self.window} for {self.positions} positions and the scalars {scalars}"
            )
        return self

    def _check_sent_widths(self) -> None:
        if self.sent_widths is None:
            return
        if len(self.sent_widths) != self.n_steps:
            raise ValueError(
                f"sent_widths: expected {self.n_steps} entries (n_steps); found "
                f"{len(self.sent_widths)}"
            )
        for k, (sent, width) in enumerate(zip(self.sent_widths, self.state_widths, strict=False)):
            if sent > width:
                raise ValueError(
                    f"sent_widths: expected at most {width}, as state_widths, before step {k}; "
                    f"found {sent}"
                )

    @property
    def sums_over_system(self) -> bool:
        """Whether the model needs sums over all particles, so that systems cannot share a batch."""
        return any(self.summed_widths or ())

    def output(self, name: str) -> OutputEntry:
        """The output of this name.

        Raises:
            KeyError: the model has none.
        """
        for entry in self.outputs:
            if entry.name == name:
                return entry
        raise KeyError(name)

    @property
    def times(self) -> tuple[float, ...]:
        """Times [time] of the propensity columns."""
        return self.output("propensity").times or ()

    @property
    def positions_note(self) -> str:
        """Warning for uses that pass positions as they are; "" for models of thermal positions."""
        if self.positions == THERMAL:
            return ""
        how = {
            AVERAGE: f"averaged over {self.window}",
            "inherent": "of an inherent structure, that is at a minimum of the potential energy",
            "cage": "of cage centres",
        }
        return (
            f"the model reads positions {how[self.positions]}; the given positions are used as "
            "they are, without a check"
        )


def manifest_of(
    model: GlassModel,
    dtype: DType,
    training: TrainingRecord,
    radial_table: RadialTableEntry | None = None,
) -> Manifest:
    """The manifest of a model that is about to be exported.

    Args:
        model: the model.
        dtype: precision that it is exported in.
        training: its training record.
        radial_table: the tables of its radial networks, None if it keeps the networks.
    """
    scalars = tuple(
        ScalarEntry(name=s.name, meaning=s.meaning, dimension=s.dimension)
        for s in model.scalar_inputs
    )
    return Manifest(
        glassml_version=glassml.__version__,
        model=model.name,
        hyperparameters=dict(model.hyperparameters),
        n_parameters=sum(p.numel() for p in model.parameters()),
        species=model.species,
        cutoff=model.cutoff,
        length_unit=model.length_unit,
        positions=cast(Positions, model.positions),
        window=model.window,
        domain=model.domain,
        dtype=dtype,
        n_steps=model.n_steps,
        state_widths=model.state_widths,
        sent_widths=model.sent_widths,
        summed_widths=tuple(model.summed_widths),
        edge_width=model.edge_width,
        rotation_invariant=model.rotation_invariant,
        scalar_inputs=scalars,
        outputs=tuple(map(_entry_of, model.outputs)),
        edge_outputs=tuple(
            _entry_of(o) for o in model.edge_outputs if o.name not in training.untrained_outputs
        ),
        radial_table=radial_table,
        training=training,
        citations=model.citations,
    )


def _entry_of(output: Output) -> OutputEntry:
    return OutputEntry(
        name=output.name,
        columns=output.columns,
        dimension=output.dimension,
        times=output.times,
        irreps=output.irreps,
    )
