"""Trains over-complete sub-tasks whose gates settle at a private share."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mtshare_ros.network.gates import ShareConstraint, UnitGates, prune
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.training.batches import Batch
from mtshare_ros.training.jobs.subtasks import (
    Guidance,
    UnitsJob,
    freeze_norms,
    guidance,
    new_subtasks,
    subtasks_result,
)
from mtshare_ros.training.loop import adamw
from mtshare_ros.training.stage_context import StageContext, StageResult
from mtshare_ros.training.stored import load_network
from mtshare_ros.training.subtask_settings import GatesStage


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
        return [adamw([self.subtasks], weight_decay), *self.gates.optimizers()]

    def gates_of(self, task: str) -> list[tuple[Tensor, Tensor]] | None:
        """Return the factors of a sub-task's units, drawn anew while training."""
        return self.gates(task)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return each task's losses and the penalty of its private share."""
        return super().forward(batch) | self.gates.penalties()

    def gauges(self) -> dict[str, float]:
        """Return the expected private shares."""
        return self.gates.gauges()


def train_gates(context: StageContext, stage: GatesStage) -> StageResult:
    """Train new private units with gates, and keep the units that the gates leave open."""
    base, _ = load_network(context.run, stage.base)
    subtasks = new_subtasks(context, stage, base)
    if not stage.own_norm:
        freeze_norms(subtasks)
    gates = LearnedGates(subtasks, stage.group, stage.rho, stage.gate_lr)
    job = GatesJob(base, subtasks, gates, guidance(context, stage))
    record = {"form": stage.form, "own_norm": stage.own_norm, **context.fit(job, stage)}
    return subtasks_result(context, stage, base, gates.prune(subtasks), record)
