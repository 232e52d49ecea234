"""Trains base and sub-tasks as they run: on clips, with tokens that were cached frames ago."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from mtshare_ros.network.config import STRIDE
from mtshare_ros.network.over_time import Memory, next_frame
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.perception.frame import IMAGE_SCALE
from mtshare_ros.perception.tokens import CELL
from mtshare_ros.training.batches import Batch
from mtshare_ros.training.jobs.subtasks import TogetherJob
from mtshare_ros.training.losses import distillation_loss

CHANCE = 8.0
"""Levels of 255 that are added at random to a token's change, so that clean ones are drawn too."""

SMALLEST, LARGEST = 0.05, 0.7
"""Share of the tokens that a frame recomputes; each clip has one of its own."""


class RunningJob(TogetherJob):
    """The first frame of a clip is dense, then the tokens that are most stale are recomputed.

    Every frame counts: what it serves is held against its own truth, whether its tokens are new
    or cached. Gradients go back through the caches. With ``consistency`` every frame is computed
    densely, too, held against the same truth, and the two are led to each other: what is served
    to what is right, the dense network to what does not change with noise and far context.
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
            distance = distillation_loss(self.known[name], raw[later], followed)
            losses[f"{name}_consistency"] = self.consistency * distance
        return losses

    def _served(self, images: Tensor, tokens: Tensor) -> dict[str, Tensor]:
        """Return each task's cells in every frame, as they are after it."""
        clips = len(tokens) // self.frames
        images, tokens = (x.unflatten(0, (clips, self.frames)) for x in (images, tokens))
        share = SMALLEST + (LARGEST - SMALLEST) * torch.rand(clips, device=tokens.device)
        dirty = torch.ones(
            (clips, tokens.shape[2]), dtype=torch.bool, device=tokens.device
        )  # the prefix tokens' rows stay so
        prefix = self.base.config.prefix
        reference = cells_of(images[:, 0])
        age = torch.ones_like(dirty[:, prefix:], dtype=torch.long)
        memories = [self._next(tokens[:, 0], dirty, None)]
        for frame in range(1, self.frames):
            cells = cells_of(images[:, frame])
            stale, reference = stale_tokens(cells, reference, age, share)
            age = torch.where(stale, 1, age + 1)
            dirty = torch.cat([dirty[:, :prefix], stale], dim=1)
            memories.append(self._next(tokens[:, frame], dirty, memories[-1]))
        return {
            name: torch.stack([memory.cells[name] for memory in memories], dim=1).flatten(0, 1)
            for name in self.tasks
        }

    def _next(self, tokens: Tensor, dirty: Tensor, before: Memory | None) -> Memory:
        subtasks = {name: self.subtasks[name] for name in self.subtasks}
        return next_frame(self.base, self.task, subtasks, tokens, dirty, before, self._shared)


def cells_of(images: Tensor) -> Tensor:
    """Return the low-passed images, (B, 3, H / 4, W / 4), as ``perception.tokens.low_pass``."""
    return F.avg_pool2d(images, CELL)


def stale_tokens(
    cells: Tensor, reference: Tensor, age: Tensor, share: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the tokens to recompute: change times age, with some chance mixed in.

    Args:
        cells: (B, 3, h, w) of this frame.
        reference: The same of each token's last computation.
        age: (B, N) frames since then.
        share: (B,) of the tokens that are recomputed.

    Returns:
        dirty: (B, N) bool.
        reference: With the dirty tokens' cells taken from this frame.
    """
    side = STRIDE // CELL
    change = F.max_pool2d((cells - reference).abs().mean(1, keepdim=True), side).flatten(1)
    score = (change + CHANCE * IMAGE_SCALE * torch.rand_like(change)) * age
    rank = score.argsort(dim=1, descending=True).argsort(dim=1)
    dirty = rank < (share * change.shape[1]).ceil()[:, None]
    rows, columns = cells.shape[-2] // side, cells.shape[-1] // side
    grid = dirty.view(-1, 1, rows, columns).float()
    spread = F.interpolate(grid, scale_factor=side, mode="nearest") > 0
    return dirty, torch.where(spread, cells, reference)
