"""One loss per kind of task, on the raw map upsampled to the truth's size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from mtshare_ros.tasks import UNLABELLED, Task


def depth_loss(raw: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of the logarithm of depth.

    Args:
        raw: (B, 1, H, W), logarithm of metres.
        truth: (B, H, W) metres, NaN invalid.
    """
    valid = torch.isfinite(truth)
    return (raw[:, 0][valid] - truth[valid].log()).abs().mean()


def segmentation_loss(raw: Tensor, truth: Tensor) -> Tensor:
    """Cross entropy.

    Args:
        raw: (B, C, H, W) logits.
        truth: (B, H, W) int64 class ids, 255 unlabelled.
    """
    return F.cross_entropy(raw, truth, ignore_index=UNLABELLED)


def normals_loss(raw: Tensor, truth: Tensor) -> Tensor:
    """Mean distance between unit vectors, 2 sin(angle / 2).

    Its gradient does not vanish near zero angle, as that of 1 - cos does.

    Args:
        raw: (B, 3, H, W), any length.
        truth: (B, 3, H, W), unit vectors, zero where invalid.
    """
    valid = truth.square().sum(1) > 0.25
    apart = (F.normalize(raw, dim=1) - truth).square().sum(1)
    return (apart[valid] + 1e-6).sqrt().mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "depth": depth_loss,
    "segmentation": segmentation_loss,
    "normals": normals_loss,
}


def task_loss(task: Task, raw: Tensor, truth: Tensor) -> Tensor:
    """Return the loss of ``task``: the raw map in float32, upsampled as at run time."""
    size = truth.shape[-2:]
    full = F.interpolate(raw.float(), size=size, mode="bilinear", align_corners=False)
    return LOSSES[task.kind](full, truth)
