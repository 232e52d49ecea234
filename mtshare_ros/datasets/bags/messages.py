"""The image messages of a clip: to arrays in the units of its frames, and back."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags import pixels, topics
from mtshare_ros.datasets.bags.file import STORE
from mtshare_ros.datasets.bags.recorded_file import Message
from mtshare_ros.errors import UserError, reason_of
from mtshare_ros.perception.camera.encodings import decode_raw
from mtshare_ros.perception.camera.pictures import decode_picture
from mtshare_ros.tasks import UNLABELLED

Array = NDArray[Any]


class MessageError(UserError):
    """A message can't be read; says why, without its topic."""


class ClassError(UserError):
    """Labels mean other classes than those that are scored: it is not one bad message."""


def _labels(values: Array, classes: int | None) -> NDArray[np.uint8]:
    labels = pixels.as_labels(values)
    ids = labels[labels != UNLABELLED]
    if classes is not None and ids.size and ids.max() >= classes:
        raise ClassError(
            f"class id {ids.max()}: the task has 0 to {classes - 1}, and {UNLABELLED} for"
            " unlabelled"
        )
    return labels


@dataclass(frozen=True)
class _Truth:
    """What a topic of truth holds.

    Attributes:
        encodings: The encodings that its raw images can have.
        convert: Returns the array of pixels, given the number of classes.
    """

    encodings: tuple[str, ...]
    convert: Callable[[Array, int | None], Array]


_TRUTHS = {
    topics.DEPTH: _Truth(("32FC1", "16UC1", "mono16"), lambda v, _: pixels.as_depth(v)),
    topics.LABELS: _Truth(("mono8", "8UC1"), _labels),
    topics.NORMALS: _Truth(("32FC3",), lambda v, _: pixels.as_normals(v)),
}


def content_of(message: Message) -> Any:
    """Return the content of a message.

    Raises:
        MessageError: The message can't be read.
    """
    try:
        return STORE.deserialize_cdr(message.data, message.type)
    except Exception as error:  # Damaged bytes make generated code raise anything.
        raise MessageError(reason_of(error)) from error


def rgb_of(message: Any, raw: bool) -> NDArray[np.uint8]:
    """Return a camera's image (H, W, 3) RGB; ``raw`` says that it is no CompressedImage.

    Raises:
        ImageError: The message can't be read.
    """
    return decode_raw(message) if raw else decode_picture(bytes(message.data))


def truth_of(message: Any, topic: str, raw: bool, classes: int | None = None) -> Array:
    """Return the array of a message of truth, in the units of ``reader.Frame``.

    Args:
        message: A sensor_msgs/Image or CompressedImage, of whatever library.
        topic: What it holds: one of ``topics``, without ``/compressed``.
        raw: Whether it is an Image.
        classes: Labels must be below this, or unlabelled; None for any.

    Raises:
        ClassError: It has labels of other classes.
        ValueError: The message holds nothing that can be evaluated.
        cv2.error: OpenCV can't convert it.
    """
    truth = _TRUTHS[topic]
    values = pixels.raw_pixels(message, truth.encodings) if raw else pixels.unpacked(message)
    return truth.convert(values, classes)


def serialized_stamp(data: bytes) -> int | None:
    """Return the stamp of a serialized message that begins with a header, in nanoseconds."""
    # Four bytes of encapsulation, the second of which says the byte order.
    if len(data) < 12:
        return None
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


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
