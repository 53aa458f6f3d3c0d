"""A committee in LAMMPS: mean, spread and every member from one evaluation, on any ranks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from systems import liquid

from glassml.export import save_model
from glassml.inference import Predictor
from glassml.models import Committee, build

OUTPUTS = ("propensity", "propensity_std", "propensity_members", "descriptors")
TIMES = (1.0, 10.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Members with 3, 1 and 2 steps, three cutoffs and 0, 1 and 2 scalars, and their committee."""
    torch.manual_seed(11)
    folder = tmp_path_factory.mktemp("committee")
    both = ("inherent_energy", "potential_energy")
    members = [
        build("se3gnn-v2", n_layers=3, channels=4, l_max=2, times=TIMES),
        build(
            "se3gnn-v1",
            n_layers=1,
            l_max=1,
            times=TIMES,
            cutoff=1.4,
            scalar_inputs=both[1:],
            decode_scalars=True,
            gate_hidden=4,
        ),
        build("analytic", times=TIMES, cutoff=1.7, scalar_inputs=both),
    ]
    for gate in members[1].gates:  # before training they multiply by 1
        torch.nn.init.normal_(gate.second.weight)
    result = {f"member{k}": folder / f"member{k}.pt" for k in range(3)}
    for file, member in zip(result.values(), members, strict=True):
        save_model(member, file, dtype="float64")
    result["float64"], result["float32"] = folder / "double.pt", folder / "single.pt"
    save_model(Committee(members), result["float64"], dtype="float64")
    save_model(Committee(members), result["float32"], tolerance=1e-3)
    return result


@pytest.mark.parametrize("ranks", [1, 2])
def test_equals_python_and_the_members_alone(bench, files, dump, agrees, ranks):
    configuration = liquid(216, seed=ranks, triclinic=True)
    # The scalars come from coordinates, which a dump writes exactly.
    script = bench.start(configuration) + "variable p atom x*y\nvariable i atom cos(z)\n"
    for dtype in ("float64", "float32"):
        script += f"fix {dtype} all glassml 1 {files[dtype]} A B output {' '.join(OUTPUTS)} "
        script += "device cpu scalar v_p scalar v_i\n"
    bench.run(script + dump("float64", "float32") + "run 0", ranks=ranks)
    (frame,) = bench.frames()
    scalars = {"potential_energy": frame["x"] * frame["y"], "inherent_energy": np.cos(frame["z"])}
    now = dataclasses.replace(frame.configuration(configuration), scalars=scalars)
    for dtype in ("float64", "float32"):
        agrees(frame.values(dtype), now, files[dtype], OUTPUTS)

    members = [Predictor(files[f"member{k}"], device="cpu", threads=1) for k in range(3)]
    alone = np.stack([member.predict([now])[0]["propensity"] for member in members])
    spread = alone.std(axis=0, ddof=1)
    assert spread.min() > 1e-3
    expected = np.hstack([alone.mean(axis=0), spread, *alone])
    found = frame.values("float64")[:, : expected.shape[1]]
    # 1e-10 of the largest: LAMMPS' differences of coordinates round elsewhere than Python's.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * abs(alone).max())
