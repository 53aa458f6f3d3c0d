"""`fix glassml` compares the system with the training data of the model, as Python does."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from model_files import rewritten
from systems import liquid, moved

from glassml.data import Configuration, Dataset, ReadOptions, SpeciesMap, read_configurations
from glassml.domain import Domain, domain_of, shown_range
from glassml.errors import OutsideDomainWarning
from glassml.export import rewrite_manifest
from glassml.inference import Predictor
from glassml.pretrained import pretrained_path

_WARNING = re.compile(r"WARNING: (fix g glassml: .*?)\s*\(\S*fix_glassml\.cpp", re.DOTALL)


def mixture(n: int = 500, n_b: int = 100, **options: object) -> Configuration:
    """A disordered mixture with this number of B particles."""
    here = liquid(n, **options)
    return moved(here, species=(np.arange(n) < n_b).astype(int))


@pytest.fixture(scope="module")
def model(models, tmp_path_factory) -> Path:
    """The analytic model, as if it had learnt from three jittered lattices at T = 0.64."""
    predictor = Predictor(models(), "cpu")
    at_064 = {"provenance": {"temperature": 0.64}}
    domain = domain_of([predictor.measure(mixture(seed=k, **at_064)) for k in range(3)])
    path = tmp_path_factory.mktemp("domain") / "model.pt"
    rewrite_manifest(models(), path, domain=domain)
    return path


def python_says(model: Path, configuration: Configuration) -> str:
    """What Python finds unlike the training data; empty: nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Predictor(model, "cpu").predict([configuration])
    texts = [str(w.message) for w in caught if issubclass(w.category, OutsideDomainWarning)]
    return texts[0].partition("may be wrong: ")[2] if texts else ""


def lammps_says(log: str) -> list[str]:
    """What the fix finds unlike the training data, one text for each warning."""
    found = [" ".join(text.split()) for text in _WARNING.findall(log)]
    return [text.partition("may be wrong: ")[2] for text in found]


def shaken(seed: int = 5) -> Configuration:
    here = mixture(seed=seed)
    noise = np.random.default_rng(0).normal(0, 0.1, here.positions.shape)
    return moved(here, positions=here.positions + noise)


CASES: dict[str, Callable[[], Configuration]] = {
    "inside": lambda: mixture(seed=5),
    "inside, small": lambda: mixture(122, 24, seed=6),
    "thin": lambda: mixture(density=1.0, seed=5),
    "much too thin": lambda: mixture(density=0.06, seed=5),
    "composition": lambda: mixture(n_b=200, seed=5),
    "structure": shaken,
    "triclinic": lambda: mixture(seed=5, triclinic=True),
}


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_the_fix_says_what_python_says(bench, model, case, ranks):
    here = CASES[case]()
    expected = python_says(model, here)
    assert (expected == "") == (case in ("inside", "inside, small"))
    fix = f"fix g all glassml 1 {model} A B\n"
    run = bench.run(bench.start(here, "newton on") + fix + "run 0\nrun 0", ranks=ranks)
    assert lammps_says(run.log.read_text()) == ([expected] if expected else [])


@pytest.mark.parametrize("ranks", [1, 2])
def test_predictions_far_outside_the_labels(bench, model, tmp_path, ranks):
    """Those of the second time, in one group alone; the warning comes once."""
    here, far = mixture(seed=5), tmp_path / "far.pt"
    predictor = Predictor(model, "cpu")
    first, second = predictor.predict([here])[0]["propensity"].T
    low, high = second.min(), second.max()
    labels = (first.min(), first.max()), (low - 3 * (high - low), low - 2 * (high - low))
    domain = predictor.manifest.domain.model_copy(update={"propensity": labels})
    rewrite_manifest(model, far, domain=domain)
    with pytest.warns(OutsideDomainWarning) as caught:
        Predictor(far, "cpu").predict([here])
    expected = str(caught[0].message).partition("so they are wrong: ")[2]
    assert expected == f"propensity_t=2: expected {shown_range(labels[1])}; found {high:.4g}"
    fix = f"group none empty\nfix g {{}} glassml 1 {far} A B\n"
    for group, texts in (("all", [expected]), ("none", [])):
        script = bench.start(here) + fix.format(group) + "run 0\nrun 0"
        log = bench.run(script, ranks=ranks).log.read_text()
        found = [" ".join(text.split()) for text in _WARNING.findall(log)]
        assert [text.partition("so they are wrong: ")[2] for text in found] == texts


def test_the_log_states_the_neighbours_beside_those_of_the_training(bench, model):
    here = mixture(seed=5)
    predictor = Predictor(model, "cpu")
    measured = predictor.measure(here).structure.neighbours
    domain = predictor.manifest.domain
    assert isinstance(domain, Domain)
    run = bench.run(bench.start(here) + f"fix g all glassml 1 {model} A B\nrun 0")
    known = shown_range(domain.neighbours)
    expected = f"{measured:.4g} neighbours per atom (training data: {known})"
    assert expected in run.log.read_text()


def test_a_model_that_does_not_know_its_domain_says_nothing(bench, models):
    here = CASES["much too thin"]()
    run = bench.run(bench.start(here) + f"fix g all glassml 1 {models()} A B\nrun 0")
    assert lammps_says(run.log.read_text()) == []
    assert re.search(r"[\d.]+ neighbours per atom\n", run.log.read_text())


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_hot_liquid(bench, model, ranks):
    velocities = "velocity all create {} 11 mom yes\nfix n all nve\ntimestep 0.0001\n"
    for temperature, expected in ((0.64, []), (2.0, ["temperature: expected 0.64; found 2"])):
        script = bench.start(mixture(seed=5)) + f"fix g all glassml 1 {model} A B\n"
        run = bench.run(script + velocities.format(temperature) + "run 0", ranks=ranks)
        assert lammps_says(run.log.read_text()) == expected


def simulated(bench, temperature: float, model: Path) -> tuple[list[str], str]:
    """Warnings of LAMMPS for a Kob-Andersen liquid that it simulates, and of Python for its dump.

    Ten units of time are many relaxation times at T = 2, and one at 0.64, where the run begins.
    """
    with Dataset("kob_andersen_T0.64") as dataset:
        script = bench.start(dataset[0])
    script += (
        f"velocity all create {temperature} 11\nfix n all nvt temp $t $t 0.2\n"
        f"timestep 0.004\nrun 2500\nfix g all glassml 1 {model} A B\nrun 0\n"
        "write_dump all custom out.dump id type x y z vx vy vz\n"
    )
    run = bench.run(f"variable t equal {temperature}\n{script}")
    options = ReadOptions(species=SpeciesMap.parse("A,B"))
    (frame,) = read_configurations(bench.folder / "out.dump", options=options)
    return lammps_says(run.log.read_text()), python_says(model, frame)


def test_the_kob_andersen_liquid_at_a_much_higher_temperature(bench):
    in_lammps, in_python = simulated(bench, 2.0, pretrained_path("kob_andersen_T0.44"))
    (text,) = in_lammps
    stated = re.fullmatch(r"temperature: expected 0\.44; found ([\d.]+)", text)
    # The temperature of 1000 particles fluctuates by T sqrt(2 / 3000) = 0.05.
    assert float(stated[1]) == pytest.approx(2.0, abs=0.25)
    # The dump states no temperature, but its structure is another one.
    assert in_python.startswith("local structure: expected ")


def test_the_kob_andersen_liquid_at_its_own_temperature(bench):
    assert simulated(bench, 0.64, pretrained_path("kob_andersen_T0.64_multitime")) == ([], "")


def test_each_quantity_is_warned_of_once_and_when_it_leaves(bench, model):
    heat = (
        "velocity all create 0.64 11\nfix n all nve\ntimestep 0.0001\nrun 2\n"
        "velocity all scale 5.0\nrun 2\nvelocity all scale 7.0\nrun 2\n"
        "change_box all x scale 1.2 remap\nrun 2\n"
    )
    script = bench.start(mixture(seed=5)) + f"fix g all glassml 1 {model} A B\n"
    found = lammps_says(bench.run(script + heat).log.read_text())
    assert found[0] == "temperature: expected 0.64; found 5"
    assert re.fullmatch(
        r"number density: expected 1\.2; found 1; neighbours within the cutoff: .*", found[1]
    )
    assert len(found) == 2


def test_velocities_of_a_minimisation_mean_nothing(bench, model):
    script = bench.start(mixture(seed=5)) + f"fix g all glassml 1 {model} A B\n"
    run = bench.run(script + "velocity all create 9.0 11\nminimize 0 0 1 1")
    assert all("temperature" not in text for text in lammps_says(run.log.read_text()))


def test_velocities_in_a_rerun_mean_nothing(bench, model):
    here = mixture(seed=5)
    script = bench.start(here) + f"fix g all glassml 1 {model} A B\n"
    write = "write_dump all custom frames.dump id type x y z modify format float %20.15g\n"
    rerun = "velocity all create 5.0 11\nrerun frames.dump dump x y z"
    assert lammps_says(bench.run(script + write + rerun).log.read_text()) == []


def test_pinned_atoms_are_not_cold(bench, model):
    script = bench.start(mixture(seed=5)) + f"fix g all glassml 1 {model} A B\n"
    half = (
        "group still id 1:250\ngroup free id 251:500\n"
        "velocity free create 0.64 11 mom yes\nvelocity still set 0 0 0\nfix n free nve\nrun 0"
    )
    assert lammps_says(bench.run(script + half).log.read_text()) == []


def test_a_box_that_is_not_periodic(bench, model):
    here = mixture(seed=5)
    inside = here.positions % np.diag(here.cell)
    here = moved(here, positions=inside, pbc=(True, True, False))
    expected = python_says(model, here).replace(" (is the cell missing?)", "")
    assert expected.startswith("boundaries: expected periodic ones; found others")
    script = bench.start(here, "boundary p p f") + f"fix g all glassml 1 {model} A B\nrun 0"
    assert lammps_says(bench.run(script).log.read_text()) == [expected]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"composition": [[1, 1]]}, "domain: field 'composition': expected 2 ranges"),
        ({"shells": [[[0.0]]]}, "domain: field 'shells': expected 160 numbers; found 1"),
        ({"neighbours": 40}, "'neighbours': expected the smallest and the largest value; found 40"),
    ],
)
def test_a_damaged_domain(bench, model, change, words, tmp_path):
    domain = Predictor(model, "cpu").manifest.model_dump(mode="json")["domain"]
    path = rewritten(model, tmp_path / "damaged.pt", domain=domain | change)
    script = bench.start(mixture(seed=5)) + f"fix g all glassml 1 {path} A B\nrun 0"
    assert words in bench.refused(script)
