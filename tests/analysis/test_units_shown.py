"""What is shown of a metal has its units, and says why chi4 and G4 are missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from systems import liquid, moved

from glassml.analysis import (
    FourPointCollector,
    ReportOptions,
    compare,
    evaluation_table,
    open_sources,
    simulation_figure,
    write_report,
)
from glassml.analysis.report import figures
from glassml.data import Configuration, Dataset, DatasetWriter
from glassml.physics.units import Units
from glassml.scores import Score
from glassml.studies.few_shot import FewShot, FewShotPoint, few_shot_table
from glassml.studies.transfer import Transfer, TransferCell, transfer_table
from glassml.studies.transfer_pictures import few_shot_figure

ANGSTROM = "\u00c5"
TIMES = (0.5, 1.5)


def metal(seed: int, n: int = 100, **fields: Any) -> Configuration:
    """Copper and zirconium at a density of 0.06 atoms per cubic angstrom."""
    bare = liquid(n, density=0.06, seed=seed, name=f"c{seed}")
    rng = np.random.default_rng(seed)
    labels = rng.uniform(0.2, 1.0, (n, 2))
    values: dict[str, Any] = {
        "length_unit": "angstrom",
        "species_names": ("Cu", "Zr"),
        "times": np.array(TIMES),
        "propensity": labels,
        "n_runs": 8,
        "predictions": {"theirs": labels + 0.1 * rng.random((n, 2))},
        "scalars": {name: rng.random(n) for name in ("potential_energy", "inherent_energy")},
    }
    return moved(bare, **(values | fields))


def write(path: Path, configurations: list[Configuration], **description: Any) -> Dataset:
    made = {
        "system": {"units": "metal", "name": "cuzr", "particles": [80, 20]},
        "temperature": 1200.0,
        "settings": {"equilibration": {"wave_number": 2.6}},
        "equilibration": {
            "temperature": 1200.0,
            "equilibrated": True,
            "tau_alpha": 1.5,
            "f_s": {"times": [0.1, 1.0, 10.0], "values": [1.0, 0.5, 0.1]},
        },
    }
    with DatasetWriter(path, made | description) as writer:
        for configuration in configurations:
            writer.add(configuration)
    return Dataset(path)


def texts(figure: Figure) -> str:
    """All words on the axes, headings and legends of a figure."""
    found = [figure.get_suptitle()]
    for axes in figure.axes:
        found += [axes.get_xlabel(), axes.get_ylabel(), axes.get_title()]
        legend = axes.get_legend()
        found += [] if legend is None else [text.get_text() for text in legend.get_texts()]
    return "\n".join(found)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return write(tmp_path / "metal.h5", [metal(seed) for seed in range(3)])


def test_figures_of_the_report(dataset: Dataset) -> None:
    collector = FourPointCollector.suited(dataset, threshold=0.6)
    sources = open_sources(dataset, [], {})
    found = compare(dataset, sources, resamples=0, four_point=collector)
    drawn = {
        "time $t$ (ps)": figures.pearson_figure(found, (), "Cu"),
        f"distance $r$ ({ANGSTROM})": figures.four_point_figure(found, (), 1.5),
        f"predicted propensity ({ANGSTROM})": figures.calibration_figure(found, "Cu", 1.5),
        f"propensity of Cu ({ANGSTROM}), $t$ = 1.5 ps": figures.distribution_figure(
            found, "Cu", 1.5
        ),
    }
    for expected, figure in drawn.items():
        assert expected in texts(figure)
        assert not re.search(r"sigma|LJ|\\blj\\b", texts(figure))
    headings = [column.header for column in evaluation_table(found, found.evaluations[0]).columns]
    assert headings[1] == "time\n(ps)"


def test_the_page_of_the_report(dataset: Dataset, tmp_path: Path) -> None:
    collector = FourPointCollector.suited(dataset)
    found = compare(dataset, open_sources(dataset, [], {}), resamples=0, four_point=collector)
    options = ReportOptions(times=(1.5,))
    page = write_report(found, dataset, tmp_path / "report", options).read_text(encoding="utf-8")
    words = re.sub(r"data:image[^\"]*|<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "<th>time (ps)</th>" in words
    assert "Cu particles at t = 1.5 ps" in words
    assert not re.search(r"sigma|LJ", words)
    # No chi4, and the reason with a value that could be given: 0.44 * 1.2^(1/3) = 0.468 mean
    # distances of 0.06^(-1/3) = 2.55 angstrom.
    assert "Dynamic heterogeneity" in words
    assert "Give it with --threshold. The same fraction" in words
    assert f"would be 1.2 {ANGSTROM}" in words
    assert not list((tmp_path / "report" / "figures").glob("four_point*"))


def test_the_picture_of_a_simulation(dataset: Dataset) -> None:
    words = texts(simulation_figure([dataset.path]))
    for expected in (
        r"T = 1200 K, $\tau_\alpha$ = 1.5 ps",
        rf"$F_s(k,\ t)$ at $k$ = 2.6 {ANGSTROM}$^{{-1}}$",
        "thermal (eV)",
        f"propensity of Cu ({ANGSTROM})",
        "Labels at T = 1200 K",
        "$t$ = 0.5 ps",
    ):
        assert expected in words


def test_few_shot_and_transfer() -> None:
    scores = tuple(
        Score(
            species="Cu", time=1.5, statistic="pearson", kind=kind, value=0.5, error=None,
            error_kind=None, configurations=3,
        )
        for kind in ("all", "mean")
    )  # fmt: skip
    points = (FewShotPoint(1, 2, scores), FewShotPoint(2, 2, scores))
    shot = FewShot("m.pt", "d.h5", "", None, None, 0, 0, points, "ps")
    assert "species Cu, $t$ = 1.5 ps;" in texts(few_shot_figure([shot], "Cu", 1.5))
    assert few_shot_table(shot).columns[3].header == "time (ps)"
    cell = TransferCell("m", "d", 1.5, 1.5, 0, scores, "ps")
    result = Transfer(**{**dict.fromkeys(Transfer.__dataclass_fields__, ()), "cells": (cell,)})
    table = transfer_table(Transfer(**{**vars(result), "models": ("m",), "datasets": ("d",)}), "Cu")
    assert table.columns[1].header == "d (1.5 ps)"


@pytest.mark.parametrize(
    ("length", "style", "expected"),
    [
        ("angstrom", "metal", Units(ANGSTROM, "ps", "eV", "K")),
        ("angstrom", "real", Units(ANGSTROM, "fs", "kcal/mol", "K")),
        ("nm", "nano", Units("nm", "ns", "", "K")),
        ("lj", "lj", Units()),
        ("angstrom", None, Units(ANGSTROM)),
        ("nm", "metal", Units("nm")),  # lengths were converted, so times may have been
    ],
)
def test_units_that_are_known(length: str, style: str | None, expected: Units) -> None:
    assert Units.of(length, style) == expected


OPEN = {"pbc": (True, True, False)}


@pytest.mark.parametrize(
    ("configurations", "threshold", "missing"),
    [
        (lambda: [metal(0), metal(1)], None, "χ₄ and G₄ are missing: they need the propensity"),
        (lambda: [metal(0)], 0.6, "χ₄ is missing: it is a variance over configurations"),
        (lambda: [metal(0, **OPEN), metal(1, **OPEN)], 0.6, "G₄ is missing: .*c0 is not periodic"),
        (lambda: [metal(0), metal(1, n=20)], 0.6, "G₄ is missing: .*c1 is smaller than the first"),
        (
            lambda: [metal(0), metal(1, predictions={})],
            0.6,
            "χ₄ and G₄ of theirs are missing: they need predictions for all particles",
        ),
        (lambda: [metal(0, n_runs=1), metal(1, n_runs=1)], 0.6, "displacements in single runs"),
        (
            lambda: [metal(s, species=np.arange(100) // 99) for s in (0, 1)],
            0.6,
            "no configuration has two particles of Zr",
        ),
    ],
)
def test_what_is_missing_of_chi4_and_g4_is_said(
    tmp_path: Path,
    configurations: Callable[[], list[Configuration]],
    threshold: float | None,
    missing: str,
) -> None:
    dataset = write(tmp_path / "metal.h5", configurations())
    species = "Zr" if "Zr" in missing else "Cu"
    collector = FourPointCollector.suited(dataset, species, threshold)
    found = compare(dataset, open_sources(dataset, [], {}), resamples=0, four_point=collector)
    (note,) = found.four_point_notes
    assert re.search(missing, note)
    assert found.facts()["four_point_notes"] == [note]


def test_nothing_is_said_if_nothing_is_missing(dataset: Dataset) -> None:
    collector = FourPointCollector.suited(dataset, threshold=0.6)
    found = compare(dataset, open_sources(dataset, [], {}), resamples=0, four_point=collector)
    assert found.four_point_notes == ()
    assert found.four_point is not None
    assert set(found.four_point.chi4) == set(found.four_point.g4) == {"labels", "theirs"}


def test_four_point_functions_do_not_depend_on_the_unit(tmp_path: Path) -> None:
    """The same liquid with lengths in nanometres, and a threshold in nanometres."""
    in_angstrom = [metal(seed) for seed in range(3)]
    in_nm = [
        moved(
            c, positions=c.positions / 10, cell=c.cell / 10, length_unit="nm",
            propensity=c.propensity / 10, predictions={},
        )
        for c in in_angstrom
    ]  # fmt: skip
    curves = []
    for name, found, threshold in (("a", in_angstrom, 0.6), ("nm", in_nm, 0.06)):
        dataset = write(tmp_path / f"{name}.h5", found)
        collector = FourPointCollector.suited(dataset, threshold=threshold)
        for configuration in dataset:
            collector.add(configuration, [])
        result = collector.result([], 0, 0)
        assert result is not None
        curves.append(result)
    np.testing.assert_allclose(curves[0].chi4["labels"], curves[1].chi4["labels"], rtol=1e-9)
    np.testing.assert_allclose(curves[0].g4["labels"], curves[1].g4["labels"], atol=1e-9)
