"""Jobs that train sub-tasks, side by side on one pass of a frozen base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from mtshare_ros.network.gates import ShareConstraint, UnitGates, prune
from mtshare_ros.network.reference.replaced import ReplacedSubTask, unit_outputs
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.network.vit import Branches
from mtshare_ros.training.batches import Batch
from mtshare_ros.training.loop import Job, adamw
from mtshare_ros.training.losses import distillation_loss, task_loss
from mtshare_ros.training.weighting import LossWeights


class Frozen(nn.Module):
    """A trained dense network that stays as it is."""

    def __init__(self, network: SingleTaskNetwork) -> None:
        """Freeze ``network``: no gradients, and batch norms keep their statistics."""
        super().__init__()
        self.network = network.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Frozen:
        """Stay in evaluation mode."""
        return super().train(False)


class FrozenBase(Frozen):
    """A trained base that only hands out tokens, fine features and branch outputs."""

    @torch.no_grad()
    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Branches]:
        """Map (B, 3, H, W) to tokens (B, N, d), fine features and the branches."""
        tokens, fine = self.network.stem(image)
        _, branches = self.network.transformer(tokens)
        return tokens, fine, branches

    @torch.no_grad()
    def with_units(self, image: Tensor) -> tuple[Tensor, Tensor, Branches, dict[str, Any]]:
        """Return also what a replaced unit needs, as a keyword for ``SubTask.features``."""
        tokens, fine = self.network.stem(image)
        branches, units = unit_outputs(self.network.transformer, tokens)
        return tokens, fine, branches, {"units": units}


class Teacher(Frozen):
    """A trained dense network whose raw map a sub-task follows."""

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 3, H, W) to the raw map (B, channels, H / 4, W / 4)."""
        return self.network(image)


@dataclass(frozen=True)
class Guidance:
    """What sub-tasks are trained towards besides the truth.

    Attributes:
        teachers: Task -> dense network whose outputs it follows.
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
        self._replaced = any(isinstance(s, ReplacedSubTask) for s in subtasks.values())

    def optimizers(self, weight_decay: float) -> list[torch.optim.Optimizer]:
        """Return AdamW over the private units and heads."""
        return [adamw([self.subtasks], weight_decay)]

    def gates_of(self, task: str) -> list[tuple[Tensor, Tensor]] | None:
        """Return the factors of a sub-task's units; None where all are fully open."""
        return None

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return each task's losses; the gradients of two tasks meet nowhere."""
        if self._replaced:
            tokens, fine, branches, units = self.base.with_units(batch["image"])
        else:
            (tokens, fine, branches), units = self.base(batch["image"]), {}
        losses = {}
        for name, subtask in self.subtasks.items():
            written: list[Tensor] = []
            features = subtask.features(
                tokens, branches, self.gates_of(name), written if self.pull else None, **units
            )
            raw = subtask.head(features, fine)
            losses[name] = task_loss(self.known[name], raw, batch[name])
            if self.pull:
                losses[f"{name}_pull"] = self.pull * _relative_size(written, tokens, branches)
            if name in self.teachers:
                followed = self.teachers[name](batch["image"])
                distance = distillation_loss(self.known[name], raw, followed)
                losses[f"{name}_distill"] = self.distill_weight * distance
        return losses


class LearnedGates(nn.Module):
    """Gates of several sub-tasks, each led to the same expected private share."""

    def __init__(
        self, subtasks: Mapping[str, SubTask], group: int, rho: float, gate_lr: float
    ) -> None:
        """Make one gate per head and per ``group`` neurons of each of ``subtasks``."""
        super().__init__()
        self.rho, self.gate_lr = rho, gate_lr
        self.gates = nn.ModuleDict(
            {n: UnitGates(s.config, s.shares, group) for n, s in subtasks.items()}
        )
        self.constraints = nn.ModuleDict({name: ShareConstraint() for name in subtasks})

    def forward(self, task: str) -> list[tuple[Tensor, Tensor]]:
        """Return the factors of a sub-task's units, drawn anew while training."""
        return self.gates[task]()

    def penalties(self) -> dict[str, Tensor]:
        """Return the losses that lead the expected private shares to the target."""
        return {
            f"{name}_share": self.constraints[name](gates.expected_share() - self.rho)
            for name, gates in self.gates.items()
        }

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Return Adam over gates (down) and multipliers (up)."""
        return [
            torch.optim.Adam(self.gates.parameters(), lr=self.gate_lr),
            torch.optim.Adam(self.constraints.parameters(), lr=self.gate_lr, maximize=True),
        ]

    def gauges(self) -> dict[str, float]:
        """Return the expected private shares."""
        return {f"{n}_rho": g.expected_share().item() for n, g in self.gates.items()}

    def prune(self, subtasks: Mapping[str, SubTask]) -> dict[str, SubTask]:
        """Return the sub-tasks with the units that stay."""
        return {name: prune(s, self.gates[name], self.rho) for name, s in subtasks.items()}


class GatesJob(UnitsJob):
    """Over-complete sub-tasks with gates whose expected private share is led to a target."""

    def __init__(
        self,
        base: SingleTaskNetwork,
        subtasks: Mapping[str, SubTask],
        gates: LearnedGates,
        guidance: Guidance | None = None,
    ) -> None:
        """Train ``subtasks`` and their ``gates``."""
        super().__init__(base, subtasks, guidance)
        self.gates = gates

    def optimizers(self, weight_decay: float) -> list[torch.optim.Optimizer]:
        """Return AdamW over the units, and those of the gates."""
        return [*super().optimizers(weight_decay), *self.gates.optimizers()]

    def gates_of(self, task: str) -> list[tuple[Tensor, Tensor]] | None:
        """Return the factors of a sub-task's units, drawn anew while training."""
        return self.gates(task)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return each task's losses and the penalty of its private share."""
        return super().forward(batch) | self.gates.penalties()

    def gauges(self) -> dict[str, float]:
        """Return the expected private shares."""
        return self.gates.gauges()


class TogetherJob(Job):
    """A base and its sub-tasks, all trained at once.

    The sub-tasks' gradients reach the base scaled, so that their private units learn at full rate
    while the base stays, first of all, the base task's network.
    """

    def __init__(
        self,
        base: SingleTaskNetwork,
        task: str,
        subtasks: Mapping[str, SubTask],
        gradient: float,
        gates: LearnedGates | None = None,
        learn_weights: bool = False,
    ) -> None:
        """Train ``base`` on ``task`` and ``subtasks`` (by task name) on top of it."""
        super().__init__()
        self.task, self.tasks, self.gradient = task, (task, *subtasks), gradient
        self.base = base
        self.subtasks = nn.ModuleDict(subtasks)
        self.gates = gates
        self.weights = LossWeights(dict.fromkeys(self.tasks, 1.0), learn_weights)

    def optimizers(self, weight_decay: float) -> list[torch.optim.Optimizer]:
        """Return AdamW over base, sub-tasks and weights, and those of the gates, if any."""
        gates = [] if self.gates is None else self.gates.optimizers()
        return [adamw([self.base, self.subtasks, self.weights], weight_decay), *gates]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return each task's loss and the penalties of the gates."""
        tokens, fine = self.base.stem(batch["image"])
        features, branches = self.base.transformer(tokens)
        losses = {self.task: self.loss(self.task, self.base.head(features, fine), batch)}
        tokens, fine = self._shared(tokens), self._shared(fine)
        branches = [(self._shared(attention), self._shared(mlp)) for attention, mlp in branches]
        for name, subtask in self.subtasks.items():
            gates = None if self.gates is None else self.gates(name)
            raw = subtask.head(subtask.features(tokens, branches, gates), fine)
            losses[name] = self.loss(name, raw, batch)
        return losses if self.gates is None else losses | self.gates.penalties()

    def loss(self, task: str, raw: Tensor, batch: Batch) -> Tensor:
        """Return the weighted loss of a task's raw map."""
        return self.weights(task, task_loss(self.known[task], raw, batch[task]))

    def gauges(self) -> dict[str, float]:
        """Return what is learned besides: factors of losses, expected private shares."""
        return self.weights.gauges() | ({} if self.gates is None else self.gates.gauges())

    def _shared(self, x: Tensor) -> Tensor:
        """Return ``x``; gradients that come back through it are scaled."""
        return self.gradient * x + (1 - self.gradient) * x.detach()


def _relative_size(written: list[Tensor], tokens: Tensor, branches: Branches) -> Tensor:
    """Return the mean over all branches of |x_s - x_b|_1 / |x_b|_1."""
    base, apart = tokens, torch.zeros_like(tokens)
    ratios = []
    outputs = (output for block in branches for output in block)
    for own, output in zip(written, outputs, strict=True):
        base, apart = base + output, apart + own
        ratios.append(apart.abs().mean() / base.abs().mean())
    return torch.stack(ratios).mean()
