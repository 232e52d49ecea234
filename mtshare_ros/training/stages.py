"""Trains one stage: its trainer by its kind, and what it leaves on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mtshare_ros.training.checkpoints import save_tensors
from mtshare_ros.training.jobs.dense import train_joint, train_single_task
from mtshare_ros.training.jobs.gates import train_gates
from mtshare_ros.training.jobs.subtasks import train_uniform, train_units
from mtshare_ros.training.jobs.together import train_together
from mtshare_ros.training.stage_context import StageContext, StageResult
from mtshare_ros.training.stage_settings import Stage
from mtshare_ros.training.stored import checkpoint_path, stage_path
from mtshare_ros.training.subtask_settings import ElementwiseStage


def _train_elementwise(context: StageContext, stage: ElementwiseStage) -> StageResult:
    # Research code, loaded for such a stage only.
    from mtshare_ros.training.jobs.reference import train_elementwise

    return train_elementwise(context, stage)


TRAINERS: dict[str, Callable[[StageContext, Any], StageResult]] = {
    "single_task": train_single_task,
    "joint": train_joint,
    "together": train_together,
    "gates": train_gates,
    "units": train_units,
    "uniform": train_uniform,
    "elementwise": _train_elementwise,
}
"""Kind of stage -> its trainer, which lies beside its job."""


def train_stage(context: StageContext, stage: Stage) -> None:
    """Train one stage and store what it leaves."""
    # Seeded per stage, so that a run resumed between two stages starts the next one alike.
    torch.manual_seed(context.seed(stage))
    result = TRAINERS[stage.kind](context, stage)
    if context.fabric.is_global_zero:
        path = stage_path(context.run, stage.name)
        save_tensors(path, dict(result.module.state_dict()), result.record)
        checkpoint_path(context.run, stage.name).unlink(missing_ok=True)
    context.fabric.barrier()
