"""Score a bundle on a data set of images, by a published protocol or as on a robot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.datasets.image_sets.image_set import RGB, ImageSet
from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.evaluate import (
    Options,
    open_bundle,
    refuse_baselines,
    stream_settings,
    warm_up,
)
from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.policies import open_stream
from mtshare_ros.evaluation.report.write import write_report
from mtshare_ros.evaluation.scores import Run, Scores
from mtshare_ros.evaluation.stopping import OnFrame, StoppedEarly, run_over
from mtshare_ros.perception.frame import IMAGE_MEAN
from mtshare_ros.perception.selection import DENSE
from mtshare_ros.tasks import Task

PROTOCOLS = {
    "stretch": {},
    "invpt": {"nyud": (576, 448), "pascal_context": (512, 512)},
    "mtl": {"nyud": (640, 480), "pascal_context": (512, 512)},
}
"""Protocol -> kind of data set -> width and height of the network's input.

``stretch`` is how the node runs: any size, the image is stretched. ``mtl`` (Vandenhende et al.,
"Multi-task learning for dense prediction tasks: a survey", PAMI 2021) is the same at a size of its
own. ``invpt`` (Ye and Xu, ECCV 2022, and who followed, after ATRC) puts the image as it is in the
middle of a larger frame. All score at the image's own size; what was around it does not count.
"""

Region = tuple[slice, slice]


def evaluate_images(
    bundle: Path,
    opened: ImageSet,
    kind: str,
    output: Path,
    options: Options,
    protocol: str = "stretch",
    on_frame: OnFrame | None = None,
) -> dict[str, Any]:
    """Score a bundle on images, each computed densely, and write the report.

    Args:
        bundle: The bundle's folder.
        opened: The images.
        kind: What kind of data set they are.
        output: Folder of the report.
        options: How to run; the policy is ``dense`` whatever it says, as no image has a past.
        protocol: One of ``PROTOCOLS``.
        on_frame: Called after each image.

    Returns:
        The content of ``report.json``; ``legacy`` has further variants of published tables.

    Raises:
        OptionError: The bundle's tasks or its size don't fit the data set or the protocol.
        DatasetError: The first file can't be read.
        StoppedEarly: As for ``evaluate.evaluate_bag``.
    """
    refuse_baselines(options)
    engine = open_bundle(bundle, options)
    spec = engine.manifest.input
    _check_size(protocol, kind, spec)
    tasks = common_tasks(engine.manifest.tasks, opened)
    names = [task.name for task in tasks]
    stream = open_stream(engine, DENSE, stream_settings(options))
    scores = Scores(tasks, opened.max_distance)
    warm_up(engine)

    def step(index: int) -> None:
        sample = opened.to_score(index)
        rgb = sample[RGB]
        shown, region = rgb, np.s_[:, :]
        if protocol == "invpt":
            shown, region = centred(rgb, (spec.width, spec.height), sample.name)
        stream.reset()
        predictions = stream.step(shown, index, names, _focal_length(opened, shown))
        maps = {name: values[region] for name, values in predictions.maps.items()}
        truths = {name: sample[name] for name in names}
        times = predictions.milliseconds
        scores.update(Outcome(rgb, maps, truths, predictions.dirty, times, maps, sample.name))

    stop = run_over(range(len(opened)), len(opened), step, on_frame)
    source = f"{opened.title}, protocol {protocol}"
    run = Run(str(bundle), engine.name, DENSE, source, len(opened))
    legacy = scores.accuracy.legacy()
    more = {"data": opened.title, "protocol": protocol, "legacy": legacy}
    numbers = write_report(output, run, scores, engine.manifest, stop=stop, more=more)
    if stop is not None:
        raise StoppedEarly(numbers, stop, output) from stop
    return numbers


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
        known = opened.tasks[task.name]
        ours, theirs = ([item.name for item in t.classes] for t in (task, known))
        if task.kind != known.kind or ours != theirs:
            raise OptionError(
                f"{opened.root}: {task.name} is {known.kind} {', '.join(theirs)}; the bundle's is"
                f" {task.kind} {', '.join(ours)}"
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


def _focal_length(opened: ImageSet, image: NDArray[np.uint8]) -> float | None:
    return None if opened.focal_length is None else opened.focal_length / image.shape[1]


def _check_size(protocol: str, kind: str, spec: InputSpec) -> None:
    if protocol not in PROTOCOLS:
        raise OptionError(f"protocol {protocol!r}: expected one of {', '.join(PROTOCOLS)}")
    if protocol == "stretch":
        return
    sizes = PROTOCOLS[protocol]
    if kind not in sizes:
        raise OptionError(f"protocol {protocol}: of {', '.join(sizes)}, not {kind}; use stretch")
    if (spec.width, spec.height) != sizes[kind]:
        raise OptionError(
            f"protocol {protocol} of {kind}: expected a bundle for {sizes[kind][0]}x"
            f"{sizes[kind][1]}, this one is for {spec.width}x{spec.height}"
        )
