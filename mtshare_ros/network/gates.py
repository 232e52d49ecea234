"""Hard-concrete gates that learn which private units a sub-task needs.

Louizos, Welling, Kingma, "Learning Sparse Neural Networks through L0 Regularization", ICLR 2018.
The private share rho is held at a target by a Lagrange multiplier on its expected value (as in
Wang, Wohlwend, Lei, "Structured Pruning of Large Language Models", EMNLP 2020), not by hoping that
a fixed penalty lands there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtshare_ros.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.units import SubTask, private_share, unit_costs

_TEMPERATURE = 2.0 / 3.0
_LOW, _HIGH = -0.1, 1.1


class UnitGates(nn.Module):
    """One gate per private head and per group of hidden neurons of a sub-task."""

    def __init__(self, config: NetworkConfig, shares: Sequence[LayerShare], group: int) -> None:
        """Make open gates for over-complete ``shares``; ``group`` neurons share one gate.

        Raises:
            ValueError: A block's neurons are not a multiple of ``group``.
        """
        super().__init__()
        self.config, self.group = config, group
        for share in shares:
            if share.neurons % group:
                raise ValueError(f"{share.neurons} neurons are not a multiple of group {group}")
        self.head_logits = nn.ParameterList(torch.full((s.heads,), 2.0) for s in shares)
        self.group_logits = nn.ParameterList(
            torch.full((s.neurons // group,), 2.0) for s in shares
        )

    def _gate(self, logits: Tensor) -> Tensor:
        """Sample gates in [0, 1] while training; their deterministic value otherwise."""
        if self.training:
            u = torch.rand_like(logits).clamp(1e-6, 1 - 1e-6)
            open_ = torch.sigmoid((torch.log(u) - torch.log1p(-u) + logits) / _TEMPERATURE)
        else:
            open_ = torch.sigmoid(logits)
        return (open_ * (_HIGH - _LOW) + _LOW).clamp(0.0, 1.0)

    def forward(self) -> list[tuple[Tensor, Tensor]]:
        """Return per block the factors of its heads (heads,) and of its neurons (neurons,)."""
        return [
            (self._gate(heads), self._gate(groups).repeat_interleave(self.group))
            for heads, groups in zip(self.head_logits, self.group_logits, strict=True)
        ]

    def expected_share(self) -> Tensor:
        """Return the expected rho: each unit's work times its probability of being open."""
        shift = _TEMPERATURE * math.log(-_LOW / _HIGH)
        head, neuron = unit_costs(self.config)
        work = sum(
            head * torch.sigmoid(heads - shift).sum()
            + neuron * self.group * torch.sigmoid(groups - shift).sum()
            for heads, groups in zip(self.head_logits, self.group_logits, strict=True)
        )
        dense = self.config.depth * (self.config.heads * head + self.config.hidden * neuron)
        return torch.as_tensor(work) / dense

    @torch.no_grad()
    def keep(self, rho: float) -> list[tuple[Tensor, Tensor]]:
        """Return per block the indices of the heads and of the groups that stay.

        Units are taken in the order of their logits until the next one would exceed ``rho``.
        """
        head, neuron = unit_costs(self.config)
        dense = self.config.depth * (self.config.heads * head + self.config.hidden * neuron)
        units = []
        for layer, (heads, groups) in enumerate(
            zip(self.head_logits, self.group_logits, strict=True)
        ):
            units += [(float(v), head, layer, 0, i) for i, v in enumerate(heads)]
            units += [(float(v), neuron * self.group, layer, 1, i) for i, v in enumerate(groups)]
        kept: list[tuple[list[int], list[int]]] = [([], []) for _ in self.head_logits]
        spent = 0.0
        for _, work, layer, kind, index in sorted(units, reverse=True):
            if spent + work <= rho * dense:
                spent += work
                kept[layer][kind].append(index)
        return [
            (torch.tensor(sorted(h), dtype=torch.long), torch.tensor(sorted(g), dtype=torch.long))
            for h, g in kept
        ]


class ShareConstraint(nn.Module):
    """Lagrangian of ``expected rho <= target``; its multipliers climb by their own optimiser."""

    def __init__(self) -> None:
        """Start with both multipliers at zero."""
        super().__init__()
        self.linear = nn.Parameter(torch.zeros(()))
        self.square = nn.Parameter(torch.zeros(()))

    def forward(self, excess: Tensor) -> Tensor:
        """Return the penalty of ``excess`` = expected rho - target."""
        return self.linear * excess + self.square * excess**2


@torch.no_grad()
def prune(subtask: SubTask, gates: UnitGates, rho: float) -> SubTask:
    """Return a sub-task that has only the units ``gates`` keep, their factors folded in.

    Args:
        subtask: Over-complete sub-task that was trained with ``gates``.
        gates: Its gates.
        rho: Largest private share of the result.
    """
    config, group = subtask.config, gates.group
    dh = config.head_dim
    gates.eval()
    factors, kept = gates(), gates.keep(rho)
    shares = [LayerShare(len(heads), len(groups) * group) for heads, groups in kept]
    pruned = SubTask(config, shares, subtask.head.project.out_channels)
    pruned.head.load_state_dict(subtask.head.state_dict())
    for new, old, (heads, groups), (head_gate, neuron_gate) in zip(
        pruned.blocks, subtask.blocks, kept, factors, strict=True
    ):
        if new.heads:
            columns = (heads[:, None] * dh + torch.arange(dh)).flatten()
            rows = torch.cat([columns + part * old.heads * dh for part in range(3)])
            new.norm1.load_state_dict(old.norm1.state_dict())
            new.qkv.weight.copy_(old.qkv.weight[rows])
            new.qkv.bias.copy_(old.qkv.bias[rows])
            factor = head_gate[heads].repeat_interleave(dh)
            new.proj.weight.copy_(old.proj.weight[:, columns] * factor)
            new.proj.bias.copy_(old.proj.bias)
        if new.neurons:
            neurons = (groups[:, None] * group + torch.arange(group)).flatten()
            new.norm2.load_state_dict(old.norm2.state_dict())
            new.fc1.weight.copy_(old.fc1.weight[neurons])
            new.fc1.bias.copy_(old.fc1.bias[neurons])
            new.fc2.weight.copy_(old.fc2.weight[:, neurons] * neuron_gate[neurons])
            new.fc2.bias.copy_(old.fc2.bias)
    assert private_share(config, pruned.shares) <= rho + 1e-9
    return pruned
