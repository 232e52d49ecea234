"""The camera's messages of a bag, ready to be published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.open_bag import Message, OpenBag
from mtshare_ros.datasets.bags.reader import image_topic_of, info_topic_of
from mtshare_ros.replay.node_process import Inputs

_TYPES = (*topics.IMAGE_TYPES, topics.INFO_TYPE)


class BagSource:
    """A bag's images (raw or compressed) and camera_info, in their order.

    Attributes:
        frames: Number of images.
        start: Time of the bag's first message, in nanoseconds.
        first_camera_info: The first serialized CameraInfo, or None if the bag has none.
        inputs: Where a node hears such a camera.
    """

    def __init__(self, path: Path, topic: str | None = None) -> None:
        """Look into the bag.

        Args:
            path: The bag.
            topic: Topic of its images; see ``ClipReader``.

        Raises:
            BagError: There is no such bag, it can't be read, or it has no images of a camera.
        """
        self._path = path
        with OpenBag(path) as bag:
            base = image_topic_of(bag, topic)
            self._images = bag.camera_images(base)
            self._info = info_topic_of(base)
            compressed = self._images.endswith(topics.COMPRESSED)
            transport = "compressed" if compressed else "raw"
            self.inputs = Inputs(f"/{base}", f"/{self._info}", transport)
            self.frames = bag.count(self._images, topics.IMAGE_TYPES)
            self.start = bag.start
            info = next(bag.messages([self._info], [topics.INFO_TYPE]), None)
            self.first_camera_info = None if info is None else info.data

    def messages(self) -> Iterator[Message]:
        """Yield every image and CameraInfo as recorded.

        Raises:
            BagError: The bag is damaged.
        """
        with OpenBag(self._path) as bag:
            yield from bag.messages([self._images, self._info], _TYPES)
