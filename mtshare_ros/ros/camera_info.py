"""CameraInfo: does it fit an image, its focal length, and its copy for another size."""

from __future__ import annotations

import copy
import math

from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from mtshare_ros.errors import UserError
from mtshare_ros.perception.frame import MAX_FOCAL_LENGTH


class CameraInfoError(UserError):
    """A CameraInfo doesn't describe the images; says what was found and what was expected."""


def check(info: CameraInfo, width: int, height: int) -> None:
    """Raise CameraInfoError unless ``info`` describes images of that size.

    Binning and regions of interest aren't followed: such a CameraInfo is of another size.
    """
    if (info.width, info.height) != (width, height):
        raise CameraInfoError(
            f"camera_info is of {info.width}x{info.height}, the image of {width}x{height}"
        )
    if max(info.binning_x, info.binning_y) > 1:
        raise CameraInfoError(
            f"camera_info has binning {info.binning_x}x{info.binning_y}; expected none"
        )
    fx, fy = float(info.k[0]), float(info.k[4])
    if not (math.isfinite(fx) and math.isfinite(fy) and fx > 0 and fy > 0):
        raise CameraInfoError(f"camera_info has fx {fx}, fy {fy}; expected a calibrated camera")
    cx, cy = float(info.k[2]), float(info.k[5])
    if not (math.isfinite(cx) and math.isfinite(cy)):
        raise CameraInfoError(f"camera_info has cx {cx}, cy {cy}; expected numbers")
    if not 0.0 < focal_length(info) < MAX_FOCAL_LENGTH:
        raise CameraInfoError(
            f"camera_info has fx {fx} for {width} pixels; expected less than "
            f"{MAX_FOCAL_LENGTH:g} widths"
        )


def focal_length(info: CameraInfo) -> float:
    """Return fx in units of the image width."""
    return float(info.k[0]) / float(info.width)


def scaled(info: CameraInfo, width: int, height: int, header: Header) -> CameraInfo:
    """Return a copy for the image resized to ``width`` x ``height``, as image_proc scales it."""
    copied = copy.copy(info)
    copied.header = header
    copied.width, copied.height = width, height
    sx, sy = width / info.width, height / info.height
    copied.k = info.k * [sx, 1, sx, 1, sy, sy, 1, 1, 1]
    copied.p = info.p * [sx, 1, sx, sx, 1, sy, sy, sy, 1, 1, 1, 1]
    copied.roi = copy.copy(info.roi)
    copied.roi.x_offset = int(info.roi.x_offset * sx)
    copied.roi.y_offset = int(info.roi.y_offset * sy)
    copied.roi.width = int(info.roi.width * sx)
    copied.roi.height = int(info.roi.height * sy)
    return copied
