"""Work that is done once: tasks named by everything they depend on, kept in a folder, resumable."""

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
