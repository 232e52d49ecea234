"""What a stage trained for one task, as something that maps images to raw maps.

``predict`` is the one place that knows the kinds of stages: a further kind is one more branch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.study.study_config import StudyError
from mtshare_ros.tasks import TASKS
from mtshare_ros.training.jobs.reference import load_elementwise
from mtshare_ros.training.stored import load_network, record_of
from mtshare_ros.training.stored_subtasks import load_subtasks


@dataclass(frozen=True)
class Trained:
    """One task of one stage.

    Attributes:
        raw: Images (B, 3, H, W), normalised -> raw map (B, C, H / 4, W / 4).
        config: Sizes of the network.
        parameters: What this task adds to the others of its system: a whole network, a
            sub-task's private units and head, or a head beside a shared encoder.
    """

    raw: Callable[[Tensor], Tensor]
    config: NetworkConfig
    parameters: int


def predict(run: Path, stage: str, task: str) -> Trained:
    """Open what a stage trained for a task.

    Raises:
        StudyError: The stage did not train this task.
        CheckpointError: The stage is not finished.
    """
    record = record_of(run, stage)
    _check_task(run, stage, task, record)
    if record["kind"] == "elementwise":
        return _elementwise(run, stage, task)
    if task not in record.get("shares", ()):
        network, _ = load_network(run, stage, task)
        joint = record["kind"] == "joint"
        added = network.head if joint and task != record["tasks"][0] else network
        return Trained(network, network.config, _parameters(added))
    base, _ = load_network(run, record["base"])
    subtask = load_subtasks(run, stage)[0][task]
    return Trained(partial(subtask.on_images, base), base.config, _parameters(subtask))


def _elementwise(run: Path, stage: str, task: str) -> Trained:
    """Open a sub-task whose weights are merged into the base's: its time is a dense network's."""
    subtasks, record = load_elementwise(run, stage)
    base, _ = load_network(run, record["base"])
    network = subtasks[task].merged(base).eval()
    changed = round(subtasks[task].density * _parameters(network.transformer))
    return Trained(network, network.config, changed + _parameters(network.head))


def full_parameters(config: NetworkConfig, task: str) -> int:
    """Return the parameters of one dense single-task network."""
    return _parameters(SingleTaskNetwork(config, TASKS[task].channels))


def steps_of(run: Path, stage: str) -> tuple[int, ...]:
    """Return the optimiser steps of a stage, those of the stages it builds on first."""
    record = record_of(run, stage)
    steps = (int(record["steps"]),)
    # What a stage starts from was itself trained on the base.
    before = record["settings"].get("start") or record["settings"].get("base")
    return steps if before is None else (*steps_of(run, before), *steps)


def _check_task(run: Path, stage: str, task: str, record: dict[str, Any]) -> None:
    base = [record["task"]] if "task" in record else []
    tasks = [*base, *record.get("tasks", ()), *record.get("shares", ())]
    if task not in tasks:
        raise StudyError(f"{run}: stage {stage} trained {', '.join(tasks)}, not {task}")


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
