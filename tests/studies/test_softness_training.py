"""Softness from trajectories: what is chosen, hyperplanes, and trajectories that do not do."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from systems import liquid
from trajectories import jumping, random_walk, write_trajectory

from glassml.data import Clock, Dataset, DatasetWriter, SpeciesMap
from glassml.errors import InputError
from glassml.export import read_manifest, save_model
from glassml.inference import Predictor
from glassml.models import Softness, build
from glassml.physics import Jumps
from glassml.progress import SILENT
from glassml.provenance import TrainingRecord
from glassml.studies import refit
from glassml.studies.softness import SoftnessOptions, train_softness
from glassml.studies.softness.evaluation import evaluated
from glassml.studies.softness.hyperplane import divide
from glassml.studies.softness.rearranging import Rearranging, find_rearranging
from glassml.studies.softness.sampling import choose, part_of

OPTIONS = SoftnessOptions(
    clock=Clock(timestep=0.01),  # frames are 100 steps apart
    tau=4.0,
    threshold=0.2,
    training_threshold=0.3,
    quiet=6.0,
    species=SpeciesMap.parse("A,B"),
)
FRAMES = 121


def test_who_is_about_to_rearrange_and_who_has_not(tmp_path: Path) -> None:
    file = write_trajectory(tmp_path / "run.dump", jumping(FRAMES), style="xu")
    found = find_rearranging([file], OPTIONS, SILENT)
    assert (found.step, found.interval, found.quiet_frames) == (2, 1.0, 6)
    # p_hop is known from frame 2 on, so 6 quiet frames before a look from frame 8 on.
    assert found.looks[0] == 8
    np.testing.assert_array_equal(np.diff(found.looks), 2)
    assert found.looks[-1] + 2 <= FRAMES - 1 - 2
    soft, hard = found.soft(0.3), found.hard()
    for k in range(30):
        frames = found.looks[soft[:, k]]
        # The jump lies between frames 19 + 3 k and 20 + 3 k.
        assert len(frames) == 1
        assert 17 + 3 * k <= frames[0] < 20 + 3 * k
        near = np.abs(found.looks - (19.5 + 3 * k))
        assert not hard[near < 3, k].any()
        assert hard[(found.looks < 10 + 3 * k) | (found.looks > 32 + 3 * k), k].all()
    assert not soft[:, 30:].any()
    assert hard[:, 30:].all()
    assert not (soft & hard).any()


def test_the_threshold_as_it_is_printed_is_not_below_itself(tmp_path: Path) -> None:
    file = write_trajectory(tmp_path / "run.dump", jumping(FRAMES), style="xu")
    usual = replace(OPTIONS, threshold=None, training_threshold=None)
    threshold = find_rearranging([file], usual, SILENT).threshold
    given = threshold * (1 - 4e-6)  # may be how six digits are printed
    found = find_rearranging([file], replace(usual, training_threshold=given), SILENT)
    assert found.training_threshold == threshold


def test_quiet_is_the_measured_relaxation_time(tmp_path: Path) -> None:
    """Random walks with steps of a width s: F_s = exp(-(k s)^2 n / 2) after n frames."""
    width = 0.06
    path = random_walk(np.full(64, width), 300, seed=4)
    file = write_trajectory(tmp_path / "run.dump", path, style="xu")
    found = find_rearranging([file], replace(OPTIONS, quiet=None), SILENT)
    wave_number = 2 * np.pi / found.spacing
    assert found.measured
    assert found.quiet == pytest.approx(2 / (wave_number * width) ** 2, rel=0.1)


def system(looks: int, n: int = 40) -> Rearranging:
    """Particle m jumps after look m; every fifth one is never quiet."""
    jumps = Jumps(10 + 5 * np.arange(looks) + 2, np.arange(looks) % n, np.full(looks, 0.9))
    active = np.full((looks, n), -1)
    active[:, ::5] = 10**6
    return Rearranging(
        first=liquid(n, seed=3),
        spacing=0.94,
        interval=1.0,
        step=5,
        tau=10.0,
        quiet=5.0,
        measured=False,
        threshold=0.2,
        training_threshold=0.6,
        looks=10 + 5 * np.arange(looks),
        jumps=jumps,
        active=active,
        frames=5 * looks + 20,
        unwrapping="",
    )


def test_as_many_soft_as_hard_of_each_look_and_part() -> None:
    found = system(60)
    chosen = choose(found, 0, 20, 4, np.random.default_rng(0))
    assert chosen.soft.sum() == (~chosen.soft).sum() == 20
    part = part_of(chosen.look, 60, 4)
    for number in range(4):
        assert chosen.soft[part == number].sum() == 5
    for look in np.unique(chosen.look):
        here = chosen.look == look
        assert chosen.soft[here].sum() == (~chosen.soft[here]).sum()
    assert (found.first.species[chosen.particle] == 0).all()
    assert found.soft(0.6)[chosen.look, chosen.particle][chosen.soft].all()
    assert found.hard()[chosen.look, chosen.particle][~chosen.soft].all()
    again = choose(found, 0, 20, 4, np.random.default_rng(0))
    np.testing.assert_array_equal(again.particle, chosen.particle)
    few = choose(found, 0, 10**6, 4, np.random.default_rng(0))
    own = found.first.species == 0
    assert few.soft.sum() == (found.soft(0.6) & own).sum()


def planted(noise: float = 0.0) -> dict[str, np.ndarray]:
    """Columns of unlike sizes, and particles that are soft on one side of a plane."""
    rng = np.random.default_rng(7)
    n, size = 2000, np.array([1.0, 30.0, 0.01, 5.0, 1.0])
    points = rng.normal(size=(n, 5))
    soft = points @ np.array([1.0, -2.0, 0.5, 0.0, 0.0]) + noise * rng.normal(size=n) > 0.2
    columns = points * size + [0.0, 100.0, 0.1, -3.0, 7.0]
    columns[:, 4] = 7.0  # is the same for all
    time = np.sort(rng.uniform(0, 100, n))
    part = np.minimum(4, (time // 20).astype(int))
    return {"columns": columns, "soft": soft, "time": time, "part": part}


def test_a_planted_rule_is_found_again() -> None:
    found = divide(**planted(), apart=2.0)
    expected = np.array([1.0, -2.0, 0.5, 0.0, 0.0])
    # 2000 points pin the direction down to a few per cent.
    np.testing.assert_allclose(found.plane.weight, expected / np.linalg.norm(expected), atol=0.05)
    assert np.linalg.norm(found.plane.weight) == pytest.approx(1.0)
    assert found.plane.weight[4] == 0
    assert found.accuracy.shape == (5,)
    assert found.accuracy.min() > 0.96
    given = planted()
    softness = found.plane.softness(given["columns"])
    assert ((softness > 0) == given["soft"]).mean() > 0.97


def test_nothing_is_found_where_there_is_nothing() -> None:
    given = planted()
    given["soft"] = np.random.default_rng(8).permutation(given["soft"])
    found = divide(**given, apart=2.0)
    share = given["soft"].mean()
    # 400 particles in a part: a standard deviation of 0.025 about the share of the larger class.
    assert found.accuracy.mean() < max(share, 1 - share) + 0.05


def test_copies_in_neighbouring_frames_do_not_leak() -> None:
    """A part's first and last particles have copies with their labels in the next parts."""
    rng = np.random.default_rng(9)
    n = 60
    columns = rng.normal(size=(n, 200))  # more columns than particles: all can be learnt by heart
    soft = np.arange(n) % 2 == 0
    time = np.repeat(np.arange(0, 100, 20.0), 12)
    given = {
        "columns": np.concatenate([columns, columns]),
        "soft": np.concatenate([soft, soft]),
        # Everything happens at the beginning of a part, and again at the end of the part before.
        "time": np.concatenate([time, time - 0.5]),
        "part": np.concatenate([time // 20, (time - 0.5) // 20]).astype(int),
    }
    inside = given["time"] >= 0
    given = {name: values[inside] for name, values in given.items()}
    leaking, apart = divide(**given, apart=0.1), divide(**given, apart=1.0)
    assert leaking.accuracy.mean() > 0.8
    assert apart.accuracy.mean() < 0.7


def test_columns_that_few_particles_have_are_left_out() -> None:
    given = planted()
    given["columns"][:, 3] = 0.0
    given["columns"][:3, 3] = 1e-9  # three particles have a neighbour there
    plane = divide(**given, apart=2.0).plane
    assert plane.weight[3] == 0
    assert plane.scale[3] == 1


def test_refit_keeps_in_mind_what_was_not_trained(tmp_path: Path) -> None:
    model = build("softness", cutoff=2.4, angular_cutoff=1.9)
    assert isinstance(model, Softness)
    model.set_no_hyperplane(1)
    record = TrainingRecord(untrained=("propensity", "softness of B"))
    save_model(model, tmp_path / "m.pt", training=record)
    rng = np.random.default_rng(11)
    with DatasetWriter(tmp_path / "d.h5") as writer:
        for seed in (1, 2, 3):
            labels = rng.uniform(0.1, 1.0, (60, 1))
            start = liquid(60, seed=seed, name=f"liquid{seed}")
            writer.add(replace(start, times=np.array([2.0]), propensity=labels, n_runs=8))
    with Dataset(tmp_path / "d.h5") as dataset:
        predictor = Predictor(tmp_path / "m.pt", check_domain=False)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what the propensity was before is not looked at
            refit(predictor, dataset, tmp_path / "new.pt")
        labels = np.concatenate([c.propensity[c.species == 1, 0] for c in dataset])
        system = dataset[0]
    assert read_manifest(tmp_path / "new.pt").training.untrained == ("softness of B",)
    found = Predictor(tmp_path / "new.pt").predict([system])[0]["propensity"][:, 0]
    # Without a softness it is the mean of the labels; float32.
    np.testing.assert_allclose(found[system.species == 1], labels.mean(), rtol=1e-5)
    assert np.ptp(found[system.species == 0]) > 0


def test_chances_to_rearrange() -> None:
    rng = np.random.default_rng(10)
    parts = []
    for _ in range(5):
        softness = rng.normal(size=4000)
        parts.append((softness, rng.random(4000) < 0.1 * np.exp(softness)))
    result = evaluated("A", 100, 0.1, np.array([0.8, 0.9, 0.7, 0.8, 0.8]), parts)
    assert result.accuracy == pytest.approx((0.8, 0.0316), abs=1e-3)
    assert result.above[0] == pytest.approx(0.5, abs=0.02)
    assert sum(chance.particles for chance in result.chances) == 20_000
    for chance in result.chances[3:-3]:
        expected = 0.1 * np.exp(chance.softness)
        # Bins are half a unit wide, over which the exponential bends.
        assert chance.chance == pytest.approx(expected, abs=3 * chance.error + 0.05 * expected)
    assert result.found[0] > 0.65


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tau": 5.0}, r"--tau: expected an even multiple of the time between frames, 1; found 5"),
        ({"tau": 80.0}, r"frames: expected 161 or more, for windows of p_hop of 80 .*; found 121"),
        ({"quiet": 110.0}, r"frames: expected \d+ or more: 5 parts .* after a time of 110 .*121"),
        ({"threshold": 0.9, "training_threshold": 0.5}, r"--training-threshold: expected at least"),
        ({"training_threshold": 9.0}, r"rearrangements of species A: expected 10 or more"),
        ({"only": ("C",)}, r"--only: expected A or B; found 'C'|--only: expected one of A, B"),
    ],
)
def test_trajectories_that_do_not_do(tmp_path: Path, changes: dict, message: str) -> None:
    file = write_trajectory(tmp_path / "run.dump", jumping(FRAMES), style="xu")
    with pytest.raises(InputError, match=message):
        train_softness([file], tmp_path / "m.pt", replace(OPTIONS, **changes))
    assert not (tmp_path / "m.pt").exists()


def test_frames_at_uneven_times(tmp_path: Path) -> None:
    steps = np.cumsum(np.where(np.arange(FRAMES) % 2, 100, 200))
    file = write_trajectory(
        tmp_path / "run.dump", jumping(FRAMES), style="xu", steps=steps.tolist()
    )
    with pytest.raises(InputError, match=r"expected even times between frames, .*; found 1 to 2"):
        find_rearranging([file], OPTIONS, SILENT)


def test_a_box_that_changes(tmp_path: Path) -> None:
    boxes = np.linspace(4.0, 4.2, FRAMES).tolist()
    file = write_trajectory(tmp_path / "run.dump", jumping(FRAMES), style="xu", boxes=boxes)
    with pytest.raises(InputError, match="cell: expected that of the first frame within 2%"):
        find_rearranging([file], OPTIONS, SILENT)


def test_particles_that_never_relax(tmp_path: Path) -> None:
    still = np.repeat(jumping(2)[:1], FRAMES, axis=0)
    still += np.random.default_rng(1).normal(0, 0.03, still.shape)
    file = write_trajectory(tmp_path / "run.dump", still, style="xu")
    with pytest.raises(InputError, match=r"tau_alpha: expected particles that relax.*--quiet"):
        find_rearranging([file], replace(OPTIONS, quiet=None), SILENT)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tau": -1.0}, "--tau: expected a positive number; found -1"),
        ({"training_threshold": 0.0}, "--training-threshold: expected a positive"),
        ({"parts": 2}, "--parts: expected 3 or more; found 2"),
        ({"particles": 1}, "--particles: expected 50 or more, 10 of each part; found 1"),
        ({"positions": "average"}, "--positions: expected .*; found 'average'"),
    ],
)
def test_bad_options(settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SoftnessOptions(**settings)
