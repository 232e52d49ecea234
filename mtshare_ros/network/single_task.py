"""The dense single-task network: stem, transformer and one head.

Trained on the base task it is the base; trained on any task it is the baseline.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.heads import Head
from mtshare_ros.network.stem import make_stem
from mtshare_ros.network.vit import VisionTransformer


class SingleTaskNetwork(nn.Module):
    """Image -> raw map of one task."""

    def __init__(self, config: NetworkConfig, channels: int) -> None:
        """Make a network whose head has ``channels`` output channels."""
        super().__init__()
        self.config = config
        self.stem = make_stem(config)
        self.transformer = VisionTransformer(config)
        self.head = Head(config, channels)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 3, H, W) to the raw map (B, channels, H / 4, W / 4)."""
        tokens, fine = self.stem(image)
        features, _ = self.transformer(tokens)
        return self.head(features, fine)

    def start_from(self, other: SingleTaskNetwork) -> None:
        """Start with another network's weights; its head's where the shapes are the same."""
        self.stem.load_state_dict(other.stem.state_dict())
        self.transformer.load_state_dict(other.transformer.state_dict())
        self.head.start_from(other.head)


class SharedEncoder(nn.Module):
    """One stem and transformer with a head per task, trained jointly: what most people would do.

    With one of its tasks' heads it is that task's dense network (``single``).
    """

    def __init__(self, config: NetworkConfig, channels: Mapping[str, int]) -> None:
        """Make heads for ``channels``: task name -> output channels."""
        super().__init__()
        self.config = config
        self.stem = make_stem(config)
        self.transformer = VisionTransformer(config)
        self.heads = nn.ModuleDict({task: Head(config, n) for task, n in channels.items()})

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Map (B, 3, H, W) to each task's raw map (B, channels, H / 4, W / 4)."""
        tokens, fine = self.stem(image)
        features, _ = self.transformer(tokens)
        return {task: head(features, fine) for task, head in self.heads.items()}

    def single(self, task: str) -> SingleTaskNetwork:
        """Return the dense network of one task; it shares the weights."""
        head = self.heads[task]
        network = SingleTaskNetwork(self.config, head.project.out_channels)
        network.stem, network.transformer, network.head = self.stem, self.transformer, head
        return network
