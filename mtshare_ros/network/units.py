"""Private units: what a sub-task adds to a frozen base.

A *unit* is one attention head or a group of hidden neurons of an MLP. A sub-task keeps a residual
stream of its own, x_s. In each block it takes over the base's branch outputs Y_b as they are and
adds its private units, which read x_s (*added* units: nothing is subtracted)::

    x_s <- x_s + Y_b + sum_u f_u(LayerNorm(x_s)) W_u

This is Y_s = Y_b + dX W_s + X_b dW of Shoouri et al. (ICCV 2023) with dW and dX sparse in whole
units, so that at run time there are only narrow dense products. Read weights start from the
base's, write weights from zero: training starts at the frozen base.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.heads import Head
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.vit import AttentionUnits, Block, Branches, VisionTransformer, attend


class PrivateBlock(AttentionUnits):
    """Private heads and hidden neurons of one block.

    A block without heads has no ``qkv`` and ``proj``; one without neurons no ``fc1`` and ``fc2``.
    """

    def __init__(self, config: NetworkConfig, share: LayerShare) -> None:
        """Make ``share.heads`` heads and ``share.neurons`` neurons that write nothing yet."""
        super().__init__()
        self.config = config
        self.heads, self.neurons = share.heads, share.neurons
        width, inner = config.width, share.heads * config.head_dim
        if self.heads:
            self.norm1 = nn.LayerNorm(width, eps=1e-6)
            self.qkv = nn.Linear(width, 3 * inner)
            self.proj = nn.Linear(inner, width)
            nn.init.zeros_(self.proj.weight)
            nn.init.zeros_(self.proj.bias)
        if self.neurons:
            self.norm2 = nn.LayerNorm(width, eps=1e-6)
            self.fc1 = nn.Linear(width, self.neurons)
            self.fc2 = nn.Linear(self.neurons, width)
            nn.init.zeros_(self.fc2.weight)
            nn.init.zeros_(self.fc2.bias)

    @torch.no_grad()
    def start_from(self, base: Block) -> None:
        """Start the read weights from the first heads and neurons of ``base``."""
        if self.heads:
            self.norm1.load_state_dict(base.norm1.state_dict())
            inner = self.heads * self.config.head_dim
            for part in range(3):
                rows = slice(part * inner, (part + 1) * inner)
                source = slice(part * base.norm1.weight.numel(), None)
                self.qkv.weight[rows] = base.qkv.weight[source][:inner]
                self.qkv.bias[rows] = base.qkv.bias[source][:inner]
        if self.neurons:
            self.norm2.load_state_dict(base.norm2.state_dict())
            self.fc1.weight.copy_(base.fc1.weight[: self.neurons])
            self.fc1.bias.copy_(base.fc1.bias[: self.neurons])

    def freeze_norms(self) -> None:
        """Exclude the LayerNorms from training: the read weights can take over their gains."""
        if self.heads:
            self.norm1.requires_grad_(False)
        if self.neurons:
            self.norm2.requires_grad_(False)

    def attention(self, x: Tensor, head_gate: Tensor | None = None) -> Tensor:
        """Return what the private heads write, (B, N, d); ``head_gate``: (heads,) factors."""
        heads = attend(*self.queries_keys_values(x), self.heads)
        if head_gate is not None:
            heads = heads * head_gate.repeat_interleave(heads.shape[-1] // self.heads)
        return self.proj(heads)

    def mlp(self, x: Tensor, neuron_gate: Tensor | None = None) -> Tensor:
        """Return what the private neurons write, (B, N, d); ``neuron_gate``: (neurons,)."""
        hidden = F.gelu(self.fc1(self.norm2(x)))
        if neuron_gate is not None:
            hidden = hidden * neuron_gate
        return self.fc2(hidden)

    @torch.no_grad()
    def keep(
        self, heads: Tensor, neurons: Tensor, head_factor: Tensor, neuron_factor: Tensor
    ) -> PrivateBlock:
        """Return a block of some of the units, with factors folded into the write weights.

        Args:
            heads: Indices of the heads that stay.
            neurons: Indices of the neurons that stay.
            head_factor: (heads,) factor of each of this block's heads.
            neuron_factor: (neurons,) factor of each of this block's neurons.
        """
        kept = type(self)(self.config, LayerShare(len(heads), len(neurons)))
        if kept.heads:
            columns = self.columns(heads)
            rows = torch.cat([columns + part * self.proj.in_features for part in range(3)])
            kept.norm1.load_state_dict(self.norm1.state_dict())
            kept.qkv.weight.copy_(self.qkv.weight[rows])
            kept.qkv.bias.copy_(self.qkv.bias[rows])
            factor = head_factor[heads].repeat_interleave(self.config.head_dim)
            kept.proj.weight.copy_(self.proj.weight[:, columns] * factor)
            kept.proj.bias.copy_(self.proj.bias)
        if kept.neurons:
            kept.norm2.load_state_dict(self.norm2.state_dict())
            kept.fc1.weight.copy_(self.fc1.weight[neurons])
            kept.fc1.bias.copy_(self.fc1.bias[neurons])
            kept.fc2.weight.copy_(self.fc2.weight[:, neurons] * neuron_factor[neurons])
            kept.fc2.bias.copy_(self.fc2.bias)
        return kept

    def columns(self, heads: Tensor) -> Tensor:
        """Return the channels of some heads among those of all heads side by side."""
        dh = self.config.head_dim
        return (heads[:, None] * dh + torch.arange(dh)).flatten()


class SubTask(nn.Module):
    """Private units for every block and a head, on top of a base's branch outputs."""

    block_type = PrivateBlock

    def __init__(self, config: NetworkConfig, shares: Sequence[LayerShare], channels: int) -> None:
        """Make a sub-task with ``shares[l]`` private units in block l."""
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(self.block_type(config, share) for share in shares)
        self.head = Head(config, channels)

    @property
    def shares(self) -> list[LayerShare]:
        """Private units of each block."""
        return [LayerShare(block.heads, block.neurons) for block in self.blocks]

    def start_from(self, base: VisionTransformer, head: Head | None = None) -> None:
        """Start read weights from ``base`` and the head's shared shapes from ``head``."""
        for private, block in zip(self.blocks, base.blocks, strict=True):
            private.start_from(block)
        if head is not None:
            self.head.start_from(head)

    def base_branches(self, base: VisionTransformer, tokens: Tensor) -> Branches:
        """Return what this form of sub-task reads of its base: every block's branch outputs."""
        return base(tokens)[1]

    def features(
        self,
        tokens: Tensor,
        branches: Branches,
        gates: Sequence[tuple[Tensor | None, Tensor | None]] | None = None,
        written: list[Tensor] | None = None,
    ) -> Tensor:
        """Return the sub-task's last residual stream.

        Args:
            tokens: (B, N, d) of the shared stem.
            branches: What ``base_branches`` returned.
            gates: Factors of the heads and of the neurons of each block, while they are learned.
            written: List that receives the output of the private units, (B, N, d) per branch.
        """
        x = tokens
        for layer, (block, (attention, mlp)) in enumerate(zip(self.blocks, branches, strict=True)):
            head_gate, neuron_gate = gates[layer] if gates is not None else (None, None)
            by_heads = block.attention(x, head_gate) if block.heads else torch.zeros_like(x)
            x = x + attention + by_heads
            by_neurons = block.mlp(x, neuron_gate) if block.neurons else torch.zeros_like(x)
            x = x + mlp + by_neurons
            if written is not None:
                written += [by_heads, by_neurons]
        return x

    def keep(
        self,
        kept: Sequence[tuple[Tensor, Tensor]],
        factors: Sequence[tuple[Tensor, Tensor]],
    ) -> SubTask:
        """Return a sub-task of some of the units, with factors folded into the write weights.

        Args:
            kept: Per block the indices of the heads and of the neurons that stay.
            factors: Per block one factor per head and one per neuron.
        """
        shares = [LayerShare(len(heads), len(neurons)) for heads, neurons in kept]
        smaller = type(self)(self.config, shares, self.head.project.out_channels)
        smaller.head.load_state_dict(self.head.state_dict())
        smaller.blocks = nn.ModuleList(
            block.keep(*units, *factor)
            for block, units, factor in zip(self.blocks, kept, factors, strict=True)
        )
        return smaller

    def forward(self, tokens: Tensor, fine: Tensor, branches: Branches) -> Tensor:
        """Return the raw map (B, channels, H / 4, W / 4)."""
        return self.head(self.features(tokens, branches), fine)

    def on_images(self, base: SingleTaskNetwork, images: Tensor) -> Tensor:
        """Return the raw map (B, channels, H / 4, W / 4) of images (B, 3, H, W)."""
        tokens, fine = base.stem(images)
        return self(tokens, fine, self.base_branches(base.transformer, tokens))


def private_share(config: NetworkConfig, shares: Sequence[LayerShare]) -> float:
    """Return rho: private multiply-adds / multiply-adds of the dense transformer.

    Per token a head costs 4 d dh for q, k, v and proj and 2 N dh for the attention itself, a
    hidden neuron 2 d; every token dirty, biases, norms and softmax not counted.
    """
    head, neuron = unit_costs(config)
    dense = config.depth * (config.heads * head + config.hidden * neuron)
    return sum(s.heads * head + s.neurons * neuron for s in shares) / dense


def unit_costs(config: NetworkConfig) -> tuple[int, int]:
    """Return the multiply-adds per token of one head and of one hidden neuron."""
    head = config.head_dim * (4 * config.width + 2 * config.tokens)
    return head, 2 * config.width
