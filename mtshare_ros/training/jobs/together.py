"""Trains a base and its sub-tasks at once: on single images, or on clips as the stream runs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.token_caches import TokenCaches, next_frame
from mtshare_ros.network.units import SubTask
from mtshare_ros.training.batches import Batch
from mtshare_ros.training.jobs.gates import LearnedGates
from mtshare_ros.training.jobs.stale_tokens import cells_of, stale_tokens
from mtshare_ros.training.jobs.subtasks import share_record
from mtshare_ros.training.loop import Job, adamw
from mtshare_ros.training.losses import LossWeights, distillation_loss, task_loss
from mtshare_ros.training.stage_context import StageContext, StageResult
from mtshare_ros.training.stage_settings import TogetherStage
from mtshare_ros.training.stored import load_network
from mtshare_ros.training.stored_subtasks import load_subtasks

SMALLEST, LARGEST = 0.05, 0.7
"""Share of the tokens that a frame recomputes, drawn once for each clip."""


class TogetherJob(Job):
    """A base and its sub-tasks, all trained at once.

    The gradients of the sub-tasks are scaled where they reach the base. So private units learn at
    full rate, while the base remains above all a network for the base task.
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
        return self.weights(task, task_loss(self.task_of[task], raw, batch[task]))

    def gauges(self) -> dict[str, float]:
        """Return learned factors of losses and expected private shares."""
        return self.weights.gauges() | ({} if self.gates is None else self.gates.gauges())

    def _shared(self, x: Tensor) -> Tensor:
        """Return ``x`` such that gradients through it are scaled."""
        return self.gradient * x + (1 - self.gradient) * x.detach()


class ClipsJob(TogetherJob):
    """The same on clips: a first frame is dense, later ones recompute their stalest tokens.

    Every frame has a loss: its outputs, from fresh and cached tokens, against its own truth.
    Gradients flow back through the caches. With ``consistency`` every frame is also computed
    densely, with the same truth, and a further loss is the distance between the two outputs: it
    leads the served one to what is right, and the dense one to what does not change with noise
    and far context.
    """

    def __init__(
        self,
        base: SingleTaskNetwork,
        task: str,
        subtasks: Mapping[str, SubTask],
        gradient: float,
        frames: int,
        consistency: float = 0.0,
        learn_weights: bool = False,
    ) -> None:
        """Train on clips of ``frames`` frames.

        Args:
            base: The base.
            task: Its task.
            subtasks: Sub-tasks by name.
            gradient: Factor on the gradients of the sub-tasks that reach the base.
            frames: Frames of a clip.
            consistency: Factor on the distance of what is served to the dense network's outputs.
            learn_weights: Whether to learn factors on the tasks' losses.
        """
        super().__init__(base, task, subtasks, gradient, None, learn_weights)
        self.frames, self.consistency = frames, consistency

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return each task's loss; frames of a clip follow each other in the batch."""
        tokens, fine = self.base.stem(batch["image"])
        served = self._served(batch["image"], tokens)
        # A clip's first frame is dense as it is served.
        later = torch.arange(len(tokens), device=tokens.device) % self.frames > 0
        dense = None
        if self.consistency:
            every = torch.ones_like(tokens[later, :, 0], dtype=torch.bool)
            dense = self._next(tokens[later], every, None).cells
        losses = {}
        for name in self.tasks:
            of_base = name == self.task
            head = self.base.head if of_base else self.subtasks[name].head
            cells, seen = served[name], fine if of_base else self._shared(fine)
            if dense is None:
                losses[name] = self.loss(name, head.mix_cells(cells, seen), batch)
                continue
            # One call, so that a batch norm's statistics are those of both.
            both = head.mix_cells(torch.cat([cells, dense[name]]), torch.cat([seen, seen[later]]))
            truth = {name: torch.cat([batch[name], batch[name][later]])}
            losses[name] = self.loss(name, both, truth)
            raw, followed = both.split([len(cells), len(both) - len(cells)])
            distance = distillation_loss(self.task_of[name], raw[later], followed)
            losses[f"{name}_consistency"] = self.consistency * distance
        return losses

    def _served(self, images: Tensor, tokens: Tensor) -> dict[str, Tensor]:
        """Return each task's cached cells after every frame."""
        clips = len(tokens) // self.frames
        images, tokens = (x.unflatten(0, (clips, self.frames)) for x in (images, tokens))
        share = SMALLEST + (LARGEST - SMALLEST) * torch.rand(clips, device=tokens.device)
        # Prefix tokens stay dirty in every frame.
        dirty = torch.ones((clips, tokens.shape[2]), dtype=torch.bool, device=tokens.device)
        prefix = self.base.config.prefix
        reference = cells_of(images[:, 0])
        age = torch.ones_like(dirty[:, prefix:], dtype=torch.long)
        caches = [self._next(tokens[:, 0], dirty, None)]
        for frame in range(1, self.frames):
            cells = cells_of(images[:, frame])
            stale, reference = stale_tokens(cells, reference, age, share)
            age = torch.where(stale, 1, age + 1)
            dirty = torch.cat([dirty[:, :prefix], stale], dim=1)
            caches.append(self._next(tokens[:, frame], dirty, caches[-1]))
        return {
            name: torch.stack([cache.cells[name] for cache in caches], dim=1).flatten(0, 1)
            for name in self.tasks
        }

    def _next(self, tokens: Tensor, dirty: Tensor, before: TokenCaches | None) -> TokenCaches:
        subtasks = {name: self.subtasks[name] for name in self.subtasks}
        return next_frame(self.base, self.task, subtasks, tokens, dirty, before, self._shared)


def train_together(context: StageContext, stage: TogetherStage) -> StageResult:
    """Train a base and its sub-tasks at once."""
    task = stage.tasks[0]
    if stage.start is not None:
        base, _ = load_network(context.run, stage.start)
        subtasks, _ = load_subtasks(context.run, stage.start)
    else:
        base, subtasks = _new_networks(context, stage)
    gates = None
    if stage.rho is not None:
        gates = LearnedGates(subtasks, stage.group, stage.rho, stage.gate_lr)
    learn = stage.weighting == "uncertainty"
    if stage.frames > 1:
        job: TogetherJob = ClipsJob(
            base, task, subtasks, stage.gradient, stage.frames, stage.consistency, learn
        )
    else:
        job = TogetherJob(base, task, subtasks, stage.gradient, gates, learn)
    record = context.fit(job, stage)
    if gates is not None:
        subtasks = gates.prune(subtasks)
    record |= {"form": "added", "task": task, "base": stage.name}
    record |= share_record(context.network, subtasks)
    record["validation"] = context.validate(stage, base, None, task)
    for name, subtask in subtasks.items():
        record["validation"] |= context.validate(stage, base, subtask, name)
    parts = {"base": base, "subtasks": nn.ModuleDict(subtasks)}
    return StageResult(nn.ModuleDict(parts), record)


def _new_networks(
    context: StageContext, stage: TogetherStage
) -> tuple[SingleTaskNetwork, dict[str, SubTask]]:
    """Return a base and sub-tasks whose features are still the base's."""
    task, *others = stage.tasks
    base = SingleTaskNetwork(context.network, context.channels(task))
    context.pretrain(stage, base)
    shares = [LayerShare(stage.heads, stage.neurons)] * context.network.depth
    subtasks = {name: SubTask(context.network, shares, context.channels(name)) for name in others}
    for subtask in subtasks.values():
        subtask.start_from(base.transformer)
    return base, subtasks
