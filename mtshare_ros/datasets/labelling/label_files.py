"""Writes labelled images as a data set of the kind ``folder``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags.pixels import png
from mtshare_ros.datasets.image_sets.folder_set import Confidence, TaskFolder
from mtshare_ros.datasets.labelling.kind_labels import KIND_LABELS, Labels
from mtshare_ros.datasets.labelling.teacher_settings import TeacherSettings
from mtshare_ros.errors import written
from mtshare_ros.tasks import KINDS

MILLIMETRE = 0.001
JPEG_QUALITY = 95
LEAST_NORMALS_CONFIDENCE = 0.5
"""Smallest confidence of depth at which the normals that are computed from it count."""


def write_image(folder: Path, name: str, rgb: NDArray[np.uint8]) -> None:
    """Write an image (H, W, 3) as JPEG."""
    path = folder / "images" / f"{name}.jpg"
    path.parent.mkdir(exist_ok=True)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    # OpenCV does not say that a disk is full.
    with written(path):
        path.write_bytes(np.asarray(data, np.uint8).tobytes())


def write_labels(folder: Path, task: str, kind: str, name: str, labels: Labels) -> None:
    """Write the labels of one task for one image, and their confidence, as PNG."""
    values = KIND_LABELS[kind].stored(labels.values)
    confidence = np.rint(255 * labels.confidence).astype(np.uint8)
    for place, array in ((task, values), (_confidence_folder(task), confidence)):
        path = folder / place / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        with written(path):
            path.write_bytes(png(array).tobytes())


def write_splits(folder: Path, train: Sequence[str], validation: Sequence[str]) -> None:
    """Write the names of the images of both splits."""
    for split, names in (("train", train), ("val", validation)):
        path = folder / f"{split}.txt"
        with written(path):
            path.write_text("\n".join(names) + "\n")


def task_folder(task: str, settings: TeacherSettings) -> TaskFolder:
    """Return what ``dataset.yaml`` says of the labels of a teacher."""
    return TaskFolder(
        kind=settings.kind,
        folder=task,
        classes=tuple(settings.classes),
        metres=MILLIMETRE if KINDS[settings.kind].in_metres else 1.0,
        range=settings.output.range,
        confidence=Confidence(folder=_confidence_folder(task), least=settings.least_confidence),
    )


def normals_folder() -> TaskFolder:
    """Return what ``dataset.yaml`` says of normals that are computed from depth."""
    confidence = Confidence(folder=_confidence_folder("normals"), least=LEAST_NORMALS_CONFIDENCE)
    return TaskFolder(kind="normals", folder="normals", confidence=confidence)


def _confidence_folder(task: str) -> str:
    return f"confidence/{task}"
