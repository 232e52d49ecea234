"""The camera's messages of a bag, ready to be published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.bag_cameras import choose_camera
from mtshare_ros.datasets.bags.legibility import Legibility
from mtshare_ros.datasets.bags.messages import MessageError, content_of, serialized_stamp
from mtshare_ros.datasets.bags.open_bag import OpenBag
from mtshare_ros.datasets.bags.recorded_file import Message
from mtshare_ros.replay.node_process import Inputs

_TYPES = (*topics.IMAGE_TYPES, topics.INFO_TYPE)


class BagSource:
    """A bag's images (raw or compressed) and camera_info, in their order.

    Attributes:
        frames: Number of images.
        start: Stamp of the bag's first image, in nanoseconds; 0 if none has one.
        first_camera_info: The first serialized CameraInfo, or None if the bag has none.
        inputs: Where a node hears such a camera.
    """

    def __init__(self, path: Path, topic: str | None = None) -> None:
        """Look into the bag.

        Args:
            path: The bag.
            topic: Topic of its images; see ``choose_camera``.

        Raises:
            BagError: There is no such bag, it can't be read, or it has no images of a camera.
        """
        self._path = path
        with OpenBag(path) as bag:
            camera = choose_camera(bag, topic)
            self._images, self._info = camera.images, camera.info
            transport = "raw" if camera.images == camera.name else "compressed"
            self.inputs = Inputs(f"/{camera.name}", f"/{camera.info}", transport)
            self.frames = bag.count(camera.images, topics.IMAGE_TYPES)
            images = bag.messages([self._images], topics.IMAGE_TYPES)
            stamps = (serialized_stamp(message.data) for message in images)
            self.start = next((stamp for stamp in stamps if stamp is not None), 0)
            info = next(bag.messages([self._info], [topics.INFO_TYPE]), None)
            self.first_camera_info = None if info is None else info.data
        self._losses = ""
        self._legibility = Legibility(self._images)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of the bag can't be read; complete after ``messages``."""
        lost = f"bag {self._path}: {self._losses}" if self._losses else ""
        return tuple(text for text in (lost, str(self._legibility)) if text)

    def messages(self) -> Iterator[Message]:
        """Yield every image and CameraInfo as recorded, but for what is no message at all.

        A picture that is damaged is yielded: what to do with it is up to the node.
        """
        self._legibility = Legibility(self._images)
        with OpenBag(self._path) as bag:
            for message in bag.messages([self._images, self._info], _TYPES):
                try:
                    content_of(message)
                except MessageError as error:
                    self._legibility.skip(message.time, str(error))
                    continue
                self._legibility.read += 1
                yield message
            self._losses = bag.losses
