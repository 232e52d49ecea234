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

from mtshare_ros.bundle.manifest import LayerShare
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
    gates.eval()
    kept = [
        (heads, (groups[:, None] * gates.group + torch.arange(gates.group)).flatten())
        for heads, groups in gates.keep(rho)
    ]
    pruned = subtask.keep(kept, gates())
    assert private_share(subtask.config, pruned.shares) <= rho + 1e-9
    return pruned
