"""The convolutional stem: image -> tokens at stride 16 and fine features at stride 4.

Convolutional stems make small vision transformers learn faster and more steadily than one large
patch projection (Xiao et al., "Early Convolutions Help Transformers See Better", NeurIPS 2021).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtshare_ros.network.config import NetworkConfig


def _halve(inputs: int, outputs: int) -> nn.Sequential:
    """3x3 convolution with stride 2, batch norm (folded at export) and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class Stem(nn.Module):
    """Four halvings; the second gives the fine features, the last the tokens."""

    def __init__(self, config: NetworkConfig) -> None:
        """Make the stem of ``config``, with a learned position for each token of its grid."""
        super().__init__()
        fine = config.fine_width
        self.to_fine = nn.Sequential(_halve(3, fine // 2), _halve(fine // 2, fine))
        self.to_stride_8 = _halve(fine, 2 * fine)
        self.to_tokens = nn.Conv2d(2 * fine, config.width, 3, stride=2, padding=1)
        self.position = nn.Parameter(torch.zeros(1, config.width, *config.grid))
        nn.init.trunc_normal_(self.position, std=0.02)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens and fine features.

        Args:
            image: (B, 3, H, W) float32, normalised; H and W multiples of 16.

        Returns:
            tokens: (B, N, d), positions added; the learned grid is resampled to other sizes.
            fine: (B, fine_width, H / 4, W / 4).
        """
        fine = self.to_fine(image)
        grid = self.to_tokens(self.to_stride_8(fine))
        position = self.position
        if position.shape[-2:] != grid.shape[-2:]:
            position = F.interpolate(
                position, size=grid.shape[-2:], mode="bilinear", antialias=True
            )
        return (grid + position).flatten(2).transpose(1, 2), fine
