"""Stems: image -> tokens at stride 16 and fine features at stride 4."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtshare_ros.network.config import STRIDE, NetworkConfig


def _halve(inputs: int, outputs: int) -> nn.Sequential:
    """3x3 convolution with stride 2, batch norm (folded at export) and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class Stem(nn.Module, ABC):
    """Fine features by two halvings, projected tokens with positions, and prefix tokens."""

    prefix: nn.Parameter | None

    def __init__(self, config: NetworkConfig) -> None:
        """Make the stem of ``config``, with a learned position for each token of its grid."""
        super().__init__()
        fine = config.fine_width
        self.to_fine = nn.Sequential(_halve(3, fine // 2), _halve(fine // 2, fine))
        self.add_projection(config)
        self.position = nn.Parameter(torch.zeros(1, config.width, *config.grid))
        nn.init.trunc_normal_(self.position, std=0.02)
        # No empty parameter: networks without prefix tokens keep the state they always had.
        self.register_parameter("prefix", None)
        if config.prefix:
            self.prefix = nn.Parameter(torch.zeros(1, config.prefix, config.width))
            nn.init.trunc_normal_(self.prefix, std=0.02)

    @abstractmethod
    def add_projection(self, config: NetworkConfig) -> None:
        """Make the layers that ``project`` uses."""

    @abstractmethod
    def project(self, image: Tensor, fine: Tensor) -> Tensor:
        """Return the tokens without positions as a grid (B, d, H / 16, W / 16)."""

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens and fine features.

        Args:
            image: (B, 3, H, W) float32, normalised; H and W multiples of 16.

        Returns:
            tokens: (B, P + N, d), the prefix tokens first, then the image's row by row with
                positions added; the learned grid is resampled to other sizes.
            fine: (B, fine_width, H / 4, W / 4).
        """
        fine = self.to_fine(image)
        grid = self.project(image, fine)
        position = self.position
        if position.shape[-2:] != grid.shape[-2:]:
            position = F.interpolate(
                position, size=grid.shape[-2:], mode="bilinear", antialias=True
            )
        tokens = (grid + position).flatten(2).transpose(1, 2)
        if self.prefix is not None:
            tokens = torch.cat([self.prefix.expand(len(tokens), -1, -1), tokens], dim=1)
        return tokens, fine


class ConvStem(Stem):
    """Four halvings; the second gives the fine features, the last the tokens.

    Convolutional stems make small vision transformers learn faster and more steadily than one
    large patch projection (Xiao et al., "Early Convolutions Help Transformers See Better",
    NeurIPS 2021).
    """

    def add_projection(self, config: NetworkConfig) -> None:
        """Make the third and the fourth halving."""
        fine = config.fine_width
        self.to_stride_8 = _halve(fine, 2 * fine)
        self.to_tokens = nn.Conv2d(2 * fine, config.width, 3, stride=2, padding=1)

    def project(self, image: Tensor, fine: Tensor) -> Tensor:
        """Return the tokens without positions as a grid (B, d, H / 16, W / 16)."""
        return self.to_tokens(self.to_stride_8(fine))


class PatchStem(Stem):
    """One 16x16 convolution gives the tokens: what pretrained vision transformers start with."""

    def add_projection(self, config: NetworkConfig) -> None:
        """Make the patch projection."""
        self.to_tokens = nn.Conv2d(3, config.width, STRIDE, stride=STRIDE)

    def project(self, image: Tensor, fine: Tensor) -> Tensor:
        """Return the tokens without positions as a grid (B, d, H / 16, W / 16)."""
        return self.to_tokens(image)


STEMS: dict[str, type[Stem]] = {"conv": ConvStem, "patch": PatchStem}
"""``NetworkConfig.stem`` -> its class."""


def make_stem(config: NetworkConfig) -> Stem:
    """Return the stem that ``config`` names."""
    return STEMS[config.stem](config)
