"""One camera of the node: the way of its images, from the message that comes to those that go."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from mtshare_ros.perception.camera.calibration import CalibrationError, Intrinsics
from mtshare_ros.perception.camera.encodings import ImageError
from mtshare_ros.perception.engines.interface import Engine, EngineError
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.stopwatch import Stopwatch
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.ros.camera_calibration import CalibrationState, CameraCalibration
from mtshare_ros.ros.frame_result import Result
from mtshare_ros.ros.images import decode
from mtshare_ros.ros.node_log import Report
from mtshare_ros.ros.outputs import Outputs
from mtshare_ros.ros.parameter_values import FrameSettings
from mtshare_ros.ros.quality_of_service import OVERRIDABLE
from mtshare_ros.ros.silence import why_silent
from mtshare_ros.ros.statistics import Statistics
from mtshare_ros.ros.worker import FairWorker
from mtshare_ros.tasks import KINDS

LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


@dataclass
class Received:
    """An image message that was taken.

    Attributes:
        message: The message.
        taken_at: When it was taken (``time.perf_counter``, seconds).
        abandoned: Whether it counts as failed already, whatever the engine still gives.
    """

    message: Image | CompressedImage
    taken_at: float = field(default_factory=time.perf_counter)
    abandoned: bool = False

    @property
    def stamp(self) -> int:
        """Time of the image in nanoseconds."""
        stamp = self.message.header.stamp
        return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


class Camera:
    """A camera's topics and its stream on an opened engine, which other cameras may share.

    An image comes in the executor's thread (``take``) and waits for the camera's turn of the
    worker, in whose thread it is served (``serve``). Each image that is taken gets one fate
    (``statistics.COUNTS``), and gets it here:

    - ``dropped``: a newer one came before its turn, or the node stopped (``drop``).
    - ``skipped``: nobody subscribes; ``rejected``: it can't be read; ``failed``: the engine
      failed; ``processed``: it was published (all in ``serve``).
    - ``failed``, too: the engine doesn't come back from it (``abandon``).

    Attributes:
        name: Name of the camera; empty for the only one.
        settings: Assign to change them from the next frame on.
        calibration: Its CameraInfo.
        gave_up: Why no more frames should be taken, or None.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        engine: Engine,
        settings: FrameSettings,
        transport: str,
        statistics: Statistics,
        report: Report,
        on_give_up: Callable[[], None],
    ) -> None:
        """Create the topics; no image is taken before ``start``.

        Args:
            node: Node that gets the topics.
            name: Name of the camera; empty for the only one.
            engine: The opened bundle.
            settings: What holds for a frame.
            transport: ``raw`` or ``compressed`` images.
            statistics: Where the camera's frames are counted.
            report: Called with faults.
            on_give_up: Called in the worker's thread when ``gave_up`` is set.

        Raises:
            BundleError: The bundle has a task that there are no topics for.
        """
        self.name = name
        self.settings = settings
        self.gave_up: str | None = None
        self._node = node
        self._prefix = f"{name}/" if name else ""
        self._statistics = statistics
        self._report_fault = report
        self._on_give_up = on_give_up
        self._worker: FairWorker[Camera, Received] | None = None
        self._stream = PerceptionStream(engine)
        self._resets: deque[str] = deque()
        self._failures = 0
        self._frame_id: str | None = None
        self._focal_length: float | None = None
        self._free_since = 0.0
        self._subscriptions: list[Any] = []
        self._hears_latched_info = False
        image, info = (
            node.resolve_topic_name(f"{self._prefix}{topic}") for topic in ("image", "camera_info")
        )
        self.calibration = CameraCalibration(image, info)
        self._outputs = Outputs(node, engine.manifest, self._prefix)
        try:
            self._subscribe(transport, image, info)
        except Exception:
            # The node lives on, and must not keep half of the topics.
            self.destroy()
            raise

    def start(self, worker: FairWorker[Camera, Received]) -> None:
        """Take images from now on and have them served by ``worker``."""
        # What was cached before a pause shows another scene.
        self.reset("activated")
        self._failures, self.gave_up = 0, None
        self.calibration.restart()
        self._worker = worker

    def stop(self) -> None:
        """Take no more images."""
        self._worker = None

    def reset(self, reason: str) -> None:
        """Drop the stream's cache before the next frame."""
        self._resets.append(reason)

    def destroy(self) -> None:
        """Destroy the topics."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())
        self._outputs.destroy()

    def computing(self) -> tuple[str, ...]:
        """Return the tasks that are computed, in the bundle's order."""
        wanted = self._outputs.wanted(self.settings.tasks)
        return tuple(t.name for t in self._stream.engine.manifest.tasks if t.name in wanted)

    def calibration_state(self) -> CalibrationState:
        """Return how the camera is calibrated."""
        kinds = {t.name: KINDS[t.kind] for t in self._stream.engine.manifest.tasks}
        return self.calibration.state(any(kinds[name].in_metres for name in self.computing()))

    def why_silent(self) -> str:
        """Return why no images come, in words: what is on the topic instead, and what to do."""
        name = f"{self._prefix}image"
        return why_silent(self._node, name, self._image_type, self._image_topic, self._quality)

    def look_for_latched_info(self) -> None:
        """Hear a CameraInfo that was published once, for all who come later, if there is one."""
        if self.calibration.info is not None or self._hears_latched_info:
            return
        # Asked of an ordinary camera, it would be told, and its log too, that the QoS doesn't fit.
        topic = self.calibration.info_topic
        publishers = self._node.get_publishers_info_by_topic(topic)
        if any(p.qos_profile.durability == LATCHED.durability for p in publishers):
            self._subscriptions.append(
                self._node.create_subscription(CameraInfo, topic, self.calibration.take, LATCHED)
            )
            self._hears_latched_info = True

    def take(self, message: Image | CompressedImage) -> None:
        """Let an image wait for the camera's turn, in place of one that waits already."""
        # The subscription outlives deactivation: Humble's executors can crash on destroyed ones.
        worker = self._worker
        if worker is not None:
            self._statistics.count("received")
            worker.put(self, Received(message))

    def drop(self) -> None:
        """Count an image that won't get its turn."""
        self._statistics.count("dropped")

    def serve(self, received: Received) -> None:
        """Publish what the network gives for an image, or count why not; never raises."""
        try:
            self._serve(received)
        except ImageError as error:
            self._statistics.count("rejected", str(error))
            self._report(error.kind, f"image dropped: {error}")
        except EngineError as error:
            self._fail(received, str(error))
        except Exception as error:
            # A fault in one frame must not end the thread; the node would be up and blind.
            # While the process shuts down, nothing can be published.
            if self._node.context.ok():
                self._fail(received, f"{type(error).__name__}: {error}")
        finally:
            self._free_since = time.perf_counter()

    def abandon(self, received: Received) -> None:
        """Count the image in work as failed, and never publish what comes of it."""
        received.abandoned = True
        self._statistics.count("failed")

    def _serve(self, received: Received) -> None:
        settings, header = self.settings, received.message.header
        watch = Stopwatch(received.taken_at)
        wanted = self._outputs.wanted(settings.tasks)
        watch.lap("wait")
        if not wanted:
            self._statistics.count("skipped")
            return
        image = decode(received.message)
        watch.lap("image")
        intrinsics = self._intrinsics(image.shape[1], image.shape[0], settings.intrinsics)
        focal_length = None if intrinsics is None else intrinsics.focal_length
        self._prepare_stream(header.frame_id, focal_length, settings.stream)
        predictions = self._stream.step(image, received.stamp, wanted, focal_length)
        watch.add(predictions.milliseconds)
        if received.abandoned:
            return
        max_depth, encoding = settings.stream.max_depth, settings.depth_encoding
        result = Result(header, image, predictions, intrinsics, max_depth, encoding)
        self._outputs.publish(result)
        watch.lap("publish")
        self._count(received, predictions, watch)

    def _intrinsics(self, width: int, height: int, wish: str) -> Intrinsics | None:
        try:
            return self.calibration.intrinsics(width, height, wish)
        except CalibrationError as error:
            self._report("camera_info", f"camera_info not used: {error}")
            return None

    def _prepare_stream(
        self, frame_id: str, focal_length: float | None, settings: StreamSettings
    ) -> None:
        """Let new settings hold and drop the cache where that is due."""
        if settings is not self._stream.settings:
            self._stream.settings = settings
        if self._frame_id not in (None, frame_id):
            self.reset("frame_id")
        elif self._frame_id is not None and self._focal_length != focal_length:
            # Outputs that are carried from frame to frame have the scale of the frame before.
            self.reset("camera_info")
        self._frame_id, self._focal_length = frame_id, focal_length
        while self._resets:
            self._stream.reset(self._resets.popleft())

    def _count(self, received: Received, predictions: Predictions, watch: Stopwatch) -> None:
        """Count an image that was published, with the times of its stages."""
        watch.whole("latency")
        times = watch.milliseconds
        # An image that came while another was in work waited for the network, not for ROS.
        busy = 1e3 * max(0.0, self._free_since - received.taken_at)
        times["ros"] = times["latency"] - busy - times["total"]
        times["age"] = 1e-6 * (self._node.get_clock().now().nanoseconds - received.stamp)
        self._failures = 0
        self._statistics.processed(
            times,
            float(np.mean(predictions.dirty)),
            reset=predictions.reset,
            carried=predictions.carried > 0,
        )

    def _fail(self, received: Received, cause: str) -> None:
        """Count an image that failed; give up if too many did in a row."""
        if received.abandoned:
            return
        self._statistics.count("failed", cause)
        self._report("failed", f"frame dropped, cache reset: {cause}")
        self.reset("engine failure")
        self._failures += 1
        if self._failures >= self.settings.max_failures and self.gave_up is None:
            self.gave_up = f"{self._failures} frames failed in a row, the last with: {cause}"
            self._on_give_up()

    def _report(self, kind: str, message: str) -> None:
        self._report_fault(f"{self.name} {kind}", f"{self._prefix}{message}")

    def _subscribe(self, transport: str, image: str, info: str) -> None:
        self._image_type, self._image_topic = Image, image
        if transport == "compressed":
            # As image_transport does it: a remapped ``image`` takes its sub-topic along.
            self._image_type, self._image_topic = CompressedImage, f"{image}/compressed"
        self._quality = self._add_subscription(self._image_type, self._image_topic, self.take)
        self._add_subscription(CameraInfo, info, self.calibration.take)

    def _add_subscription(
        self, type_: Any, topic: str, callback: Callable[[Any], None]
    ) -> QoSProfile:
        """Subscribe to an input and return the profile, into which rclpy writes its overrides."""
        profile = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._subscriptions.append(
            self._node.create_subscription(
                type_, topic, callback, profile, qos_overriding_options=OVERRIDABLE
            )
        )
        return profile
