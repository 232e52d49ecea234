"""Which tokens are dirty: the most urgent ones, within a bounded age and a budget.

One set per frame, chosen before the transformer, used by every layer and every task.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import InputSpec

CELL = 4
"""Side in pixels of a low-pass cell; averaging 4x4 pixels takes most of a sensor's noise away."""

Cells = NDArray[np.uint8]
"""(H / CELL, W / CELL, 3) uint8, the low-passed image."""
TokenMask = NDArray[np.bool_]
"""(N,) bool, row by row over the token grid."""

_CUT_CORRELATION = 0.4
_CUT_CHANGE = 12.0


def low_pass(image: NDArray[np.uint8], spec: InputSpec) -> Cells:
    """Average the resized image (H, W, 3) over cells of CELL x CELL pixels."""
    size = (spec.width // CELL, spec.height // CELL)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def commit_reference(reference: Cells, cells: Cells, dirty: TokenMask, spec: InputSpec) -> Cells:
    """Return ``reference`` with the dirty tokens' cells taken from this frame."""
    rows, columns = spec.grid
    side = spec.stride // CELL
    mask = dirty.reshape(rows, columns).repeat(side, axis=0).repeat(side, axis=1)
    return np.where(mask[..., None], cells, reference)


def token_rows(tokens: TokenMask, spec: InputSpec) -> NDArray[np.int64]:
    """Return the rows that an engine computes for some image tokens, ascending.

    Prefix tokens sum up the whole frame, so their rows are always among them.

    Args:
        tokens: (N,) bool, the image tokens.
        spec: The bundle's input; its prefix tokens come first.

    Returns:
        (P + K,) int64.
    """
    return np.flatnonzero(np.concatenate([np.ones(spec.prefix, np.bool_), tokens]))


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


def is_cut(cells: Cells, previous: Cells) -> bool:
    """Return whether the scene was replaced between two consecutive frames.

    A cut changes much *and* leaves no likeness: a brightness step keeps the correlation of the
    two low-passed images near one, and noise in the dark changes little.
    """
    a, b = (c.astype(np.float32).mean(axis=2) for c in (cells, previous))
    if np.abs(a - b).mean() < _CUT_CHANGE:
        return False
    a -= a.mean()
    b -= b.mean()
    scale = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) < _CUT_CORRELATION * max(scale, 1e-6)


def refresh_slots(tokens: int, max_age: int) -> NDArray[np.int64]:
    """Return for each token the frame number modulo ``max_age`` at which it is refreshed.

    The slots are spread evenly and scattered over the image, so at most ceil(N / max_age) tokens
    are due in a frame and no token grows older than ``max_age``: there is no dense keyframe.
    """
    order = np.random.default_rng(0).permutation(tokens)
    slots = np.empty(tokens, np.int64)
    slots[order] = np.arange(tokens) % max_age
    return slots


@dataclass(frozen=True)
class Budget:
    """How many tokens a frame may recompute.

    Attributes:
        tokens: K_max, at least as many as the age bound needs.
        dense_from: Number of dirty tokens from which everything is recomputed, if K_max allows.
    """

    tokens: int
    dense_from: int


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
