"""Intrinsics as a CameraInfo message."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from mtshare_ros.perception.camera.calibration import Intrinsics


def camera_info(intrinsics: Intrinsics, header: Header) -> CameraInfo:
    """Return the message from which depth_image_proc makes the points that the node publishes.

    It is of the whole image, with the raw image's distortion where there is one: rectified by it,
    an image has these intrinsics.

    Args:
        intrinsics: At the size of the outputs.
        header: Header of the message (shared, not copied).
    """
    fx, fy, cx, cy = intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy
    tx, ty = intrinsics.tx, intrinsics.ty
    return CameraInfo(
        header=header,
        width=intrinsics.width,
        height=intrinsics.height,
        distortion_model=intrinsics.model or "plumb_bob",
        d=list(intrinsics.d) or [0.0] * 5,
        k=np.array([fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]),
        r=np.eye(3).ravel(),
        p=np.array([fx, 0.0, cx, tx, 0.0, fy, cy, ty, 0.0, 0.0, 1.0, 0.0]),
    )
