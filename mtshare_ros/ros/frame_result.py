"""What one frame gave, and the messages' arrays made of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from mtshare_ros.perception.camera.calibration import Intrinsics
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.tasks import UNLABELLED, Task


@dataclass(frozen=True)
class Result:
    """Everything that one frame can publish.

    Attributes:
        header: The input's, the header of every output.
        image: The input, (H', W', 3) uint8 RGB.
        predictions: The network's outputs, all of one size.
        intrinsics: Those of the input, if they are known.
        max_depth: Depth that is the far end of the colour scale, in metres.
        depth_encoding: ``32FC1`` (metres) or ``16UC1`` (millimetres).
    """

    header: Header
    image: NDArray[np.uint8]
    predictions: Predictions
    intrinsics: Intrinsics | None
    max_depth: float
    depth_encoding: str = "32FC1"


def output_intrinsics(result: Result) -> Intrinsics | None:
    """Return the intrinsics at the size of the maps, or None where there are none."""
    size, intrinsics = result.predictions.size(), result.intrinsics
    return None if size is None or intrinsics is None else intrinsics.at_size(*size)


def dirty_tokens(result: Result) -> NDArray[np.uint8] | None:
    """Return the token grid at the size of the other outputs: 255 recomputed, 0 kept.

    None where the frame has no other output: it was no task's turn.
    """
    predictions = result.predictions
    size = predictions.size()
    if size is None:
        return None
    grid = predictions.dirty.astype(np.uint8) * 255
    picture = cv2.resize(grid, size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(picture, np.uint8)


def label_info_json(task: Task) -> str:
    """Return the classes of a segmentation task: id, name and RGB colour of each, as JSON."""
    classes = [
        {"id": number, "name": c.name, "color": list(c.colour)}
        for number, c in enumerate(task.classes)
    ]
    return json.dumps({"task": task.name, "unlabelled": UNLABELLED, "classes": classes})


def label_info(task: Task, stamp: Any) -> Any | None:
    """Return the classes as vision_msgs/LabelInfo, or None where vision_msgs isn't installed."""
    try:
        from vision_msgs.msg import LabelInfo, VisionClass
    except ImportError:
        return None
    message = LabelInfo()
    message.header.stamp = stamp
    message.class_map = [
        VisionClass(class_id=number, class_name=c.name) for number, c in enumerate(task.classes)
    ]
    return message
