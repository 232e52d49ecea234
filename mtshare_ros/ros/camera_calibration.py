"""The newest CameraInfo of a camera: the intrinsics of its images, and what is wrong with them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sensor_msgs.msg import CameraInfo

from mtshare_ros.perception.camera.calibration import (
    Calibration,
    CalibrationError,
    Intrinsics,
    intrinsics,
)

PATIENCE = 2.0
"""Time from the first image in which a CameraInfo must have come, in seconds."""


@dataclass(frozen=True)
class CalibrationState:
    """How a camera is calibrated.

    Attributes:
        words: The state in a few words, for diagnostics.
        warning: What is wrong with metric outputs, or None.
    """

    words: str
    warning: str | None = None


class CameraCalibration:
    """Keeps what one camera's CameraInfo says; used by two threads.

    Attributes:
        info: The newest message, or None.
        info_topic: Resolved name of its topic.
    """

    def __init__(self, image_topic: str, info_topic: str) -> None:
        """Know nothing yet.

        Args:
            image_topic: Resolved name of the images' topic.
            info_topic: Resolved name of the CameraInfo's topic.
        """
        self._image_topic = image_topic
        self.info_topic = info_topic
        self.info: CameraInfo | None = None
        self._first_image: float | None = None
        self._state: CalibrationState | None = None

    def take(self, message: CameraInfo) -> None:
        """Take the newest message."""
        self.info = message

    def restart(self) -> None:
        """Wait for a CameraInfo from the next image on, as after a start."""
        self._first_image, self._state = None, None

    def intrinsics(self, width: int, height: int, wish: str) -> Intrinsics | None:
        """Return the intrinsics of an image, or None where no CameraInfo has come.

        Args:
            width: Of the image, in pixels.
            height: Of the image, in pixels.
            wish: One of ``calibration.WISHES``.

        Raises:
            CalibrationError: The CameraInfo can't be used.
        """
        if self._first_image is None:
            self._first_image = time.monotonic()
        if self.info is None:
            return None
        try:
            found = intrinsics(Calibration.of(self.info), width, height, self._image_topic, wish)
        except CalibrationError as error:
            self._state = CalibrationState(str(error), f"camera_info is not used: {error}")
            raise
        unknown = None
        if not found.undistorts:
            unknown = (
                f"the distortion {found.model!r} with {len(found.d)} coefficients is not known:"
                " points are those of a camera without distortion"
            )
        self._state = CalibrationState(str(found), unknown)
        return found

    def state(self, metric: bool) -> CalibrationState:
        """Return how the camera is calibrated.

        Args:
            metric: Whether outputs in metres are computed, which need a calibration.
        """
        if self._state is not None:
            return self._state
        first = self._first_image
        if not metric or first is None or time.monotonic() - first < PATIENCE:
            return CalibrationState("none")
        return CalibrationState(
            "none",
            f"no camera_info on {self.info_topic}: metres are those of the camera that the bundle"
            " was trained for",
        )
