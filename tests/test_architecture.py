"""The house: imports run one way, what is long is so for a reason, nothing unsafe is read."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "glassml"
MODULES = sorted([*PACKAGE.rglob("*.py"), *(REPOSITORY / "calculators").rglob("*.py")])
NATIVE_SOURCES = sorted(
    path
    for folder in (
        PACKAGE / "nn" / "ops" / "csrc",
        PACKAGE / "physics" / "csrc",
        REPOSITORY / "lammps_plugin",
    )
    for path in folder.rglob("*")
    if path.suffix in {".cpp", ".h"}
)
each_module = pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(REPOSITORY)))

# Room -> the rooms that it may import.
# "" is the package itself, which holds the version.
BASE = {"", "errors", "files", "settings", "tables", "plotting", "progress", "scores"}
FLOW = [
    "native",
    "physics",
    "data",
    "provenance",
    "graph",
    "domain",
    "nn",
    "models",
    "training",
    "export",
    "importing",
    "inference",
]
ALLOWED: dict[str, set[str]] = {
    "": set(),
    "errors": {""},
    "files": {"", "errors"},
    "settings": {"", "errors", "files"},
    "tables": {"", "errors", "files", "scores"},
    "plotting": {"", "errors", "files"},
    "progress": {""},
    "scores": {"", "physics"},
    "work": {"", "errors", "files", "settings", "progress"},
    **{room: BASE | set(FLOW[:i]) for i, room in enumerate(FLOW)},
    "simulation": BASE | {"native", "physics", "data", "work"},  # beside `data` at the entrance
    "pretrained": BASE,
    "glassml_ase": BASE | set(FLOW) | {"pretrained"},
    "lammps": BASE | set(FLOW) | {"pretrained"},
    "calculators": {"glassml_ase"},
    "analysis": BASE | set(FLOW) | {"pretrained", "simulation"},
}
ALLOWED["export"] |= {"pretrained"}  # a shipped model may be given by its name
ALLOWED["inference"] |= {"pretrained"}
ALLOWED["studies"] = ALLOWED["analysis"] | {"analysis", "work"}
ALLOWED["cli"] = BASE | set(ALLOWED)
ALLOWED["__main__"] = {"cli"}

# Habits that a reader applies: most files have up to 400 lines, most functions up to 50 (without
# the docstring). What is longer stands here with its reason, so that it is a decision and not an
# accident. Nothing is split only to become shorter: a file holds one subject.
USUAL_FILE_LINES = 400
USUAL_FUNCTION_LINES = 50
LONG_FILES = {
    "glassml/data/dataset.py": "reading and writing of one file, and what damage of it is called",
    "glassml/nn/radial.py": "radial filters as networks and as tables, which must agree",
    "lammps_plugin/src/fix_glassml.cpp": "one class, and most of its functions are LAMMPS' own",
}
LONG_FUNCTIONS: dict[str, str] = {}  # such as "glassml/cli/evaluate.py: evaluate"


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(module: str) -> str:
    """`glassml.nn.ops` -> `nn`, `glassml_ase.calculator` -> `glassml_ase`."""
    parts = module.split(".")
    if parts[0] == "glassml_ase":
        return parts[0]
    return parts[1] if len(parts) > 1 else ""


def module_name(path: Path) -> str:
    root = PACKAGE.parent if PACKAGE in path.parents else REPOSITORY / "calculators"
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported(path: Path) -> Iterator[str]:
    """Modules of this project that a file imports, anywhere in it."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            # `from glassml import data` imports the room, `from glassml import __version__` not
            names = [f"{node.module}.{a.name}" for a in node.names if is_room(node.module, a.name)]
            names = names or [str(node.module)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in {"glassml", "glassml_ase"})


def is_room(module: str | None, name: str) -> bool:
    return module == "glassml" and ((PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file())


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    assert function.end_lineno is not None
    length = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None and first.end_lineno is not None:
        length -= first.end_lineno - first.lineno + 1
    return length


@each_module
def test_imports_run_one_way(path: Path):
    room = room_of(module_name(path))
    allowed = ALLOWED[room] | {room}
    wrong = {name for name in imported(path) if room_of(name) not in allowed}
    assert not wrong, f"{room} may import only {sorted(allowed)}"


def modules_imported(path: Path, modules: set[str]) -> set[str]:
    """The modules behind the imports of a file.

    Of `from glassml.a import b` it is `glassml.a.b` if that is a module, else `glassml.a`.
    """
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else str(node.module) for name in names}
    return found & modules


def test_imports_never_run_in_a_circle():
    """Also inside a room, and also imports inside functions."""
    modules = {module_name(path): path for path in MODULES}
    graph = {name: modules_imported(path, set(modules)) for name, path in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@each_module
def test_module_says_what_it_is_and_what_it_offers(path: Path):
    tree = tree_of(path)
    assert ast.get_docstring(tree)
    targets = [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    assert "__all__" in targets


def test_long_files_are_listed_with_a_reason():
    long = {
        path.relative_to(REPOSITORY).as_posix()
        for path in [*MODULES, *NATIVE_SOURCES]
        if len(path.read_text(encoding="utf-8").splitlines()) > USUAL_FILE_LINES
    }
    assert long == set(LONG_FILES)


def test_long_functions_are_listed_with_a_reason():
    long = {
        f"{path.relative_to(REPOSITORY).as_posix()}: {node.name}"
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and code_lines(node) > USUAL_FUNCTION_LINES
    }
    assert long == set(LONG_FUNCTIONS)


def test_bars_are_drawn_in_one_place():
    """Everything else reports to a `glassml.progress.Progress`."""
    users = set()
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            if any(name.startswith("rich.progress") for name in names):
                users.add(module_name(path))
    assert users == {"glassml.progress"}


@each_module
def test_nothing_unpickles_freely(path: Path):
    calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    named = {ast.unparse(call.func): call for call in calls}
    assert not {"pickle.load", "pickle.loads", "joblib.load", "dill.load"} & set(named)
    for call in calls:
        if ast.unparse(call.func) == "torch.load":
            arguments = {k.arg: ast.unparse(k.value) for k in call.keywords}
            assert arguments.get("weights_only") == "True", f"line {call.lineno}"
        if ast.unparse(call.func) in {"np.load", "numpy.load"}:
            arguments = {k.arg: ast.unparse(k.value) for k in call.keywords}
            assert arguments.get("allow_pickle", "False") == "False", f"line {call.lineno}"


def test_every_room_of_the_house_is_known():
    rooms = {room_of(module_name(path)) for path in MODULES}
    assert rooms == set(ALLOWED)


def test_importing_glassml_is_quick_and_light():
    code = (
        "import sys, time; start = time.perf_counter(); import glassml\n"
        "heavy = {'torch', 'e3nn', 'numpy', 'ase', 'lightning', 'matplotlib', 'typer', 'rich'}\n"
        "print(time.perf_counter() - start, *(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    seconds, *heavy = result.stdout.split()
    assert heavy == []
    assert float(seconds) < 0.5  # a millisecond in truth; torch alone takes over a second


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["build", "--help"]])
def test_command_line_starts_without_torch(command: list[str]):
    code = (
        "import sys\n"
        f"sys.argv = ['glassml', *{command!r}]\n"
        "from glassml.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        "assert not {'torch', 'e3nn', 'lightning', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
