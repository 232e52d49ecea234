"""One loss per kind of task, on the raw map upsampled to the truth's size, and their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtshare_ros.tasks import UNLABELLED, Task
from mtshare_ros.training.devices import global_mean

BOUNDARY_WEIGHT = 0.95
"""Weight of a pixel on a boundary; another one has the rest of 1."""


def depth_loss(raw: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of the logarithm of depth.

    Args:
        raw: (B, 1, H, W), logarithm of metres.
        truth: (B, H, W) metres, NaN invalid.
    """
    valid = torch.isfinite(truth)
    return global_mean((raw[:, 0][valid] - truth[valid].log()).abs())


def segmentation_loss(raw: Tensor, truth: Tensor) -> Tensor:
    """Cross entropy.

    Args:
        raw: (B, C, H, W) logits.
        truth: (B, H, W) int64 class ids, 255 unlabelled.
    """
    losses = F.cross_entropy(raw, truth, ignore_index=UNLABELLED, reduction="none")
    return global_mean(losses[truth != UNLABELLED])


def normals_loss(raw: Tensor, truth: Tensor) -> Tensor:
    """Mean distance between unit vectors, 2 sin(angle / 2).

    Its gradient does not vanish near zero angle, as that of 1 - cos does.

    Args:
        raw: (B, 3, H, W), any length.
        truth: (B, 3, H, W), unit vectors, zero where invalid.
    """
    valid = truth.square().sum(1) > 0.25
    apart = (F.normalize(raw, dim=1) - truth).square().sum(1)
    return global_mean((apart[valid] + 1e-6).sqrt())


def saliency_loss(raw: Tensor, truth: Tensor) -> Tensor:
    """Binary cross entropy.

    Args:
        raw: (B, 1, H, W) logits.
        truth: (B, H, W), 0 or 1, NaN where ignored.
    """
    valid = torch.isfinite(truth)
    losses = F.binary_cross_entropy_with_logits(raw[:, 0][valid], truth[valid], reduction="none")
    return global_mean(losses)


def boundary_loss(raw: Tensor, truth: Tensor) -> Tensor:
    """Binary cross entropy in which the few pixels on a boundary weigh more.

    Xie and Tu, "Holistically-nested edge detection", ICCV 2015, with the fixed weights of dense
    multi-task networks (Ye and Xu, "Inverted pyramid multi-task transformer", ECCV 2022).

    Args:
        raw: (B, 1, H, W) logits.
        truth: (B, H, W), 0 or 1, NaN where ignored.
    """
    valid = torch.isfinite(truth)
    true = truth[valid]
    weight = torch.where(true > 0.5, BOUNDARY_WEIGHT, 1 - BOUNDARY_WEIGHT)
    losses = F.binary_cross_entropy_with_logits(
        raw[:, 0][valid], true, weight=weight, reduction="none"
    )
    return global_mean(losses)


def _log_depth_apart(raw: Tensor, followed: Tensor) -> Tensor:
    return (raw - followed).abs().mean()


def _class_divergence(raw: Tensor, followed: Tensor) -> Tensor:
    log_p, log_q = F.log_softmax(raw, dim=1), F.log_softmax(followed, dim=1)
    return F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(1).mean()


def _directions_apart(raw: Tensor, followed: Tensor) -> Tensor:
    return normals_loss(raw, F.normalize(followed, dim=1))


def _probability_entropy(raw: Tensor, followed: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(raw, followed.sigmoid())


Loss = Callable[[Tensor, Tensor], Tensor]
"""Takes a raw map and what it is led to."""


@dataclass(frozen=True)
class KindLoss:
    """How tasks of a kind are trained.

    Attributes:
        truth: On the truth, of the raw map at its size.
        teacher: On the raw map of a teacher.
    """

    truth: Loss
    teacher: Loss


LOSSES: dict[str, KindLoss] = {
    "depth": KindLoss(depth_loss, _log_depth_apart),
    "segmentation": KindLoss(segmentation_loss, _class_divergence),
    "normals": KindLoss(normals_loss, _directions_apart),
    "boundary": KindLoss(boundary_loss, _probability_entropy),
    "saliency": KindLoss(saliency_loss, _probability_entropy),
}
"""Kind of task -> how it is trained."""


def task_loss(task: Task, raw: Tensor, truth: Tensor) -> Tensor:
    """Return the loss of ``task``: the raw map in float32, upsampled as at run time."""
    size = truth.shape[-2:]
    full = F.interpolate(raw.float(), size=size, mode="bilinear", align_corners=False)
    return LOSSES[task.kind].truth(full, truth)


def distillation_loss(task: Task, raw: Tensor, followed: Tensor) -> Tensor:
    """Return the distance of a raw map (B, C, h, w) to that of a teacher.

    Classes: Kullback-Leibler divergence (Hinton et al., "Distilling the knowledge in a neural
    network", 2015, at temperature 1). Others: the task's loss with the teacher as the truth.
    """
    return LOSSES[task.kind].teacher(raw.float(), followed.float())


class LossWeights(nn.Module):
    """Fixed factors; or learned ones besides, exp(-s), from homoscedastic uncertainty.

    Kendall, Gal, Cipolla, "Multi-task learning using uncertainty to weigh losses", CVPR 2018.
    """

    def __init__(self, fixed: Mapping[str, float], learn: bool) -> None:
        """Weigh the losses of the tasks in ``fixed``; learned factors start at 1."""
        super().__init__()
        self.fixed = fixed
        self.log_variance = nn.ParameterDict(
            {task: nn.Parameter(torch.zeros(()), learn) for task in fixed}
        )

    def forward(self, task: str, loss: Tensor) -> Tensor:
        """Return a task's weighted loss, with the term that keeps its learned factor finite."""
        s, loss = self.log_variance[task], self.fixed[task] * loss
        return torch.exp(-s) * loss + s if s.requires_grad else loss

    def gauges(self) -> dict[str, float]:
        """Return the learned factors."""
        return {
            f"{task}_factor": float(torch.exp(-s.detach()))
            for task, s in self.log_variance.items()
            if s.requires_grad
        }
