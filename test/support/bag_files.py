"""Small bags for tests."""

import os

import cv2
import numpy as np
from mcap.writer import Writer as McapWriter
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from mtshare_ros.datasets.bags import pixels, topics
from mtshare_ros.datasets.bags.messages import header_of
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.simulator import clip_bag
from mtshare_ros.simulator.clip_bag import ClipWriter
from mtshare_ros.simulator.clips import ClipFrame
from mtshare_ros.simulator.poses import look, robot_intrinsics

SIZE = (48, 32)
STEP = 33_333_333
STORE = clip_bag.STORE


def is_open(path):
    """Return whether this process holds a file open."""
    numbers = os.listdir("/proc/self/fd")
    return str(path) in (os.path.realpath(f"/proc/self/fd/{number}") for number in numbers)


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


def put(path, messages, plugin=StoragePlugin.MCAP, compression=None):
    """Write (topic, type, message) one millisecond after another."""
    writer = Writer(path, version=8, storage_plugin=plugin)
    if compression is not None:
        writer.set_compression(*compression)
    with writer:
        connections = {}
        for time, (topic, kind, message) in enumerate(messages, start=1):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            data = STORE.serialize_cdr(message, kind)
            writer.write(connections[topic], time * 10**6, data)


def put_cut(path, messages, cut):
    """Write (topic, type, message), the first one of the type ``cut`` without its end."""
    writer = Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
    with writer:
        connections = {}
        for time, (topic, kind, message) in enumerate(messages, start=1):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            data = bytes(STORE.serialize_cdr(message, kind))
            if kind == cut:
                data, cut = data[:20], None
            writer.write(connections[topic], time * 10**6, data)


def image(values, encoding, stamp=0, **changes):
    plain = "32FC1" if values.dtype == np.float32 else "mono8"
    message = clip_bag.raw_image(values, "rgb8" if values.ndim == 3 else plain, stamp)
    for key, value in {"encoding": encoding, **changes}.items():
        object.__setattr__(message, key, value)
    return message


def read_one(tmp_path, message):
    put(tmp_path / "one", [("/camera/image", topics.RAW_TYPE, message)])
    (frame,) = ClipReader(tmp_path / "one")
    return frame


def put_mcap(path, messages, foreign=(), times=None, **options):
    """Write one MCAP file with Foxglove's writer, one millisecond after another.

    Args:
        path: The file.
        messages: (topic, type, message).
        foreign: (encoding, encoding of the schema, schema) of further channels, a message each.
        times: When each message was recorded, in ns.
        options: Those of the writer.
    """
    with path.open("wb") as file:
        writer = McapWriter(file, **options)
        writer.start(profile="ros2")
        for encoding, language, schema in foreign:
            number = writer.register_schema("sensor_msgs/msg/Image", language, schema)
            channel = writer.register_channel("/camera/image", encoding, number)
            writer.add_message(channel, 1, b"{}", 1)
        channels = {}
        for place, (topic, kind, message) in enumerate(messages):
            if topic not in channels:
                definition = STORE.generate_msgdef(kind, ros_version=2)[0].encode()
                number = writer.register_schema(kind, "ros2msg", definition)
                channels[topic] = writer.register_channel(topic, "cdr", number)
            time = (place + 1) * 10**6 if times is None else times[place]
            data = bytes(STORE.serialize_cdr(message, kind))
            # When it was sent, by a clock that says nothing of the recorder's.
            writer.add_message(channels[topic], time, data, 0)
        writer.finish()
    return path


def put_ros1(path, messages):
    """Write (topic, type, message) as a bag of ROS 1, one millisecond after another."""
    store = get_typestore(Stores.ROS1_NOETIC)
    with Ros1Writer(path) as writer:
        connections = {}
        for time, (topic, kind, message) in enumerate(messages, start=1):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            data = STORE.cdr_to_ros1(STORE.serialize_cdr(message, kind), kind)
            writer.write(connections[topic], time * 10**6, bytes(data))
    return path


def jpeg(stamp, data=None, index=0, form="jpeg"):
    """Return a CompressedImage: a clip's frame, or other bytes."""
    values = clip_frame(index).rgb
    data = pixels.jpeg(values) if data is None else np.frombuffer(data, np.uint8)
    return STORE.types[topics.COMPRESSED_TYPE](header=header_of(stamp), format=form, data=data)


def camera_info(stamp=0, size=SIZE, k=38.4, p=38.4, roi=None, binning=(0, 0)):
    """Return a CameraInfo with focal lengths of K and of P; roi is (x, y, width, height)."""
    width, height = size
    x, y, w, h = roi or (0, 0, 0, 0)
    region = STORE.types["sensor_msgs/msg/RegionOfInterest"](
        x_offset=x, y_offset=y, height=h, width=w, do_rectify=False
    )
    cx, cy = width / 2, height / 2
    matrix = [k, 0, cx, 0, k, cy, 0, 0, 1] if k else [0] * 9
    projection = [p, 0, cx, 0, 0, p, cy, 0, 0, 0, 1, 0] if p else [0] * 12
    return STORE.types[topics.INFO_TYPE](
        header=header_of(stamp),
        height=height,
        width=width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=np.array(matrix, np.float64),
        r=np.eye(3).reshape(-1),
        p=np.array(projection, np.float64),
        binning_x=binning[0],
        binning_y=binning[1],
        roi=region,
    )


def camera(name="/camera/image", frames=6, info=None):
    """Return (topic, type, message) of images ``STEP`` apart, each with its calibration."""
    messages = []
    for index in range(frames):
        stamp = index * STEP
        beside = f"{name.rpartition('/')[0]}/camera_info"
        made = camera_info(stamp) if info is None else info(stamp)
        messages.append((beside, topics.INFO_TYPE, made))
        rgb = clip_frame(index).rgb
        messages.append((name, topics.RAW_TYPE, image(rgb, "rgb8", stamp)))
    return messages
