"""One picture of a frame: what the network predicts, beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtshare_ros.errors import written
from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.pictures.map_pictures import (
    Picture,
    dirty_picture,
    far_depth,
    map_picture,
)
from mtshare_ros.tasks import Task

DOTS_PER_INCH = 160


def write_overview(path: Path, example: Outcome, tasks: Sequence[Task]) -> None:
    """Write a PNG: frame and predictions above, recomputed tokens and truths below."""
    from matplotlib.figure import Figure

    far = far_depth(tasks, (example.predictions, example.truths))
    above: list[tuple[str, Picture | None]] = [("camera", example.rgb)]
    below: list[tuple[str, Picture | None]] = [("", None)]
    if example.dirty is not None:
        percent = 100 * example.dirty_fraction
        title = f"recomputed tokens, {percent:.0f} %"
        below = [(title, dirty_picture(example.rgb, example.dirty))]
    for task in tasks:
        above.append((task.name, map_picture(task, example.predictions[task.name], far)))
        truth = example.truths.get(task.name)
        below.append(("truth", None if truth is None else map_picture(task, truth, far)))
    height, width = example.rgb.shape[:2]
    columns = len(above)
    size = (2.4 * columns, 2 * (2.4 * height / width + 0.28))
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots(2, columns, squeeze=False)
    for axis, (title, picture) in zip(axes.flat, above + below, strict=True):
        axis.set_axis_off()
        if picture is not None:
            axis.imshow(picture)
            axis.set_title(title, fontsize=9)
    with written(path):
        figure.savefig(path)
