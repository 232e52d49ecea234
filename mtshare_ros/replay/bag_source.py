"""The camera's messages of a bag, ready to be published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage

from mtshare_ros.errors import UserError
from mtshare_ros.ros.images import ImageError, decode, encode

IMAGE = "camera/image"
COMPRESSED = "camera/image/compressed"
CAMERA_INFO = "camera/camera_info"


class ReplayError(UserError):
    """A replay can't be done as asked; says what was found and what was expected."""


@dataclass(frozen=True)
class BagMessage:
    """One message to publish.

    Attributes:
        is_image: Whether it is an Image; else it is a CameraInfo.
        time: When it was recorded, in nanoseconds.
        data: The serialized message.
    """

    is_image: bool
    time: int
    data: bytes


class BagSource:
    """A bag's images (raw or compressed) and camera_info, in their order; a context manager.

    Attributes:
        frames: Number of images.
        start: Time of the first message, in nanoseconds.
    """

    def __init__(self, path: Path) -> None:
        """Open the bag.

        Raises:
            ReplayError: There is no such bag, or no images in it.
        """
        from rosbags.highlevel import AnyReader, AnyReaderError
        from rosbags.typesys import Stores, get_typestore

        if not path.exists():
            raise ReplayError(f"bag {path}: no such file or folder")
        try:
            self._reader = AnyReader([path], default_typestore=get_typestore(Stores.LATEST))
            self._reader.open()
        except (AnyReaderError, OSError) as error:
            raise ReplayError(f"bag {path} can't be read: {error}") from None
        self._path = path
        self._images = self._connections(IMAGE) or self._connections(COMPRESSED)
        if not self._images:
            topics = ", ".join(sorted(self._reader.topics)) or "none"
            self._reader.close()
            raise ReplayError(
                f"bag {path}: no topic {IMAGE} or {COMPRESSED}; its topics are {topics}"
            )
        self.frames = sum(connection.msgcount for connection in self._images)
        self.start = int(self._reader.start_time)

    def __enter__(self) -> BagSource:
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the bag."""
        self._reader.close()

    def first_camera_info(self) -> bytes | None:
        """Return the first serialized CameraInfo, or None if the bag has none."""
        connections = self._connections(CAMERA_INFO)
        # With no connection given, the reader returns every topic.
        for _, _, data in self._reader.messages(connections) if connections else ():
            return bytes(data)
        return None

    def messages(self) -> Iterator[BagMessage]:
        """Return the messages in the order of their recording; compressed images are decoded.

        Raises:
            ReplayError: An image's type isn't that of a camera image, or it can't be decoded.
        """
        connections = self._images + self._connections(CAMERA_INFO)
        for connection, time, data in self._reader.messages(connections):
            if connection.msgtype == "sensor_msgs/msg/CameraInfo":
                yield BagMessage(False, time, bytes(data))
            elif connection.msgtype == "sensor_msgs/msg/Image":
                yield BagMessage(True, time, bytes(data))
            elif connection.msgtype == "sensor_msgs/msg/CompressedImage":
                yield BagMessage(True, time, self._decompressed(bytes(data)))
            else:
                raise ReplayError(
                    f"bag {self._path}: {connection.topic} is {connection.msgtype}; expected "
                    "sensor_msgs/msg/Image or CompressedImage"
                )

    def _connections(self, topic: str) -> list[Any]:
        return [c for c in self._reader.connections if c.topic.lstrip("/") == topic]

    def _decompressed(self, data: bytes) -> bytes:
        message: CompressedImage = deserialize_message(data, CompressedImage)
        try:
            image = decode(message)
        except ImageError as error:
            raise ReplayError(f"bag {self._path}: {error}") from None
        return bytes(serialize_message(encode(image, "rgb8", message.header)))
