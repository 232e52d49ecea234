"""The node's output topics: which exist, who listens, and what a frame publishes on them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import String

from mtshare_ros.bundle.manifest import BundleError, Manifest
from mtshare_ros.perception import palette
from mtshare_ros.ros.frame_result import (
    Result,
    camera_info,
    colour_depth,
    colour_normals,
    dirty_tokens,
    label_info,
    label_info_json,
    millimetres,
)
from mtshare_ros.ros.images import ImagePacker
from mtshare_ros.ros.points import CloudPacker
from mtshare_ros.tasks import PROBABILITY_KINDS, UNLABELLED, Task

Pixels = Callable[[Result], "NDArray[Any] | None"]
"""Makes the picture of a frame, or None where the frame has none."""


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
            self._create(manifest)
        except Exception:
            self.destroy()
            raise

    def _create(self, manifest: Manifest) -> None:
        add = {
            "depth": self._add_depth,
            "segmentation": self._add_segmentation,
            "normals": self._add_normals,
            **dict.fromkeys(PROBABILITY_KINDS, self._add_probability),
        }
        for task in manifest.tasks:
            if task.kind not in add:
                raise BundleError(
                    f"task {task.name} is of kind {task.kind!r}; expected one of {', '.join(add)}"
                )
            add[task.kind](task)
        # Pictures last: what a robot acts on shouldn't wait for what people look at.
        for task in manifest.tasks:
            self._add_pictures(task)
        first = next((t for t in manifest.tasks if t.kind == "segmentation"), None)
        if first is not None:
            self._add_image("overlay", "rgb8", (first.name,), _overlay(first))
        self._add_points(manifest.tasks)
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
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
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
            picture = pixels(result)
            return None if picture is None else packer.pack(picture, encoding, result.header)

        self._add(name, Image, tasks, message)

    def _add_depth(self, task: Task) -> None:
        packers = {"32FC1": ImagePacker(), "16UC1": ImagePacker()}

        def message(result: Result) -> Image | None:
            depth: Any = result.predictions.depth
            if depth is None:
                return None
            encoding = result.depth_encoding
            pixels = millimetres(depth) if encoding == "16UC1" else depth
            return packers[encoding].pack(pixels, encoding, result.header)

        self._add(f"{task.name}/image", Image, (task.name,), message)
        self._add(f"{task.name}/camera_info", CameraInfo, (task.name,), camera_info)

    def _add_segmentation(self, task: Task) -> None:
        for topic, part in (("mask", 0), ("confidence", 1)):
            pixels = _mask(task.name, part)
            self._add_image(f"{task.name}/{topic}", "mono8", (task.name,), pixels)
        messages = {"label_info_json": String(data=label_info_json(task))}
        info = label_info(task, self._node.get_clock().now().to_msg())
        if info is not None:
            messages["label_info"] = info
        for topic, message in messages.items():
            publisher = self._publisher(f"{task.name}/{topic}", type(message), latched=True)
            publisher.publish(message)
            self._latched.append(publisher)

    def _add_normals(self, task: Task) -> None:
        name = f"{task.name}/image"
        self._add_image(name, "32FC3", (task.name,), lambda r: r.predictions.normals)

    def _add_probability(self, task: Task) -> None:
        name = f"{task.name}/image"
        self._add_image(
            name, "mono8", (task.name,), lambda r: r.predictions.probabilities.get(task.name)
        )

    def _add_points(self, tasks: tuple[Task, ...]) -> None:
        # One of each kind: the first segmentation's class ids are the points' labels.
        first = {task.kind: task.name for task in reversed(tasks)}
        if "depth" not in first:
            return
        needed = tuple(first[kind] for kind in ("depth", "segmentation") if kind in first)
        packer = CloudPacker()

        def message(result: Result) -> PointCloud2 | None:
            depth, info = result.predictions.depth, camera_info(result)
            if depth is None or info is None:
                return None
            labels = result.predictions.labels
            if labels is None:
                labels = np.full(depth.shape, UNLABELLED, np.uint8)
            colours = palette.at_size(result.image, depth.shape)
            return packer.pack(depth, labels, colours, info, result.header)

        self._add("points", PointCloud2, needed, message)

    def _add_pictures(self, task: Task) -> None:
        table = palette.label_table(task.palette)

        labels_of = _mask(task.name, 0)

        def colour_labels(result: Result) -> NDArray[np.uint8] | None:
            labels = labels_of(result)
            return None if labels is None else palette.colour_labels(labels, table)

        def colour_probability(result: Result) -> NDArray[np.uint8] | None:
            found = result.predictions.probabilities.get(task.name)
            return None if found is None else palette.colour_probability(found)

        pictures: dict[str, Pixels] = {
            "depth": colour_depth,
            "normals": colour_normals,
            "segmentation": colour_labels,
            **dict.fromkeys(PROBABILITY_KINDS, colour_probability),
        }
        self._add_image(f"{task.name}/color", "rgb8", (task.name,), pictures[task.kind])


def _mask(task: str, part: int) -> Pixels:
    """Return what takes a task's class ids (0) or their confidence (1) from a frame."""

    def pixels(result: Result) -> NDArray[np.uint8] | None:
        found = result.predictions.masks.get(task)
        return None if found is None else found[part]

    return pixels


def _overlay(task: Task) -> Pixels:
    """Return what draws the classes of a task over the image."""
    table, labels_of = palette.label_table(task.palette), _mask(task.name, 0)

    def pixels(result: Result) -> NDArray[np.uint8] | None:
        labels = labels_of(result)
        return None if labels is None else palette.overlay(result.image, labels, table)

    return pixels
