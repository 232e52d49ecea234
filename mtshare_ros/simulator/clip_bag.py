"""Writes clips as ROS 2 bags (MCAP) that any tool opens: schemas are in the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mtshare_ros.datasets.bags import pixels, topics
from mtshare_ros.datasets.bags.file import STORE, BagFile
from mtshare_ros.datasets.bags.messages import header_of, raw_image
from mtshare_ros.perception.camera.calibration import Intrinsics
from mtshare_ros.simulator.clips import ClipFrame
from mtshare_ros.simulator.poses import Pose


class ClipWriter(BagFile):
    """Writes the bag of a clip; see ``BagFile``."""

    def __init__(self, path: Path, compressed: bool = False) -> None:
        """Begin a bag.

        Args:
            path: What to write; it must not exist.
            compressed: Write JPEG and PNG instead of raw images: much smaller, not exact.

        Raises:
            FileExistsError: Where ``path`` exists.
        """
        super().__init__(path)
        self._compressed = compressed

    def write(self, frame: ClipFrame) -> None:
        """Write all messages of one frame, under its stamp."""
        info = _camera_info(frame.intrinsics, frame.stamp)
        self.put(topics.CAMERA_INFO, topics.INFO_TYPE, info, frame.stamp)
        pose = _pose(frame.pose, frame.stamp)
        self.put(topics.POSE, topics.POSE_TYPE, pose, frame.stamp)
        images: list[tuple[str, str, NDArray[Any]]] = [
            (topics.DEPTH, "32FC1", frame.depth),
            (topics.LABELS, "mono8", frame.labels),
            (topics.NORMALS, "32FC3", frame.normals),
            # Last, so that whoever plays the bag has the rest when an image comes.
            (topics.IMAGE, "rgb8", frame.rgb),
        ]
        for topic, encoding, values in images:
            if self._compressed:
                packed = _packed(topic, values, frame.stamp)
                self.put(topic + topics.COMPRESSED, topics.COMPRESSED_TYPE, packed, frame.stamp)
            else:
                message = raw_image(values, encoding, frame.stamp)
                self.put(topic, topics.RAW_TYPE, message, frame.stamp)


_COMPRESSED: dict[str, tuple[str, Callable[[NDArray[Any]], NDArray[np.uint8]]]] = {
    topics.DEPTH: ("16UC1; png compressed 16UC1", lambda v: pixels.png(pixels.millimetres(v))),
    topics.LABELS: ("mono8; png compressed mono8", pixels.png),
    topics.NORMALS: (
        "rgb8; png compressed bgr8",
        lambda v: pixels.png(pixels.coloured_normals(v)),
    ),
    topics.IMAGE: ("rgb8; jpeg compressed bgr8", pixels.jpeg),
}
"""Topic of raw images -> the format of compressed ones, in the words of image_transport's plugins,
and what compresses them."""


def _packed(topic: str, values: NDArray[Any], stamp: int) -> Any:
    """Return a CompressedImage."""
    words, compress = _COMPRESSED[topic]
    return STORE.types[topics.COMPRESSED_TYPE](
        header=header_of(stamp), format=words, data=compress(values).reshape(-1)
    )


def _camera_info(k: Intrinsics, stamp: int) -> Any:
    """Return the calibration of a camera without distortion that is no part of a stereo pair."""
    region = STORE.types["sensor_msgs/msg/RegionOfInterest"](
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
    )
    matrix = np.array([k.fx, 0, k.cx, 0, k.fy, k.cy, 0, 0, 1], np.float64)
    projection = np.array([k.fx, 0, k.cx, 0, 0, k.fy, k.cy, 0, 0, 0, 1, 0], np.float64)
    return STORE.types[topics.INFO_TYPE](
        header=header_of(stamp),
        height=k.height,
        width=k.width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=matrix,
        r=np.eye(3).reshape(-1),
        p=projection,
        binning_x=0,
        binning_y=0,
        roi=region,
    )


def _pose(pose: Pose, stamp: int) -> Any:
    """Return where the optical frame is in the room."""
    x, y, z = (float(v) for v in pose.position)
    i, j, k, w = (float(v) for v in Rotation.from_matrix(pose.rotation).as_quat(canonical=True))
    types = STORE.types
    return types[topics.POSE_TYPE](
        header=header_of(stamp, topics.WORLD_FRAME_ID),
        pose=types["geometry_msgs/msg/Pose"](
            position=types["geometry_msgs/msg/Point"](x=x, y=y, z=z),
            orientation=types["geometry_msgs/msg/Quaternion"](x=i, y=j, z=k, w=w),
        ),
    )
