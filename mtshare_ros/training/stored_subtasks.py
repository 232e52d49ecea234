"""Sub-tasks that a finished stage left, read again, and their forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.units import SubTask
from mtshare_ros.training.checkpoints import load_tensors, part_of, said_of
from mtshare_ros.training.data_sets import tasks_of_record
from mtshare_ros.training.stored import stage_path


def _replaced() -> type[SubTask]:
    # Research code, loaded for such sub-tasks only.
    from mtshare_ros.training.jobs.reference import ReplacedSubTask

    return ReplacedSubTask


FORMS: dict[str, Callable[[], type[SubTask]]] = {"added": lambda: SubTask, "replaced": _replaced}
"""Form of private units, as a configuration names it -> a function that returns its class."""


def shares_of_record(record: dict[str, Any]) -> dict[str, list[LayerShare]]:
    """Return task -> private units of each block; empty where no sub-tasks were trained."""
    return {
        task: [LayerShare(**share) for share in layers]
        for task, layers in record.get("shares", {}).items()
    }


def load_subtasks(run: Path, stage: str) -> tuple[dict[str, SubTask], dict[str, Any]]:
    """Return the sub-tasks that a stage trained by task name, and the stage's record."""
    path = stage_path(run, stage)
    tensors, record = load_tensors(path)
    with said_of(path):
        config = NetworkConfig.from_dict(record["network"])
        modules, tasks = nn.ModuleDict(), tasks_of_record(record)
        form = FORMS[record["form"]]()
        for name, shares in shares_of_record(record).items():
            modules[name] = form(config, shares, tasks[name].channels)
        modules.load_state_dict(part_of(tensors, "subtasks.") or tensors)
    return {name: module.eval() for name, module in modules.items()}, record
