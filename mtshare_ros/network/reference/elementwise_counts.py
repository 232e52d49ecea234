"""Element-wise activation sharing at inference, and the multiply-adds that it would need.

A value X is the reference's plus a difference whose small elements are dropped::

    d = X - X_ref;  d[|d| < theta] = 0;  X <- X_ref + d

The reference is the base in the same frame. A linear builds on its reference's output,
Y = Y_ref + dX W_s + X_ref dW. The released code thresholds the *outputs* of the four linears of a
block, one theta per block; only a sparse *input* saves work, so thresholds at the inputs are the
reading most favourable to the paper.

The arithmetic here is dense and in torch: what is sparse is counted, exactly, from the non-zeros.

- a linear: nnz(dX) d_out + N nnz(dW); dense N d_in d_out
- logits Q K^T: N (nnz(dQ) + nnz(dK)); dense N N d
- A V: dense; in the kindest reading nnz(dA) dh + N nnz(dV), if that is less
- LayerNorm, softmax, GELU, biases, stem and head: not counted
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtshare_ros.network.reference.elementwise_units import (
    LINEARS,
    POINTS,
    Recorder,
    TappedTransformer,
    Values,
)

OUTPUTS = tuple(LINEARS)
"""Where the released code has its thresholds."""
INPUTS = tuple(LINEARS.values())
"""Where they would save work."""


@dataclass(frozen=True)
class Thresholds:
    """Where differences are cut, and below which size.

    Attributes:
        blocks: Theta of each block; a difference of exactly theta stays.
        points: Points at which it holds, see ``elementwise_units.POINTS``.
    """

    blocks: tuple[float, ...]
    points: tuple[str, ...] = OUTPUTS

    def __post_init__(self) -> None:
        """Refuse points that a block doesn't have."""
        unknown = set(self.points) - set(POINTS) | set(self.points) & {"weights"}
        if unknown:
            possible = [point for point in POINTS if point != "weights"]
            raise ValueError(f"thresholds at {sorted(unknown)}: expected some of {possible}")

    def at(self, layer: int, point: str) -> float:
        """Return theta of a point; zero where nothing is cut."""
        return self.blocks[layer] if point in self.points else 0.0


@dataclass(frozen=True)
class Work:
    """Multiply-adds.

    Attributes:
        counted: By the formulas of this module.
        least: The kindest reading: each product of each block in the cheaper of both forms,
            sparse or dense.
        dense: Of the same products without a reference.
    """

    counted: int = 0
    least: int = 0
    dense: int = 0

    def __add__(self, other: Work) -> Work:
        """Add up two products."""
        return Work(
            self.counted + other.counted, self.least + other.least, self.dense + other.dense
        )


Works = dict[str, Work]
"""Kind (qkv, logits, values, proj, fc1, fc2) -> work, over all blocks."""


def add(*works: Works) -> Works:
    """Add up, kind by kind: several images, frames or tasks."""
    return {kind: sum((w[kind] for w in works), Work()) for kind in works[0]}


def shares(works: Works) -> dict[str, dict[str, float]]:
    """Return counted / dense and least / dense of each kind, of all linears and of all."""
    groups = {kind: (kind,) for kind in works} | {"linears": OUTPUTS, "all": tuple(works)}
    totals = {name: sum((works[k] for k in kinds), Work()) for name, kinds in groups.items()}
    return {
        name: {"counted": work.counted / work.dense, "least": work.least / work.dense}
        for name, work in totals.items()
    }


class _Follower(Recorder):
    """A tap that carries on a reference's values plus differences to them."""

    def __init__(self, reference: Values, thresholds: Thresholds) -> None:
        super().__init__()
        self.reference, self.thresholds = reference, thresholds

    def __call__(self, layer: int, point: str, value: Tensor) -> Tensor:
        # What a linear gives, X W_s + c, is Y_ref + dX W_s + X_ref dW: the reference is dense.
        before = self.reference[layer][point]
        kept = (value - before).abs() >= self.thresholds.at(layer, point)
        return super().__call__(layer, point, torch.where(kept, value, before))


@torch.no_grad()
def shared_pass(
    transformer: TappedTransformer,
    tokens: Tensor,
    reference: Values,
    changed: Sequence[Mapping[str, int]],
    thresholds: Thresholds,
) -> tuple[Tensor, Values, Works]:
    """Compute a sub-task's network as a difference to the base in the same frame.

    Args:
        transformer: The network, with its own weights W_s.
        tokens: (B, N, d).
        reference: The base's values for the same tokens, see ``dense_values``.
        changed: Of ``ElementwiseSubTask.changed_weights``.
        thresholds: Where differences are cut.

    Returns:
        The last residual stream (B, N, d), the values carried on and the multiply-adds of all B
        images.
    """
    follower = _Follower(reference, thresholds)
    features = transformer(tokens, follower)
    blocks = zip(follower.values, reference, changed, strict=True)
    return features, follower.values, add(*(_shared_work(*block) for block in blocks))


def _products(values: Mapping[str, Tensor]) -> dict[str, int]:
    """Return the dense multiply-adds of each product of a block."""
    images, tokens, width = values["attended"].shape
    attention = images * tokens * tokens * width
    dense = {
        linear: values[read].numel() * values[linear].shape[-1] for linear, read in LINEARS.items()
    }
    return {**dense, "logits": attention, "values": attention}


def _shared_work(
    values: Mapping[str, Tensor], reference: Mapping[str, Tensor], changed: Mapping[str, int]
) -> Works:
    """Count a block's multiply-adds from the non-zeros of its differences."""
    images, tokens, width = values["attended"].shape
    heads = values["weights"].shape[1]

    def differing(point: str) -> Tensor:
        return values[point] != reference[point]

    query, key, value = (int(part.sum()) for part in differing("qkv").chunk(3, dim=-1))
    sparse = {
        linear: int(differing(read).sum()) * values[linear].shape[-1]
        + images * tokens * changed[linear]
        for linear, read in LINEARS.items()
    }
    sparse["logits"] = tokens * (query + key)
    sparse["values"] = int(differing("weights").sum()) * (width // heads) + tokens * value
    return {
        # The attention matrix has no threshold: its product with the values stays dense.
        kind: Work(dense if kind == "values" else sparse[kind], min(sparse[kind], dense), dense)
        for kind, dense in _products(values).items()
    }
