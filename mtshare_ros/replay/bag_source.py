"""The camera's messages of a bag, ready to be published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.open_bag import Message, OpenBag
from mtshare_ros.perception.camera.encodings import ImageError
from mtshare_ros.ros.images import decode, encode

_TYPES = (*topics.IMAGE_TYPES, topics.INFO_TYPE)


class BagSource:
    """A bag's images (raw or compressed) and camera_info, in their order.

    Attributes:
        frames: Number of images.
        start: Time of the bag's first message, in nanoseconds.
        first_camera_info: The first serialized CameraInfo, or None if the bag has none.
    """

    def __init__(self, path: Path) -> None:
        """Look into the bag.

        Raises:
            BagError: There is no such bag, it can't be read, or it has no images of a camera.
        """
        self._path = path
        with OpenBag(path) as bag:
            self._images = bag.camera_images(topics.IMAGE)
            self.frames = bag.count(self._images, topics.IMAGE_TYPES)
            self.start = bag.start
            info = next(bag.messages([topics.CAMERA_INFO], [topics.INFO_TYPE]), None)
            self.first_camera_info = None if info is None else info.data

    def messages(self) -> Iterator[Message]:
        """Yield every Image and CameraInfo as recorded; a CompressedImage becomes an Image.

        Raises:
            BagError: The bag is damaged, or an image can't be decoded.
        """
        with OpenBag(self._path) as bag:
            for message in bag.messages([self._images, topics.CAMERA_INFO], _TYPES):
                if message.type == topics.COMPRESSED_TYPE:
                    message = _decompressed(bag, message)
                yield message


def _decompressed(bag: OpenBag, message: Message) -> Message:
    """Return a compressed image as an Image."""
    packed: CompressedImage = deserialize_message(message.data, CompressedImage)
    try:
        image = decode(packed)
    except ImageError as error:
        raise bag.error(f"/{message.topic}: {error}") from None
    data = serialize_message(encode(image, "rgb8", packed.header))
    return replace(message, type=topics.RAW_TYPE, data=data)
