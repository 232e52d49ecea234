"""The other end of a replay: it plays images and hears the live node's outputs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.messages import serialized_stamp
from mtshare_ros.replay.node_process import Inputs
from mtshare_ros.replay.recorder import Tally
from mtshare_ros.ros.diagnostics import status_name
from mtshare_ros.ros.kind_outputs import task_topics

NODE = "/perception_node"
STATUS = status_name(NODE)


def stamp_of(data: bytes) -> int:
    """Return the stamp of a message that ROS or this project serialized, in nanoseconds."""
    stamp = serialized_stamp(data)
    assert stamp is not None  # It has a header.
    return stamp


class Listener:
    """Publishes a camera's messages, hands on all outputs and notes when they came.

    Attributes:
        sent: Stamp -> when the image was published (``time.perf_counter``, seconds).
        arrived: Topic -> stamp -> when the output arrived; of images only.
        diagnostics: Key -> value, of the node's newest diagnostics.
        heard: When those diagnostics came (``time.perf_counter``, seconds).
    """

    def __init__(
        self, context: Context, manifest: Manifest, taker: Tally, start: int, inputs: Inputs
    ) -> None:
        """Create the topics and listen.

        Args:
            context: ROS context.
            manifest: Manifest of the node's bundle.
            taker: Gets what is heard.
            start: Time at which the bag begins, in nanoseconds.
            inputs: Where the node hears the camera.
        """
        self.sent: dict[int, float] = {}
        self.arrived: dict[str, dict[int, float]] = {}
        self.diagnostics: dict[str, str] = {}
        self.heard = 0.0
        self._taker = taker
        self._now = start
        self._node = Node("mtshare_replay", context=context, enable_rosout=False)
        compressed = inputs.transport == "compressed"
        type_, name = (CompressedImage, topics.COMPRESSED) if compressed else (Image, "")
        self._image = self._node.create_publisher(type_, f"{inputs.image}{name}", 1)
        self._info = self._node.create_publisher(CameraInfo, inputs.camera_info, 1)
        for task in manifest.tasks:
            for name, type_ in task_topics(task):
                self._record(f"{NODE}/{task.name}/{name}", type_)
        self._record(f"{NODE}/dirty_tokens", Image)
        self._record("/diagnostics", DiagnosticArray)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name="listener", daemon=True)
        self._thread.start()

    def matched(self) -> bool:
        """Whether the node hears what is published here."""
        return bool(self._image.get_subscription_count() and self._info.get_subscription_count())

    @property
    def failure(self) -> str | None:
        """Why messages are not recorded any more, or None."""
        return self._taker.failure

    def publish_image(self, data: bytes) -> None:
        """Publish a serialized image and note when."""
        stamp = stamp_of(data)
        self._now = max(self._now, stamp)
        self.sent[stamp] = time.perf_counter()
        self._image.publish(data)

    def publish_camera_info(self, data: bytes) -> None:
        """Publish a serialized CameraInfo."""
        self._info.publish(data)

    def close(self) -> None:
        """Stop listening."""
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass

    def _record(self, topic: str, type_: Any) -> None:
        type_name = f"{type_.__module__.split('.')[0]}/msg/{type_.__name__}"
        number = self._taker.add_topic(topic, type_name)
        profile = QoSProfile(depth=10)
        if type_ is String:
            profile.durability = DurabilityPolicy.TRANSIENT_LOCAL
        self._node.create_subscription(
            type_, topic, self._callback(number, topic, type_), profile, raw=True
        )

    def _callback(self, number: int, topic: str, type_: Any) -> Callable[[bytes], None]:
        arrived = self.arrived.setdefault(topic, {}) if type_ is Image else None

        def take(data: bytes) -> None:
            # The latched labels and the diagnostics belong to no frame; they get the bag's time.
            stamp = stamp_of(data) if type_ in (Image, CameraInfo) else self._now
            if arrived is not None:
                arrived[stamp] = time.perf_counter()
            self._taker.add(number, stamp, data)
            if type_ is DiagnosticArray:
                self._hear(deserialize_message(data, DiagnosticArray))

        return take

    def _hear(self, message: DiagnosticArray) -> None:
        # Other nodes publish on this topic as well.
        for status in message.status:
            if status.name == STATUS:
                self.diagnostics = {pair.key: pair.value for pair in status.values}
                self.heard = time.perf_counter()
