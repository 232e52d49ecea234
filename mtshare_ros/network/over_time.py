"""The network as it runs over time, in batches and with gradients.

A frame is computed densely except that clean tokens keep what was cached of them: their keys and
values in every attention, and their cells. What a clean token's own rows would be is computed
too and thrown away, which is what a training can afford; it is what the streamed graphs
(``network.streaming``) give for the same dirty tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import PrivateBlock, SubTask
from mtshare_ros.network.vit import Block, Branches, attend

KeyValue = tuple[Tensor, Tensor]
"""Keys and values of all tokens in one block, (B, R, heads * dh) each."""


@dataclass
class Memory:
    """What is cached of the tokens: of a frame, the dirty ones anew and the clean ones as before.

    Attributes:
        base: The base's keys and values, block by block.
        own: Sub-task -> its private heads' keys and values, None for a block without.
        cells: Task -> its head's cells, (B, R, 16 * head_width).
    """

    base: list[KeyValue] = field(default_factory=list)
    own: dict[str, list[KeyValue | None]] = field(default_factory=dict)
    cells: dict[str, Tensor] = field(default_factory=dict)


def next_frame(
    base: SingleTaskNetwork,
    task: str,
    subtasks: Mapping[str, SubTask],
    tokens: Tensor,
    dirty: Tensor,
    before: Memory | None,
    shared: Callable[[Tensor], Tensor],
) -> Memory:
    """Return what is cached after a frame.

    Args:
        base: The base.
        task: Its task.
        subtasks: Sub-tasks by name.
        tokens: (B, R, d) of the stem.
        dirty: (B, R) bool; prefix tokens are always dirty.
        before: What was cached before; None computes every token.
        shared: What tokens and branch outputs go through on their way to the sub-tasks.
    """
    after = Memory()
    choose = dirty[..., None]

    def renew(new: Tensor, old: Tensor) -> Tensor:
        return torch.where(choose, new, old)

    def keep(name: str, cells: Tensor) -> None:
        after.cells[name] = cells if before is None else renew(cells, before.cells[name])

    branches: Branches = []
    x = tokens
    for layer, block in enumerate(base.transformer.blocks):
        old = None if before is None else before.base[layer]
        attention, memory = _attention(block, x, renew, old)
        x = x + attention
        mlp = block.mlp(x)
        x = x + mlp
        branches.append((shared(attention), shared(mlp)))
        after.base.append(memory)
    keep(task, base.head.cells(x))
    tokens = shared(tokens)
    for name, subtask in subtasks.items():
        x = tokens
        after.own[name] = []
        for layer, (block, branch) in enumerate(zip(subtask.blocks, branches, strict=True)):
            own: KeyValue | None = None
            private = torch.zeros_like(x)
            if block.heads:
                old = None if before is None else before.own[name][layer]
                private, own = _attention(block, x, renew, old)
            after.own[name].append(own)
            x = x + branch[0] + private
            private = block.mlp(x) if block.neurons else torch.zeros_like(x)
            x = x + branch[1] + private
        keep(name, subtask.head.cells(x))
    return after


def _attention(
    block: Block | PrivateBlock,
    x: Tensor,
    renew: Callable[[Tensor, Tensor], Tensor],
    old: KeyValue | None,
) -> tuple[Tensor, KeyValue]:
    """Return the branch's output and the keys and values it attended to."""
    query, key, value = block.qkv(block.norm1(x)).chunk(3, dim=-1)
    if old is not None:
        key, value = renew(key, old[0]), renew(value, old[1])
    return block.proj(attend(query, key, value, block.heads)), (key, value)
