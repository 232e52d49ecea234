"""Encodings beyond the plain ones, by cv_bridge where a ROS installation has it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def cv_bridge_decode(message: Any) -> NDArray[np.uint8] | None:
    """Return the picture (H, W, 3) uint8 RGB of an Image message, or None.

    Names like ``8UC3`` and ``32FC1`` say nothing about colours: such images aren't taken.
    """
    if message.encoding[:1].isdigit():
        return None
    try:
        from cv_bridge import CvBridge

        picture = np.asarray(CvBridge().imgmsg_to_cv2(message, desired_encoding="rgb8"))
    except Exception:
        # Not installed, built for another NumPy, or it doesn't know the encoding either; it
        # raises classes that exist only where it is installed.
        return None
    if picture.shape != (message.height, message.width, 3) or picture.dtype != np.uint8:
        return None
    return picture
