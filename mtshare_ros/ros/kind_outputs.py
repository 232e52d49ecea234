"""What the node makes of a task's map, by the task's kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from mtshare_ros.perception import palette
from mtshare_ros.ros.frame_result import Result
from mtshare_ros.tasks import KINDS, Task

Map = NDArray[Any]
Picture = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""

FARTHEST_MILLIMETRES = 65535


def millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return depth in millimetres; 0 where it is invalid or farther than 16 bits reach."""
    rounded = np.rint(depth * 1000.0)
    valid = rounded <= FARTHEST_MILLIMETRES  # False for NaN.
    return np.where(valid, rounded, 0.0).astype(np.uint16)


def _depth_pixels(depth: Map, result: Result) -> tuple[Map, str]:
    encoding = result.depth_encoding
    return (millimetres(depth) if encoding == "16UC1" else depth), encoding


def _label_picture(task: Task) -> Callable[[Map, Result], Picture]:
    table = palette.label_table(task.palette)
    return lambda labels, _: palette.colour_labels(labels, table)


@dataclass(frozen=True)
class KindOutput:
    """What is published of a map.

    Attributes:
        picture: Returns for a task what makes the picture of its map in a frame.
        pixels: Returns the array and the encoding of the image message of a map in a frame; None
            takes the map itself and the kind's encoding.
        has_camera_info: Whether the intrinsics at the map's size are published with it.
    """

    picture: Callable[[Task], Callable[[Map, Result], Picture]]
    pixels: Callable[[Map, Result], tuple[Map, str]] | None = None
    has_camera_info: bool = False


OUTPUTS: dict[str, KindOutput] = {
    "depth": KindOutput(
        lambda _: lambda depth, result: palette.colour_depth(depth, result.max_depth),
        _depth_pixels,
        has_camera_info=True,
    ),
    "segmentation": KindOutput(_label_picture),
    "normals": KindOutput(lambda _: lambda normals, _: palette.colour_normals(normals)),
    "boundary": KindOutput(lambda _: lambda share, _: palette.colour_probability(share)),
    "saliency": KindOutput(lambda _: lambda share, _: palette.colour_probability(share)),
}
"""Kind of task -> what the node makes of its maps."""


def task_topics(task: Task) -> Iterator[tuple[str, Any]]:
    """Yield name, below the task's, and message type of what holds the values of a task."""
    kind = KINDS[task.kind]
    yield kind.topic, Image
    if kind.has_confidence:
        yield "confidence", Image
    if kind.has_classes:
        yield "label_info_json", String
    if OUTPUTS[task.kind].has_camera_info:
        yield "camera_info", CameraInfo
