"""Element-wise activation sharing at inference, and the multiply-adds that it would need.

A value X is the reference's plus a difference whose small elements are dropped::

    d = X - X_ref;  d[|d| < theta] = 0;  X <- X_ref + d

The reference is the base in the same frame (between tasks) or the network's own previous frame
(over time); what is carried on is what the next reference is. A linear builds on its reference's
output, Y = Y_ref + dX W_s + X_ref dW, with dW = 0 over time. The released code thresholds the
*outputs* of the four linears of a block, one theta per block; only a sparse *input* saves work, so
thresholds at the inputs are the reading most favourable to the paper.

The arithmetic here is dense and in torch: what is sparse is counted, exactly, from the non-zeros.

- a linear: nnz(dX) d_out + N nnz(dW); dense N d_in d_out
- logits Q K^T: N (nnz(dQ) + nnz(dK)); dense N N d
- A V: dense, or nnz(dA) dh + N nnz(dV) where the attention matrix has a threshold
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
        attention: Theta at the attention matrices; None leaves them and A V dense.
    """

    blocks: tuple[float, ...]
    points: tuple[str, ...] = OUTPUTS
    attention: float | None = None

    def __post_init__(self) -> None:
        """Refuse points that a block doesn't have."""
        unknown = set(self.points) - set(POINTS) | set(self.points) & {"weights"}
        if unknown:
            possible = [point for point in POINTS if point != "weights"]
            raise ValueError(f"thresholds at {sorted(unknown)}: expected some of {possible}")

    def at(self, layer: int, point: str) -> float:
        """Return theta of a point; zero where nothing is cut."""
        if point == "weights":
            return self.attention or 0.0
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


@dataclass
class BlockTrace:
    """What a block carried on in one pass.

    Attributes:
        values: Point -> value.
        left_over: Linear -> value carried on less what it gives for the input carried on: what
            thresholds at outputs have dropped so far. Absent where nothing was.
    """

    values: dict[str, Tensor]
    left_over: dict[str, Tensor]


@dataclass(frozen=True)
class Reference:
    """What one block of a pass is a difference to.

    Attributes:
        block: The reference's values.
        thresholds: Where the difference is cut.
        changed: Linear -> non-zeros of its weight difference to the reference; empty for none.
    """

    block: BlockTrace
    thresholds: Thresholds
    changed: Mapping[str, int]


class _Follower:
    """A tap that carries on references plus differences."""

    def __init__(self, references: Sequence[Reference]) -> None:
        self.references = references
        self.trace = [BlockTrace({}, {}) for _ in references]

    def __call__(self, layer: int, point: str, value: Tensor) -> Tensor:
        reference, trace = self.references[layer], self.trace[layer]
        before = reference.block.values[point]
        # value = X W_s + c of the input carried on; Y_ref + dX W_s + X_ref dW is that plus what
        # the reference's own output differs from its X_ref W + c by.
        inherited = reference.block.left_over.get(point)
        built = value if inherited is None else value + inherited
        kept = (built - before).abs() >= reference.thresholds.at(layer, point)
        carried = torch.where(kept, built, before)
        if point in LINEARS:
            trace.left_over[point] = carried - value
        trace.values[point] = carried
        return carried


def _as_trace(values: Values) -> list[BlockTrace]:
    return [BlockTrace(block, {}) for block in values]


@torch.no_grad()
def dense_pass(
    transformer: TappedTransformer, tokens: Tensor
) -> tuple[Tensor, list[BlockTrace], Works]:
    """Compute a network densely, to be a reference.

    Args:
        transformer: The network.
        tokens: (B, N, d).

    Returns:
        The last residual stream (B, N, d), the trace and the multiply-adds of all B images.
    """
    recorder = Recorder()
    features = transformer(tokens, recorder)
    trace = _as_trace(recorder.values)
    works = add(*(_dense_work(block.values) for block in trace))
    return features, trace, works


@torch.no_grad()
def shared_pass(
    transformer: TappedTransformer, tokens: Tensor, references: Sequence[Reference]
) -> tuple[Tensor, list[BlockTrace], Works]:
    """Compute a network as a difference to ``references``, one per block.

    Args:
        transformer: The network, with its own weights W_s.
        tokens: (B, N, d).
        references: Of the same images, or of the previous frames.

    Returns:
        As ``dense_pass``.
    """
    follower = _Follower(references)
    features = transformer(tokens, follower)
    works = add(
        *(
            _shared_work(block.values, reference)
            for block, reference in zip(follower.trace, references, strict=True)
        )
    )
    return features, follower.trace, works


def _products(values: Mapping[str, Tensor]) -> dict[str, int]:
    """Return the dense multiply-adds of each product of a block."""
    images, tokens, width = values["attended"].shape
    attention = images * tokens * tokens * width
    dense = {
        linear: values[read].numel() * values[linear].shape[-1] for linear, read in LINEARS.items()
    }
    return {**dense, "logits": attention, "values": attention}


def _dense_work(values: Mapping[str, Tensor]) -> Works:
    return {kind: Work(n, n, n) for kind, n in _products(values).items()}


def _shared_work(values: Mapping[str, Tensor], reference: Reference) -> Works:
    """Count a block's multiply-adds from the non-zeros of its differences."""
    images, tokens, width = values["attended"].shape
    heads = values["weights"].shape[1]

    def differing(point: str) -> Tensor:
        return values[point] != reference.block.values[point]

    query, key, value = (int(part.sum()) for part in differing("qkv").chunk(3, dim=-1))
    sparse = {
        linear: int(differing(read).sum()) * values[linear].shape[-1]
        + images * tokens * reference.changed.get(linear, 0)
        for linear, read in LINEARS.items()
    }
    sparse["logits"] = tokens * (query + key)
    sparse["values"] = int(differing("weights").sum()) * (width // heads) + tokens * value
    works = {}
    for kind, dense in _products(values).items():
        always_dense = kind == "values" and reference.thresholds.attention is None
        counted = dense if always_dense else sparse[kind]
        works[kind] = Work(counted, min(sparse[kind], dense), dense)
    return works


def references_to_base(
    trace: Sequence[BlockTrace], changed: Sequence[Mapping[str, int]], thresholds: Thresholds
) -> list[Reference]:
    """Return a sub-task's references to the base in the same frame.

    Args:
        trace: The base's.
        changed: Of ``ElementwiseSubTask.changed_weights``.
        thresholds: Where differences are cut.
    """
    return [
        Reference(block, thresholds, weights)
        for block, weights in zip(trace, changed, strict=True)
    ]
