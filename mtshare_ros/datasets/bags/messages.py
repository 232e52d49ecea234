"""The image messages of a clip: to arrays in the units of its frames, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags import pixels, topics
from mtshare_ros.datasets.bags.file import STORE
from mtshare_ros.perception.frame import MIN_SIDE
from mtshare_ros.tasks import UNLABELLED

Array = NDArray[Any]


def _rgb(values: Array, encoding: str, _: int | None) -> NDArray[np.uint8]:
    height, width = values.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ValueError(f"an image of {width}x{height}: expected {MIN_SIDE}x{MIN_SIDE} or more")
    return pixels.as_rgb(values, encoding)


def _labels(values: Array, _: str, classes: int | None) -> NDArray[np.uint8]:
    labels = pixels.as_labels(values)
    ids = labels[labels != UNLABELLED]
    if classes is not None and ids.size and ids.max() >= classes:
        raise ValueError(
            f"class id {ids.max()}: the task has 0 to {classes - 1}, and {UNLABELLED} for"
            " unlabelled"
        )
    return labels


@dataclass(frozen=True)
class _Content:
    """What a topic of images holds.

    Attributes:
        encodings: The encodings that its raw images can have.
        convert: Returns the array of pixels, given their encoding and the number of classes.
    """

    encodings: tuple[str, ...]
    convert: Callable[[Array, str, int | None], Array]


_CONTENTS = {
    topics.IMAGE: _Content(pixels.CAMERA_ENCODINGS, _rgb),
    topics.DEPTH: _Content(("32FC1", "16UC1", "mono16"), lambda v, *_: pixels.as_depth(v)),
    topics.LABELS: _Content(("mono8", "8UC1"), _labels),
    topics.NORMALS: _Content(("32FC3",), lambda v, *_: pixels.as_normals(v)),
}


def array_of(message: Any, topic: str, raw: bool, classes: int | None = None) -> Array:
    """Return the array of an image message, in the units of ``reader.Frame``.

    Args:
        message: A sensor_msgs/Image or CompressedImage, of whatever library.
        topic: What it holds: one of ``topics``, without ``/compressed``.
        raw: Whether it is an Image.
        classes: Labels must be below this, or unlabelled; None for any.

    Raises:
        ValueError: The message holds nothing that can be evaluated.
        cv2.error: OpenCV can't convert it.
    """
    content = _CONTENTS[topic]
    if raw:
        values = pixels.raw_pixels(message, content.encodings)
        return content.convert(values, message.encoding, classes)
    values = pixels.unpacked(message)
    return content.convert(values, "rgb8" if values.ndim == 3 else "mono8", classes)


def stamp_of(message: Any) -> int:
    """Return the stamp of a message's header in nanoseconds."""
    return int(message.header.stamp.sec) * 1_000_000_000 + int(message.header.stamp.nanosec)


def header_of(stamp: int, frame_id: str = topics.FRAME_ID) -> Any:
    """Return a Header; ``stamp`` in nanoseconds."""
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    time = STORE.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return STORE.types["std_msgs/msg/Header"](stamp=time, frame_id=frame_id)


def raw_image(values: Array, encoding: str, stamp: int) -> Any:
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
