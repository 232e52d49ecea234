"""A plain vision transformer, pre-norm, that hands out the output of each of its branches.

Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtshare_ros.network.config import NetworkConfig

Branches = list[tuple[Tensor, Tensor]]
"""Per block the outputs of its attention and of its MLP branch (bias in, residual not)."""


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Multi-head attention of K queries over N keys.

    Written out: on a CPU the backward pass of the fused operator takes several times as long.

    Args:
        query: (B, K, heads * dh).
        key: (B, N, heads * dh).
        value: (B, N, heads * dh).
        heads: Number of heads.

    Returns:
        (B, K, heads * dh), heads side by side.
    """
    dh = query.shape[-1] // heads
    q, k, v = (x.unflatten(-1, (heads, dh)).transpose(1, 2) for x in (query, key, value))
    weights = torch.softmax((q * dh**-0.5) @ k.transpose(-2, -1), dim=-1)
    return (weights.to(v.dtype) @ v).transpose(1, 2).flatten(2)


class AttentionUnits(nn.Module):
    """Attention heads behind a LayerNorm: ``norm1``, ``qkv``, then ``proj``."""

    heads: int

    def queries_keys_values(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the heads read of rows x (..., N, d), (..., N, heads * dh) each."""
        query, key, value = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        return query, key, value


class Block(AttentionUnits):
    """One transformer block: attention and MLP, each behind a LayerNorm, each added to x."""

    def __init__(self, config: NetworkConfig) -> None:
        """Make a block of ``config``'s width, heads and hidden neurons."""
        super().__init__()
        self.heads = config.heads
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.proj = nn.Linear(config.width, config.width)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.fc1 = nn.Linear(config.width, config.hidden)
        self.fc2 = nn.Linear(config.hidden, config.width)

    def attention(self, x: Tensor) -> Tensor:
        """Return the attention branch of the residual stream x (B, N, d)."""
        return self.proj(attend(*self.queries_keys_values(x), self.heads))

    def mlp(self, x: Tensor) -> Tensor:
        """Return the MLP branch of the residual stream x (B, N, d)."""
        return self.fc2(F.gelu(self.fc1(self.norm2(x))))


class VisionTransformer(nn.Module):
    """``depth`` blocks; no final norm (each head brings its own)."""

    def __init__(self, config: NetworkConfig) -> None:
        """Make the transformer of ``config``; linear weights start truncated normal."""
        super().__init__()
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Branches]:
        """Return the last residual stream (B, N, d) and every block's branch outputs."""
        x, branches = tokens, []
        for block in self.blocks:
            attention = block.attention(x)
            x = x + attention
            mlp = block.mlp(x)
            x = x + mlp
            branches.append((attention, mlp))
        return x, branches
