"""Everything that lives while a bundle is open: topics, stream and worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from mtshare_ros.manifest import Manifest
from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.stream import PerceptionStream, StreamSettings
from mtshare_ros.ros.outputs import Outputs
from mtshare_ros.ros.parameters import ALL_TASKS, ParameterError
from mtshare_ros.ros.pipeline import Pipeline, Received, Report
from mtshare_ros.ros.statistics import Statistics
from mtshare_ros.ros.worker import NewestWorker


def stream_settings(values: Mapping[str, Any]) -> StreamSettings:
    """Return the stream's settings out of the values of all parameters."""
    return StreamSettings(
        max_dirty_fraction=values["max_dirty_fraction"],
        change_threshold=values["change_threshold"],
        max_age=values["max_age"],
        output_size=values["output_size"],
        max_depth=values["max_depth"],
        policy=values["policy"],
    )


def allowed_tasks(manifest: Manifest, tasks: Sequence[str]) -> frozenset[str]:
    """Return the tasks that the parameter ``tasks`` means.

    Raises:
        ParameterError: The bundle lacks one of them.
    """
    names = [task.name for task in manifest.tasks]
    unknown = [task for task in tasks if task not in (*names, ALL_TASKS)]
    if unknown:
        raise ParameterError(
            f"tasks has {', '.join(unknown)}; bundle {manifest.name} has {', '.join(names)}"
        )
    return frozenset(names if ALL_TASKS in tasks else tasks)


class Serving:
    """A node's topics and worker for one opened bundle."""

    def __init__(
        self,
        node: Node,
        engine: Engine,
        values: Mapping[str, Any],
        statistics: Statistics,
        report: Report,
        on_give_up: Callable[[], None],
    ) -> None:
        """Create the topics; no frame is taken before ``start``.

        Args:
            node: Node that gets the topics.
            engine: The opened bundle.
            values: Values of all parameters.
            statistics: Where frames are counted.
            report: Called with faults.
            on_give_up: Called in the worker's thread when ``gave_up`` is set.

        Raises:
            ParameterError: The parameters don't go with the bundle.
            BundleError: The bundle has a task that there are no topics for.
        """
        allowed_tasks(engine.manifest, values["tasks"])
        self.engine = engine
        self._node = node
        self._statistics = statistics
        self._worker: NewestWorker[Received] | None = None
        self._subscriptions: list[Any] = []
        self._outputs = Outputs(node, engine.manifest)
        try:
            self._pipeline = Pipeline(
                PerceptionStream(engine, stream_settings(values)),
                self._outputs,
                statistics,
                report,
                now=lambda: int(node.get_clock().now().nanoseconds),
                running=node.context.ok,
                on_give_up=on_give_up,
            )
            self.apply(values)
            self._subscribe(values["image_transport"])
        except Exception:
            # The node lives on, and must not keep half of the topics.
            self.close()
            raise

    def apply(self, values: Mapping[str, Any]) -> None:
        """Let changed parameters hold from the next frame.

        Raises:
            ParameterError: The parameters don't go with the bundle; nothing is changed.
        """
        self._pipeline.allowed = allowed_tasks(self.engine.manifest, values["tasks"])
        self._pipeline.settings = stream_settings(values)
        self._pipeline.max_failures = values["max_failures"]

    def start(self) -> None:
        """Take frames."""
        self._pipeline.restart()
        self._worker = NewestWorker(
            self._pipeline.process, on_drop=lambda: self._statistics.count("dropped")
        )

    def stop(self) -> None:
        """Finish the frame in work and take no more."""
        if self._worker is not None:
            worker, self._worker = self._worker, None
            worker.stop()

    def close(self) -> None:
        """Stop and destroy the topics."""
        self.stop()
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())
        self._outputs.destroy()

    def reset(self, reason: str) -> None:
        """Drop the cache before the next frame."""
        self._pipeline.request_reset(reason)

    def computing(self) -> tuple[str, ...]:
        """Return the tasks that are computed, in the bundle's order."""
        wanted = self._outputs.wanted(self._pipeline.allowed)
        return tuple(t.name for t in self.engine.manifest.tasks if t.name in wanted)

    @property
    def camera_info_state(self) -> str:
        """Whether the camera's CameraInfo is used, in words."""
        return self._pipeline.camera_info_state

    @property
    def gave_up(self) -> str | None:
        """Why no more frames should be taken, or None."""
        return self._pipeline.gave_up

    def _subscribe(self, transport: str) -> None:
        topic, type_ = "image", Image
        if transport == "compressed":
            # As image_transport does it: a remapped ``image`` takes its sub-topic along.
            topic = f"{self._node.resolve_topic_name('image')}/compressed"
            type_ = CompressedImage
        self._add_subscription(type_, topic, self._on_image)
        self._add_subscription(CameraInfo, "camera_info", self._on_camera_info)

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

    def _on_image(self, message: Image | CompressedImage) -> None:
        received = Received(message, time.perf_counter())
        # The subscription outlives deactivation: Humble's executors can crash on destroyed ones.
        if self._worker is not None:
            self._statistics.count("received")
            self._worker.put(received)

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._pipeline.camera_info = message
