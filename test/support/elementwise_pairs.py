"""A small base with an element-wise sub-task that differs from it, and images for them."""

from __future__ import annotations

import torch
from torch import Tensor

from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.reference.elementwise_units import ElementwiseSubTask
from mtshare_ros.network.single_task import SingleTaskNetwork
from support.samples import SMALL

TINY = NetworkConfig(
    width=4, depth=1, heads=2, hidden=6, fine_width=4, head_width=4, size=(32, 16)
)
"""Two tokens of width 4."""


def random_difference(subtask: ElementwiseSubTask, density: float, scale: float) -> None:
    """Give ``subtask`` a random mask and a normal D of that deviation."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        draw = torch.rand(subtask.delta.shape, generator=generator)
        subtask.mask.copy_(draw < density)
        subtask.delta.normal_(0.0, scale, generator=generator).mul_(subtask.mask)


def pair(
    config: NetworkConfig, density: float = 0.1, scale: float = 0.1
) -> tuple[SingleTaskNetwork, ElementwiseSubTask]:
    """Return a base and a sub-task of whose weights a share ``density`` differs from it."""
    torch.manual_seed(0)
    base = SingleTaskNetwork(config, 3).eval()
    with torch.no_grad():
        for name, parameter in base.transformer.named_parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
            if config is TINY and name.endswith("weight"):
                parameter.add_(0.5 * torch.randn_like(parameter))
    subtask = ElementwiseSubTask(config, 1).eval()
    random_difference(subtask, density, scale)
    return base, subtask


def make_images(count: int, config: NetworkConfig = SMALL) -> Tensor:
    """Return ``count`` images (count, 3, H, W) of noise."""
    width, height = config.size
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))
