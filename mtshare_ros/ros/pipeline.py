"""One camera's way through the node: message, image, predictions, messages."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.ros import camera_info as intrinsics
from mtshare_ros.ros.frame_result import Result
from mtshare_ros.ros.images import ImageError, decode
from mtshare_ros.ros.statistics import Statistics

Report = Callable[[str, str], None]
"""Called with the kind of a fault and a message; limits how often a kind is logged."""


@dataclass(frozen=True)
class OutputSettings:
    """What may be changed between two frames of the outputs.

    Attributes:
        max_depth: Depth that is the far end of the colour scale, in metres.
        depth_encoding: ``32FC1`` (metres) or ``16UC1`` (millimetres).
    """

    max_depth: float = 20.0
    depth_encoding: str = "32FC1"


@dataclass(frozen=True)
class Received:
    """An image message and when its callback was entered (``time.perf_counter``, seconds)."""

    message: Image | CompressedImage
    time: float


class Publishing(Protocol):
    """What the pipeline needs of the outputs."""

    def wanted(self, allowed: Collection[str]) -> set[str]:
        """Return those of the allowed tasks that somebody's subscription needs."""
        ...

    def publish(self, result: Result) -> None:
        """Publish a frame."""
        ...


class Pipeline:
    """Runs frames through a stream and publishes them, in the worker's thread.

    Attributes:
        settings: Settings of the stream; assign to change them from the next frame on.
        outputs: The same of the outputs.
        allowed: Tasks that may be computed.
        max_failures: Failed frames in a row after which the pipeline gives up.
        gave_up: Why it gave up, or None.
        camera_info: The newest CameraInfo, or None.
        camera_info_state: Whether the CameraInfo was used, in words.
    """

    def __init__(
        self,
        stream: PerceptionStream,
        outputs: Publishing,
        statistics: Statistics,
        report: Report,
        now: Callable[[], int],
        running: Callable[[], bool],
        on_give_up: Callable[[], None],
    ) -> None:
        """Make the pipeline.

        Args:
            stream: The camera's stream.
            outputs: Where results are published.
            statistics: Where frames are counted.
            report: Called with faults.
            now: Time of the ROS clock in nanoseconds, for the age of results.
            running: Whether publishing is possible; False while the process shuts down.
            on_give_up: Called when ``gave_up`` is set.
        """
        self.settings: StreamSettings = stream.settings
        self.outputs = OutputSettings()
        self.allowed: Collection[str] = ()
        self.max_failures = 1
        self.gave_up: str | None = None
        self.camera_info: CameraInfo | None = None
        self.camera_info_state = "none"
        self._stream = stream
        self._outputs = outputs
        self._statistics = statistics
        self._report = report
        self._now = now
        self._running = running
        self._on_give_up = on_give_up
        self._failures = 0
        self._cancelled = False
        self._frame_id: str | None = None
        self._resets: deque[str] = deque()
        self._free_since = 0.0

    def restart(self) -> None:
        """Prepare for frames after a pause; only while none is in work."""
        # What was cached before the pause shows another scene.
        self.request_reset("activated")
        self._failures, self.gave_up = 0, None

    def request_reset(self, reason: str) -> None:
        """Drop the stream's cache before the next frame."""
        self._resets.append(reason)

    def cancel(self) -> None:
        """Publish and count nothing any more, not even the frame in work."""
        self._cancelled = True

    def process(self, received: Received) -> None:
        """Take a frame to its outputs, or count why it didn't get there; never raises."""
        try:
            self._process(received)
        except ImageError as error:
            self._statistics.count("rejected")
            self._report(error.kind, f"image dropped: {error}")
        except EngineError as error:
            self._fail(str(error))
        except Exception as error:
            # A fault in one frame must not end the thread; the node would be up and blind.
            if self._running():
                self._fail(f"{type(error).__name__}: {error}")
        finally:
            self._free_since = time.perf_counter()

    def _fail(self, cause: str) -> None:
        if self._cancelled:
            return
        self._statistics.count("failed")
        self._report("failed", f"frame dropped, cache reset: {cause}")
        self.request_reset("engine failure")
        self._failures += 1
        if self._failures >= self.max_failures and self.gave_up is None:
            self.gave_up = f"{self._failures} frames failed in a row, the last with: {cause}"
            self._on_give_up()

    def _process(self, received: Received) -> None:
        wanted = self._outputs.wanted(self.allowed)
        if not wanted:
            self._statistics.count("skipped")
            return
        started = time.perf_counter()
        settings, outputs = self.settings, self.outputs
        message = received.message
        image = decode(message)
        decoded = time.perf_counter()
        info = self._fitting_info(image.shape[1], image.shape[0])
        self._prepare_stream(message.header.frame_id, settings)
        stamp = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
        predictions = self._stream.step(
            image, stamp, wanted, None if info is None else intrinsics.focal_length(info)
        )
        stepped = time.perf_counter()
        if self._cancelled:
            return
        self._outputs.publish(
            Result(
                message.header, image, predictions, info, outputs.max_depth, outputs.depth_encoding
            )
        )
        self._failures = 0
        self._count(received, predictions, stamp, started, decoded, stepped)

    def _prepare_stream(self, frame_id: str, settings: StreamSettings) -> None:
        if settings is not self._stream.settings:
            self._stream.settings = settings
        if self._frame_id not in (None, frame_id):
            self.request_reset("frame_id")
        self._frame_id = frame_id
        while self._resets:
            self._stream.reset(self._resets.popleft())

    def _fitting_info(self, width: int, height: int) -> CameraInfo | None:
        info = self.camera_info
        if info is None:
            return None
        try:
            intrinsics.check(info, width, height)
        except intrinsics.CameraInfoError as error:
            self.camera_info_state = str(error)
            self._report("camera_info", f"camera_info not used: {error}")
            return None
        self.camera_info_state = f"{info.width}x{info.height}"
        return info

    def _count(
        self,
        received: Received,
        predictions: Predictions,
        stamp: int,
        started: float,
        decoded: float,
        stepped: float,
    ) -> None:
        published = time.perf_counter()
        latency = 1e3 * (published - received.time)
        # A frame that came while another was in work waited for the network, not for ROS.
        busy = 1e3 * max(0.0, self._free_since - received.time)
        stages: dict[str, Any] = dict(predictions.milliseconds)
        stages.update(
            wait=1e3 * (started - received.time),
            image=1e3 * (decoded - started),
            publish=1e3 * (published - stepped),
            ros=latency - busy - stages.get("total", 1e3 * (stepped - decoded)),
            latency=latency,
            age=1e-6 * (self._now() - stamp),
        )
        self._statistics.processed(
            stages,
            float(np.mean(predictions.dirty)),
            reset=predictions.reset,
            carried=predictions.carried > 0,
        )
