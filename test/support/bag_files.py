"""Small bags for tests."""

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.simulator import clip_bag
from mtshare_ros.simulator.clip_bag import ClipWriter
from mtshare_ros.simulator.clips import ClipFrame
from mtshare_ros.simulator.poses import look, robot_intrinsics

SIZE = (48, 32)
STEP = 33_333_333
STORE = clip_bag.STORE


def clip_frame(index: int) -> ClipFrame:
    rng = np.random.default_rng(index)
    width, height = SIZE
    depth = rng.uniform(0.3, 9.0, (height, width)).astype(np.float32)
    normals = rng.normal(size=(height, width, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    depth[:2], normals[:2] = np.nan, 0.0
    labels = rng.integers(0, 16, (height, width)).astype(np.uint8)
    labels[:2] = 255
    smooth = cv2.resize(rng.integers(0, 255, (4, 6, 3)).astype(np.uint8), SIZE)
    pose = look(np.array([1.0, -2.0, 0.5]), 0.3 * index, -0.1, 0.05)
    stamp = 1_700_000_000 * 10**9 + index * STEP
    return ClipFrame(stamp, smooth, depth, labels, normals, pose, robot_intrinsics(SIZE))


def write(path, frames=3, compressed=False):
    with ClipWriter(path, compressed) as writer:
        for index in range(frames):
            writer.write(clip_frame(index))
    return path


def put(path, messages):
    """Write (topic, type, message) one millisecond after another."""
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {}
        for time, (topic, kind, message) in enumerate(messages, start=1):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            data = STORE.serialize_cdr(message, kind)
            writer.write(connections[topic], time * 10**6, data)


def image(values, encoding, stamp=0, **changes):
    message = clip_bag.raw_image(values, "rgb8" if values.ndim == 3 else "mono8", stamp)
    for key, value in {"encoding": encoding, **changes}.items():
        object.__setattr__(message, key, value)
    return message


def read_one(tmp_path, message):
    put(tmp_path / "one", [("/camera/image", topics.RAW_TYPE, message)])
    (frame,) = ClipReader(tmp_path / "one")
    return frame
