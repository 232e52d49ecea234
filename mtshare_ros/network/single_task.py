"""The dense single-task network: stem, transformer and one head.

Trained on the base task it is the base; trained on any task it is the baseline.
"""

from __future__ import annotations

from torch import Tensor, nn

from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.heads import Head
from mtshare_ros.network.stem import Stem
from mtshare_ros.network.vit import VisionTransformer


class SingleTaskNetwork(nn.Module):
    """Image -> raw map of one task."""

    def __init__(self, config: NetworkConfig, channels: int) -> None:
        """Make a network whose head has ``channels`` output channels."""
        super().__init__()
        self.config = config
        self.stem = Stem(config)
        self.transformer = VisionTransformer(config)
        self.head = Head(config, channels)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 3, H, W) to the raw map (B, channels, H / 4, W / 4)."""
        tokens, fine = self.stem(image)
        features, _ = self.transformer(tokens)
        return self.head(features, fine)
