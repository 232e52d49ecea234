"""Which tokens a frame recomputes: the most urgent ones, within a bounded age and a budget.

One set per frame, chosen before the transformer, used by every layer and every task.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.tokens import TokenMask

DENSE_FRACTION = 0.9
"""Share of dirty tokens from which recomputing the rest costs less than it is worth."""


@dataclass(frozen=True)
class Budget:
    """How many tokens a frame may recompute.

    Attributes:
        tokens: K_max, at least as many as the age bound needs.
        dense_from: Number of dirty tokens from which everything is recomputed, if K_max allows.
    """

    tokens: int
    dense_from: int


def smallest_fraction(tokens: int, max_age: int) -> float:
    """Return the least ``max_dirty_fraction`` that keeps every token younger than ``max_age``."""
    return math.ceil(tokens / max_age) / tokens


def frame_budget(
    tokens: int, max_dirty_fraction: float, max_age: int, room: int | None = None
) -> Budget:
    """Return the budget of a frame; the age bound raises one that is too small for it.

    Args:
        tokens: Number of tokens N.
        max_dirty_fraction: Largest share of tokens to recompute, 0 to 1.
        max_age: Frames after which a token has to be recomputed.
        room: Tokens that a deadline has room for; None without a deadline.
    """
    asked = math.floor(max_dirty_fraction * tokens + 1e-9)
    if room is not None:
        asked = min(asked, room)
    return Budget(
        tokens=min(tokens, max(asked, math.ceil(tokens / max_age))),
        dense_from=math.ceil(DENSE_FRACTION * tokens),
    )


def whole_sizes(budget: Budget, sizes: Sequence[int], least: int) -> Budget:
    """Return a budget for an engine that computes a few numbers of tokens only.

    It is the largest of them within ``budget``, so that filling up does not exceed it; where none
    is both within it and enough for the age bound, the smallest that is enough.

    Args:
        budget: What a frame may cost.
        sizes: Numbers of image tokens, ascending, the last one all.
        least: Tokens that are due in the frame.
    """
    within = [size for size in sizes if least <= size <= budget.tokens]
    enough = [size for size in sizes if size >= least]
    return replace(budget, tokens=within[-1] if within else enough[0])


def refresh_slots(tokens: int, max_age: int) -> NDArray[np.int64]:
    """Return for each token the frame number modulo ``max_age`` at which it is refreshed.

    The slots are spread evenly and scattered over the image, so at most ceil(N / max_age) tokens
    are due in a frame and no token grows older than ``max_age``: there is no dense keyframe.
    """
    order = np.random.default_rng(0).permutation(tokens)
    slots = np.empty(tokens, np.int64)
    slots[order] = np.arange(tokens) % max_age
    return slots


def select_tokens(
    urgency: NDArray[np.float32], due: TokenMask, threshold: float, budget: Budget
) -> TokenMask:
    """Return the tokens to recompute: those due first, then the most urgent, up to the budget.

    Args:
        urgency: (N,) of each token, see ``perception.urgency``.
        due: Tokens whose age is up.
        threshold: Urgency above which a token is dirty.
        budget: The frame's budget; a token that is due is never left out.
    """
    dirty = due | (urgency > threshold)
    if dirty.sum() >= budget.dense_from and budget.tokens >= len(dirty):
        return np.ones_like(dirty)
    room = budget.tokens - int(due.sum())
    waiting = np.flatnonzero(dirty & ~due)
    if len(waiting) > room:
        order = np.argsort(-urgency[waiting], kind="stable")
        dirty = due.copy()
        dirty[waiting[order[: max(room, 0)]]] = True
    return dirty


def fill_up(
    dirty: TokenMask, urgency: NDArray[np.float32], age: NDArray[np.int64], size: int
) -> TokenMask:
    """Return ``dirty`` and the most urgent of the clean tokens, ``size`` tokens together.

    Args:
        dirty: (N,) bool, at most ``size`` tokens.
        urgency: (N,) of each token.
        age: (N,) frames since each token was computed; of equally urgent ones the oldest come.
        size: Tokens that are computed whatever they are.
    """
    clean = np.flatnonzero(~dirty)
    first = clean[np.lexsort((-age[clean], -urgency[clean]))]
    filled = dirty.copy()
    filled[first[: size - int(dirty.sum())]] = True
    return filled
