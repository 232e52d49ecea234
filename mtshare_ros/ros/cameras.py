"""Everything that lives while a bundle is open: cameras, and the worker that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node

from mtshare_ros.perception.engines.interface import Engine
from mtshare_ros.ros.camera import Channel
from mtshare_ros.ros.parameter_values import allowed_tasks, task_every
from mtshare_ros.ros.pipeline import Received, Report
from mtshare_ros.ros.statistics import Statistics
from mtshare_ros.ros.worker import FairWorker


class Serving:
    """A node's cameras on one opened bundle."""

    def __init__(
        self,
        node: Node,
        engine: Engine,
        values: Mapping[str, Any],
        statistics: Mapping[str, Statistics],
        report: Report,
        on_give_up: Callable[[], None],
    ) -> None:
        """Create the topics; no frame is taken before ``start``.

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
        self._worker: FairWorker[Received] | None = None
        self._channels: dict[str, Channel] = {}
        try:
            for camera in values["cameras"]:
                self._channels[camera] = Channel(
                    node,
                    camera,
                    engine,
                    values,
                    statistics[camera],
                    report,
                    on_give_up,
                    on_image=self._take,
                )
            self.apply(values)
        except Exception:
            self._destroy()
            raise

    def apply(self, values: Mapping[str, Any]) -> None:
        """Let changed parameters hold from the next frame.

        Raises:
            ParameterError: The parameters don't go with the bundle; nothing is changed.
        """
        allowed = allowed_tasks(self.engine.manifest, values["tasks"])
        every = task_every(self.engine.manifest, values["task_every"])
        for channel in self._channels.values():
            channel.apply(values, allowed, every)

    def start(self) -> None:
        """Take frames."""
        for channel in self._channels.values():
            channel.pipeline.restart()
        self._worker = FairWorker(self._process, self._drop)

    def stop(self, patience: float) -> FairWorker[Received] | None:
        """Take no more frames and finish the one in work.

        Args:
            patience: How long to wait for that frame, in seconds; after it, its result will never
                be published.

        Returns:
            The worker, if it is still at that frame: then nothing here can be started again.
        """
        worker, self._worker = self._worker, None
        if worker is None or worker.stop(patience):
            return None
        for channel in self._channels.values():
            channel.pipeline.cancel()
        stuck = worker.work
        if stuck is not None:
            self._channels[stuck[0]].statistics.count("failed")
        return worker

    def close(self, patience: float) -> FairWorker[Received] | None:
        """Stop, see ``stop``, and destroy the topics."""
        stuck = self.stop(patience)
        self._destroy()
        return stuck

    def reset(self, reason: str) -> None:
        """Drop the caches of all cameras before their next frames."""
        for channel in self._channels.values():
            channel.pipeline.request_reset(reason)

    def computing(self, camera: str) -> tuple[str, ...]:
        """Return the tasks that are computed for a camera, in the bundle's order."""
        wanted = self._channels[camera].computing()
        return tuple(t.name for t in self.engine.manifest.tasks if t.name in wanted)

    def camera_info_state(self, camera: str) -> str:
        """Return whether a camera's CameraInfo is used, in words."""
        return self._channels[camera].pipeline.camera_info_state

    @property
    def gave_up(self) -> str | None:
        """Why no more frames should be taken, or None."""
        causes = (channel.pipeline.gave_up for channel in self._channels.values())
        return next((cause for cause in causes if cause is not None), None)

    @property
    def in_work(self) -> float:
        """For how many seconds the engine has been at the frame in work; 0 without one."""
        work = None if self._worker is None else self._worker.work
        return 0.0 if work is None else work[1]

    def _take(self, camera: str, received: Received) -> None:
        # The subscription outlives deactivation: Humble's executors can crash on destroyed ones.
        if self._worker is not None:
            self._channels[camera].statistics.count("received")
            self._worker.put(camera, received)

    def _process(self, camera: str, received: Received) -> None:
        self._channels[camera].pipeline.process(received)

    def _drop(self, camera: str) -> None:
        self._channels[camera].statistics.count("dropped")

    def _destroy(self) -> None:
        for channel in self._channels.values():
            channel.destroy()
