"""examples/on_the_fly: a small liquid is cooled, and its statistics are drawn."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from glassml.errors import InputError
from glassml.pretrained import pretrained_path
from glassml.simulation import run_lammps

FOLDER = Path(__file__).parents[2] / "examples" / "on_the_fly"
TEMPERATURES = ("1.0", "0.6", "0.44")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """125 particles, three temperatures, six evaluations at each."""
    variables = {
        "T": TEMPERATURES,
        "cells": 5,
        "t_cool": 100,
        "t_stay": 100,
        "every": 20,
        "mobile": 1.2,
    }
    variables["model"] = pretrained_path("kob_andersen_T0.44")
    folder = tmp_path_factory.mktemp("cooling")
    return run_lammps(FOLDER / "in.cooling", ranks=2, cwd=folder, variables=variables, timeout=120)


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(FOLDER / "draw_cooling.py"))


def test_chi4_is_that_of_the_second_half_of_a_stay(run, example):
    sections = example["stays"](run.log)
    assert len(sections) == len(TEMPERATURES)
    found = example["at_each_temperature"](sections, "f_ml[5]")
    mobility = [section["f_ml[4]"] for section in sections]
    assert [len(values) for values in mobility] == [6, 6, 6]
    expected = [100 * np.var(values[3:]) for values in mobility]  # 100 A particles
    # The log has about eight digits of Q, whose variance is about 1e-4.
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    temperature = example["at_each_temperature"](sections, "Temp")
    assert np.all(np.diff(temperature) < 0)


def test_picture_from_the_command_line(run, example, tmp_path, monkeypatch):
    output = tmp_path / "cooling.png"
    arguments = ["draw_cooling.py", str(run.log), "-o", str(output)]
    monkeypatch.setattr(sys, "argv", arguments)
    example["main"]()
    assert output.stat().st_size > 10_000


def test_the_training_temperature_is_the_one_that_is_not_grey(run, example):
    figure = example["cooling_figure"](example["stays"](run.log), (0.44,))
    for axes in figure.axes:
        (band,) = axes.patches
        np.testing.assert_allclose([band.get_x(), band.get_width()], [0.418, 0.044])
        assert axes.get_facecolor() != band.get_facecolor() == (1.0, 1.0, 1.0, 1.0)


def test_an_unfinished_log_is_refused(run, example, tmp_path):
    whole = run.log.read_text()
    part = tmp_path / "log.lammps"
    part.write_text(whole[: whole.rindex("Per MPI rank memory")])
    with pytest.raises(InputError, match=r"expected the log of a complete run of in\.cooling"):
        example["stays"](part)
