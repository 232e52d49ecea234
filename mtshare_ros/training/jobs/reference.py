"""Stages whose networks never ship: the paper's element-wise sub-tasks, and replaced units.

This is the only file of the trainer that imports ``network.reference``. It is loaded by stages and
records that ask for it, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.gates import ShareConstraint
from mtshare_ros.network.reference.elementwise_units import (
    ElementGates,
    ElementwiseSubTask,
    Recorder,
    activation_difference,
    dense_values,
    freeze,
)
from mtshare_ros.network.reference.replaced import ReplacedSubTask
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.training.batches import Batch
from mtshare_ros.training.checkpoints import load_tensors
from mtshare_ros.training.data_sets import tasks_of_record
from mtshare_ros.training.jobs.frozen import FrozenBase
from mtshare_ros.training.loop import Job, adamw
from mtshare_ros.training.losses import task_loss
from mtshare_ros.training.stage_context import StageContext, StageResult
from mtshare_ros.training.stored import load_network, stage_path
from mtshare_ros.training.subtask_settings import ElementwiseStage

__all__ = ["ElementwiseJob", "ReplacedSubTask", "load_elementwise", "train_elementwise"]

_GATE_EPS = 1e-15
"""Adam's usual 1e-8 is larger than the gradient of one of millions of gates."""

_MULTIPLIER_BETAS = (0.0, 0.9)
"""All gates start open, so the multipliers wind up on the way down; with a longer memory they come
back slowly, and the density stays at a tenth of its target for hundreds of steps."""


class ElementwiseJob(Job):
    """Element-wise sub-tasks side by side on one frozen base.

    First their gates are learned, their expected density led to a target. After ``freeze`` only
    the elements within the masks are trained on, by optimisers made anew, with a penalty on
    activation differences. The state dict rebuilds a job of the same arguments and ``frozen``.
    """

    def __init__(
        self,
        base: SingleTaskNetwork,
        tasks: Mapping[str, int],
        density: float,
        gate_lr: float,
        l1: float,
        frozen: bool = False,
    ) -> None:
        """Make sub-tasks that start as the base.

        Args:
            base: The base network.
            tasks: Task name -> output channels.
            density: Share of the transformer's weights that may differ from the base's, 0..1.
            gate_lr: Learning rate of gates and multipliers.
            l1: Factor on the mean absolute activation difference, once frozen.
            frozen: Whether to make no gates; the masks then come with a state dict.
        """
        super().__init__()
        self.density, self.gate_lr, self.l1 = density, gate_lr, l1
        self.tasks = tuple(tasks)
        self.base = FrozenBase(base)
        self.subtasks = nn.ModuleDict()
        self.gates = nn.ModuleDict()
        self.constraints = nn.ModuleDict()
        for name, channels in tasks.items():
            subtask = ElementwiseSubTask(base.config, channels)
            subtask.head.start_from(base.head)
            self.subtasks[name] = subtask
            if not frozen:
                self.gates[name] = ElementGates(base.config)
                self.constraints[name] = ShareConstraint()

    @property
    def frozen(self) -> bool:
        """Whether the masks are fixed."""
        return len(self.gates) == 0

    def freeze(self) -> None:
        """Turn the learned gates into masks; the gates go."""
        for name, gates in self.gates.items():
            freeze(self.subtasks[name], gates, self.density)
        self.gates, self.constraints = nn.ModuleDict(), nn.ModuleDict()

    def optimizers(self, weight_decay: float) -> list[torch.optim.Optimizer]:
        """Return AdamW over D and heads; Adam over gates (down) and multipliers (up), if any.

        D is one vector, so that weight decay, which is for matrices, leaves it alone.
        """
        first = adamw([self.subtasks], weight_decay)
        if self.frozen:
            return [first]
        return [
            first,
            torch.optim.Adam(self.gates.parameters(), lr=self.gate_lr, eps=_GATE_EPS),
            torch.optim.Adam(
                self.constraints.parameters(),
                lr=self.gate_lr,
                betas=_MULTIPLIER_BETAS,
                maximize=True,
            ),
        ]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return each task's loss and its penalty: of density, or of activation differences."""
        network = self.base.network
        with torch.no_grad():
            tokens, fine = network.stem(batch["image"])
        penalised = self.frozen and self.l1 > 0
        base_values = dense_values(network.transformer, tokens) if penalised else []
        losses = {}
        for name, subtask in self.subtasks.items():
            gates = None if self.frozen else self.gates[name]
            factors = None if gates is None else gates()
            recorder = Recorder() if penalised else None
            features = subtask.features(network.transformer, tokens, factors, recorder)
            raw = subtask.head(features, fine)
            losses[name] = task_loss(self.task_of[name], raw, batch[name])
            if gates is not None:
                excess = gates.expected_density() - self.density
                losses[f"{name}_density"] = self.constraints[name](excess)
            if recorder is not None:
                difference = activation_difference(recorder.values, base_values)
                losses[f"{name}_l1"] = self.l1 * difference
        return losses

    def gauges(self) -> dict[str, float]:
        """Return the densities of the weight differences; expected ones before ``freeze``."""
        if self.frozen:
            return {f"{name}_density": subtask.density for name, subtask in self.subtasks.items()}
        return {f"{n}_expected": g.expected_density().item() for n, g in self.gates.items()}


def train_elementwise(context: StageContext, stage: ElementwiseStage) -> StageResult:
    """Train element-wise sub-tasks; see ``ElementwiseStage``."""
    base, _ = load_network(context.run, stage.base)
    channels = {task: context.channels(task) for task in stage.tasks}
    frozen = stage.start is not None
    job = ElementwiseJob(base, channels, stage.density, stage.gate_lr, stage.l1, frozen)
    for task, subtask in job.subtasks.items():
        subtask.head.start_from(context.head(stage.base, task, base))
    if stage.start is not None:
        tensors, _ = load_tensors(stage_path(context.run, stage.start))
        job.subtasks.load_state_dict(tensors)
    record = {"tasks": list(stage.tasks), "base": stage.base, **context.fit(job, stage)}
    job.freeze()
    subtasks = dict(job.subtasks.items())
    record |= {"density": {n: round(s.density, 4) for n, s in subtasks.items()}}
    record["validation"] = {}
    for name, subtask in subtasks.items():
        record["validation"] |= context.validate(stage, subtask.merged(base), None, name)
    return StageResult(job.subtasks, record)


def load_elementwise(
    run: Path, stage: str
) -> tuple[dict[str, ElementwiseSubTask], dict[str, Any]]:
    """Return the sub-tasks of an ``elementwise`` stage by task name, and the stage's record."""
    tensors, record = load_tensors(stage_path(run, stage))
    config = NetworkConfig.from_dict(record["network"])
    tasks = tasks_of_record(record)
    modules = nn.ModuleDict(
        {name: ElementwiseSubTask(config, tasks[name].channels) for name in record["tasks"]}
    )
    modules.load_state_dict(tensors)
    return {name: module.eval() for name, module in modules.items()}, record
