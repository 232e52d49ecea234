"""A camera's calibration: which intrinsics an image has, and the rays of its pixels.

REP 104: of a CameraInfo, K and D are those of the raw image, and P is that of the rectified one.
All of them are of the whole sensor: a region of interest and binning are applied to them as
``image_geometry`` does it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.errors import UserError

AUTO, RECTIFIED, RAW = "auto", "p", "k"
WISHES = (AUTO, RECTIFIED, RAW)
"""What ``intrinsics`` can be told to take: the matrix that the topic's name asks for, P, or K."""

RAW_NAMES = ("image_raw", "image_color", "image_mono")
"""Last names of topics whose images image_pipeline takes for not rectified."""
TRANSPORTS = (
    "compressed",
    "compressedDepth",
    "theora",
    "zstd",
    "ffmpeg",
    "foxglove",
    "draco",
    "avif",
    "jxl",
    "rvl",
)
"""Last names that plugins of image_transport give to the sub-topics of an image's topic."""

FOCAL_LENGTHS = (0.1, 30.0)
"""Smallest and largest fx / image width of a camera; beyond, the calibration is a mistake."""
FARTHEST_CENTRE = 30.0
"""Image sides that the principal point may be away from the corner; beyond, it is a mistake."""
SIZE_SLACK = 1
"""Pixels by which an image may differ from its region of interest by binning."""
LARGEST_RESIDUE = 0.5
"""Pixels by which a ray that is distorted again may miss its pixel; beyond, it is invalid."""
SMALL_RESIDUE = 0.01
"""The same, below which no ray is improved any more."""

_POLYNOMIALS = {"plumb_bob": (4, 5), "rational_polynomial": (8, 12, 14)}
"""Distortion models of ``cv2.undistortPoints`` -> how many coefficients they have."""
_FISHEYE = "equidistant"
_REFINEMENTS = 20
"""Steps in which a ray is brought closer to its pixel."""


class CalibrationError(UserError):
    """A calibration doesn't describe an image; says what was found and what was expected."""


@dataclass(frozen=True)
class Region:
    """A region of interest on the sensor, in its pixels; all zero means the whole sensor."""

    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class Calibration:
    """What a CameraInfo says.

    Attributes:
        width: Of the sensor, in pixels.
        height: Of the sensor, in pixels.
        k: Intrinsics of the raw image, (3, 3) row by row; all zero if unknown.
        p: Projection of the rectified image, (3, 4) row by row; all zero if unknown.
        d: Distortion of the raw image.
        model: Name of the distortion's model.
        region: The part of the sensor that was read.
        binning: Sensor pixels that were joined into one, across and down; 0 means 1.
    """

    width: int
    height: int
    k: tuple[float, ...]
    p: tuple[float, ...]
    d: tuple[float, ...] = ()
    model: str = "plumb_bob"
    region: Region = Region()
    binning: tuple[int, int] = (1, 1)

    @classmethod
    def of(cls, info: Any) -> Calibration:
        """Return what a sensor_msgs/CameraInfo says, of whatever library."""
        roi = info.roi
        return cls(
            width=int(info.width),
            height=int(info.height),
            k=tuple(map(float, info.k)),
            p=tuple(map(float, info.p)),
            d=tuple(map(float, info.d)),
            model=str(info.distortion_model),
            region=Region(int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height)),
            binning=(max(1, int(info.binning_x)), max(1, int(info.binning_y))),
        )

    def image_size(self) -> tuple[int, int]:
        """Return width and height of the images, in pixels."""
        width, height = self.region.width, self.region.height
        if self.region == Region():
            width, height = self.width, self.height
        return width // self.binning[0], height // self.binning[1]


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera's intrinsics for images of one size, in pixels of these images.

    Attributes:
        width: Of the images.
        height: Of the images.
        fx: Focal length, across.
        fy: Focal length, down.
        cx: Principal point, across.
        cy: Principal point, down.
        source: The matrix that they come from: ``K`` (raw images) or ``P`` (rectified ones).
        tx: Of P: minus fx times the distance to a stereo pair's first camera.
        ty: The same, down.
        d: Distortion of the images; empty for rectified ones.
        model: Name of the distortion's model.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    source: str
    tx: float = 0.0
    ty: float = 0.0
    d: tuple[float, ...] = ()
    model: str = ""

    def __str__(self) -> str:
        """Return them in words, for people."""
        return f"fx {self.fx:.1f} ({self.source})"

    @property
    def focal_length(self) -> float:
        """The focal length in units of the image width."""
        return self.fx / self.width

    @property
    def distorted(self) -> bool:
        """Whether the images are distorted."""
        return any(self.d)

    @property
    def undistorts(self) -> bool:
        """Whether ``rays`` undoes the distortion: there is none, or its model is known."""
        lengths = (4,) if self.model == _FISHEYE else _POLYNOMIALS.get(self.model, ())
        return not self.distorted or len(self.d) in lengths

    def at_size(self, width: int, height: int) -> Intrinsics:
        """Return those of the images resized to ``width`` x ``height``, as image_proc does it."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * sx,
            cx=self.cx * sx,
            tx=self.tx * sx,
            fy=self.fy * sy,
            cy=self.cy * sy,
            ty=self.ty * sy,
        )

    def rays(self) -> NDArray[np.float32]:
        """Return x / z and y / z of what each pixel sees, (height, width, 2).

        Where the images are distorted by a model that is known, the distortion is undone; a pixel
        that no ray reaches by that model is NaN.
        """
        rows, columns = np.indices((self.height, self.width), np.float64)
        if self.distorted and self.undistorts:
            return self._undistorted(np.stack([columns, rows], axis=-1))
        pinhole = np.stack([(columns - self.cx) / self.fx, (rows - self.cy) / self.fy], axis=-1)
        return pinhole.astype(np.float32)

    def _undistorted(self, pixels: NDArray[np.float64]) -> NDArray[np.float32]:
        matrix = np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])
        points = pixels.reshape(-1, 1, 2)
        fisheye = self.model == _FISHEYE
        project = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
        undistort = cv2.fisheye.undistortPoints if fisheye else cv2.undistortPoints

        def missing(rays: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[Any]:
            """Return how far from their pixels rays come through the lens."""
            ahead = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1)
            return points - project(ahead, np.zeros(3), np.zeros(3), matrix, np.array(self.d))[0]

        rays = np.asarray(undistort(points, matrix, np.array(self.d)), np.float64)
        left = missing(rays, points)
        far = np.flatnonzero(np.linalg.norm(left, axis=-1) > SMALL_RESIDUE)
        for _ in range(_REFINEMENTS):
            # OpenCV stops after a few steps, pixels away in the corners of a wide lens.
            closer = rays[far] + left[far] / (self.fx, self.fy)
            still = missing(closer, points[far])
            distance = np.linalg.norm(still, axis=-1)[:, 0]
            better = distance < np.linalg.norm(left[far], axis=-1)[:, 0]
            rays[far[better]], left[far[better]] = closer[better], still[better]
            far = far[better & (distance > SMALL_RESIDUE)]
            if not len(far):
                break
        # Beyond the angle where the model turns back there is no solution: whatever the
        # iteration ends with does not lead back to the pixel.
        rays[~(np.linalg.norm(left, axis=-1) <= LARGEST_RESIDUE)] = np.nan
        return np.asarray(rays.reshape(pixels.shape), np.float32)


def base_topic(topic: str) -> str:
    """Return the name of an image's topic without that of its transport."""
    base, _, last = topic.rpartition("/")
    return base if base and last in TRANSPORTS else topic


def intrinsics(
    calibration: Calibration, width: int, height: int, topic: str, wish: str = AUTO
) -> Intrinsics:
    """Return the intrinsics of an image.

    Args:
        calibration: What the camera's CameraInfo says.
        width: Of the image, in pixels.
        height: Of the image, in pixels.
        topic: Resolved name of the image's topic: ``auto`` takes K for the names in
            ``RAW_NAMES``, else P, and the other matrix where that is all zero.
        wish: One of ``WISHES``.

    Raises:
        CalibrationError: It is not of such an image, or the matrix is no camera's.
    """
    _check_size(calibration, width, height)
    matrices = {RAW: calibration.k, RECTIFIED: calibration.p}
    chosen = wish
    if wish == AUTO:
        raw = base_topic(topic).rpartition("/")[2] in RAW_NAMES
        chosen, other = (RAW, RECTIFIED) if raw else (RECTIFIED, RAW)
        if not any(matrices[chosen]):
            chosen = other
    name = chosen.upper()
    found = _applied(calibration, matrices[chosen], name, width, height)
    numbers = (found.fx, found.fy, found.cx, found.cy, found.tx, found.ty)
    if not all(map(math.isfinite, numbers)) or found.fx <= 0 or found.fy <= 0:
        raise CalibrationError(
            f"camera_info has {name} with fx {found.fx:g}, fy {found.fy:g}, cx {found.cx:g}, cy"
            f" {found.cy:g}; expected a calibrated camera's"
        )
    least, most = FOCAL_LENGTHS
    for axis, centre, side in (("x", found.cx, width), ("y", found.cy, height)):
        if abs(centre) > FARTHEST_CENTRE * side:
            raise CalibrationError(
                f"camera_info has {name} with c{axis} {centre:g} for {side} pixels; expected at"
                f" most {FARTHEST_CENTRE * side:g}"
            )
    for axis, focal, side in (("x", found.fx, width), ("y", found.fy, height)):
        if not least <= focal / side <= most:
            raise CalibrationError(
                f"camera_info has {name} with f{axis} {focal:g} for {side} pixels; expected"
                f" {least * side:g} to {most * side:g}"
            )
    if not all(map(math.isfinite, found.d)):
        raise CalibrationError("camera_info has a D that is not finite; expected numbers")
    return found


def _applied(
    calibration: Calibration, matrix: Sequence[float], name: str, width: int, height: int
) -> Intrinsics:
    """Return a matrix of the sensor as that of the image, by region of interest and binning."""
    region, (across, down) = calibration.region, calibration.binning
    raw = name == "K"
    fx, cx = matrix[0], matrix[2]
    fy, cy = (matrix[4], matrix[5]) if raw else (matrix[5], matrix[6])
    tx, ty = (0.0, 0.0) if raw else (matrix[3], matrix[7])
    return Intrinsics(
        width=width,
        height=height,
        fx=fx / across,
        fy=fy / down,
        cx=(cx - region.x) / across,
        cy=(cy - region.y) / down,
        source=name,
        tx=tx / across,
        ty=ty / down,
        d=calibration.d if raw else (),
        model=calibration.model if raw else "",
    )


def _check_size(calibration: Calibration, width: int, height: int) -> None:
    size = calibration.image_size()
    if abs(size[0] - width) > SIZE_SLACK or abs(size[1] - height) > SIZE_SLACK:
        region, binning = calibration.region, calibration.binning
        parts = [f"camera_info is of {calibration.width}x{calibration.height}"]
        if region != Region():
            parts.append(f"ROI {region.width}x{region.height}")
        if binning != (1, 1):
            parts.append(f"binning {binning[0]}x{binning[1]}")
        raise CalibrationError(
            f"{', '.join(parts)}; expected one of the images, which are {width}x{height}"
        )
