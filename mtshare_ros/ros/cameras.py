"""A node's cameras on one opened bundle, and the worker that they share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node

from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.perception.serving.worker import FairWorker
from mtshare_ros.ros.camera import Camera, Received
from mtshare_ros.ros.node_log import Report
from mtshare_ros.ros.parameter_values import frame_settings
from mtshare_ros.ros.quality_of_service import check_overrides
from mtshare_ros.ros.statistics import Statistics

MOST_WAITING = 3
"""Images of a camera that wait to be served: a burst is answered, and more is an overload."""


class Cameras:
    """What the cameras of a node have in common while a bundle is open.

    Attributes:
        engine: The opened bundle.
        by_name: Name -> camera.
    """

    def __init__(
        self,
        node: Node,
        engine: Engine,
        values: Mapping[str, Any],
        statistics: Mapping[str, Statistics],
        report: Report,
        on_give_up: Callable[[], None],
    ) -> None:
        """Create the topics; no image is taken before ``start``.

        Args:
            node: Node that gets the topics.
            engine: The opened bundle.
            values: Values of all parameters.
            statistics: Camera -> where its frames are counted, for each of ``cameras``.
            report: Called with faults.
            on_give_up: Called in the worker's thread when ``gave_up`` is set.

        Raises:
            ParameterError: The parameters don't go with the bundle.
            BundleError: The bundle has a task that there are no topics for.
        """
        self.engine = engine
        self.by_name: dict[str, Camera] = {}
        self._worker: FairWorker[Camera, Received] | None = None
        self._network: FairWorker[Camera, None] | None = None
        settings = frame_settings(engine.manifest, values)
        try:
            for name in values["cameras"]:
                self.by_name[name] = Camera(
                    node,
                    name,
                    engine,
                    settings,
                    values["image_transport"],
                    statistics[name],
                    report,
                    on_give_up,
                )
            topics = {subscription.topic_name for subscription in node.subscriptions}
            topics.update(publisher.topic_name for publisher in node.publishers)
            check_overrides(node, node._parameter_overrides, topics)
        except Exception:
            self._destroy()
            raise

    def apply(self, values: Mapping[str, Any]) -> None:
        """Let changed parameters hold from the next frame.

        Raises:
            ParameterError: The parameters don't go with the bundle; nothing is changed.
        """
        settings = frame_settings(self.engine.manifest, values)
        for camera in self.by_name.values():
            camera.settings = settings

    def start(self) -> None:
        """Take images."""
        self._worker = FairWorker(Camera.serve, Camera.drop, "serving", MOST_WAITING)
        self._network = FairWorker(lambda camera, _: camera.compute(), lambda _: None, "network")
        for camera in self.by_name.values():
            camera.start(self._worker, self._network)

    def stop(self, patience: float) -> FairWorker[Camera, None] | None:
        """Take no more images and finish the ones in work.

        Args:
            patience: How long to wait for the network, in seconds; after it, its result will
                never be published.

        Returns:
            The network's worker, if it is still at work: then nothing here can be started again.
        """
        for camera in self.by_name.values():
            camera.stop()
        worker, self._worker = self._worker, None
        network, self._network = self._network, None
        if worker is None or network is None:
            return None
        deadline = time.monotonic() + patience
        worker.stop(patience)
        ended = network.stop(max(0.0, deadline - time.monotonic()))
        for camera in self.by_name.values():
            camera.forget()
        return None if ended else network

    def close(self, patience: float) -> FairWorker[Camera, None] | None:
        """Stop, see ``stop``, and destroy the topics."""
        stuck = self.stop(patience)
        self._destroy()
        return stuck

    def reset(self, reason: str) -> None:
        """Drop the caches of all cameras before their next frames."""
        for camera in self.by_name.values():
            camera.reset(reason)

    @property
    def gave_up(self) -> str | None:
        """Why no more images should be taken, or None."""
        causes = (camera.gave_up for camera in self.by_name.values())
        return next((cause for cause in causes if cause is not None), None)

    @property
    def in_work(self) -> float:
        """For how many seconds the engine has been at the image in work; 0 without one."""
        work = None if self._network is None else self._network.work
        return 0.0 if work is None else work.seconds

    def _destroy(self) -> None:
        for camera in self.by_name.values():
            camera.destroy()
