"""Trains base and sub-tasks as they run: on clips, with tokens that were cached frames ago."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mtshare_ros.network.config import STRIDE
from mtshare_ros.network.reuse import Memory, next_frame
from mtshare_ros.perception.frame import IMAGE_SCALE
from mtshare_ros.perception.tokens import CELL
from mtshare_ros.training.batches import Batch
from mtshare_ros.training.losses import task_loss
from mtshare_ros.training.subtask_jobs import TogetherJob

CHANCE = 8.0
"""Levels of 255 that are added at random to a token's change, so that clean ones are drawn too."""

SMALLEST, LARGEST = 0.05, 0.7
"""Share of the tokens that a frame recomputes; each clip has one of its own."""


class RunningJob(TogetherJob):
    """The first frame of a clip is dense, then the tokens that changed most are recomputed.

    Every frame counts: what it serves is held against its own truth, whether its tokens are new
    or cached. Gradients go back through the caches.
    """

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return each task's loss; frames of a clip follow each other in the batch."""
        tokens, fine = self.base.stem(batch["image"])
        clips = len(tokens) // self.frames
        images = batch["image"].unflatten(0, (clips, self.frames))
        memories: list[Memory] = []
        reference = cells_of(images[:, 0])
        share = SMALLEST + (LARGEST - SMALLEST) * torch.rand(clips, device=tokens.device)
        every = torch.ones(tokens.shape[0] // self.frames, tokens.shape[1], dtype=torch.bool)
        dirty = every.to(tokens.device)
        for frame in range(self.frames):
            if frame:
                cells = cells_of(images[:, frame])
                image_tokens, reference = changed_tokens(cells, reference, share)
                dirty = torch.cat([dirty[:, : self.base.config.prefix], image_tokens], dim=1)
            memories.append(
                next_frame(
                    self.base,
                    self.task,
                    {name: self.subtasks[name] for name in self.subtasks},
                    tokens.unflatten(0, (clips, self.frames))[:, frame],
                    dirty,
                    memories[-1] if memories else None,
                    self._shared,
                )
            )
        losses = {}
        for name in self.tasks:
            cells = torch.stack([memory.cells[name] for memory in memories], dim=1).flatten(0, 1)
            of_base = name == self.task
            head = self.base.head if of_base else self.subtasks[name].head
            raw = head.mix_cells(cells, fine if of_base else self._shared(fine))
            losses[name] = task_loss(self.known[name], raw, batch[name])
        return losses


def cells_of(images: Tensor) -> Tensor:
    """Return the low-passed images, (B, 3, H / 4, W / 4), as ``perception.tokens.low_pass``."""
    return F.avg_pool2d(images, CELL)


def changed_tokens(cells: Tensor, reference: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Return the tokens to recompute, those that changed most with some chance mixed in.

    Args:
        cells: (B, 3, h, w) of this frame.
        reference: The same of each token's last computation.
        share: (B,) of the tokens that are recomputed.

    Returns:
        dirty: (B, N) bool.
        reference: With the dirty tokens' cells taken from this frame.
    """
    side = STRIDE // CELL
    change = F.max_pool2d((cells - reference).abs().mean(1, keepdim=True), side).flatten(1)
    score = change + CHANCE * IMAGE_SCALE * torch.rand_like(change)
    rank = score.argsort(dim=1, descending=True).argsort(dim=1)
    dirty = rank < (share * change.shape[1]).ceil()[:, None]
    rows, columns = cells.shape[-2] // side, cells.shape[-1] // side
    grid = dirty.view(-1, 1, rows, columns).float()
    spread = F.interpolate(grid, scale_factor=side, mode="nearest") > 0
    return dirty, torch.where(spread, cells, reference)
