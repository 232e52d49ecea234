"""The cameras of a bag: which topics are theirs, and which one is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.messages import MessageError, content_of
from mtshare_ros.datasets.bags.open_bag import BagError, OpenBag
from mtshare_ros.perception.camera.calibration import base_topic

_NO_PICTURES = ("16UC1", "32FC1", "32FC3", "64FC1", "16SC1", "32SC1")
"""Encodings of what is measured in each pixel, such as depth, and not seen."""
_NO_CAMERAS = ("depth", "depth_registered", "disparity", "ground_truth")
"""Parts of the names of topics on which there are images, but not a camera's."""
_ALIGNED = "aligned_depth"
"""Begin of such a part: RealSense cameras name depth in the colour image's frame so."""


@dataclass(frozen=True)
class Camera:
    """A camera of a bag.

    Attributes:
        name: Topic of its images, without the transport's name.
        images: The topic that is read: the raw images, else the compressed ones.
    """

    name: str
    images: str

    @property
    def info(self) -> str:
        """Topic of its calibration: beside the images, whatever their transport is."""
        return f"{self.name.rpartition('/')[0]}/camera_info".lstrip("/")


def choose_camera(bag: OpenBag, wanted: str | None = None) -> Camera:
    """Return the camera to read.

    Args:
        bag: The bag.
        wanted: Topic of its images, with or without the transport's name; by default
            ``topics.IMAGE``, or the only camera that there is.

    Raises:
        BagError: There is no such camera, or one has to be chosen.
    """
    if wanted is not None:
        return _named(bag, wanted.strip("/"))
    found = {camera.name: camera for camera in _cameras(bag)}
    if topics.IMAGE in found:
        return found[topics.IMAGE]
    if len(found) == 1:
        return found.popitem()[1]
    if not found:
        raise bag.lacks(f"images of a camera, such as {topics.IMAGE}")
    raise _to_choose(bag, f"{len(found)} cameras", found)


def _named(bag: OpenBag, wanted: str) -> Camera:
    """Return the camera of a topic; a transport is kept where it is named and can be read."""
    name = base_topic(wanted)
    for images in (wanted, name, name + topics.COMPRESSED):
        if bag.count(images, topics.IMAGE_TYPES) and _is_read(images):
            return Camera(name, images)
    missing = f"no images on {name} or {name}{topics.COMPRESSED}"
    names = [camera.name for camera in _cameras(bag)]
    if names:
        raise _to_choose(bag, missing, names)
    raise bag.lacks(missing.removeprefix("no "))


def _to_choose(bag: OpenBag, text: str, names: Iterable[str]) -> BagError:
    listed = ", ".join(sorted(f"/{name}" for name in names))
    return bag.error(f"{text}; choose with --topic: {listed}")


def _cameras(bag: OpenBag) -> Iterator[Camera]:
    """Yield the cameras that have images which can be read."""
    names = {base_topic(t.name) for t in bag.topics if t.type in topics.IMAGE_TYPES and t.count}
    nodes = tuple(n.removesuffix(topics.DIRTY) for n in names if n.endswith(f"/{topics.DIRTY}"))
    for name in sorted(names):
        parts = name.split("/")
        if any(part in _NO_CAMERAS or part.startswith(_ALIGNED) for part in parts):
            continue
        if name.startswith(nodes):
            continue
        images = bag.find_images(name)
        if images is not None and _is_seen(bag, images):
            yield Camera(name, images)


def _is_read(topic: str) -> bool:
    """Return whether the transport of a topic is one that can be read."""
    return base_topic(topic) == topic or topic.endswith(topics.COMPRESSED)


def _is_seen(bag: OpenBag, topic: str) -> bool:
    """Return whether the first image of a topic is a picture and not, say, depth."""
    message = next(bag.messages([topic], topics.IMAGE_TYPES), None)
    if message is None:
        return False
    try:
        content = content_of(message)
    except MessageError:
        return True  # One bad message says nothing of the topic.
    raw = message.type == topics.RAW_TYPE
    encoding = content.encoding if raw else content.format.partition(";")[0].strip()
    return encoding not in _NO_PICTURES
