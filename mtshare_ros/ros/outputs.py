"""The node's output topics: which exist, who listens, and what a frame publishes on them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import String

from mtshare_ros.bundle.manifest import BundleError, Manifest
from mtshare_ros.perception import palette
from mtshare_ros.ros.camera_info import camera_info
from mtshare_ros.ros.frame_result import (
    Result,
    dirty_tokens,
    label_info,
    label_info_json,
    output_intrinsics,
)
from mtshare_ros.ros.images import ImagePacker
from mtshare_ros.ros.kind_outputs import OUTPUTS
from mtshare_ros.ros.points import CloudPacker
from mtshare_ros.ros.quality_of_service import OVERRIDABLE
from mtshare_ros.tasks import KINDS, UNLABELLED, Task, first_of_kind

Pixels = Callable[[Result], "NDArray[Any] | None"]
"""Makes an array of a frame, or None where the frame has none."""
MapPixels = Callable[["NDArray[Any]", Result], "tuple[NDArray[Any], str]"]
"""Makes an array of a task's map in a frame, and says its encoding."""


@dataclass(frozen=True)
class Topic:
    """A publisher, the tasks that it needs, and what makes its message of a frame, if any."""

    publisher: Any
    tasks: tuple[str, ...]
    message: Callable[[Result], Any | None]

    @property
    def wanted(self) -> bool:
        """Whether somebody subscribes."""
        return bool(self.publisher.get_subscription_count())


class Outputs:
    """All output topics of a bundle's tasks, for one camera."""

    def __init__(self, node: Node, manifest: Manifest, prefix: str = "") -> None:
        """Create the publishers and publish what the labels mean.

        Args:
            node: Node that gets the topics.
            manifest: The bundle's.
            prefix: What precedes the topics' names, inside the node's own.

        Raises:
            BundleError: There are no topics for a task's kind.
        """
        self._node = node
        self._own = f"~/{prefix}"
        self._tasks = [task.name for task in manifest.tasks]
        self._topics: list[Topic] = []
        self._latched: list[Any] = []
        try:
            self._create(manifest.tasks)
        except Exception:
            self.destroy()
            raise

    def _create(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            if task.kind not in OUTPUTS:
                raise BundleError(
                    f"task {task.name} is of kind {task.kind!r}; expected one of"
                    f" {', '.join(OUTPUTS)}"
                )
            self._add_task(task)
        # Pictures last: what a robot acts on shouldn't wait for what people look at.
        for task in tasks:
            picture = OUTPUTS[task.kind].picture(task)
            self._add_map_image(f"{task.name}/color", task, _as_rgb(picture))
        depth, labels = first_of_kind(tasks, "depth"), first_of_kind(tasks, "segmentation")
        if labels is not None:
            self._add_map_image("overlay", labels, _as_rgb(_overlay(labels)))
        if depth is not None:
            self._add_points(depth.name, None if labels is None else labels.name)
        self._add_image("dirty_tokens", "mono8", (), dirty_tokens)

    def wanted(self, allowed: Collection[str]) -> set[str]:
        """Return those of the allowed tasks that somebody's subscription needs.

        The picture of the dirty tokens needs some task to run, any; alone, it gets the base task
        or, where that isn't allowed, the first that is.
        """
        needed = [topic.tasks for topic in self._topics if topic.wanted]
        tasks = {task for several in needed for task in several if task in allowed}
        if () in needed and not tasks:
            tasks.update([task for task in self._tasks if task in allowed][:1])
        return tasks

    def publish(self, result: Result) -> None:
        """Publish a frame on every topic that somebody subscribes to."""
        for topic in self._topics:
            if topic.wanted:
                message = topic.message(result)
                if message is not None:
                    topic.publisher.publish(message)

    def destroy(self) -> None:
        """Destroy the publishers."""
        for publisher in [topic.publisher for topic in self._topics] + self._latched:
            self._node.destroy_publisher(publisher)
        self._topics, self._latched = [], []

    def _publisher(self, name: str, type_: Any, latched: bool = False) -> Any:
        profile = QoSProfile(depth=1)
        if latched:
            profile.durability = DurabilityPolicy.TRANSIENT_LOCAL
        return self._node.create_publisher(
            type_,
            self._own + name,
            profile,
            qos_overriding_options=OVERRIDABLE,
        )

    def _add(
        self,
        name: str,
        type_: Any,
        tasks: tuple[str, ...],
        message: Callable[[Result], Any | None],
    ) -> None:
        self._topics.append(Topic(self._publisher(name, type_), tasks, message))

    def _add_image(self, name: str, encoding: str, tasks: tuple[str, ...], pixels: Pixels) -> None:
        packer = ImagePacker()

        def message(result: Result) -> Image | None:
            array = pixels(result)
            return None if array is None else packer.pack(array, encoding, result.header)

        self._add(name, Image, tasks, message)

    def _add_map_image(self, name: str, task: Task, pixels: MapPixels) -> None:
        packer = ImagePacker()

        def message(result: Result) -> Image | None:
            array = result.predictions.maps.get(task.name)
            return None if array is None else packer.pack(*pixels(array, result), result.header)

        self._add(name, Image, (task.name,), message)

    def _add_task(self, task: Task) -> None:
        kind, output = KINDS[task.kind], OUTPUTS[task.kind]
        pixels = output.pixels or (lambda array, _: (array, kind.encoding))
        self._add_map_image(f"{task.name}/{kind.topic}", task, pixels)
        if kind.has_confidence:
            self._add_image(
                f"{task.name}/confidence",
                "mono8",
                (task.name,),
                lambda result: result.predictions.confidence.get(task.name),
            )
        if output.has_camera_info:
            self._add(
                f"{task.name}/camera_info",
                CameraInfo,
                (task.name,),
                lambda r: _camera_info(r) if task.name in r.predictions.maps else None,
            )
        if kind.has_classes:
            self._publish_labels(task)

    def _publish_labels(self, task: Task) -> None:
        messages = {"label_info_json": String(data=label_info_json(task))}
        info = label_info(task, self._node.get_clock().now().to_msg())
        if info is not None:
            messages["label_info"] = info
        for topic, message in messages.items():
            publisher = self._publisher(f"{task.name}/{topic}", type(message), latched=True)
            publisher.publish(message)
            self._latched.append(publisher)

    def _add_points(self, depth_task: str, label_task: str | None) -> None:
        packer = CloudPacker()

        def message(result: Result) -> PointCloud2 | None:
            maps = result.predictions.maps
            depth, intrinsics = maps.get(depth_task), output_intrinsics(result)
            if depth is None or intrinsics is None:
                return None
            labels = None if label_task is None else maps.get(label_task)
            if labels is None:
                labels = np.full(depth.shape, UNLABELLED, np.uint8)
            colours = palette.at_size(result.image, depth.shape)
            return packer.pack(depth, labels, colours, intrinsics, result.header)

        needed = tuple(name for name in (depth_task, label_task) if name is not None)
        self._add("points", PointCloud2, needed, message)


def _camera_info(result: Result) -> CameraInfo | None:
    intrinsics = output_intrinsics(result)
    return None if intrinsics is None else camera_info(intrinsics, result.header)


def _as_rgb(picture: Callable[[NDArray[Any], Result], NDArray[np.uint8]]) -> MapPixels:
    return lambda array, result: (picture(array, result), "rgb8")


def _overlay(task: Task) -> Callable[[NDArray[Any], Result], NDArray[np.uint8]]:
    """Return what draws the classes of a task over the image."""
    table = palette.label_table(task.palette)
    return lambda labels, result: palette.overlay(result.image, labels, table)
