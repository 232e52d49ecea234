"""One camera of the node: the way of its images, from the message that comes to those that go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from mtshare_ros.perception.camera.calibration import CalibrationError, Intrinsics
from mtshare_ros.perception.camera.encodings import ImageError
from mtshare_ros.perception.engines.interface import Engine, EngineError
from mtshare_ros.perception.serving.channel import Channel
from mtshare_ros.perception.serving.server import Served
from mtshare_ros.perception.serving.waiting import Waiting
from mtshare_ros.perception.serving.worker import FairWorker
from mtshare_ros.perception.stopwatch import Stopwatch
from mtshare_ros.perception.view import view_of
from mtshare_ros.ros.camera_calibration import CalibrationState, CameraCalibration
from mtshare_ros.ros.frame_result import Result
from mtshare_ros.ros.images import decode
from mtshare_ros.ros.node_log import Report
from mtshare_ros.ros.outputs import Outputs
from mtshare_ros.ros.parameter_values import FrameSettings
from mtshare_ros.ros.quality_of_service import OVERRIDABLE
from mtshare_ros.ros.silence import why_silent
from mtshare_ros.ros.statistics import Statistics
from mtshare_ros.tasks import KINDS

LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

_IMAGES, _KEYS = "images", "keys"
"""What may fail in a row."""


@dataclass
class Received:
    """An image message that was taken.

    Attributes:
        message: The message.
        taken_at: When it was taken (``time.perf_counter``, seconds).
    """

    message: Image | CompressedImage
    taken_at: float = field(default_factory=time.perf_counter)

    @property
    def stamp(self) -> int:
        """Time of the image in nanoseconds."""
        stamp = self.message.header.stamp
        return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


@dataclass(frozen=True, eq=False)
class _Frame:
    """An image that was taken, read and looked at."""

    received: Received
    image: NDArray[np.uint8]
    intrinsics: Intrinsics | None
    settings: FrameSettings
    watch: Stopwatch


class Camera:
    """A camera's topics and its channel to an opened engine, which other cameras may share.

    An image comes in the executor's thread (``take``) and waits for the camera's turn of the
    serving thread, where it is answered from the camera's newest key (``serve``). Keys are made
    in the network's thread (``compute``). Each image that is taken gets one fate
    (``statistics.COUNTS``), and gets it here:

    - ``dropped``: newer ones came before its turn, or the node stopped (``drop``).
    - ``skipped``: nobody subscribes; ``rejected``: it can't be read; ``failed``: it could not be
      answered because of a fault; ``processed``: it was published.
    - ``unserved``: no key says anything about it, as after a start and after a cut, and the
      network did not compute it before a newer image was answered.

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
        self._network: FairWorker[Camera, None] | None = None
        self._channel = Channel(engine)
        self._failures = dict.fromkeys((_IMAGES, _KEYS), 0)
        self._frame_id: str | None = None
        self._answering = threading.Lock()
        self._waiting: Waiting[_Frame] = Waiting(lambda _: statistics.count("unserved"))
        self._subscriptions: list[Any] = []
        self._hears_latched_info = False
        image, info = (
            node.resolve_topic_name(f"{self._prefix}{topic}") for topic in ("image", "camera_info")
        )
        self.calibration = CameraCalibration(image, info)
        self._task_names = [task.name for task in engine.manifest.tasks]
        self._outputs = Outputs(node, engine.manifest, self._prefix)
        try:
            self._subscribe(transport, image, info)
        except Exception:
            # The node lives on, and must not keep half of the topics.
            self.destroy()
            raise

    def start(
        self, worker: FairWorker[Camera, Received], network: FairWorker[Camera, None]
    ) -> None:
        """Take images from now on.

        Args:
            worker: Calls ``serve``.
            network: Calls ``compute``.
        """
        # What was cached before a pause shows another scene.
        self.reset("activated")
        self._failures, self.gave_up = dict.fromkeys((_IMAGES, _KEYS), 0), None
        self.calibration.restart()
        self._worker, self._network = worker, network

    def stop(self) -> None:
        """Take no more images."""
        self._worker = None

    def forget(self) -> None:
        """Count the images that wait for a key as unserved, once no thread is at work."""
        with self._answering:
            self._waiting.give_up()

    def reset(self, reason: str) -> None:
        """Drop the keys and the network's cache before the next frame."""
        self._channel.reset(reason)

    def destroy(self) -> None:
        """Destroy the topics."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())
        self._outputs.destroy()

    def computing(self) -> tuple[str, ...]:
        """Return the tasks that are computed, in the bundle's order."""
        wanted = self._outputs.wanted(self.settings.tasks)
        return tuple(t.name for t in self._channel.engine.manifest.tasks if t.name in wanted)

    def calibration_state(self) -> CalibrationState:
        """Return how the camera is calibrated."""
        kinds = {t.name: KINDS[t.kind] for t in self._channel.engine.manifest.tasks}
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
        """Publish what the newest key says about an image, or count why not; never raises."""
        try:
            self._serve(received)
        except ImageError as error:
            self._statistics.count("rejected", str(error))
            self._report(error.kind, f"image dropped: {error}")
        except Exception as error:
            self._fail(error)

    def compute(self) -> None:
        """Make a key of the newest image; never raises."""
        try:
            made = self._channel.compute()
        except Exception as error:
            self._fail_key(error)
            return
        if made is None:
            return
        self._failures[_KEYS] = 0
        times = dict(made.predictions.milliseconds)
        times["key"] = times.pop("total")
        dirty = float(np.mean(made.predictions.dirty))
        self._statistics.key(times, dirty, made.predictions.reset)
        try:
            with self._answering:
                frame = self._waiting.take(made.view)
                if frame is not None:
                    self._publish(frame, made.served())
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Count an image that could not be answered."""
        # A fault in one frame must not end the thread; the node would be up and blind.
        # While the process shuts down, nothing can be published.
        if self._node.context.ok():
            cause = f"{type(error).__name__}: {error}"
            self._statistics.count("failed", cause)
            self._report("failed", f"frame dropped, keys dropped: {cause}")
            self.reset("failure")
            self._count_failure(_IMAGES, cause)

    def _fail_key(self, error: Exception) -> None:
        """Count a key that could not be made, and give up the image that waits for it."""
        if not self._node.context.ok():
            return
        cause = f"{type(error).__name__}: {error}"
        if isinstance(error, EngineError):
            cause = str(error)
        self._statistics.failed_key(cause)
        self._report("failed", f"no key made, cache reset: {cause}")
        self._count_failure(_KEYS, cause)
        with self._answering:
            tried = self._channel.keyed
            if tried is not None and self._waiting.take(tried) is not None:
                self._statistics.count("unserved")

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
        spec = self._channel.engine.manifest.input
        view = view_of(image, received.stamp, spec, focal_length)
        if self._frame_id not in (None, header.frame_id):
            self.reset("frame_id")
        self._frame_id = header.frame_id
        self._channel.settle(settings.stream, settings.serving)
        self._channel.look(view, [t for t in self._task_names if t in wanted])
        watch.lap("look")
        if self._network is not None and self._channel.wants_key:
            self._network.put(self, None)
            self._channel.wait(settings.wait_seconds)
            watch.lap("network_wait")
        with self._answering:
            frame = _Frame(received, image, intrinsics, settings, watch)
            served = self._channel.serve(wanted)
            watch.lap("serve")
            if served is None:
                self._waiting.hold(view, frame, self._channel.in_work)
                if self._channel.keyed is view:  # The network has failed on it already.
                    self._waiting.give_up()
                elif self._network is not None:
                    self._network.put(self, None)
                return
            self._waiting.give_up()
            self._publish(frame, served)

    def _publish(self, frame: _Frame, served: Served) -> None:
        settings, header = frame.settings, frame.received.message.header
        max_depth, encoding = settings.stream.max_depth, settings.depth_encoding
        result = Result(
            header, frame.image, served.predictions, frame.intrinsics, max_depth, encoding
        )
        self._outputs.publish(result)
        watch = frame.watch
        watch.lap("publish")
        watch.whole("latency")
        times = watch.milliseconds
        times["age"] = 1e-6 * (self._node.get_clock().now().nanoseconds - frame.received.stamp)
        times["key_age"] = 1e-6 * served.age_ns
        self._statistics.processed(times, served.coverage)
        self._failures[_IMAGES] = 0

    def _count_failure(self, what: str, cause: str) -> None:
        """Give up if too many failed in a row."""
        self._failures[what] += 1
        failures = self._failures[what]
        if failures >= self.settings.max_failures and self.gave_up is None:
            self.gave_up = f"{failures} frames failed in a row, the last with: {cause}"
            self._on_give_up()

    def _intrinsics(self, width: int, height: int, wish: str) -> Intrinsics | None:
        try:
            return self.calibration.intrinsics(width, height, wish)
        except CalibrationError as error:
            self._report("camera_info", f"camera_info not used: {error}")
            return None

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
