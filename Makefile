# make demo | test | docs | bench | sanitize | lint | format: each sets up what it needs in .venv first; a second call is quick.
#
#   PYTHON=python3.12        the interpreter that .venv is made with (3.10 or newer)
#   VENV=path                another place for the environment
#   TORCH_ARGS=...           arguments of pip for torch alone, for instance for a build without CUDA:
#                            make demo TORCH_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
#   PYTEST_ARGS=...          arguments of pytest, for instance "-k lammps -x"
#   TEST_JOBS=2              test files at a time
#   SIZE=tiny                benchmarks that only show that they work; default: full
#   BENCH_ARGS=...           arguments of the benchmarks, for instance "--only prediction --record"

PYTHON ?= python3
VENV ?= .venv
TORCH_ARGS ?=
PYTEST_ARGS ?=
TEST_JOBS ?= 2
SIZE ?= full
BENCH_ARGS ?=
CXX ?= g++

BIN := $(VENV)/bin
# Python compiles what is imported, once; compiling every file of every package takes a minute.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
         -c constraints.txt
NATIVE_SOURCES := $(shell find glassml/nn/ops/csrc glassml/physics/csrc lammps_plugin -type f \
                    \( -name '*.cpp' -o -name '*.h' -o -name 'CMakeLists.txt' \) 2>/dev/null)
CXX_SOURCES := $(filter %.cpp %.h,$(NATIVE_SOURCES))

# The tests start Python hundreds of times: compiling torch anew each time would take most of the
# time, so compiled files are kept even where the shell says otherwise.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test docs bench sanitize lint format clean

help:
	@echo "make demo    set up, then LAMMPS with fix glassml on a Kob-Andersen liquid"
	@echo "make test    set up, then linters, type checker and the whole test suite"
	@echo "make docs    set up, then the documentation as a site, its tutorials and pictures made anew"
	@echo "make bench   speed and memory against plain e3nn and in LAMMPS (SIZE=tiny: a minute)"
	@echo "make sanitize  the C++ code with the sanitizers of the compiler (half an hour)"
	@echo "make lint    only the linters and the type checker"
	@echo "make format  put the code into the project's format"
	@echo "make clean   remove .venv and what was built"

demo: $(VENV)/.built
	$(BIN)/python examples/demo/run.py

# mypy uses one core, so the compilers work beside it. Files are tested in their order: xdist would
# leave those with the fewest tests to the end, which take longest, and one core would wait.
test: $(VENV)/.installed
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint $(VENV)/.built
	$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder --durations=30 $(PYTEST_ARGS)

# Cells of tutorials call the commands of the environment. `make test` skips the tests of Sphinx'
# extensions where Sphinx is not installed yet, so they run here.
docs: $(VENV)/.built $(VENV)/.docs
	$(BIN)/python -m pytest -q tests/docs_site
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "The site is in docs/_build/html/index.html"

bench: $(VENV)/.built
	$(BIN)/python -m benchmarks.run --size $(SIZE) --output bench-output $(BENCH_ARGS)

sanitize: $(VENV)/.installed
	$(BIN)/python tests/native/sanitizers.py

lint: $(VENV)/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(if $(CXX_SOURCES),$(BIN)/clang-format --dry-run --Werror $(CXX_SOURCES))

format: $(VENV)/.installed
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format
	$(if $(CXX_SOURCES),$(BIN)/clang-format -i $(CXX_SOURCES))

clean:
	rm -rf $(VENV) build dist docs/_build docs/gallery docs/examples docs/reference/cli demo-output bench-output .pytest_cache .mypy_cache .ruff_cache

# Stamp files: the newest of what they depend on decides whether anything is to be done.
$(VENV)/.built: $(VENV)/.installed $(NATIVE_SOURCES)
	$(BIN)/glassml build --tests
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	@echo "Installing torch and everything else into $(VENV) (once; some minutes) ..."
	$(PIP) $(TORCH_ARGS) torch==2.13.0
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation -e ".[lammps,test]"
	@touch $@

$(VENV)/.docs: $(VENV)/.installed
	$(PIP) --no-build-isolation -e ".[docs]"
	@touch $@

# Said before anything is downloaded: what only the system's package manager can mend.
$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || \
	  { echo "error: no $(PYTHON) on PATH: apt install python3 (or name one: make PYTHON=...)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "error: $$($(PYTHON) --version) is too old, 3.10 or newer is needed:" \
	         "make PYTHON=python3.12 (or the name of another one)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "error: $(PYTHON) cannot make virtual environments: apt install python3-venv"; exit 1; }
	@command -v $(firstword $(CXX)) >/dev/null || \
	  { echo "error: no C++ compiler ($(CXX)): apt install g++ (or name one: make CXX=...)"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@
