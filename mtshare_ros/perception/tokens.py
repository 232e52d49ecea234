"""The token grid of a frame: low-passed cells, rows of an engine, and cuts between scenes."""

from __future__ import annotations

import math

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
