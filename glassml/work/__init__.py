"""Tasks whose results are computed once, kept in a folder under a hash of all their inputs."""

from __future__ import annotations

from glassml.work.scheduler import run_tasks
from glassml.work.store import Store
from glassml.work.task import Evaluator, Task, evaluator
from glassml.work.workers import ClusterConfig, Workers, available_cores, open_workers

__all__ = [
    "ClusterConfig",
    "Evaluator",
    "Store",
    "Task",
    "Workers",
    "available_cores",
    "evaluator",
    "open_workers",
    "run_tasks",
]
