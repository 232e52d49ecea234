"""What each kind of stage trains."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mtshare_ros.manifest import LayerShare
from mtshare_ros.network.gates import ShareConstraint, UnitGates
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.network.vit import Branches
from mtshare_ros.tasks import TASKS
from mtshare_ros.training.batches import Batch
from mtshare_ros.training.loop import adamw
from mtshare_ros.training.losses import task_loss


class SingleTaskJob:
    """A dense network on one task."""

    def __init__(self, network: SingleTaskNetwork, task: str) -> None:
        """Train ``network`` on ``task``."""
        self.module = network
        self.task = TASKS[task]

    def optimizers(self, weight_decay: float) -> list[torch.optim.Optimizer]:
        """Return AdamW over everything."""
        return [adamw([self.module], weight_decay)]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the task's loss."""
        raw = self.module(batch["image"])
        return {self.task.name: task_loss(self.task, raw, batch[self.task.name])}

    def gauges(self) -> dict[str, float]:
        """Return nothing further."""
        return {}


class FrozenBase:
    """A trained base that only hands out tokens, fine features and branch outputs."""

    def __init__(self, network: SingleTaskNetwork) -> None:
        """Freeze ``network``: no gradients, and batch norms keep their statistics."""
        self.network = network.eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor, Branches]:
        """Map (B, 3, H, W) to tokens (B, N, d), fine features and the branches."""
        tokens, fine = self.network.stem(image)
        _, branches = self.network.transformer(tokens)
        return tokens, fine, branches


class UnitsJob:
    """Sub-tasks with a fixed set of private units, side by side on one pass of the base."""

    def __init__(self, base: SingleTaskNetwork, subtasks: Mapping[str, SubTask]) -> None:
        """Train ``subtasks`` (by task name) on the frozen ``base``."""
        self.base = FrozenBase(base)
        self.module = nn.ModuleDict(subtasks)

    def optimizers(self, weight_decay: float) -> list[torch.optim.Optimizer]:
        """Return AdamW over the private units and heads."""
        return [adamw([self.module], weight_decay)]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return each task's loss; their gradients meet nowhere."""
        tokens, fine, branches = self.base(batch["image"])
        return {
            name: task_loss(TASKS[name], subtask(tokens, fine, branches), batch[name])
            for name, subtask in self.module.items()
        }

    def gauges(self) -> dict[str, float]:
        """Return nothing further."""
        return {}


class GatesJob:
    """Over-complete sub-tasks with gates whose expected private share is led to a target."""

    def __init__(
        self,
        base: SingleTaskNetwork,
        tasks: Mapping[str, int],
        share: LayerShare,
        group: int,
        rho: float,
        gate_lr: float,
    ) -> None:
        """Make sub-tasks for ``tasks`` (name -> channels), each block offering ``share``."""
        config = base.config
        shares = [share] * config.depth
        self.rho, self.gate_lr = rho, gate_lr
        self.base = FrozenBase(base)
        self.subtasks = nn.ModuleDict()
        self.gates = nn.ModuleDict()
        self.constraints = nn.ModuleDict()
        for name, channels in tasks.items():
            subtask = SubTask(config, shares, channels)
            subtask.start_from(base.transformer, base.head)
            self.subtasks[name] = subtask
            self.gates[name] = UnitGates(config, shares, group)
            self.constraints[name] = ShareConstraint()
        self.module = nn.ModuleDict(
            {"subtasks": self.subtasks, "gates": self.gates, "constraints": self.constraints}
        )

    def optimizers(self, weight_decay: float) -> list[torch.optim.Optimizer]:
        """Return AdamW over the units, and Adam over gates (down) and multipliers (up)."""
        return [
            adamw([self.subtasks], weight_decay),
            torch.optim.Adam(self.gates.parameters(), lr=self.gate_lr),
            torch.optim.Adam(self.constraints.parameters(), lr=self.gate_lr, maximize=True),
        ]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return each task's loss and the penalty of its private share."""
        tokens, fine, branches = self.base(batch["image"])
        losses = {}
        for name, subtask in self.subtasks.items():
            gates = self.gates[name]
            features = subtask.features(tokens, branches, gates())
            raw = subtask.head(features, fine)
            losses[name] = task_loss(TASKS[name], raw, batch[name])
            losses[f"{name}_share"] = self.constraints[name](gates.expected_share() - self.rho)
        return losses

    def gauges(self) -> dict[str, float]:
        """Return the expected private shares."""
        return {f"{n}_rho": g.expected_share().item() for n, g in self.gates.items()}
