"""One camera of the node: its topics, its stream and what becomes of its frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.ros.outputs import Outputs
from mtshare_ros.ros.pipeline import OutputSettings, Pipeline, Received, Report
from mtshare_ros.ros.statistics import Statistics


def stream_settings(values: Mapping[str, Any], every: Mapping[str, int]) -> StreamSettings:
    """Return the stream's settings out of the values of all parameters and the tasks' rates."""
    return StreamSettings(
        max_dirty_fraction=values["max_dirty_fraction"],
        deadline_ms=values["deadline_ms"],
        change_threshold=values["change_threshold"],
        max_age=values["max_age"],
        carry_frames=values["carry_frames"],
        output_size=values["output_size"],
        max_depth=values["max_depth"],
        policy=values["policy"],
        task_every=every,
    )


def prefix(camera: str) -> str:
    """Return what precedes the names of a camera's topics; nothing for the only camera."""
    return f"{camera}/" if camera else ""


class Channel:
    """A camera's topics and pipeline on an opened engine, which other cameras may share."""

    def __init__(
        self,
        node: Node,
        camera: str,
        engine: Engine,
        values: Mapping[str, Any],
        statistics: Statistics,
        report: Report,
        on_give_up: Callable[[], None],
        on_image: Callable[[str, Received], None],
    ) -> None:
        """Create the topics; frames are handed to ``on_image`` with the camera's name.

        Args:
            node: Node that gets the topics.
            camera: Name of the camera; empty for the only one.
            engine: The opened bundle.
            values: Values of all parameters.
            statistics: Where the camera's frames are counted.
            report: Called with faults.
            on_give_up: Called in the worker's thread when the pipeline gives up.
            on_image: Called in the executor's thread with each image.
        """
        self.statistics = statistics
        self._node = node
        self._camera = camera
        self._on_image = on_image
        self._subscriptions: list[Any] = []
        self._outputs = Outputs(node, engine.manifest, prefix(camera))
        try:
            self.pipeline = Pipeline(
                PerceptionStream(engine),
                self._outputs,
                statistics,
                lambda kind, message: report(f"{camera} {kind}", f"{prefix(camera)}{message}"),
                now=lambda: int(node.get_clock().now().nanoseconds),
                running=node.context.ok,
                on_give_up=on_give_up,
            )
            self._subscribe(values["image_transport"])
        except Exception:
            # The node lives on, and must not keep half of the topics.
            self.destroy()
            raise

    def apply(
        self, values: Mapping[str, Any], allowed: frozenset[str], every: Mapping[str, int]
    ) -> None:
        """Let changed parameters, allowed tasks and their rates hold from the next frame."""
        self.pipeline.allowed = allowed
        self.pipeline.settings = stream_settings(values, every)
        self.pipeline.outputs = OutputSettings(values["max_depth"], values["depth_encoding"])
        self.pipeline.max_failures = values["max_failures"]

    def computing(self) -> set[str]:
        """Return the tasks that are computed."""
        return self._outputs.wanted(self.pipeline.allowed)

    def destroy(self) -> None:
        """Destroy the topics."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())
        self._outputs.destroy()

    def _subscribe(self, transport: str) -> None:
        topic, type_ = f"{prefix(self._camera)}image", Image
        if transport == "compressed":
            # As image_transport does it: a remapped ``image`` takes its sub-topic along.
            topic = f"{self._node.resolve_topic_name(topic)}/compressed"
            type_ = CompressedImage
        self._add_subscription(type_, topic, self._take_image)
        name = f"{prefix(self._camera)}camera_info"
        self._add_subscription(CameraInfo, name, self._take_camera_info)

    def _add_subscription(self, type_: Any, topic: str, callback: Any) -> None:
        self._subscriptions.append(
            self._node.create_subscription(
                type_,
                topic,
                callback,
                QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT),
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
        )

    def _take_image(self, message: Image | CompressedImage) -> None:
        self._on_image(self._camera, Received(message, time.perf_counter()))

    def _take_camera_info(self, message: CameraInfo) -> None:
        self.pipeline.camera_info = message
