"""The calibration of a bag's camera: the first message that describes its images."""

from __future__ import annotations

from dataclasses import dataclass, field

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.bag_cameras import Camera
from mtshare_ros.datasets.bags.messages import content_of
from mtshare_ros.datasets.bags.open_bag import OpenBag
from mtshare_ros.errors import UserError
from mtshare_ros.perception.camera.calibration import (
    AUTO,
    Calibration,
    CalibrationError,
    Intrinsics,
    intrinsics,
)
from mtshare_ros.perception.camera.encodings import check_size
from mtshare_ros.perception.camera.pictures import picture_size

Size = tuple[int, int]
"""Width and height of an image."""


@dataclass
class BagCalibration:
    """What a bag says of its camera.

    Attributes:
        topic: Topic of the calibration.
        intrinsics: Those of the first image that can be read; None if there is no calibration
            of it.
        problem: Why there are none; empty if there are.
    """

    topic: str
    intrinsics: Intrinsics | None
    problem: str
    _camera: Camera
    _calibration: Calibration | None
    _wish: str
    _lengths: dict[Size, float | None] = field(default_factory=dict)

    def focal_length(self, width: int, height: int) -> float | None:
        """Return fx / width of an image, or None if there is no calibration of its size."""
        if self._calibration is None:
            return None
        size = (width, height)
        if size not in self._lengths:
            try:
                found = intrinsics(self._calibration, *size, self._camera.images, self._wish)
                self._lengths[size] = found.focal_length
            except CalibrationError as error:
                self.problem = self.problem or f"/{self.topic}: {error}"
                self._lengths[size] = None
        return self._lengths[size]


def find_calibration(bag: OpenBag, camera: Camera, wish: str = AUTO) -> BagCalibration:
    """Return the first calibration that describes a camera's images.

    Args:
        bag: The bag.
        camera: The camera; the name of its images says which matrix ``auto`` takes.
        wish: One of ``calibration.WISHES``.
    """

    def nothing(problem: str) -> BagCalibration:
        return BagCalibration(camera.info, None, problem, camera, None, wish)

    if not bag.count(camera.info, [topics.INFO_TYPE]):
        return nothing(f"no camera_info on /{camera.info}")
    size = _image_size(bag, camera)
    if size is None:
        return nothing(f"no image on /{camera.images} that camera_info could be compared with")
    first: str | None = None
    count = 0
    for message in bag.messages([camera.info], [topics.INFO_TYPE]):
        count += 1
        try:
            calibration = Calibration.of(content_of(message))
            found = intrinsics(calibration, *size, camera.images, wish)
        except UserError as error:
            first = first or str(error)
            continue
        return BagCalibration(camera.info, found, "", camera, calibration, wish)
    return nothing(f"/{camera.info}: none of {count} messages can be used: {first}")


def _image_size(bag: OpenBag, camera: Camera) -> Size | None:
    """Return width and height of the first image that says them."""
    for message in bag.messages([camera.images], topics.IMAGE_TYPES):
        try:
            content = content_of(message)
            if message.type == topics.RAW_TYPE:
                size = (int(content.width), int(content.height))
            else:
                size = picture_size(bytes(content.data))
            check_size(*size)
        except UserError:
            continue
        return size
    return None
