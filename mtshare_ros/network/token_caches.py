"""What each frame leaves in the token caches, in batches and with gradients: for training.

For the same dirty tokens the caches hold what the streamed graphs (``network.streaming``) write.
Those compute the dirty rows only. Here every row is computed, and ``where`` keeps the cached keys,
values and cells of clean tokens: that costs a dense pass per frame, but it works on batches whose
clips have different dirty tokens, and gradients flow through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.network.vit import AttentionUnits, Branches, attend

KeyValue = tuple[Tensor, Tensor]
"""Keys and values of all tokens in one block, (B, R, heads * dh) each."""


@dataclass
class TokenCaches:
    """The caches after a frame: its values for dirty tokens, older ones for clean tokens.

    Attributes:
        base: Keys and values of the base, block by block.
        private: Sub-task -> keys and values of its private heads, None for a block without any.
        cells: Task -> cells of its head, (B, R, 16 * head_width).
    """

    base: list[KeyValue] = field(default_factory=list)
    private: dict[str, list[KeyValue | None]] = field(default_factory=dict)
    cells: dict[str, Tensor] = field(default_factory=dict)


def next_frame(
    base: SingleTaskNetwork,
    task: str,
    subtasks: Mapping[str, SubTask],
    tokens: Tensor,
    dirty: Tensor,
    before: TokenCaches | None,
    shared: Callable[[Tensor], Tensor],
) -> TokenCaches:
    """Return the caches after a frame.

    Args:
        base: The base.
        task: Its task.
        subtasks: Sub-tasks by name.
        tokens: (B, R, d) of the stem.
        dirty: (B, R) bool; prefix tokens are always dirty.
        before: The caches before the frame; None takes every token as dirty.
        shared: Applied to the tokens and branch outputs that the sub-tasks read.
    """
    after = TokenCaches()
    choose = dirty[..., None]

    def renew(new: Tensor, old: Tensor) -> Tensor:
        return torch.where(choose, new, old)

    def keep(name: str, cells: Tensor) -> None:
        after.cells[name] = cells if before is None else renew(cells, before.cells[name])

    branches: Branches = []
    x = tokens
    for layer, block in enumerate(base.transformer.blocks):
        old = None if before is None else before.base[layer]
        attention, key_value = _attention(block, x, renew, old)
        x = x + attention
        mlp = block.mlp(x)
        x = x + mlp
        branches.append((shared(attention), shared(mlp)))
        after.base.append(key_value)
    keep(task, base.head.cells(x))
    tokens = shared(tokens)
    for name, subtask in subtasks.items():
        x = tokens
        after.private[name] = []
        for layer, (block, branch) in enumerate(zip(subtask.blocks, branches, strict=True)):
            cached: KeyValue | None = None
            private = torch.zeros_like(x)
            if block.heads:
                old = None if before is None else before.private[name][layer]
                private, cached = _attention(block, x, renew, old)
            after.private[name].append(cached)
            x = x + branch[0] + private
            private = block.mlp(x) if block.neurons else torch.zeros_like(x)
            x = x + branch[1] + private
        keep(name, subtask.head.cells(x))
    return after


def _attention(
    block: AttentionUnits,
    x: Tensor,
    renew: Callable[[Tensor, Tensor], Tensor],
    old: KeyValue | None,
) -> tuple[Tensor, KeyValue]:
    """Return the branch's output and the keys and values it attended to."""
    query, key, value = block.queries_keys_values(x)
    if old is not None:
        key, value = renew(key, old[0]), renew(value, old[1])
    return block.proj(attend(query, key, value, block.heads)), (key, value)
