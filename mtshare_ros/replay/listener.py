"""The other end of a replay: it plays images and hears the live node's outputs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
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
from mtshare_ros.replay.clock import BagClock
from mtshare_ros.replay.node_process import Inputs
from mtshare_ros.replay.recorder import Tally
from mtshare_ros.ros.diagnostics import status_name
from mtshare_ros.ros.kind_outputs import task_topics

NODE = "/perception_node"
STATUS = status_name(NODE)

Key = tuple[int, int]
"""A message of a topic: its stamp in nanoseconds, and how many came before it with that stamp."""


def stamp_of(data: bytes) -> int:
    """Return the stamp of a message that ROS or this project serialized, in nanoseconds."""
    stamp = serialized_stamp(data)
    assert stamp is not None  # It has a header.
    return stamp


def latencies(sent: Mapping[Key, float], arrived: Mapping[Key, float]) -> list[float]:
    """Return the milliseconds from sending to arrival of each image that was answered.

    Of images with the same stamp, the first answer counts as that of the first.
    """
    return [1e3 * (moment - sent[key]) for key, moment in arrived.items() if key in sent]


def _next(known: Mapping[Key, float], stamp: int) -> Key:
    """Return the key of a further message with a stamp."""
    number = 0
    while (stamp, number) in known:
        number += 1
    return stamp, number


class Listener:
    """Publishes a camera's messages, hands on all outputs and notes when they came.

    Attributes:
        sent: Image -> when it was published (``time.perf_counter``, seconds).
        arrived: Topic -> output -> when it arrived; of images only.
        diagnostics: Key -> value, of the node's newest diagnostics.
        heard: When those diagnostics came (``time.perf_counter``, seconds).
    """

    def __init__(
        self,
        context: Context,
        manifest: Manifest,
        taker: Tally,
        clock: BagClock | None,
        inputs: Inputs,
    ) -> None:
        """Create the topics and listen.

        Args:
            context: ROS context.
            manifest: Manifest of the node's bundle.
            taker: Gets what is heard.
            clock: Gives what is taken its time; the images that are sent are taken, too. None
                takes outputs alone, without a time.
            inputs: Where the node hears the camera.
        """
        self.sent: dict[Key, float] = {}
        self.arrived: dict[str, dict[Key, float]] = {}
        self.diagnostics: dict[str, str] = {}
        self.heard = 0.0
        self._taker = taker
        self._clock = clock or BagClock()
        self._node = Node("mtshare_replay", context=context, enable_rosout=False)
        compressed = inputs.transport == "compressed"
        type_, name = (CompressedImage, topics.COMPRESSED) if compressed else (Image, "")
        self._image = self._node.create_publisher(type_, f"{inputs.image}{name}", 1)
        self._info = self._node.create_publisher(CameraInfo, inputs.camera_info, 1)
        self._images: int | None = None
        if clock is not None:
            type_name = f"sensor_msgs/msg/{type_.__name__}"
            self._images = taker.add_topic(f"{inputs.image}{name}", type_name)
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

    def publish_image(self, data: bytes, due: float | None = None) -> None:
        """Publish a serialized image and note when.

        Args:
            data: The image.
            due: When it should be published (``time.perf_counter``); by default now.
        """
        key, moment = _next(self.sent, stamp_of(data)), time.perf_counter()
        self._clock.begin(key[0], moment if due is None else due)
        self.sent[key] = moment
        self._image.publish(data)
        if self._images is not None:
            self._taker.add(self._images, self._clock.at(moment), data)

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
            moment = time.perf_counter()
            sent = None
            if arrived is not None:
                key = _next(arrived, stamp_of(data))
                arrived[key] = moment
                sent = self.sent.get(key)
            elif type_ is CameraInfo:
                sent = self.sent.get((stamp_of(data), 0))
            at = self._clock.at(moment)
            self._taker.add(number, at, data, None if sent is None else self._clock.at(sent))
            if type_ is DiagnosticArray:
                self._hear(deserialize_message(data, DiagnosticArray))

        return take

    def _hear(self, message: DiagnosticArray) -> None:
        # Other nodes publish on this topic as well.
        for status in message.status:
            if status.name == STATUS:
                self.diagnostics = {pair.key: pair.value for pair in status.values}
                self.heard = time.perf_counter()
