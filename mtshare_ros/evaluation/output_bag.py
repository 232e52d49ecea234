"""Images and their predictions as topics of a new bag, to look at and to score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.file import BagFile
from mtshare_ros.datasets.bags.messages import raw_image
from mtshare_ros.evaluation.pictures.map_pictures import map_picture
from mtshare_ros.evaluation.recorded import DIRTY_ENCODING
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.tasks import KINDS, Task

NODE = "perception_node"
"""Name of the node in the topics, as of the live node."""
FAR = 10.0
"""Metres of the coldest colour in pictures of depth."""


class PredictionBag(BagFile):
    """Writes the bag of a run; topics, encodings and stamps are those of the live node.

    The pictures ``~/<task>/color`` are for people; the image is ``camera/image``, uncompressed.
    """

    def write(
        self, image: NDArray[np.uint8], predictions: Predictions, tasks: Sequence[Task]
    ) -> None:
        """Write an image (H, W, 3) and the predictions of it, under their stamp."""
        for topic, encoding, values in _images(image, predictions, tasks):
            message = raw_image(values, encoding, predictions.stamp)
            self.put(topic, topics.RAW_TYPE, message, predictions.stamp)


def _images(
    image: NDArray[np.uint8], predictions: Predictions, tasks: Sequence[Task]
) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Yield topic, encoding and array of all the images of a frame."""
    yield topics.IMAGE, "rgb8", image
    maps = predictions.maps
    for task in tasks:
        if task.name not in maps:
            continue
        below, kind = f"{NODE}/{task.name}", KINDS[task.kind]
        yield f"{below}/{kind.topic}", kind.encoding, maps[task.name]
        if task.name in predictions.confidence:
            yield f"{below}/confidence", "mono8", predictions.confidence[task.name]
        yield f"{below}/color", "rgb8", map_picture(task, maps[task.name], FAR)
    size = (image.shape[1], image.shape[0])
    grid = 255 * predictions.dirty.astype(np.uint8)
    dirty = cv2.resize(grid, size, interpolation=cv2.INTER_NEAREST_EXACT)
    yield f"{NODE}/{topics.DIRTY}", DIRTY_ENCODING, np.asarray(dirty)
