"""Trained networks that stay as they are while something is trained on what they compute."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.network.vit import Branches


class Frozen(nn.Module):
    """A trained dense network that is not trained further."""

    def __init__(self, network: SingleTaskNetwork) -> None:
        """Freeze ``network``: no gradients, and batch norms keep their statistics."""
        super().__init__()
        self.network = network.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Frozen:
        """Stay in evaluation mode."""
        return super().train(False)


class FrozenBase(Frozen):
    """A trained base that computes what sub-tasks read."""

    @torch.no_grad()
    def forward(self, image: Tensor, subtask: SubTask) -> tuple[Tensor, Tensor, Branches]:
        """Return what sub-tasks read of images.

        Args:
            image: (B, 3, H, W).
            subtask: One of the sub-tasks, which have the same form.

        Returns:
            tokens: (B, N, d).
            fine: (B, fine_width, H / 4, W / 4).
            branches: As ``subtask.base_branches`` returns them.
        """
        tokens, fine = self.network.stem(image)
        return tokens, fine, subtask.base_branches(self.network.transformer, tokens)


class Teacher(Frozen):
    """A trained dense network whose raw map a sub-task follows."""

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 3, H, W) to the raw map (B, channels, H / 4, W / 4)."""
        return self.network(image)
