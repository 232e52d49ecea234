"""Trains a fixed set of private units of sub-tasks, side by side on one pass of a frozen base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask, private_share
from mtshare_ros.network.vit import Branches
from mtshare_ros.training.batches import Batch
from mtshare_ros.training.jobs.frozen import FrozenBase, Teacher
from mtshare_ros.training.loop import Job
from mtshare_ros.training.losses import distillation_loss, task_loss
from mtshare_ros.training.stage_context import StageContext, StageResult
from mtshare_ros.training.stored import load_network
from mtshare_ros.training.stored_subtasks import FORMS, load_subtasks
from mtshare_ros.training.subtask_settings import (
    NewUnitsStage,
    SubTasksStage,
    UniformStage,
    UnitsStage,
)


@dataclass(frozen=True)
class Guidance:
    """What sub-tasks are trained towards besides the truth.

    Attributes:
        teachers: Task -> dense network whose outputs its sub-task follows.
        distill_weight: Factor on the distance to the teacher's output.
        pull: Factor on what private units write, relative to the residual stream.
    """

    teachers: Mapping[str, SingleTaskNetwork] = field(default_factory=dict)
    distill_weight: float = 1.0
    pull: float = 0.0


class UnitsJob(Job):
    """Sub-tasks with a fixed set of private units."""

    def __init__(
        self,
        base: SingleTaskNetwork,
        subtasks: Mapping[str, SubTask],
        guidance: Guidance | None = None,
    ) -> None:
        """Train ``subtasks`` (by task name) on the frozen ``base``."""
        super().__init__()
        guidance = guidance or Guidance()
        self.tasks = tuple(subtasks)
        self.base = FrozenBase(base)
        self.subtasks = nn.ModuleDict(subtasks)
        self.teachers = nn.ModuleDict({n: Teacher(t) for n, t in guidance.teachers.items()})
        self.distill_weight, self.pull = guidance.distill_weight, guidance.pull

    def gates_of(self, task: str) -> list[tuple[Tensor, Tensor]] | None:
        """Return the factors of a sub-task's units; None leaves the units as they are."""
        return None

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return each task's losses; the gradients of two tasks meet nowhere."""
        # All sub-tasks of a stage have one form.
        first = next(iter(self.subtasks.values()))
        tokens, fine, branches = self.base(batch["image"], first)
        losses = {}
        for name, subtask in self.subtasks.items():
            written: list[Tensor] = []
            features = subtask.features(
                tokens, branches, self.gates_of(name), written if self.pull else None
            )
            raw = subtask.head(features, fine)
            losses[name] = task_loss(self.task_of[name], raw, batch[name])
            if self.pull:
                losses[f"{name}_pull"] = self.pull * _relative_size(written, tokens, branches)
            if name in self.teachers:
                followed = self.teachers[name](batch["image"])
                distance = distillation_loss(self.task_of[name], raw, followed)
                losses[f"{name}_distill"] = self.distill_weight * distance
        return losses


def _relative_size(written: list[Tensor], tokens: Tensor, branches: Branches) -> Tensor:
    """Return the mean over all branches of |x_s - x_b|_1 / |x_b|_1."""
    base, apart = tokens, torch.zeros_like(tokens)
    ratios = []
    outputs = (output for block in branches for output in block)
    for private, output in zip(written, outputs, strict=True):
        base, apart = base + output, apart + private
        ratios.append(apart.abs().mean() / base.abs().mean())
    return torch.stack(ratios).mean()


def train_units(context: StageContext, stage: UnitsStage) -> StageResult:
    """Fine-tune the private units that an earlier stage ended with."""
    base, _ = load_network(context.run, stage.base)
    subtasks, started = load_subtasks(context.run, stage.start)
    traits = {"form": started["form"], "own_norm": started.get("own_norm", True)}
    return _fit_units(context, stage, base, subtasks, traits)


def train_uniform(context: StageContext, stage: UniformStage) -> StageResult:
    """Train the same number of new private units in every block."""
    base, _ = load_network(context.run, stage.base)
    subtasks = new_subtasks(context, stage, base)
    traits = {"form": stage.form, "own_norm": stage.own_norm}
    return _fit_units(context, stage, base, subtasks, traits)


def _fit_units(
    context: StageContext,
    stage: UnitsStage | UniformStage,
    base: SingleTaskNetwork,
    subtasks: Mapping[str, SubTask],
    traits: Mapping[str, Any],
) -> StageResult:
    if not traits["own_norm"]:
        freeze_norms(subtasks)
    record = context.fit(UnitsJob(base, subtasks, guidance(context, stage)), stage)
    return subtasks_result(context, stage, base, subtasks, {**traits, **record})


def new_subtasks(
    context: StageContext, stage: NewUnitsStage, base: SingleTaskNetwork
) -> dict[str, SubTask]:
    """Return sub-tasks by task name whose features are still the base's."""
    shares = [LayerShare(stage.heads, stage.neurons)] * context.network.depth
    subtasks = {}
    for task in stage.tasks:
        subtask = FORMS[stage.form]()(context.network, shares, context.channels(task))
        head = context.head(stage.base, task, base)
        source = base
        if task in stage.read_from:
            source = load_network(context.run, stage.read_from[task], task)[0]
        subtask.start_from(source.transformer, head)
        subtasks[task] = subtask
    return subtasks


def freeze_norms(subtasks: Mapping[str, SubTask]) -> None:
    """Keep the LayerNorms before all private units as they are."""
    for subtask in subtasks.values():
        for block in subtask.blocks:
            block.freeze_norms()


def guidance(context: StageContext, stage: SubTasksStage) -> Guidance:
    """Return the teachers that a stage names, and its factors."""
    teachers = {
        task: load_network(context.run, name, task)[0] for task, name in stage.distill.items()
    }
    return Guidance(teachers, stage.distill_weight, stage.pull)


def subtasks_result(
    context: StageContext,
    stage: SubTasksStage,
    base: SingleTaskNetwork,
    subtasks: Mapping[str, SubTask],
    record: dict[str, Any],
) -> StageResult:
    """Score trained sub-tasks and complete the stage's record."""
    record |= {"base": stage.base, "validation": {}, **share_record(context.network, subtasks)}
    for name, subtask in subtasks.items():
        record["validation"] |= context.validate(stage, base, subtask, name)
    return StageResult(nn.ModuleDict(subtasks), record)


def share_record(config: NetworkConfig, subtasks: Mapping[str, SubTask]) -> dict[str, Any]:
    """Return what a record says of the sizes of sub-tasks."""
    shares = {name: subtask.shares for name, subtask in subtasks.items()}
    return {
        "shares": {name: [vars(s) for s in layers] for name, layers in shares.items()},
        "rho": {n: round(private_share(config, s), 4) for n, s in shares.items()},
    }
