"""The global vector of `fix glassml`: statistics of the propensity over the group.

The expected numbers come from dumps that `Predictor` predicts, and from the functions behind
`glassml evaluate`.
"""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from model_files import rewritten
from systems import liquid, moved

from glassml.analysis.four_point_curves import FourPointCollector
from glassml.data import Dataset, DatasetWriter
from glassml.inference import Predictor
from glassml.physics.four_point import THRESHOLD, chi4, mobility
from glassml.pretrained import pretrained_path

MODEL = pretrained_path("kob_andersen_T0.64_multitime")
TIMES = 9
LOW = 0.15  # between the propensities of the jittered lattices, which are low
RELAX = """
minimize 0.0 1.0e-2 50 200
reset_timestep 0
velocity all create 1.0 4928459
fix nve all nve
timestep 0.005
"""
COLUMNS = 5
GLOBAL = [f"f_g[{k + 1}]" for k in range(COLUMNS * TIMES)]
# float32 of the model, in relation to the propensity; the threshold multiplies it by up to 10.
FLOAT32 = 1e-5


def write_global(names=GLOBAL, every=10):
    text = f"thermo {every}\nthermo_style custom step {' '.join(names)}\n"
    return text + "thermo_modify format float %20.15g\n"


def table(thermo):
    """The statistics at each evaluation [evaluations, times, statistics]."""
    rows = np.stack([thermo[name] for name in GLOBAL], axis=1)
    return rows.reshape(-1, COLUMNS, TIMES).swapaxes(1, 2)


def element(time, column):
    """The element of the vector, both counted from 1."""
    return f"f_g[{(column - 1) * TIMES + time}]"


def statistics(values, threshold=THRESHOLD):
    """Columns 1 to 4 of one evaluation [times, 4] from propensities [N, times]."""
    return np.stack(
        [
            values.mean(axis=0),
            values.var(axis=0),
            (values > threshold).mean(axis=0),
            mobility(values, threshold).mean(axis=0),
        ],
        axis=1,
    )


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_statistics_are_those_of_evaluate_on_the_same_frames(bench, dump, ranks):
    configuration = Dataset("kob_andersen_T0.64")[0]
    script = bench.start(configuration) + "group A type 1\nvelocity all create 0.64 111\n"
    script += f"fix nve all nve\nfix g A glassml 20 {MODEL} A B\n" + write_global(every=20)
    run = bench.run(script + dump("g", every=20) + "run 100", ranks=ranks)
    found = table(run.thermo()[-1])

    predictor = Predictor(MODEL, device="cpu")
    times = np.array(predictor.manifest.times)
    collector = FourPointCollector(distances=False)  # species A, as the group
    for k, frame in enumerate(bench.frames()):
        now = frame.configuration(configuration)
        prediction = predictor.predict([now])[0]["propensity"].astype(np.float64)
        chosen = prediction[now.species == 0]
        expected = statistics(chosen)
        np.testing.assert_allclose(found[k, :, [0, 1, 3]], expected.T[[0, 1, 3]], atol=FLOAT32)
        # Rounding decides about particles at the threshold.
        undecided = (np.abs(chosen - THRESHOLD) < FLOAT32).mean(axis=0)
        assert np.all(np.abs(found[k, :, 2] - expected[:, 2]) <= undecided + 1e-12)
        collector.add(moved(now, times=times, propensity=prediction), [])
        curves = collector.result([], resamples=0, seed=0)
        # Rounding changes Q by about 1e-8, and chi4 by N times that times the fluctuation of Q.
        # Of a single frame there is no variance: the fix reports 0, the collector nothing.
        chi4_here = curves.chi4.get("labels", np.zeros(len(times)))
        np.testing.assert_allclose(found[k, :, 4], chi4_here, rtol=1e-4, atol=1e-6)
    assert found[-1, :, 4].max() > 1e-2
    assert np.any((found[-1, :, 2] > 0.1) & (found[-1, :, 2] < 0.9))


def from_dump(frames, threshold, window=None):
    """The whole array at each frame, in double precision, from the values that the fix reports."""
    parts = [statistics(frame.values("g"), threshold) for frame in frames]
    result = []
    for k, part in enumerate(parts):
        first = 0 if window is None else max(0, k + 1 - window)
        means = np.stack([p[:, 3] for p in parts[first : k + 1]])
        counts = np.array([len(frame["id"]) for frame in frames[first : k + 1]])
        result.append(np.column_stack([part, chi4(means, counts)]))
    return np.array(result)


# Sums over atoms in different order; chi4 is a difference of numbers of order 1, times N = 216.
EXACT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.mark.parametrize(("keyword", "window"), [("chi4 all", None), ("chi4 3", 3), ("", None)])
def test_chi4_of_all_or_of_the_last_evaluations(bench, dump, keyword, window):
    script = bench.start(liquid(216, seed=111)) + RELAX
    script += f"fix g all glassml 10 {MODEL} A B threshold {LOW} {keyword}\n" + write_global()
    script += dump("g", every=10)
    thermo = bench.run(script + "run 70", ranks=2).thermo()[-1]
    expected = from_dump(bench.frames(), LOW, window)
    assert expected[-1, :, 4].max() > 1e-2
    np.testing.assert_allclose(table(thermo), expected, **EXACT)


def test_statistics_are_those_of_the_smoothed_values(bench, dump):
    script = bench.start(liquid(216, seed=112)) + RELAX
    script += f"fix g all glassml 10 {MODEL} A B smooth 3 threshold {LOW}\n"
    script += write_global() + dump("g", every=10)
    thermo = bench.run(script + "run 60").thermo()[-1]
    np.testing.assert_allclose(table(thermo), from_dump(bench.frames(), LOW), **EXACT)


def test_a_step_counts_once_in_chi4_and_an_earlier_one_begins_anew(bench, dump):
    start = bench.start(liquid(125, seed=113)) + RELAX
    start += f"fix g all glassml 10 {MODEL} A B threshold {LOW}\n" + write_global()
    script = start + dump("g", every=10) + "run 20\nrun 20\nundump dump_out\nreset_timestep 0\n"
    sections = bench.run(script + dump("g", every=10, name="dump.new") + "run 20").thermo()
    expected = from_dump(bench.frames(), LOW)
    anew = from_dump(bench.frames("dump.new"), LOW)
    # A continued run sorts the atoms anew, and sums of float32 are then rounded otherwise.
    rounded = {"rtol": 1e-3, "atol": 1e-5}
    np.testing.assert_allclose(table(sections[-3]), expected[:3], **rounded)
    np.testing.assert_allclose(table(sections[-2]), expected[2:], **rounded)
    np.testing.assert_allclose(table(sections[-1]), anew, **rounded)
    assert expected[2, :, 4].max() > 1e-2
    assert np.all(table(sections[-1])[0, :, 4] == 0.0)


def test_created_atoms_change_the_mean_number(bench, dump):
    script = bench.start(liquid(100, density=0.5, seed=114), pair="pair_style zero 2.0")
    script = script.replace("zero 2.0", "zero 2.0\npair_coeff * *")
    script += f"fix g all glassml 10 {MODEL} A B threshold {LOW}\n" + write_global()
    script += dump("g", every=10) + "run 10\nundump dump_out\nreset_timestep 20\n"
    script += "create_atoms 2 random 50 4711 NULL overlap 0.6 maxtry 500\n"
    script += dump("g", every=10, name="dump.new") + "run 0\n"
    thermo = bench.run(script, ranks=2).thermo()[-1]
    frames = bench.frames() + bench.frames("dump.new")
    assert [frame.step for frame in frames] == [0, 10, 20]
    assert len(frames[-1]["id"]) > 120
    expected = from_dump(frames, LOW)[-1:]
    assert expected[0, :, 4].max() > 1e-2
    np.testing.assert_allclose(table(thermo), expected, **EXACT)


def test_fix_ave_time_averages_elements_and_the_whole_vector(bench):
    script = bench.start(liquid(125, seed=115)) + RELAX
    script += f"fix g all glassml 10 {MODEL} A B threshold {LOW}\n" + write_global()
    two = f"{element(2, 1)} {element(2, 4)}"
    script += f"fix one all ave/time 10 3 30 {two} file one.out format ' %20.15g'\n"
    script += "fix all all ave/time 10 3 30 f_g mode vector file all.out format ' %20.15g'\n"
    found = table(bench.run(script + "run 60", ranks=2).thermo()[-1])
    expected = found[1:].reshape(2, 3, TIMES, COLUMNS).mean(axis=1)
    one = np.loadtxt(bench.folder / "one.out")[-2:]
    np.testing.assert_allclose(one[:, 1:], expected[:, 1, [0, 3]], rtol=1e-12)
    text = (bench.folder / "all.out").read_text().splitlines()
    rows = [line.split() for line in text if not line.startswith("#")]
    blocks = [rows[k + 1 : k + 1 + len(GLOBAL)] for k in range(0, len(rows), len(GLOBAL) + 1)]
    vectors = np.array(blocks, dtype=float)[-2:, :, 1].reshape(2, COLUMNS, TIMES)
    np.testing.assert_allclose(vectors.swapaxes(1, 2), expected, rtol=1e-10, atol=1e-14)


def test_fix_halt_stops_on_a_statistic(bench):
    start = bench.start(liquid(125, seed=116)) + RELAX
    start += f"fix g all glassml 10 {MODEL} A B threshold {LOW}\n" + write_global()
    variance = table(bench.run(start + "run 100").thermo()[-1])[:, 8, 1]
    limit = (variance[0] + variance[1:].max()) / 2
    first = np.flatnonzero(variance > limit)[0]
    assert 0 < first < 10
    script = start + f"variable spread equal {element(9, 2)}\n"
    script += f"fix stop all halt 10 v_spread > {limit:.10g} error continue\n"
    halted = bench.run(script + "run 100").thermo()[-1]["Step"]
    assert halted[-1] == 10 * first


def test_an_empty_group_has_zeros(bench):
    script = bench.start(liquid(60, seed=117)) + "group nobody id 1000\n"
    script += f"fix g nobody glassml 1 {MODEL} A B\n" + write_global()
    found = table(bench.run(script + "run 0", ranks=2).thermo()[-1])
    assert np.all(found == 0.0)


def metal(bench, keywords="", relax=""):
    # For `units metal`, of which the lengths must be those of the model.
    model = rewritten(MODEL, bench.folder / "metal.pt", length_unit="angstrom")
    script = bench.start(liquid(60, seed=118)).replace("units lj", "units metal")
    return script + relax + f"fix g all glassml 1 {model} A B {keywords}\n"


def test_only_in_lennard_jones_units_there_is_a_threshold_without_keyword(bench):
    two = GLOBAL[: 2 * TIMES]
    script = metal(bench) + write_global(names=two)
    run = bench.run(script + "run 0")
    assert "threshold: none, so no fraction, Q and chi4" in run.log.read_text()
    given = bench.run(metal(bench, "threshold 0.44") + write_global() + "run 0")
    assert "threshold: 0.44 angstrom, chi4 over all evaluations" in given.log.read_text()
    assert all(run.thermo()[0][name] == given.thermo()[0][name] for name in two)
    lj = bench.start(liquid(60, seed=118)) + f"fix g all glassml 1 {MODEL} A B chi4 7\n"
    run = bench.run(lj + write_global() + "run 0")
    assert f"threshold: {THRESHOLD:g} lj, chi4 over the last 7 evaluations" in run.log.read_text()
    np.testing.assert_array_equal(table(run.thermo()[0]), table(given.thermo()[0]))


def test_statistics_of_a_metal_are_those_of_evaluate(bench, dump):
    """One definition for all units: what `evaluate` makes of the propensities in the dump."""
    # A mass of 1, sigma = 1 angstrom and epsilon = 1 eV give a time unit of 0.01 ps.
    relax = RELAX.replace("create 1.0", "create 11604.5").replace("0.005", "5.0e-5")
    script = metal(bench, f"threshold {LOW}", relax) + write_global() + dump("g", every=1)
    found = table(bench.run(script + "run 40").thermo()[-1])
    one_species = np.zeros(60, dtype=int)  # as one group has all atoms
    start = moved(liquid(60, seed=118), length_unit="angstrom", species=one_species)
    times = np.arange(1.0, TIMES + 1)
    with DatasetWriter(bench.folder / "metal.h5") as writer:
        for frame in bench.frames():
            labels = frame.values("g")
            writer.add(moved(start, name=f"{frame.step}", propensity=labels, times=times))
    dataset = Dataset(bench.folder / "metal.h5")
    collector = FourPointCollector.suited(dataset, threshold=LOW)
    for configuration in dataset:
        collector.add(configuration, [])
    curves = collector.result([], resamples=0, seed=0)
    assert curves.chi4["labels"].max() > 1e-2
    np.testing.assert_allclose(found[-1, :, 4], curves.chi4["labels"], **EXACT)


def test_statistics_without_a_threshold_are_refused(bench):
    message = bench.refused(metal(bench) + write_global(names=[element(1, 3)]) + "run 0")
    assert "f_g[19]" in message
    assert "out-of-range" in message
    message = bench.refused(metal(bench, "chi4 5") + "run 0")
    assert (
        "keyword chi4: expected the keyword threshold, which has no default for lengths in "
        "'angstrom'; found none. Add 'threshold LENGTH'" in message
    )


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ("threshold 0", "keyword threshold: expected a positive length; found '0'"),
        ("threshold nan", "keyword threshold: expected a positive length; found 'nan'"),
        ("threshold 0.4x", "keyword threshold: expected a positive length; found '0.4x'"),
        ("threshold", "keyword threshold: expected a value; found none"),
        ("chi4 0", "keyword chi4: expected a positive integer; found '0'"),
        ("chi4 some", "keyword chi4: expected a positive integer; found 'some'"),
        (
            "threshold 0.3 output descriptors",
            "keyword threshold: expected propensity among the outputs; found descriptors",
        ),
        (
            "chi4 all output descriptors",
            "keyword chi4: expected propensity among the outputs; found descriptors",
        ),
    ],
)
def test_misuse(bench, keywords, words):
    script = bench.start(liquid(60, seed=31)) + f"fix g all glassml 1 {MODEL} A B {keywords}\n"
    assert words in bench.refused(script + "run 0")


def test_wildcards(bench):
    """In thermo output all statistics, in dumps and averages of atoms the per-atom columns."""
    script = bench.start(liquid(60, seed=118)) + f"fix g all glassml 1 {MODEL} A B\n"
    script += "thermo_style custom step f_g[*]\nfix mean all ave/atom 1 1 1 f_g[*]\n"
    script += "dump d all custom 1 dump.out id f_g[*] f_mean[*]\n"
    thermo = bench.run(script + "run 1").thermo()[-1]
    assert list(thermo) == ["Step", *GLOBAL]
    frame = bench.frames()[-1]
    assert frame.values("g").shape[1] == TIMES
    np.testing.assert_array_equal(frame.values("mean"), frame.values("g"))


@pytest.mark.parametrize("window", [0, 3])
def test_evaluations_without_values_do_not_count_in_chi4(build_tree, window):
    """The class alone: an evaluation without values is passed to it as one without atoms."""
    rng = np.random.default_rng(119)
    numbers = [5, 4, 0, 6, 5, 0, 3, 5]
    values = [rng.uniform(0.2, 0.7, (n, 2)) for n in numbers]
    lines = [
        f"{10 * k} {len(v)} " + " ".join(map(repr, v.ravel().tolist()))
        for k, v in enumerate(values)
    ]
    result = subprocess.run(
        [build_tree / "bin" / "glassml_statistics_driver", "statistics", "2", "0.44", str(window)],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = np.array([line.split() for line in result.stdout.splitlines()], dtype=float)
    found = found.reshape(len(numbers), 2, COLUMNS)
    with_values = [v for v in values if len(v)]
    assert np.all(found[[2, 5]] == 0.0)
    for k in np.flatnonzero(numbers):
        so_far = [v for v in values[: k + 1] if len(v)][-window:]
        expected = chi4(
            np.stack([mobility(v).mean(axis=0) for v in so_far]), np.array([len(v) for v in so_far])
        )
        np.testing.assert_allclose(found[k, :, 4], expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found[-1, :, :4], statistics(with_values[-1]), rtol=0, atol=1e-14)
