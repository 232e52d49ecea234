"""Dense optical flow from a key frame on."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

FLOW_WIDTH = 320
"""Width in pixels at which the flow is estimated; a larger image is shrunk to it."""

Where = NDArray[np.float32]
"""(H, W, 2) float32: where in the key frame each pixel of a later one was, x and y in pixels."""

_NONE: Any = None
"""Left out, which OpenCV's type hints don't know."""


class ImageMotion:
    """Dense optical flow from a key frame on.

    DIS (Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016).
    """

    def __init__(self) -> None:
        """Start without a key frame."""
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._key: NDArray[Any] | None = None
        self._last: NDArray[Any] = _NONE

    def start(self, image: NDArray[np.uint8]) -> None:
        """Take an image (H, W, 3) as the key frame."""
        self._key = _grey(image)
        self._last = _NONE

    def back(self, image: NDArray[np.uint8], size: tuple[int, int]) -> Where:
        """Return where in the key frame each pixel of a later image was.

        Args:
            image: (H, W, 3) uint8.
            size: Width and height of what is carried along, in whose pixels the result is.
        """
        assert self._key is not None, "no key frame"
        # The search begins at the flow of the frame before: alone it finds a tenth of the width.
        flow: NDArray[Any] = self._flow.calc(_grey(image), self._key, self._last)
        self._last = flow.copy()
        width, height = size
        if flow.shape[1::-1] != size:
            scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
            flow = cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR) * scale
        flow[..., 0] += np.arange(width, dtype=np.float32)
        flow[..., 1] += np.arange(height, dtype=np.float32)[:, None]
        return flow


def pulled(array: NDArray[Any], where: Where, method: int) -> NDArray[Any]:
    """Return a map of the key frame as a later frame sees it; the border goes on outside.

    Args:
        array: (H, W) or (H, W, C).
        where: See ``Where``.
        method: OpenCV's interpolation.
    """
    return cv2.remap(array, where, _NONE, method, borderMode=cv2.BORDER_REPLICATE)


def _grey(image: NDArray[np.uint8]) -> NDArray[Any]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    width = min(grey.shape[1], FLOW_WIDTH)
    height = round(grey.shape[0] * width / grey.shape[1])
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
