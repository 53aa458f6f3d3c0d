"""`fix glassml` finds the models that ship with glassml by their names."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from systems import liquid

from glassml.errors import SimulationError
from glassml.native import build_dir
from glassml.native.location import MODELS_LINK, PLUGIN_FILE
from glassml.pretrained import pretrained_names, pretrained_path

NAME = "kob_andersen_T0.44"


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_shipped_model_is_found_by_its_name(bench, dump, agrees, ranks):
    configuration = liquid(300, seed=7)
    run = bench.run(
        bench.start(configuration) + f"fix 1 all glassml 1 {NAME} A B\n" + dump("1") + "run 0\n",
        ranks=ranks,
    )
    (frame,) = bench.frames()
    agrees(frame.values("1"), frame.configuration(configuration), pretrained_path(NAME))
    # The log says which file was read.
    (line,) = [line for line in run.log.read_text().splitlines() if line.startswith("  model: ")]
    named = Path(line.split()[1])
    assert named.resolve() == pretrained_path(NAME).resolve()


def test_a_file_of_that_name_comes_first(bench, models, dump, agrees):
    shutil.copy(models(), bench.folder / NAME)
    configuration = liquid(80, seed=7)
    bench.run(
        bench.start(configuration) + f"fix 1 all glassml 1 {NAME} A B\n" + dump("1") + "run 0\n"
    )
    (frame,) = bench.frames()
    agrees(frame.values("1"), frame.configuration(configuration), models())


@pytest.mark.parametrize("ranks", [1, 2])
def test_an_unknown_name_lists_those_that_there_are(bench, ranks):
    script = bench.start(liquid(60)) + "fix 1 all glassml 1 kob_andersen_T0.4 A B"
    message = bench.refused(script, ranks=ranks)
    assert (
        "fix 1 glassml: kob_andersen_T0.4: expected a model file that can be read, or the name "
        f"of a model that ships with glassml ({', '.join(pretrained_names())}); found: No such file"
    ) in message


def test_a_plugin_without_its_models_says_how_to_get_the_path(bench):
    """A plugin that was copied out of its folder, beside another LAMMPS for instance."""
    assert (build_dir() / MODELS_LINK / f"{NAME}.pt").is_file()
    shutil.copy(build_dir() / PLUGIN_FILE, bench.folder / PLUGIN_FILE)
    shutil.copy(build_dir() / "libglassml_ops.so", bench.folder)
    script = bench.start(liquid(60)) + f"fix 1 all glassml 1 {NAME} A B"
    # Importing lammps, in some test before, adds the folder of the build to the second variable.
    environment = {"GLASSML_NATIVE_DIR": str(bench.folder / "none"), "LAMMPS_PLUGIN_PATH": ""}
    loaded = f"plugin load {bench.folder / PLUGIN_FILE}\n" + script
    with pytest.raises(SimulationError) as caught:
        bench.run(loaded, env=environment)
    message = " ".join(str(caught.value).split())
    assert (
        f"{NAME}: expected a model file that can be read, or the name of a model that ships with "
        "glassml; found: No such file or directory: 'glassml models fetch-path NAME' prints the "
        "path of a shipped model"
    ) in message


def test_values_of_a_name_are_those_of_its_path(bench, dump):
    found = []
    for model in (NAME, pretrained_path(NAME)):
        script = bench.start(liquid(80, seed=3)) + f"fix 1 all glassml 1 {model} A B\n"
        bench.run(script + dump("1") + "run 0\n")
        found.append(bench.frames()[0].values("1"))
    np.testing.assert_array_equal(*found)
