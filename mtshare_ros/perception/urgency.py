"""How urgent it is to recompute each token: the policies, behind one interface.

What a clean token serves gets worse in two ways: its pixels change, and what it attends to
changes. Both add up over the frames since it was computed (``docs/design.md`` has what was tried).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.perception.tokens import CELL, Cells

Urgency = NDArray[np.float32]
"""(N,) float32, comparable to a change in 8-bit levels that just happened."""


@dataclass(frozen=True)
class Look:
    """What a policy sees.

    Attributes:
        image: (H, W, 3) uint8, this frame at the model's size.
        cells: The same, low-passed.
        reference: For each token its cells when it was last computed.
        age: (N,) frames since each token was computed, 1 for the last frame.
        spec: The bundle's input.
    """

    image: NDArray[np.uint8]
    cells: Cells
    reference: Cells
    age: NDArray[np.int64]
    spec: InputSpec


Policy = Callable[[Look], Urgency]


def token_change(cells: Cells, reference: Cells, spec: InputSpec) -> Urgency:
    """Return per token the largest change of one of its cells, in 8-bit levels.

    Args:
        cells: Low-passed image of this frame.
        reference: For each token its cells when it was last computed.
        spec: The bundle's input.

    Returns:
        (N,) float32: largest over a token's cells of the mean over channels of |difference|.
    """
    rows, columns = spec.grid
    side = spec.stride // CELL
    difference = cv2.absdiff(cells, reference).astype(np.float32)
    grey = cv2.transform(difference, np.full((1, 3), 1 / 3, np.float32))
    blocks = grey.reshape(rows, side, columns, side)
    return blocks.max(axis=(1, 3)).reshape(-1).astype(np.float32)


_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_SAMPLED = 4
"""Every so many rows and columns are enough for the median of a whole image."""
_MOST_NOISE = 4.0
"""Levels of 255. What is more is gravel or grass, whose change counts when the camera moves."""


def noise_level(image: NDArray[np.uint8]) -> float:
    """Return the standard deviation of an image's white noise, in 8-bit levels.

    The difference of two Laplacians is blind to edges and ramps (Immerkaer, "Fast noise variance
    estimation", CVIU 1996); the median, not the mean, of its absolute values leaves out texture.

    Args:
        image: (H, W, 3) uint8; its green channel is looked at.

    Returns:
        At most ``_MOST_NOISE``: fine texture everywhere looks like noise in a single image.
    """
    response = cv2.filter2D(image[..., 1], cv2.CV_32F, _LAPLACIAN)
    sampled = np.abs(response[1:-1:_SAMPLED, 1:-1:_SAMPLED])
    return min(float(np.median(sampled)) / (0.6745 * 6.0), _MOST_NOISE)


def noise_change(noise: float) -> float:
    """Return the change of a token that white noise alone hardly ever exceeds.

    A cell averages CELL x CELL pixels and is rounded, in both frames; a token's change is the
    largest of its cells' means of three channels, of which 98 % are within 2.2 deviations of one.
    """
    deviation = float(np.sqrt(2.0 * (noise / CELL) ** 2 + 2.0 / 12.0))
    return 2.2 * deviation if noise else 0.0


@dataclass(frozen=True)
class Staleness:
    """Change beyond noise, of a token and of what it sees, times the frames since it was computed.

    Attributes:
        noise: Whether the change that noise makes is left out.
        spread: Share of a token's change that its neighbours are taken to have.
        context: Share of the mean change that every token is taken to have.
        ageing: Whether the age counts.
    """

    noise: bool = True
    spread: float = 0.5
    context: float = 0.3
    ageing: bool = True

    def __call__(self, look: Look) -> Urgency:
        """Return the urgency of each token."""
        change = token_change(look.cells, look.reference, look.spec)
        if self.noise:
            change = np.maximum(change - noise_change(noise_level(look.image)), 0.0)
        urgency = change
        if self.spread:
            around = cv2.dilate(change.reshape(look.spec.grid), np.ones((3, 3), np.uint8))
            urgency = np.maximum(urgency, self.spread * around.reshape(-1))
        urgency = urgency + self.context * change.mean()
        return (urgency * look.age if self.ageing else urgency).astype(np.float32)


def oldest_first(look: Look) -> Urgency:
    """Take turns, whatever the image shows."""
    return look.age.astype(np.float32)


POLICIES: dict[str, Policy] = {
    "tokens": Staleness(),
    "change": Staleness(noise=False, spread=0.0, context=0.0, ageing=False),
    "age": oldest_first,
}
"""Name -> policy; ``tokens`` is the default."""
