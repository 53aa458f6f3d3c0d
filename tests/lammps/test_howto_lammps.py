"""How-to pages about LAMMPS: their blocks run as they stand, in small systems and few steps."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from matplotlib.image import imread
from pages import REPOSITORY, executed
from scipy.stats import spearmanr
from systems import liquid

from glassml.data import open_frames
from glassml.pretrained import pretrained_path
from glassml.simulation import from_include, quench

MOVE = (
    "minimize 0.0 1.0e-2 50 200\nreset_timestep 0\nvelocity all create 0.44 71\nfix nve all nve\n"
    "timestep 0.005\n"
)
AVERAGE = "variable model index kob_andersen_T0.44_average\n"


def shell(commands: str, folder: Path) -> str:
    """Runs commands as a user types them; returns what they print."""
    path = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def parts(bench):
    """The two scripts of the page about long runs, for 1600 and 1600 more steps."""
    first, second = executed("docs/howto/long_runs.md", "lammps")
    outputs = ("smooth 8", "smooth 8 output propensity propensity_spread")
    first = first.replace(*outputs).replace("f_ml[1]", "f_ml[*]").replace("4000", "800")
    bench.run(
        bench.start(liquid(125, seed=83)) + MOVE + AVERAGE + first.replace("10000000", "1600")
    )
    second = second.replace(*outputs).replace("f_ml[1]", "f_ml[*]").replace("10000000", "3200")
    return bench, bench.run(AVERAGE + second)


def test_a_run_continues_from_its_restart_file(parts):
    """As the table of the page says: the window, and the means, begin anew."""
    bench, run = parts
    assert {path.name for path in bench.folder.glob("*.restart")} == {
        "liquid.800.restart",
        "liquid.1600.restart",
        "liquid.last.restart",
    }
    assert "values are 0 until step 2000" in run.stdout
    before = {frame.step: frame for frame in bench.frames("part1.lammpstrj")}
    after = {frame.step: frame for frame in bench.frames("part2.lammpstrj")}
    assert list(before) == [0, 400, 800, 1200, 1600]
    assert list(after) == [1600, 2000, 2400, 2800, 3200]
    order = [np.argsort(frame["id"]) for frame in (before[1600], after[1600])]
    for axis in "xyz":  # six digits in a dump; the box may wrap a particle at its edge
        x, y = (frame[axis][k] for frame, k in zip((before[1600], after[1600]), order, strict=True))
        assert np.sum(np.abs(x - y) > 1e-4) <= 1
    assert before[1600]["f_ml[1]"].min() > 0
    assert before[1600]["f_ml[2]"].max() > 0
    assert not after[1600]["f_ml[1]"].any()
    assert after[2000]["f_ml[1]"].min() > 0
    assert not after[2000]["f_ml[2]"].any()  # the spread of a single evaluation
    assert after[2400]["f_ml[2]"].max() > 0


def test_pieces_of_a_run_lose_nothing(bench):
    fix = "fix ml all glassml 400 ${model} A B smooth 8\n"
    dump = "dump 1 all custom 400 {name} id f_ml[1]\ndump_modify 1 sort id format float %20.15g\n"
    for name, run in (("whole", "run 1600\n"), ("pieces", "run 1600 every 800 'print piece'\n")):
        script = bench.start(liquid(125, seed=83)) + MOVE + AVERAGE + fix + dump.format(name=name)
        bench.run(script + run)
    whole, pieces = ({f.step: f["f_ml[1]"] for f in bench.frames(n)} for n in ("whole", "pieces"))
    # 1e-4: a run begins with new neighbour lists, sums in another order, and the paths drift apart.
    np.testing.assert_allclose(pieces[1600], whole[1600], rtol=1e-4)
    # Means over fewer evaluations would be others.
    assert np.abs(whole[1600] / whole[1200] - 1).max() > 1e-2


def test_a_time_limit_leaves_a_restart_file(bench):
    script = bench.start(liquid(125, seed=83)) + MOVE + AVERAGE
    script += "fix ml all glassml 400 ${model} A B\ntimer timeout 0:00:01 every 400\n"
    run = bench.run(script + "run 10000000\nwrite_restart last.restart\nrun 400\n")
    assert (bench.folder / "last.restart").is_file()
    assert "Wall time limit reached" in run.log.read_text()
    steps = run.thermo()[-1]["Step"]
    assert steps[-1] % 400 == 0
    assert steps[-1] < 10000000


def test_dump_image(bench):
    (shown,) = executed("docs/howto/dump_image.md", "lammps")
    example = (REPOSITORY / "examples" / "dump_image" / "in.image").read_text()
    assert [" ".join(line.split()) for line in example.splitlines() if line.split()[:1] in (
        ["fix"], ["region"], ["dump"], ["dump_modify"], ["amap"]
    )][-5:] == [" ".join(line.split()) for line in shown.splitlines()]  # fmt: skip
    (commands,) = executed("docs/howto/dump_image.md", "sh")
    (bench.folder / "examples").symlink_to(REPOSITORY / "examples")
    small = " -var cells 5 -var t_melt 100 -var steps 200"
    shell(commands.rstrip() + small, bench.folder)
    pictures = sorted(bench.folder.glob("layer.*.ppm"))
    assert [path.name for path in pictures] == [f"layer.{k:08d}.ppm" for k in (0, 100, 200)]
    image = imread(pictures[-1]).astype(int)
    assert image.shape == (600, 600, 3)
    assert (image[0, 0] == 255).all()
    # Spheres are red, white or blue, lit from a side: green is never the strongest channel.
    spheres = image[np.ptp(image, axis=-1) > 20]
    assert len(spheres) > 10_000
    assert (spheres[:, 1] <= spheres.max(axis=1)).all()
    assert (spheres[:, [0, 2]].max(axis=1) >= spheres[:, 1]).all()
    (code,) = executed("docs/howto/dump_image.md", "python")
    subprocess.run([sys.executable, "-c", code], cwd=bench.folder, check=True, capture_output=True)
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(bench.folder / "layer.mp4"))
    assert frames == 3


def test_ovito(bench):
    """A real OVITO, without a display: it computes the colours and does not render them."""
    pytest.importorskip("ovito", reason="needs OVITO, which [test] installs for Python >= 3.11")
    (script,) = executed("docs/howto/ovito.md", "lammps")
    bench.run(bench.start(liquid(125, seed=80)) + MOVE + script + "run 200\n")
    shutil.copy(REPOSITORY / "examples" / "ovito" / "colour_by_propensity.py", bench.folder)
    (code,) = executed("docs/howto/ovito.md", "python")
    subprocess.run([sys.executable, "-c", code], cwd=bench.folder, check=True)
    lines = (bench.folder / "coloured.xyz").read_text().splitlines()
    assert len(lines) == 3 * 127
    rows = np.array([line.split() for line in lines[-125:]], float)
    frame = bench.frames("run.lammpstrj")[-1]
    np.testing.assert_allclose(rows[:, 7], frame["f_ml[1]"], rtol=1e-5)
    light = rows[:, 4:7] @ [0.2126, 0.7152, 0.0722]
    for kind in (1, 2):
        of_type = frame["type"] == kind
        # viridis becomes lighter with the value; 256 colours, and a few values beyond both ends
        assert spearmanr(light[of_type], frame["f_ml[1]"][of_type])[0] > 0.99
        assert np.ptp(light[of_type]) > 0.5


def test_a_model_by_name_and_by_path(bench):
    by_name, by_path = executed("docs/howto/models.md", "lammps")
    script = bench.start(liquid(125, seed=80)) + MOVE
    names = script + by_name + "thermo_style custom step f_ml[1]\nrun 0\n"
    expected = bench.run(names).thermo()[-1]["f_ml[1]"]
    script += by_path + "thermo_style custom step f_ml[1]\nrun 0\n"
    (bench.folder / "in.liquid").write_text(script)
    (command,) = executed("docs/howto/models.md", "sh", "Models that ship with glassml", 1)
    assert f"{expected[0]:.6g}"[:6] in shell(command, bench.folder)
    assert str(pretrained_path("kob_andersen_T0.44")).endswith(".pt")


def test_the_dump_that_glassml_predict_reads(bench):
    (script,) = executed("docs/howto/predict.md", "lammps")
    bench.run(bench.start(liquid(60, seed=84)) + MOVE + script + "run 40\n")
    frames = [atoms for _, atoms in open_frames(bench.folder / "moving.lammpstrj").frames]
    assert [round(atoms.info["time"], 9) for atoms in frames] == [0.0, 0.1, 0.2]
    assert all("c_pe" in atoms.arrays for atoms in frames)


def test_an_include_file_of_the_page_about_simulations(tmp_path):
    (script,) = executed("docs/howto/simulate.md", "lammps")
    (tmp_path / "mine.lammps").write_text(script)
    system = from_include(tmp_path / "mine.lammps", ("A", "B"))
    done = quench(liquid(60, seed=1), system, force_tolerance=1e-2)
    assert done.scalars["inherent_energy"].sum() < done.scalars["potential_energy"].sum()
