"""A recorded camera: images and their camera_info, as a bag."""

import cv2
from rclpy.serialization import serialize_message
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import CameraInfo, CompressedImage

from mtshare_ros.replay.recorder import Recorder
from mtshare_ros.ros.images import decode
from support.ros_harness import SECOND, header, image

START = 1000 * SECOND
STAMPS = [START + n * SECOND // 10 for n in range(8)]


def write_bag(path, compressed=False, topic="camera/image", encoding="rgb8"):
    topic += "/compressed" if compressed else ""
    kind = "CompressedImage" if compressed else "Image"
    with Recorder(path.parent) as recorder:
        images = recorder.add_topic(topic, f"sensor_msgs/msg/{kind}")
        beside = topic.removesuffix("/compressed").rpartition("/")[0]
        infos = recorder.add_topic(f"{beside}/camera_info", "sensor_msgs/msg/CameraInfo")
        for stamp in STAMPS:
            message = image(stamp)
            message.encoding = encoding
            k = [150.0, 0.0, 80.0, 0.0, 150.0, 60.0, 0.0, 0.0, 1.0]
            info = CameraInfo(header=header(stamp), width=160, height=120, k=k)
            if compressed:
                data = cv2.imencode(".png", cv2.cvtColor(decode(message), cv2.COLOR_RGB2BGR))[1]
                message = CompressedImage(header=header(stamp), format="png", data=data.tobytes())
            recorder.add(infos, stamp, serialize_message(info))
            recorder.add(images, stamp, serialize_message(message))
        recorder.write(path)
    return path


def read(path):
    """Return topic -> list of (log time, serialized message)."""
    found = {}
    with AnyReader([path]) as reader:
        for connection, stamp, data in reader.messages():
            found.setdefault(connection.topic, []).append((stamp, bytes(data)))
    return found
