"""Dask: the same tasks with the same results in other processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulation.simulations import liquid_config

from glassml.errors import ConfigError
from glassml.simulation.pipeline import simulate

pytest.importorskip("dask_jobqueue", reason='needs pip install "glassml[cluster]"')


def files_of(folder: Path) -> dict[str, bytes]:
    work = folder / "work"
    return {str(path.relative_to(work)): path.read_bytes() for path in work.rglob("*.restart")}


def test_dask_does_the_same(tmp_path):
    for name, cluster in (("threads", "null"), ("dask", "{kind: local}")):
        config = liquid_config(tmp_path / name, f"cluster={cluster}")
        simulate(config, until="melt")
    expected = files_of(tmp_path / "threads")
    assert len(expected) == 4  # two replicas, created and melted
    assert files_of(tmp_path / "dask") == expected


def test_mistake_in_a_worker_is_reported_as_elsewhere(tmp_path):
    config = liquid_config(tmp_path, "cluster={kind: local}", "particles=100")
    with pytest.raises(Exception, match=r"stage melt, melt-replica.*twice the cutoff") as caught:
        simulate(config, until="melt")
    assert type(caught.value).__name__ == "InputError"


def test_options_that_dask_refuses(tmp_path):
    config = liquid_config(tmp_path, "cluster={kind: slurm, options: {memry: 1GB}}")
    with pytest.raises(ConfigError, match=r"cluster\.options: expected those that Dask accepts"):
        simulate(config, until="melt")


def test_slurm_jobs_ask_for_what_is_configured():
    from dask_jobqueue import SLURMCluster

    config = liquid_config(
        Path("x"),
        "cluster={kind: slurm, jobs: 2, options: {queue: short, cores: 8, processes: 8, "
        'memory: 16GB, walltime: "01:00:00"}}',
    )
    assert config.cluster is not None
    with SLURMCluster(**config.cluster.options) as cluster:
        script = cluster.job_script()
    assert "#SBATCH -p short" in script
    assert "#SBATCH --cpus-per-task=8" in script
    assert "#SBATCH -t 01:00:00" in script
