"""Private units that take the place of the base's: the other form of ``units``, for comparison.

Each private unit is one of the base's own, with weights of its own; what the base's unit wrote is
taken out of the branch again::

    x_s <- x_s + Y_b + sum_u ( a_s,u W_s,u - a_b,u W_b,u )

This is Y_s = Y_b + dX W_s + X_b dW of Shoouri et al. (ICCV 2023) as it is written. It needs the
base's activations a_b of every private unit and a write product twice as wide, so at the same
private share it costs more than added units. It is trained and scored, never exported.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.units import PrivateBlock, SubTask
from mtshare_ros.network.vit import Block, Branches, VisionTransformer, attend


class BranchesAndUnits(Branches):
    """A base's branch outputs, with the activations of its units.

    Attributes:
        units: Per block the outputs of all heads (B, N, d) and of all hidden neurons
            (B, N, hidden), before the write products.
    """

    def __init__(self, branches: Branches, units: list[tuple[Tensor, Tensor]]) -> None:
        """Take one pair of ``branches`` and one of ``units`` per block."""
        super().__init__(branches)
        self.units = units


def branches_and_units(transformer: VisionTransformer, tokens: Tensor) -> BranchesAndUnits:
    """Compute a base densely; return its branch outputs and its units' activations."""
    x, branches, units = tokens, [], []
    for block in transformer.blocks:
        query, key, value = block.queries_keys_values(x)
        heads = attend(query, key, value, block.heads)
        attention = block.proj(heads)
        x = x + attention
        hidden = F.gelu(block.fc1(block.norm2(x)))
        mlp = block.fc2(hidden)
        x = x + mlp
        branches.append((attention, mlp))
        units.append((heads, hidden))
    return BranchesAndUnits(branches, units)


class ReplacedBlock(PrivateBlock):
    """Private units of one block, and what the base's in their place wrote."""

    base_channels: Tensor
    base_neurons: Tensor
    base_proj: Tensor
    base_fc2: Tensor

    def __init__(self, config: NetworkConfig, share: LayerShare) -> None:
        """Make units in the place of the base's first ones."""
        super().__init__(config, share)
        inner = share.heads * config.head_dim
        self.register_buffer("base_channels", torch.arange(inner))
        self.register_buffer("base_neurons", torch.arange(share.neurons))
        self.register_buffer("base_proj", torch.zeros(config.width, inner))
        self.register_buffer("base_fc2", torch.zeros(config.width, share.neurons))

    @torch.no_grad()
    def start_from(self, base: Block) -> None:
        """Start as the base's own units: nothing is different yet."""
        super().start_from(base)
        if self.heads:
            self.base_proj.copy_(base.proj.weight[:, self.base_channels])
            self.proj.weight.copy_(self.base_proj)
        if self.neurons:
            self.base_fc2.copy_(base.fc2.weight[:, self.base_neurons])
            self.fc2.weight.copy_(self.base_fc2)

    def taken_out(
        self, units: tuple[Tensor, Tensor], gates: tuple[Tensor | None, Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        """Return what the base's units in the place of these wrote to attention and MLP."""
        heads, hidden = units[0][..., self.base_channels], units[1][..., self.base_neurons]
        head_gate, neuron_gate = gates
        if head_gate is not None and self.heads:
            heads = heads * head_gate.repeat_interleave(self.config.head_dim)
        if neuron_gate is not None:
            hidden = hidden * neuron_gate
        return F.linear(heads, self.base_proj), F.linear(hidden, self.base_fc2)

    @torch.no_grad()
    def keep(
        self, heads: Tensor, neurons: Tensor, head_factor: Tensor, neuron_factor: Tensor
    ) -> PrivateBlock:
        """Return a block of some of the units; see ``PrivateBlock.keep``."""
        kept = super().keep(heads, neurons, head_factor, neuron_factor)
        assert isinstance(kept, ReplacedBlock)
        columns = self.columns(heads)
        factor = head_factor[heads].repeat_interleave(self.config.head_dim)
        kept.base_channels.copy_(self.base_channels[columns])
        kept.base_neurons.copy_(self.base_neurons[neurons])
        kept.base_proj.copy_(self.base_proj[:, columns] * factor)
        kept.base_fc2.copy_(self.base_fc2[:, neurons] * neuron_factor[neurons])
        return kept


class ReplacedSubTask(SubTask):
    """A sub-task whose private units take the place of the base's."""

    block_type = ReplacedBlock

    def base_branches(self, base: VisionTransformer, tokens: Tensor) -> BranchesAndUnits:
        """Return every block's branch outputs and the activations of its units."""
        return branches_and_units(base, tokens)

    def features(
        self,
        tokens: Tensor,
        branches: Branches,
        gates: Sequence[tuple[Tensor | None, Tensor | None]] | None = None,
        written: list[Tensor] | None = None,
    ) -> Tensor:
        """Return the sub-task's last residual stream; ``branches`` is of ``base_branches``."""
        assert isinstance(branches, BranchesAndUnits)
        reduced = []
        for layer, (block, (attention, mlp)) in enumerate(zip(self.blocks, branches, strict=True)):
            gate = gates[layer] if gates is not None else (None, None)
            minus_attention, minus_mlp = block.taken_out(branches.units[layer], gate)
            reduced.append((attention - minus_attention, mlp - minus_mlp))
        return super().features(tokens, reduced, gates, written)
