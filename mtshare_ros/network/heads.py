"""A task's light head: tokens at stride 16 and the stem's fine features -> raw map at stride 4."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from mtshare_ros.network.config import FINE_STRIDE, STRIDE, NetworkConfig

_SHUFFLE = STRIDE // FINE_STRIDE


class _Mix(nn.Module):
    """Depthwise 3x3, then a pointwise expansion and reduction, added to the input.

    The block of ConvNeXt (Liu et al., "A ConvNet for the 2020s", CVPR 2022) with batch norm,
    which folds into the depthwise convolution, and a narrower expansion.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.expand = nn.Conv2d(width, 2 * width, 1)
        self.reduce = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.reduce(F.relu(self.expand(self.norm(self.spatial(x)))))


class Head(nn.Module):
    """Spreads each token over its 4x4 cells, adds the fine features, mixes, projects."""

    def __init__(self, config: NetworkConfig, channels: int) -> None:
        """Make a head with ``channels`` output channels."""
        super().__init__()
        width = config.head_width
        self.prefix = config.prefix
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.spread = nn.Linear(config.width, _SHUFFLE**2 * width)
        self.fine = nn.Conv2d(config.fine_width, width, 1)
        self.mix = nn.Sequential(_Mix(width), _Mix(width))
        self.project = nn.Conv2d(width, channels, 1)

    def start_from(self, other: Head) -> None:
        """Copy the weights of another head where the shapes are the same."""
        state = self.state_dict()
        same = {k: v for k, v in other.state_dict().items() if v.shape == state[k].shape}
        self.load_state_dict({**state, **same})

    def cells(self, features: Tensor) -> Tensor:
        """Spread tokens, one by one, over their 4x4 cells.

        Args:
            features: (..., K, d), rows of the last residual stream.

        Returns:
            (..., K, 16 * head_width); what a stream caches, so that clean tokens cost nothing.
        """
        return self.spread(self.norm(features))

    def mix_cells(self, cells: Tensor, fine: Tensor) -> Tensor:
        """Return the raw map (B, channels, H / 4, W / 4).

        Args:
            cells: (B, P + N, 16 * head_width), all tokens; prefix tokens have no place in the map.
            fine: (B, fine_width, H / 4, W / 4).
        """
        rows, columns = fine.shape[-2] // _SHUFFLE, fine.shape[-1] // _SHUFFLE
        image_cells = cells[:, self.prefix :]
        grid = image_cells.transpose(1, 2).unflatten(2, (rows, columns))
        return self.project(self.mix(F.pixel_shuffle(grid, _SHUFFLE) + self.fine(fine)))

    def forward(self, features: Tensor, fine: Tensor) -> Tensor:
        """Return the raw map (B, channels, H / 4, W / 4) of features (B, P + N, d)."""
        return self.mix_cells(self.cells(features), fine)
