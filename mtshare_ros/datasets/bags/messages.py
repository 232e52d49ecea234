"""The image messages of a clip: to arrays in the units of its frames, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags import pixels, topics
from mtshare_ros.datasets.bags.file import STORE
from mtshare_ros.perception.frame import MIN_SIDE
from mtshare_ros.tasks import UNLABELLED

_ENCODINGS = {
    topics.IMAGE: pixels.CAMERA_ENCODINGS,
    topics.DEPTH: ("32FC1", "16UC1", "mono16"),
    topics.LABELS: ("mono8", "8UC1"),
    topics.NORMALS: ("32FC3",),
}
"""Topic -> the encodings that its raw images can have."""


def array_of(message: Any, topic: str, raw: bool, classes: int | None = None) -> NDArray[Any]:
    """Return the array of an image message, as the fields of ``bags.Frame`` say.

    Args:
        message: A sensor_msgs/Image or CompressedImage, of whatever library.
        topic: What it holds: one of ``topics``, without ``/compressed``.
        raw: Whether it is an Image.
        classes: Labels must be below this, or unlabelled; None for any.

    Raises:
        ValueError: Where the message holds nothing that can be evaluated.
        cv2.error: Where OpenCV can't convert it.
    """
    values = pixels.raw_pixels(message, _ENCODINGS[topic]) if raw else pixels.unpacked(message)
    if topic == topics.DEPTH:
        return pixels.as_depth(values)
    if topic == topics.NORMALS:
        return pixels.as_normals(values)
    if topic == topics.LABELS:
        labels = pixels.as_labels(values)
        _check_labels(labels, classes)
        return labels
    height, width = values.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ValueError(f"an image of {width}x{height}: expected {MIN_SIDE}x{MIN_SIDE} or more")
    colour = "rgb8" if values.ndim == 3 else "mono8"
    return pixels.as_rgb(values, message.encoding if raw else colour)


def _check_labels(labels: NDArray[np.uint8], classes: int | None) -> None:
    known = labels[labels != UNLABELLED]
    if classes is not None and known.size and known.max() >= classes:
        raise ValueError(
            f"class id {known.max()}: the task has 0 to {classes - 1}, and {UNLABELLED} for"
            " unlabelled"
        )


def header_of(stamp: int, frame_id: str = topics.FRAME_ID) -> Any:
    """Return a Header; ``stamp`` in nanoseconds."""
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    time = STORE.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return STORE.types["std_msgs/msg/Header"](stamp=time, frame_id=frame_id)


def raw_image(values: NDArray[Any], encoding: str, stamp: int) -> Any:
    """Return an Image of an array (H, W) or (H, W, C) in one of ``pixels.ENCODINGS``."""
    kind, _ = pixels.ENCODINGS[encoding]
    data = np.ascontiguousarray(values, np.dtype(kind).newbyteorder("<"))
    return STORE.types[topics.RAW_TYPE](
        header=header_of(stamp),
        height=values.shape[0],
        width=values.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=data.strides[0],
        data=data.reshape(-1).view(np.uint8),
    )
