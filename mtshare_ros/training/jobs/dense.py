"""Jobs that train dense networks: on one task, or on several with one encoder."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.training.batches import Batch
from mtshare_ros.training.loop import Job, adamw
from mtshare_ros.training.losses import task_loss
from mtshare_ros.training.weighting import LossWeights


class SingleTaskJob(Job):
    """A dense network on one task."""

    def __init__(self, network: SingleTaskNetwork, task: str) -> None:
        """Train ``network`` on ``task``."""
        super().__init__()
        self.network = network
        self.task, self.tasks = task, (task,)

    def optimizers(self, weight_decay: float) -> list[torch.optim.Optimizer]:
        """Return AdamW over everything."""
        return [adamw([self], weight_decay)]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the task's loss."""
        raw = self.network(batch["image"])
        return {self.task: task_loss(self.known[self.task], raw, batch[self.task])}


class JointJob(Job):
    """One encoder with a head per task."""

    def __init__(self, network: SharedEncoder, weights: Mapping[str, float], learn: bool) -> None:
        """Train ``network`` on the weighted sum of its tasks' losses.

        Args:
            network: The network.
            weights: Task -> factor on its loss.
            learn: Whether to learn further factors, see ``LossWeights``.
        """
        super().__init__()
        self.network, self.tasks = network, tuple(weights)
        self.weights = LossWeights(weights, learn)

    def optimizers(self, weight_decay: float) -> list[torch.optim.Optimizer]:
        """Return AdamW over everything."""
        return [adamw([self], weight_decay)]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return each task's weighted loss."""
        return {
            name: self.weights(name, task_loss(self.known[name], raw, batch[name]))
            for name, raw in self.network(batch["image"]).items()
        }

    def gauges(self) -> dict[str, float]:
        """Return the learned factors."""
        return self.weights.gauges()
