"""Prediction in Python: one model file, any number of configurations."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Batch, Data

from glassml.data import THERMAL, Configuration, view_of, window_of
from glassml.domain import DomainWatch, Measured, measured, shown_range
from glassml.errors import InputError, ModelFileError, ModelFileWarning, not_one_of
from glassml.export.archive import load_module, model_path, read_manifest
from glassml.graph import build_graph, collate, first_edge
from glassml.inference.windowed import window_note
from glassml.physics.units import after_length

__all__ = ["EdgePrediction", "Predictor"]


@dataclass(frozen=True)
class EdgePrediction:
    """Outputs for the edges of a configuration: every ordered pair within the cutoff.

    Attributes:
        sender: int64 [E], particle j.
        receiver: int64 [E], particle i, ascending.
        vector: [E, 3] x_j - x_i of the image within the cutoff [length].
        values: output -> [E, columns].
    """

    sender: np.ndarray
    receiver: np.ndarray
    vector: np.ndarray
    values: dict[str, np.ndarray]


class Predictor:
    """Runs an exported model on configurations; the ASE calculator and the command line use it.

    Args:
        path: model file, or the name of a model that ships with glassml.
        device: "cpu", "cuda", "cuda:N", or "auto" (a GPU if there is one).
        threads: CPU threads that torch uses in this process; None keeps the present setting.
        check_domain: warn of configurations that are unlike the training data. Studies that use
            models on other liquids on purpose turn this off.
        trust: do not check the code in the model file; see `glassml.export.load_module`.

    Attributes:
        measured: density, composition and local structure of the configurations of the last call
            of `predict`, as the model saw them.
        trusted: whether the code in the file was loaded without a check.

    Raises:
        ModelFileError: see `read_manifest`.
        InputError: the device is unknown or absent.
    """

    def __init__(
        self,
        path: str | Path,
        device: str = "auto",
        threads: int | None = None,
        *,
        check_domain: bool = True,
        trust: bool = False,
    ) -> None:
        self.path = model_path(path)
        self.trusted = trust
        self.manifest = read_manifest(path)
        self.device = _device(device)
        if threads is not None:
            if threads < 1:
                raise InputError(f"threads: expected a positive number; found {threads}")
            torch.set_num_threads(threads)
        self.module = load_module(path, self.device, trust=trust)
        self.dtype = getattr(torch, self.manifest.dtype)
        self.measured: tuple[Measured, ...] = ()
        self._untrained = set(self.manifest.training.untrained_outputs)
        self._seen, self._neighbours = 0, 0.0  # configurations so far, and the sum over them
        self._watch = self._domain_watch() if check_domain else None

    @classmethod
    def of(
        cls,
        model: str | Path | Predictor,
        device: str = "auto",
        threads: int | None = None,
        *,
        trust: bool = False,
    ) -> Predictor:
        """A Predictor as it is, or a new one of a model file; arguments as for the class."""
        return model if isinstance(model, Predictor) else cls(model, device, threads, trust=trust)

    def predict(
        self,
        configurations: Sequence[Configuration],
        outputs: Sequence[str] = ("propensity",),
        *,
        as_given: bool = False,
        window: int = 1,
    ) -> list[dict[str, np.ndarray]]:
        """Outputs of the model for all configurations, in one batch.

        Args:
            configurations: their species are matched to the model's by name.
            outputs: names of outputs in the manifest.
            as_given: use ``positions`` as they are, as for a LAMMPS run or for Atoms that were
                brought to a minimum. By default a model of inherent structures reads its positions
                from ``structures`` (see `glassml.data.view_of`).
            window: number of the window that averaged positions and scalars come from; 1 for other
                positions.

        Returns:
            One dict per configuration, from names of outputs to arrays [N, columns] in the
            model's dtype.

        Raises:
            InputError: an unknown output or species, a missing scalar or structure, another length
                unit, or an output that is not finite.

        Warns:
            ModelFileWarning: an output was not trained; once.
            UserWarning: positions are averaged over another window than in training.
            OutsideDomainWarning: a configuration is unlike the training data; once for each
                quantity in which one is.
        """
        known = [entry.name for entry in self.manifest.outputs]
        for name in outputs:
            if name not in known:
                of_edges = name in (entry.name for entry in self.manifest.edge_outputs)
                hint = ". It is for pairs: use Predictor.predict_edges" if of_edges else ""
                raise InputError(f"quantity: {self.path.name}: {not_one_of(name, known)}{hint}")
        for name in sorted(self._untrained):
            if name.partition(" of ")[0] not in outputs:
                continue
            warnings.warn(
                f"{self.path.name}: {name}: not trained, so its values mean nothing",
                ModelFileWarning,
                stacklevel=2,
            )
            self._untrained.discard(name)  # once
        if not configurations:
            return []
        graphs = [self._graph(c, as_given, window) for c in configurations]
        self.measured = tuple(map(self._measured, configurations, graphs))
        self._seen += len(configurations)
        self._neighbours += sum(system.structure.neighbours for system in self.measured)
        if self._watch is not None:
            for configuration, system in zip(configurations, self.measured, strict=True):
                self._watch.see(configuration.name, system)
        values = self._evaluate_all(graphs, outputs)
        ends = np.cumsum([c.n_particles for c in configurations])[:-1]
        parts = {name: np.split(array, ends) for name, array in values.items()}
        results = [{name: parts[name][k] for name in outputs} for k in range(len(configurations))]
        for configuration, result in zip(configurations, results, strict=True):
            self._check_finite(configuration, result)
            if self._watch is not None and "propensity" in result:
                columns = self.manifest.output("propensity").columns
                self._watch.see_predictions(configuration.name, result["propensity"], columns)
        return results

    def predict_edges(
        self, configuration: Configuration, *, as_given: bool = False, window: int = 1
    ) -> EdgePrediction:
        """Outputs of the model for every pair of neighbours, such as BOTAN's bond displacements.

        Args:
            configuration: see `predict`.
            as_given: see `predict`.
            window: see `predict`.

        Raises:
            InputError: the model has no outputs for edges; or see `predict`.

        Warns:
            OutsideDomainWarning: see `predict`.
        """
        names = [entry.name for entry in self.manifest.edge_outputs]
        if not names:
            raise InputError(
                f"{self.path.name}: expected a model with outputs for edges, such as botan; found "
                f"{self.manifest.model}, which has none"
            )
        graph = self._graph(configuration, as_given, window)
        if self._watch is not None:
            self._watch.see(configuration.name, self._measured(configuration, graph))
        values = self._evaluate(collate([graph]).to(self.device), (), names)
        self._check_finite(configuration, values, "edges")
        sender, receiver = graph.edge_index.numpy()
        return EdgePrediction(sender, receiver, graph.edge_vector.numpy(), values)

    def _evaluate_all(self, graphs: list[Data], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        """Outputs for all particles of all graphs: [N, columns]."""
        alone = self.manifest.sums_over_system
        batches = [[graph] for graph in graphs] if alone else [graphs]
        parts = [self._evaluate(collate(batch).to(self.device), outputs) for batch in batches]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _evaluate(
        self, batch: Batch, outputs: Sequence[str], edge_outputs: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Outputs for all particles of a batch, [N, columns], and for its edges, [E, columns]."""
        system = (
            batch.species,
            batch.scalars,
            batch.edge_vector,
            batch.edge_index[0],
            first_edge(batch.edge_index[1], batch.num_nodes),
        )
        try:
            with torch.inference_mode():
                if not edge_outputs:  # files of formats before 4 have no encode_all
                    state = self.module.encode(*system)
                    results = {name: getattr(self.module, name)(state) for name in outputs}
                else:
                    state, edges = self.module.encode_all(*system)
                    results = {name: getattr(self.module, name)(state) for name in outputs}
                    results |= {name: getattr(self.module, name)(edges) for name in edge_outputs}
                return {name: values.cpu().numpy() for name, values in results.items()}
        except (torch.OutOfMemoryError, MemoryError):
            raise
        except (RuntimeError, IndexError, AttributeError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise ModelFileError(
                f"{self.path}: expected a model that can be evaluated; found an error of its "
                f"code: {reason}"
            ) from error

    @property
    def neighbours_note(self) -> str:
        """The mean number of neighbours in all calls of `predict`, beside that of the training."""
        manifest = self.manifest
        cutoff = f"{manifest.cutoff:g}{after_length(manifest.length_unit)}"
        found = f"{self._neighbours / self._seen:.4g}" if self._seen else "unknown number of"
        known = manifest.domain and f" (training data: {shown_range(manifest.domain.neighbours)})"
        return f"{found} neighbours per particle within {cutoff}{known or ''}"

    def _domain_watch(self) -> DomainWatch | None:
        manifest = self.manifest
        if manifest.domain is None:
            return None
        return DomainWatch(
            self.path.name, manifest.domain, manifest.species, manifest.cutoff, manifest.length_unit
        )

    def measure(self, configuration: Configuration) -> Measured:
        """Density, composition and local structure of a configuration, as the model sees it.

        Raises:
            InputError: see `predict`.
        """
        return self._measured(configuration, self._graph(configuration, False, 1))

    def _measured(self, configuration: Configuration, graph: Data) -> Measured:
        return measured(configuration, graph, len(self.manifest.species), self.manifest.cutoff)

    def _graph(self, configuration: Configuration, as_given: bool, window: int) -> Data:
        """The graph of a configuration, with the model's positions, scalars and species."""
        view = view_of(configuration, THERMAL if as_given else self.manifest.positions, window)
        if not as_given:
            self._check_window(configuration)
        names = [entry.name for entry in self.manifest.scalar_inputs]
        graph = build_graph(view, self.manifest.cutoff, names, self.dtype)
        graph.species = torch.from_numpy(self._species_of(configuration))
        return graph

    def _check_window(self, configuration: Configuration) -> None:
        expected = self.manifest.window
        found = None if expected is None else window_of(configuration)
        if expected is not None and found is not None:
            note = window_note(self.path.name, expected, found, configuration.name)
            if note:
                warnings.warn(note, stacklevel=3)

    def _check_finite(
        self, configuration: Configuration, result: dict[str, np.ndarray], of: str = "particles"
    ) -> None:
        for name, array in result.items():
            bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
            if len(bad):
                raise InputError(
                    f"{configuration.name}: output {name!r} of {self.path.name}: expected finite "
                    f"numbers; found others for {len(bad)} of {len(array)} {of} (the first "
                    f"is number {bad[0]}). Look for particles on top of each other and for "
                    "scalars outside the range of the training data"
                )

    def _species_of(self, configuration: Configuration) -> np.ndarray:
        """Species indices in the model's order."""
        model = self.manifest.species
        if configuration.length_unit != self.manifest.length_unit:
            raise InputError(
                f"{configuration.name}: length unit: expected {self.manifest.length_unit!r}, which "
                f"{self.path.name} was trained with; found {configuration.length_unit!r}"
            )
        unknown = [name for name in configuration.species_names if name not in model]
        if unknown:
            raise InputError(
                f"{configuration.name}: species: expected those of {self.path.name} "
                f"({', '.join(model)}); found {unknown[0]!r}. Give a species map"
            )
        index = np.array([model.index(name) for name in configuration.species_names])
        return index[configuration.species]


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"device: expected cpu, cuda, cuda:N or auto; found {name!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(
            f"device: expected cpu or auto, as torch finds no GPU here; found {name!r}"
        )
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device: expected cpu, cuda, cuda:N or auto; found {name!r}")
    return device
