"""Softness: from a trajectory of the real LAMMPS to a model file, which runs in every engine."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import ase.io
import numpy as np
import pytest
from click.testing import Result
from glassml_ase import GlassMLCalculator
from pages import executed
from systems import liquid
from typer.testing import CliRunner

from glassml.cli import app
from glassml.data import Dataset, atoms_from_configuration
from glassml.errors import ModelFileWarning
from glassml.export import read_manifest
from glassml.inference import Predictor
from glassml.inference.model_cards import card_facts

LIQUID = liquid(300, seed=4)
NUMBERS = ("rearranging", "particles")
LENGTHS = {"cutoff": 2.4, "angular_cutoff": 1.9}
# A hot liquid, in which particles rearrange in some ten time units, and a frame every 0.5.
RUN = (
    "minimize 0.0 1.0e-2 50 200\nvelocity all create 2.0 71\nfix nve all nve\n"
    "fix bath all langevin 1.0 1.0 1.0 91\ntimestep 0.005\nthermo 1000\nrun 2000\n"
    "reset_timestep 0\n"
)
PAGE_SIZES = {"custom 200 run": "custom 100 run", "run 400000": "run 24000"}
SIZES = " --tau 4 --training-threshold 0.25 --particles 200"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_as_in_python_and_ase_on_every_number_of_ranks(
    bench, dump, agrees, models, dtype: str
) -> None:
    file = models("softness", dtype, **LENGTHS)
    outputs = ("propensity", "softness")
    fix = f"fix p all glassml 1 {file} A B output propensity softness\n"
    script = bench.start(LIQUID) + fix + f"{dump('p')}run 0\n"
    for ranks in (1, 2, 4):
        bench.run(script, ranks=ranks)
        agrees(bench.frames()[0].values("p"), LIQUID, file, outputs)
    calculator = GlassMLCalculator(file, species=("A", "B"), device="cpu")
    atoms = atoms_from_configuration(LIQUID)
    found = [np.reshape(calculator.get_property(name, atoms), (300, -1)) for name in outputs]
    agrees(np.hstack(found), LIQUID, file, outputs)


def test_with_the_published_functions(bench, dump, agrees, models) -> None:
    """The cutoff of 5 is longer than half of the box: particles have images as neighbours."""
    file = models("softness", "float64")
    script = bench.start(LIQUID) + (
        f"fix p all glassml 1 {file} A B output structure_functions\n{dump('p')}run 0\n"
    )
    bench.run(script, ranks=2)
    agrees(bench.frames()[0].values("p"), LIQUID, file, ("structure_functions",))


def command(line: str) -> Result:
    """Runs a command line of the page, small."""
    words = shlex.split(line + SIZES * line.startswith("glassml softness"))
    assert words[0] == "glassml"
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, (line, result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def trained(bench_in, tmp_path_factory):
    """The folder of a liquid's trajectory and of the model that the page makes of it."""
    bench = bench_in(tmp_path_factory.mktemp("softness"))
    (snippet,) = executed("docs/howto/softness.md", "lammps", "1. A trajectory")
    for large, small in PAGE_SIZES.items():
        assert large in snippet
        snippet = snippet.replace(large, small)
    bench.run(bench.start(liquid(200, seed=2)) + RUN + snippet)
    (line,) = executed("docs/howto/softness.md", "sh", "2. The model")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(bench.folder)
        yield bench, command(line.strip() + " --table softness.json").output


def test_the_command_learns_what_a_trajectory_teaches(trained) -> None:
    bench, printed = trained
    assert "241 frames every 0.5; periodic wrapping undone by: images" in printed
    assert "tau_alpha" in printed
    found = json.loads((bench.folder / "softness.json").read_text())
    assert found["rearrangements"] > 200
    assert [one["species"] for one in found["species"]] == ["A", "B"]
    one = found["species"][0]
    # At this temperature structure says little about what comes next, and more than nothing.
    assert 0.5 < one["accuracy"][0] < 0.8
    rows = [row for row in found["chances"] if row["species"] == "A"]
    soft, hard = (
        [sum(row[name] for row in rows if (row["softness"] > 0) == side) for name in NUMBERS]
        for side in (True, False)
    )
    # Soft particles rearrange more often than hard ones.
    assert soft[0] / soft[1] > hard[0] / hard[1]
    header = (bench.folder / "softness.csv").read_text().splitlines()[0]
    assert header == "species,softness,particles,rearranging,chance,error"
    assert (bench.folder / "softness.png").stat().st_size > 10_000


def test_the_record_says_what_was_learnt(trained) -> None:
    bench, _ = trained
    manifest = read_manifest(bench.folder / "softness.pt")
    record = manifest.training
    assert [plane.species for plane in record.hyperplanes] == ["A", "B"]
    assert record.untrained == ("propensity",)
    assert record.data[0].file == "run.dump.gz"
    assert record.recipe["tau"] == 4.0
    assert "scikit-learn" in record.versions
    assert "Schoenholz" in manifest.citations[0]
    assert manifest.domain is not None
    assert manifest.domain.number_density == pytest.approx((1.2, 1.2), rel=1e-6)
    assert manifest.times == (4.0,)
    card = card_facts(bench.folder / "softness.pt")
    assert "| hyperplane of A | fitted to " in card
    assert "`propensity`: values mean nothing" in card


def test_softness_in_lammps_and_the_propensity_that_means_nothing(trained, dump, agrees) -> None:
    bench, _ = trained
    file, like = bench.folder / "softness.pt", liquid(200, seed=2)
    log = bench.run(bench.start(like) + f"fix p all glassml 1 {file} A B\nrun 0\n").stdout
    assert "output propensity of model" in log
    assert "not trained, so its values mean nothing" in log
    (snippet,) = executed("docs/howto/softness.md", "lammps", "3. Use it")
    log = bench.run(
        bench.start(like) + snippet + dump("soft", every=200) + "run 0\n", ranks=2
    ).stdout
    assert "not trained" not in log
    frame = bench.frames()[0]
    agrees(frame.values("soft"), frame.configuration(like), file, ("softness",))
    written = bench.frames("soft.dump")[-1]["f_soft[1]"]
    # Six digits of a text.
    np.testing.assert_allclose(np.sort(written), np.sort(frame["f_soft[1]"]), atol=1e-4)


def test_the_file_in_the_other_engines(trained) -> None:
    (lines,) = executed("docs/howto/softness.md", "sh", "3. Use it")
    printed = [command(line).output for line in lines.splitlines()]
    assert "softness" in printed[0]
    with pytest.warns(ModelFileWarning, match="propensity: not trained"):
        Predictor("softness.pt", "cpu").predict([liquid(200, seed=2)])
    (frame,) = ase.io.read("soft.extxyz", ":")
    assert frame.arrays["softness"].shape == (200,)


def test_the_example_in_python_learns_from_one_species(trained) -> None:
    (code,) = executed("docs/howto/softness.md", "python")
    small = "SoftnessOptions(tau=4.0, training_threshold=0.25, parts=3, clock=Clock(stop=40.0), "
    code = "from glassml.data import Clock\n" + code.replace("SoftnessOptions(", small)
    exec(compile(code, "docs/howto/softness.md", "exec"), {})
    training = read_manifest("only_A.pt").training
    assert training.untrained == ("propensity", "softness of B")
    assert [plane.species for plane in training.hyperplanes] == ["A"]
    system = liquid(200, seed=2)
    with pytest.warns(ModelFileWarning, match="softness of B: not trained"):
        found = Predictor("only_A.pt", "cpu").predict([system], ["softness"])[0]["softness"]
    assert np.std(found[system.species == 0]) > 0.1
    assert (found[system.species == 1] == 0).all()
    fix = "fix p all glassml 1 only_A.pt A B output softness\n"
    bench, _ = trained
    log = bench.run(bench.start(system) + fix + "run 0\n").stdout
    assert "output softness of B of model only_A.pt: not trained" in log


def test_refit_gives_the_propensity_a_meaning(trained) -> None:
    (lines,) = executed("docs/howto/softness.md", "sh", "As a propensity")
    for line in lines.splitlines():
        command(line)
    training = read_manifest("softness_propensity.pt").training
    assert training.untrained_outputs == ()
    assert training.network is not None
    assert [plane.species for plane in training.network.training.hyperplanes] == ["A", "B"]
    with Dataset("labelled.h5") as dataset:
        first = dataset[0]
    predictor = Predictor("softness_propensity.pt", "cpu")
    found = predictor.predict([first], ["propensity", "softness"])[0]
    for s in (0, 1):
        own = first.species == s
        softness, propensity = found["softness"][own, 0], found["propensity"][own, 0]
        fitted = np.polyfit(softness, propensity, 1)
        # On one line: float32 of numbers of order one.
        np.testing.assert_allclose(np.polyval(fitted, softness), propensity, atol=1e-5)
    assert fitted[0] != 0


def test_a_table_with_another_ending_is_refused_at_once(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["softness", "none.dump", "-o", str(tmp_path / "m.pt"), "--table", "a.txt"]
    )
    assert "--table: expected a file that ends in .csv or .json" in str(result.exception)
