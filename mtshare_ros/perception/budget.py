"""How many tokens a frame may recompute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from mtshare_ros.perception.tokens import Budget

DENSE_FRACTION = 0.9
"""Share of dirty tokens from which recomputing the rest costs less than it is worth."""


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
