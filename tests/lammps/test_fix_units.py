"""A metallic liquid with the shipped model, in two unit systems of LAMMPS that share a length."""

from __future__ import annotations

import re

import pytest
from matrix import TOLERANCE, differences, expanded, frames_of
from systems import liquid

from glassml.export import read_manifest
from glassml.physics.units import UNIT_STYLES
from glassml.pretrained import pretrained_path

SPECIES = ("Cu", "Zr")
# Timesteps of 2 fs. The potential is converted by LAMMPS itself.
TIMESTEP = {"metal": 0.002, "real": 2.0}
START = """units {units}
read_data data.liquid
pair_style eam/fs
pair_coeff * * CuZr_mm.eam.fs Cu Zr
minimize 0.0 0.1 40 200
reset_timestep 0
velocity all create 300.0 7
fix nve all nve
timestep {timestep}
FIX 5
DUMP 5
run 10
"""


@pytest.mark.parametrize("units", TIMESTEP)
def test_the_shipped_metallic_model(bench, units):
    model = pretrained_path("cu_zr_1200K")
    bench.write_data(liquid(150, density=0.055, seed=60))
    script = START.format(units=units, timestep=TIMESTEP[units])
    run = bench.run(expanded(script, {"g": model}, " ".join(SPECIES)), ranks=2)
    frames = frames_of(bench.folder)
    assert [atoms.info["timestep"] for atoms in frames] == [0, 5, 10]
    assert {atoms.info["unit_style"] for atoms in frames} == {units}
    assert read_manifest(model).length_unit == UNIT_STYLES[units].length == "angstrom"
    assert max(differences(frames, "g", model, SPECIES)) < TOLERANCE["float32"]
    # Velocities have other units in the two; the temperature that the fix compares has not.
    (found,) = re.findall(r"temperature: expected \S+ K; found (\S+) K", run.stdout)
    assert float(found) == pytest.approx(300.0, rel=1e-3)
