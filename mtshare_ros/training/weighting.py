"""Factors on the losses of tasks that are trained side by side."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


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
