"""Dense optical flow from a key frame on."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

FLOW_WIDTH = 320
"""Width in pixels at which the flow is estimated; a larger image is shrunk to it."""

_FINEST_WIDTH = 80
"""Width in pixels of the finest level of the search; beyond, its result is interpolated."""

Where = NDArray[np.float32]
"""(H, W, 2) float32: where in the key frame each pixel of a later one was, x and y in pixels."""

Grey = NDArray[np.uint8]
"""(h, w) uint8, an image as the flow is estimated on."""

_NONE: Any = None
"""Left out, which OpenCV's type hints don't know."""


class ImageMotion:
    """Dense optical flow from a key frame on.

    DIS (Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016).
    """

    def __init__(self) -> None:
        """Start without a key frame."""
        # The slower presets refine by a variational step, and carried maps are no better for it.
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._key: Grey | None = None
        self._last: NDArray[Any] = _NONE

    @property
    def started(self) -> bool:
        """Whether there is a key frame."""
        return self._key is not None

    def start(self, grey: Grey) -> None:
        """Take an image, as ``grey_of`` returns it, as the key frame."""
        self._key = grey
        self._last = _NONE
        # Flows of small images are as fine as those of large ones.
        self._flow.setFinestScale(max(0, min(2, int(np.log2(grey.shape[1] / _FINEST_WIDTH)))))

    def stop(self) -> None:
        """Have no key frame any more."""
        self._key = None

    def back(self, grey: Grey) -> Where:
        """Return where in the key frame each pixel of a later image was, in pixels of ``grey``.

        Args:
            grey: As ``grey_of`` returns it, of the key frame's size.
        """
        assert self._key is not None, "no key frame"
        # The search begins at the flow of the frame before: alone it finds a tenth of the width.
        flow: NDArray[Any] = self._flow.calc(grey, self._key, self._last)
        self._last = flow.copy()
        return _placed(flow)


def grey_of(image: NDArray[np.uint8]) -> Grey:
    """Return an image (H, W, 3) as the flow is estimated on: grey, ``FLOW_WIDTH`` at most."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    width = min(grey.shape[1], FLOW_WIDTH)
    height = round(grey.shape[0] * width / grey.shape[1])
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def at_size(where: Where, size: tuple[int, int]) -> Where:
    """Return ``where`` for maps of another width and height, in their pixels."""
    if where.shape[1::-1] == size:
        return where
    scale = np.array([size[0] / where.shape[1], size[1] / where.shape[0]], np.float32)
    flow: NDArray[Any] = cv2.resize(
        (where - _grid(where.shape[1], where.shape[0])) * scale,
        size,
        interpolation=cv2.INTER_LINEAR,
    )
    return _placed(flow)


def composed(where: Where, before: Where) -> Where:
    """Return where the pixels of a frame were in the key frame of the key frame.

    Args:
        where: Where in the key frame each pixel of the frame was.
        before: Where in an older frame each pixel of the key frame was. What lies outside of the
            key frame is taken to have moved as its border did.
    """
    flow = before - _grid(before.shape[1], before.shape[0])
    return np.asarray(where + pulled(flow, where, cv2.INTER_LINEAR), np.float32)


def pulled(
    array: NDArray[Any],
    where: Where,
    method: int,
    outside: float | tuple[float, ...] | None = None,
) -> NDArray[Any]:
    """Return a map of the key frame as a later frame sees it.

    Args:
        array: (H, W) or (H, W, C).
        where: See ``Where``.
        method: OpenCV's interpolation.
        outside: Value of what was not in the key frame; by default its border goes on.
    """
    if outside is None:
        return cv2.remap(array, where, _NONE, method, borderMode=cv2.BORDER_REPLICATE)
    values = outside if isinstance(outside, tuple) else (outside,)
    return cv2.remap(
        array, where, _NONE, method, borderMode=cv2.BORDER_CONSTANT, borderValue=values
    )


@lru_cache(maxsize=8)
def _grid(width: int, height: int) -> Where:
    """Return the pixel coordinates of a map, (height, width, 2); nobody may write to them."""
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    grid.flags.writeable = False
    return grid


def _placed(flow: NDArray[Any]) -> Where:
    """Return a flow as positions."""
    return np.asarray(cv2.add(flow, _grid(flow.shape[1], flow.shape[0])), np.float32)
