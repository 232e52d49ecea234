"""Fixed numbers of rows: what engines compute that were compiled for a few sizes only.

A GPU engine is tuned for one size and its launches are recorded for one size. So there are a few
sizes, and an index is filled up to the next one: by the stream with tokens that are worth
recomputing (``tokens.fill_up``), by the engine with its own last row again, which changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import InputSpec

DIVISORS = (16, 8, 4, 2, 1)
"""An engine is compiled for N / 16, N / 8 and so on of the N image tokens."""


def static_sizes(spec: InputSpec) -> tuple[int, ...]:
    """Return the numbers of rows, prefix tokens included, ascending; the last one is all rows."""
    return tuple(sorted({spec.prefix + math.ceil(spec.tokens / d) for d in DIVISORS}))


def next_size(count: int, sizes: Sequence[int]) -> int:
    """Return the smallest of ascending ``sizes`` that holds ``count`` rows.

    Raises:
        ValueError: None does.
    """
    for size in sizes:
        if size >= count:
            return size
    raise ValueError(f"{count} rows, expected at most {sizes[-1]}")


def fill_rows(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return ``index`` (K,) with its last row repeated up to (size,).

    A row that is computed twice is computed to the same values twice.
    """
    return np.concatenate([index, np.full(size - len(index), index[-1], np.int64)])


def check_index(name: str, index: NDArray[np.int64], rows: int) -> None:
    """Refuse an index that would read or write beyond the caches.

    Raises:
        ValueError: ``index`` is not (K,) int64, ascending, within 0 to ``rows`` - 1, K >= 1.
    """
    if index.ndim != 1 or index.dtype != np.int64 or not 1 <= len(index) <= rows:
        raise ValueError(
            f"index of {name}: found {index.dtype} {index.shape}, expected 1 to {rows} int64"
        )
    if index[0] < 0 or index[-1] >= rows or (np.diff(index) <= 0).any():
        raise ValueError(f"index of {name}: expected ascending rows within 0 to {rows - 1}")
