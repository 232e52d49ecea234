"""The images of a data set as frames that are scored by a published protocol or as on a robot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import InputSpec, Manifest
from mtshare_ros.datasets.image_sets.image_set import RGB, ImageSet
from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.frames import InputFrame, Region
from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.perception.frame import IMAGE_MEAN
from mtshare_ros.tasks import Task


@dataclass(frozen=True)
class ImageProtocol:
    """How images get the size of the network's input.

    Attributes:
        sizes: Kind of data set -> width and height of the input; empty where any size will do.
        in_frame: Whether an image keeps its size, in the middle of a frame of the input's size;
            otherwise it is stretched.
    """

    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    in_frame: bool = False


PROTOCOLS = {
    "stretch": ImageProtocol(),
    "invpt": ImageProtocol({"nyud": (576, 448), "pascal_context": (512, 512)}, in_frame=True),
    "mtl": ImageProtocol({"nyud": (640, 480), "pascal_context": (512, 512)}),
}
"""``stretch`` is how the node runs: any size, the image is stretched. ``mtl`` (Vandenhende et al.,
"Multi-task learning for dense prediction tasks: a survey", PAMI 2021) is the same at a size of its
own. ``invpt`` (Ye and Xu, ECCV 2022, and their followers) puts the image as it is in the
middle of a larger frame. All score at the image's own size; the frame around it does not count.
"""


class ImageFrames:
    """The images of a data set as ``Frames``."""

    def __init__(self, opened: ImageSet, kind: str, protocol: str, manifest: Manifest) -> None:
        """Take the images for a bundle.

        Args:
            opened: The images.
            kind: What kind of data set they are.
            protocol: One of ``PROTOCOLS``.
            manifest: Manifest of the bundle.

        Raises:
            OptionError: The bundle's tasks or its size don't fit the data set or the protocol.
        """
        self._input = manifest.input
        check_size(protocol, kind, self._input)
        self.title = f"{opened.title}, protocol {protocol}"
        self.tasks = common_tasks(manifest.tasks, opened)
        self.max_distance = opened.max_distance
        self._opened = opened
        self._protocol = protocol

    def __len__(self) -> int:
        """See ``Frames``."""
        return len(self._opened)

    def __iter__(self) -> Iterator[InputFrame]:
        """Yield the images; the stamp of an image is its number.

        Raises:
            DatasetError: A file can't be read.
            OptionError: An image is larger than the protocol expects.
        """
        focal_length = self._opened.focal_length
        for index in range(len(self._opened)):
            sample = self._opened.to_score(index)
            image, region = sample[RGB], (slice(None), slice(None))
            if PROTOCOLS[self._protocol].in_frame:
                size = self._input.width, self._input.height
                image, region = centred(image, size, sample.name)
            yield InputFrame(
                image=image,
                stamp=index,
                truths={task.name: sample[task.name] for task in self.tasks},
                focal_length=None if focal_length is None else focal_length / image.shape[1],
                label=sample.name,
                region=region,
            )

    def update(self, frame: InputFrame, outcome: Outcome) -> None:
        """Nothing is scored besides."""

    def result(self, scores: Scores) -> dict[str, Any]:
        """Return ``data``, ``protocol``, and further variants of published tables (``legacy``)."""
        legacy = scores.accuracy.legacy()
        return {"data": self._opened.title, "protocol": self._protocol, "legacy": legacy}


def common_tasks(tasks: Sequence[Task], opened: ImageSet) -> list[Task]:
    """Return the tasks that a bundle has and a data set has truth for.

    Raises:
        OptionError: There is none, or a task has other classes.
    """
    common = [task for task in tasks if task.name in opened.tasks]
    if not common:
        raise OptionError(
            f"{opened.root}: tasks {', '.join(opened.tasks)}; the bundle has none of them, but"
            f" {', '.join(task.name for task in tasks)}"
        )
    for task in common:
        theirs = opened.tasks[task.name]
        classes, their_classes = ([item.name for item in t.classes] for t in (task, theirs))
        if task.kind != theirs.kind or classes != their_classes:
            raise OptionError(
                f"{opened.root}: {task.name} is {theirs.kind} {', '.join(their_classes)}; the"
                f" bundle's is {task.kind} {', '.join(classes)}"
            )
    return common


def centred(
    image: NDArray[np.uint8], size: tuple[int, int], name: str
) -> tuple[NDArray[np.uint8], Region]:
    """Return an image (H, W, 3) in the middle of a larger one, and where it is there.

    The frame around it has the mean colour, which is 0 for the network.

    Raises:
        OptionError: The image is larger than ``size`` (width, height).
    """
    height, width = image.shape[:2]
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    if left < 0 or top < 0:
        raise OptionError(
            f"image {name}: {width}x{height}; protocol invpt expects up to {size[0]}x{size[1]}"
        )
    region = (slice(top, top + height), slice(left, left + width))
    canvas = np.empty((size[1], size[0], 3), np.uint8)
    canvas[:] = np.rint(IMAGE_MEAN)
    canvas[region] = image
    return canvas, region


def check_size(protocol: str, kind: str, spec: InputSpec) -> None:
    """Refuse a bundle whose input has another size than a protocol says.

    Raises:
        OptionError: The sizes differ, or the protocol has none for such a data set.
    """
    if protocol not in PROTOCOLS:
        raise OptionError(f"protocol {protocol!r}: expected one of {', '.join(PROTOCOLS)}")
    sizes = PROTOCOLS[protocol].sizes
    if not sizes:
        return
    if kind not in sizes:
        raise OptionError(f"protocol {protocol}: of {', '.join(sizes)}, not {kind}; use stretch")
    width, height = sizes[kind]
    if (spec.width, spec.height) != (width, height):
        raise OptionError(
            f"protocol {protocol} of {kind}: expected a bundle for {width}x{height}, this one is"
            f" for {spec.width}x{spec.height}"
        )
