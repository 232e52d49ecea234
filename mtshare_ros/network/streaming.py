"""The streamed network: pure functions of the frame, the dirty tokens and the caches.

These modules wrap the dense ones, share their weights and are what is exported. Each returns the
caches with the dirty rows written; nothing is hidden in a module. Batch size is one and is left
out. ``R = P + N`` rows: P prefix tokens, which are dirty in every frame because they sum up the
whole of it, then N image tokens. ``K`` of the ``R`` rows are dirty.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.config import FINE_STRIDE, STRIDE, NetworkConfig
from mtshare_ros.network.heads import Head
from mtshare_ros.network.stem import Stem
from mtshare_ros.network.units import SubTask
from mtshare_ros.network.vit import VisionTransformer


def write_rows(cache: Tensor, index: Tensor, rows: Tensor) -> Tensor:
    """Return ``cache`` (N, c) with ``rows`` (K, c) at ``index`` (K,); exported as ScatterND."""
    return cache.index_put((index,), rows)


def attend_rows(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Multi-head attention of K query rows over N cached rows.

    The products are written out (no fused operator) because TensorRT and ONNX Runtime both take
    MatMul and Softmax, and the scale is on the K query rows, which are few.

    Args:
        query: (K, heads * dh).
        key: (N, heads * dh).
        value: (N, heads * dh).
        heads: Number of heads.

    Returns:
        (K, heads * dh).
    """
    dh = query.shape[-1] // heads
    q = (query * dh**-0.5).unflatten(-1, (heads, dh)).transpose(0, 1)
    k = key.unflatten(-1, (heads, dh)).permute(1, 2, 0)
    v = value.unflatten(-1, (heads, dh)).transpose(0, 1)
    return (torch.softmax(q @ k, dim=-1) @ v).transpose(0, 1).flatten(1)


class StemGraph(nn.Module):
    """Image -> tokens and fine features, dense, every frame."""

    def __init__(self, stem: Stem) -> None:
        """Wrap ``stem``."""
        super().__init__()
        self.stem = stem

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map image (1, 3, H, W) to tokens (R, d) and fine (1, fine_width, H / 4, W / 4)."""
        tokens, fine = self.stem(image)
        return tokens[0], fine


class BaseGraph(nn.Module):
    """The base's blocks over the dirty tokens, against the keys and values of all tokens."""

    def __init__(self, transformer: VisionTransformer) -> None:
        """Wrap ``transformer``."""
        super().__init__()
        self.blocks = transformer.blocks

    def forward(self, tokens: Tensor, index: Tensor, *caches: Tensor) -> tuple[Tensor, ...]:
        """Return the caches with the dirty rows written.

        Args:
            tokens: (R, d) of the stem.
            index: (K,) int64, dirty rows.
            caches: As named by ``base_caches``, each (R, d).
        """
        x = tokens[index]
        written = []
        for layer, block in enumerate(self.blocks):
            key, value, attention, mlp = caches[4 * layer : 4 * layer + 4]
            q, k, v = block.queries_keys_values(x)
            key, value = write_rows(key, index, k), write_rows(value, index, v)
            branch = block.proj(attend_rows(q, key, value, block.heads))
            x = x + branch
            attention = write_rows(attention, index, branch)
            branch = block.mlp(x)
            x = x + branch
            written += [key, value, attention, write_rows(mlp, index, branch)]
        return (*written, write_rows(caches[-1], index, x))


class HeadGraph(nn.Module):
    """The base task's head: the dirty tokens' cells, then the map."""

    def __init__(self, head: Head) -> None:
        """Wrap ``head``."""
        super().__init__()
        self.head = head

    def forward(
        self, features: Tensor, fine: Tensor, index: Tensor, cells: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the cache with the dirty rows written, then the raw map (1, C, H / 4, W / 4).

        Args:
            features: (R, d) of the base, read only.
            fine: (1, fine_width, H / 4, W / 4) of the stem.
            index: (K,) int64, this task's dirty rows.
            cells: (R, 16 * head_width), as named by ``head_caches``.
        """
        cells = write_rows(cells, index, self.head.cells(features[index]))
        return cells, self.head.mix_cells(cells[None], fine)


class SubTaskGraph(nn.Module):
    """A sub-task's private units over its dirty tokens, then its head."""

    def __init__(self, subtask: SubTask) -> None:
        """Wrap ``subtask``."""
        super().__init__()
        self.depth = len(subtask.blocks)
        self.blocks = subtask.blocks
        self.head = subtask.head

    def forward(
        self, tokens: Tensor, fine: Tensor, index: Tensor, *caches: Tensor
    ) -> tuple[Tensor, ...]:
        """Return this task's caches with the dirty rows written, then the raw map.

        Args:
            tokens: (R, d) of the stem.
            fine: (1, fine_width, H / 4, W / 4) of the stem.
            index: (K,) int64, this task's dirty rows.
            caches: First the base's branch outputs, attention and MLP of each block, (R, d)
                each, read only; then this task's caches as named by ``subtask_caches``.
        """
        branches, private_caches = caches[: 2 * self.depth], list(caches[2 * self.depth :])
        x = tokens[index]
        written = []
        for layer, block in enumerate(self.blocks):
            private = None
            if block.heads:
                q, k, v = block.queries_keys_values(x)
                key = write_rows(private_caches.pop(0), index, k)
                value = write_rows(private_caches.pop(0), index, v)
                private = block.proj(attend_rows(q, key, value, block.heads))
                written += [key, value]
            x = x + branches[2 * layer][index]
            if private is not None:
                x = x + private
            private = block.mlp(x) if block.neurons else None
            x = x + branches[2 * layer + 1][index]
            if private is not None:
                x = x + private
        cells = write_rows(private_caches.pop(0), index, self.head.cells(x))
        return (*written, cells, self.head.mix_cells(cells[None], fine))


def base_caches(config: NetworkConfig) -> dict[str, tuple[int, int]]:
    """Return the base's caches in order: name -> (R, columns)."""
    names = [
        f"{kind}_{layer:02d}"
        for layer in range(config.depth)
        for kind in ("key", "value", "attention", "mlp")
    ]
    return {name: (config.rows, config.width) for name in [*names, "features"]}


def head_caches(config: NetworkConfig) -> dict[str, tuple[int, int]]:
    """Return a head's cache: name -> (R, columns)."""
    return {"own_cells": (config.rows, (STRIDE // FINE_STRIDE) ** 2 * config.head_width)}


def read_branches(config: NetworkConfig) -> list[str]:
    """Return the names of the base's caches that a sub-task reads, in order."""
    return [
        f"{kind}_{layer:02d}" for layer in range(config.depth) for kind in ("attention", "mlp")
    ]


def subtask_caches(
    config: NetworkConfig, shares: Sequence[LayerShare]
) -> dict[str, tuple[int, int]]:
    """Return the caches of a sub-task in order: name -> (R, columns)."""
    caches = {}
    for layer, share in enumerate(shares):
        if share.heads:
            columns = share.heads * config.head_dim
            caches[f"own_key_{layer:02d}"] = (config.rows, columns)
            caches[f"own_value_{layer:02d}"] = (config.rows, columns)
    return {**caches, **head_caches(config)}
