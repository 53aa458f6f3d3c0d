"""What fixes that move the box mean for the values of `fix glassml`, and threads."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matrix import RELAX
from systems import liquid


@pytest.mark.parametrize(
    "mover",
    [
        "press/berendsen iso 20.0 20.0 0.05 modulus 50.0",
        "deform 1 x erate 2.0 xy erate 3.0 remap x",
    ],
)
def test_values_precede_what_moves_the_box_at_the_end_of_a_step(bench, models, agrees, mover):
    """They belong to the configuration of the forces, as all that LAMMPS computes of them does."""
    start = liquid(150, seed=12, triclinic=False)
    model = models()
    triclinic = "change_box all triclinic\n" * mover.startswith("deform")
    script = bench.start(start) + triclinic + RELAX
    script += f"fix g all glassml 1 {model} A B\n"
    # These two work at the end of the step too, before the fix that follows them.
    script += "fix before all ave/atom 1 1 1 x y z\n"
    numbers = " ".join(f"$({word}:%.17g)" for word in ("lx", "ly", "lz", "xy"))
    script += f'fix box all print 1 "$(step) {numbers}" file box screen no\n'
    script += f"fix mover all {mover}\n"
    script += "dump d all custom 1 dump.out id type x y z f_before[*] f_g[*]\n"
    script += "dump_modify d sort id first no format float %20.17g\n"
    bench.run(script + "run 5", ranks=2)
    boxes = {int(row[0]): row[1:] for row in np.loadtxt(bench.folder / "box")}
    frames = [frame for frame in bench.frames() if frame.step > 0]
    assert [frame.step for frame in frames] == [1, 2, 3, 4, 5]
    for frame in frames:
        lx, ly, lz, xy = boxes[frame.step]
        positions = frame.values("before")
        now = frame.configuration(start)
        assert np.abs(now.positions - positions).max() > 1e-4
        cell = np.array([[lx, 0, 0], [xy, ly, 0], [0, 0, lz]])
        evaluated = dataclasses.replace(now, cell=cell, positions=positions)
        agrees(frame.values("g"), evaluated, model)


@pytest.mark.parametrize(("omp", "torch_threads"), [(1, 2), (2, 1)])
def test_threads_of_lammps_and_of_torch(bench, models, dump, agrees, omp, torch_threads):
    configuration = liquid(1100, seed=9)  # so many that the neighbour search uses two threads
    files = {"net": models.network(), "exact": models()}
    script = f"package omp {omp}\nsuffix omp\n" + bench.start(configuration)
    for name, file in files.items():
        script += f"fix {name} all glassml 1 {file} A B threads {torch_threads}\n"
    # A second step: the forces of LAMMPS' threads come after torch has used its own.
    run = bench.run(script + dump(*files) + "timestep 1e-9\nrun 1", threads=omp)
    assert f"{torch_threads} thread(s) per MPI task" in run.log.read_text()
    for frame in bench.frames():
        for name, file in files.items():
            agrees(frame.values(name), frame.configuration(configuration), file)
