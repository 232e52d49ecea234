"""Trains dense networks: on one task, or on several with one encoder."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.training.batches import Batch
from mtshare_ros.training.loop import Job
from mtshare_ros.training.losses import LossWeights, task_loss
from mtshare_ros.training.stage_context import StageContext, StageResult
from mtshare_ros.training.stage_settings import JointStage, SingleTaskStage
from mtshare_ros.training.stored import load_network, load_shared


class SingleTaskJob(Job):
    """A dense network on one task."""

    def __init__(self, network: SingleTaskNetwork, task: str) -> None:
        """Train ``network`` on ``task``."""
        super().__init__()
        self.network = network
        self.task, self.tasks = task, (task,)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the task's loss."""
        raw = self.network(batch["image"])
        return {self.task: task_loss(self.task_of[self.task], raw, batch[self.task])}


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

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return each task's weighted loss."""
        return {
            name: self.weights(name, task_loss(self.task_of[name], raw, batch[name]))
            for name, raw in self.network(batch["image"]).items()
        }

    def gauges(self) -> dict[str, float]:
        """Return the learned factors."""
        return self.weights.gauges()


def train_single_task(context: StageContext, stage: SingleTaskStage) -> StageResult:
    """Train a dense network on one task."""
    network = SingleTaskNetwork(context.network, context.channels(stage.task))
    if stage.start is not None:
        started, _ = load_network(context.run, stage.start)
        network.start_from(started)
        network.head.start_from(context.head(stage.start, stage.task, started))
    context.pretrain(stage, network)
    record = {"task": stage.task, **context.fit(SingleTaskJob(network, stage.task), stage)}
    record["validation"] = context.validate(stage, network, None, stage.task)
    return StageResult(network, record)


def train_joint(context: StageContext, stage: JointStage) -> StageResult:
    """Train one encoder with a head per task."""
    if stage.start is not None:
        network = load_shared(context.run, stage.start)[0]
    else:
        network = SharedEncoder(context.network, {t: context.channels(t) for t in stage.tasks})
    context.pretrain(stage, network)
    weights = {t: stage.auxiliary if n else 1.0 for n, t in enumerate(stage.tasks)}
    job = JointJob(network, weights, stage.weighting == "uncertainty")
    record = {"tasks": list(stage.tasks), **context.fit(job, stage)}
    network.eval()
    record["validation"] = {}
    for task in stage.tasks:
        record["validation"] |= context.validate(stage, network.single(task), None, task)
    return StageResult(network, record)
