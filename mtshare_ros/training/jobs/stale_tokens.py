"""Which tokens of a frame are recomputed in training, for a batch of clips."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mtshare_ros.network.config import STRIDE
from mtshare_ros.perception.frame import IMAGE_SCALE
from mtshare_ros.perception.tokens import CELL

CHANCE = 8.0
"""Levels of 255 that are added at random to a token's change, so that clean ones are drawn too."""


def cells_of(images: Tensor) -> Tensor:
    """Return the low-passed images, (B, 3, H / 4, W / 4), as ``perception.tokens.low_pass``."""
    return F.avg_pool2d(images, CELL)


def stale_tokens(
    cells: Tensor, reference: Tensor, age: Tensor, share: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the tokens to recompute: those of the largest change times age, and some by chance.

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
