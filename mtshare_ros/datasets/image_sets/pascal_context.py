"""PASCAL-Context for several tasks: ``PASCAL_MT`` or ``PASCALContext``, which have one tree.

``ImageSets/Context/{train,val}.txt``; ``JPEGImages/*.jpg``; ``semseg/VOC12/*.png`` or else
``semseg/pascal-context/*.png`` (0 to 20, 255 ignored); ``human_parts/*.mat``;
``sal_distill/*.png``; ``normals_distill/*.png``; ``pascal-context/trainval/*.mat`` with the
``LabelMap`` that boundaries are taken from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.image_sets import truth_files
from mtshare_ros.datasets.image_sets.axes import parse_axes
from mtshare_ros.datasets.image_sets.image_set import (
    RGB,
    DatasetError,
    ImageSet,
    Reader,
    read_names,
)
from mtshare_ros.datasets.image_sets.vocabularies import PASCAL_CLASSES, PASCAL_TASKS
from mtshare_ros.datasets.lines import outlines, thin
from mtshare_ros.tasks import UNLABELLED

MAX_DISTANCE = 0.0075
NORMAL_AXES = "x y -z"
"""Right, down, towards the camera, as NYUD's pictures of normals are coloured.

The set does not say, and has no depth to find it from.
"""
PERSON = 15

PARTS = {
    **dict.fromkeys("hair head lear rear lebrow rebrow leye reye mouth nose".split(), 1),
    **dict.fromkeys("neck torso".split(), 2),
    **dict.fromkeys("luarm ruarm".split(), 3),
    **dict.fromkeys("llarm rlarm lhand rhand".split(), 4),
    **dict.fromkeys("luleg ruleg".split(), 5),
    **dict.fromkeys("llleg rlleg lfoot rfoot".split(), 6),
}
"""PASCAL-Part's name of a person's part -> class of ``human_parts``."""

# fmt: off
WITH_NORMALS = (
    3, 4, 6, 9, 10, 11, 13, 15, 17, 18, 22, 23, 29, 30, 33, 34, 36, 37, 38, 39, 41, 43, 46, 49,
    50, 51, 53, 55, 56, 59, 61, 62, 65, 66, 68, 69, 72, 73, 78, 83, 84, 85, 87, 88, 95, 96,
    101, 104, 105, 107, 111, 113, 115, 122, 124, 135, 141, 142, 143, 146, 150, 154, 157, 158,
    159, 165, 172, 174, 181, 183, 184, 191, 193, 195, 197, 199, 202, 213, 215, 216, 219, 220,
    223, 225, 228, 230, 232, 233, 238, 239, 242, 243, 246, 250, 251, 252, 255, 260, 261, 263,
    269, 272, 273, 275, 281, 283, 284, 285, 286, 287, 288, 290, 291, 292, 293, 295, 304, 307,
    309, 310, 314, 315, 319, 323, 329, 330, 331, 336, 342, 345, 349, 350, 351, 352, 355, 357,
    368, 370, 371, 374, 379, 380, 383, 384, 397, 401, 403, 405, 407, 408, 411, 412, 413, 414,
    417, 419, 421, 423, 427, 429, 430, 432, 440, 441, 442, 443, 444, 446, 454, 457,
)
# fmt: on
"""Classes of the LabelMap that have normals: those that NYUD has too, and the TV monitor."""


def open_pascal_context(root: Path, split: str, normal_axes: str | None = None) -> ImageSet:
    """Open a split.

    Args:
        root: Folder ``PASCAL_MT`` or ``PASCALContext``.
        split: ``train`` or ``val``.
        normal_axes: See ``axes.parse_axes``; ``NORMAL_AXES`` by default.

    Raises:
        DatasetError: The folder does not hold this data set.
    """
    axes = normal_axes or NORMAL_AXES
    return ImageSet(
        title=f"PASCAL-Context ({split}, normals {axes})",
        root=root,
        names=read_names(root / "ImageSets" / "Context" / f"{split}.txt"),
        tasks=PASCAL_TASKS,
        readers=_readers(root, parse_axes(axes)),
        scored={"boundary": lambda name: outlines(_label_map(root, name)).astype(np.float32)},
        max_distance=MAX_DISTANCE,
    )


def _readers(root: Path, axes: NDArray[np.float32]) -> dict[str, Reader]:
    def image(name: str) -> NDArray[np.uint8]:
        return truth_files.colour(root / "JPEGImages" / f"{name}.jpg")

    def segmentation(name: str) -> NDArray[np.uint8]:
        path = root / "semseg" / "VOC12" / f"{name}.png"
        if not path.exists():
            path = root / "semseg" / "pascal-context" / f"{name}.png"
        ids = truth_files.class_ids(path)
        truth_files.checked_ids(path, ids, len(PASCAL_CLASSES), first=0)
        return ids

    def human_parts(name: str) -> NDArray[np.uint8]:
        path = root / "human_parts" / f"{name}.mat"
        try:
            return read_parts(truth_files.matlab(path, "anno"))
        except (IndexError, TypeError, ValueError, KeyError) as error:
            raise DatasetError(
                f"{path}: {error}; expected objects with a class, a mask and parts, as"
                " PASCAL-Part has them"
            ) from error

    def saliency(name: str) -> NDArray[np.float32]:
        path = root / "sal_distill" / f"{name}.png"
        values = truth_files.indices(path)
        if values.ndim != 2:
            raise truth_files.wrong(path, values, "saliency in one channel")
        return (values / 255 > 0.5).astype(np.float32)

    def normals(name: str) -> NDArray[np.float32]:
        path = root / "normals_distill" / f"{name}.png"
        vectors = truth_files.unit_vectors(path, truth_files.picture(path), axes)
        labels = _label_map(root, name)
        if labels.shape != vectors.shape[:2]:
            raise truth_files.wrong(path, vectors, f"the size of its LabelMap, {labels.shape}")
        vectors[~np.isin(labels, WITH_NORMALS)] = 0
        return vectors

    def boundary(name: str) -> NDArray[np.float32]:
        second = cv2.Laplacian(_label_map(root, name).astype(np.float64), cv2.CV_64F)
        return thin(second != 0).astype(np.float32)

    return {
        RGB: image,
        "segmentation": segmentation,
        "human_parts": human_parts,
        "saliency": saliency,
        "normals": normals,
        "boundary": boundary,
    }


def read_parts(annotation: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the parts of all persons, (H, W) class ids.

    If no person has parts, the whole image is unlabelled, as published: a single pixel of 255 is
    returned, which the reader spreads over the image.

    Args:
        annotation: PASCAL-Part's struct ``anno`` as SciPy reads it.
    """
    target: NDArray[np.uint8] | None = None
    for thing in annotation[0][0][1][0]:
        parts = thing[3]
        if int(thing[1][0][0]) != PERSON or not len(parts):
            continue
        if target is None:
            target = np.zeros(thing[2].shape, np.uint8)
        for part in parts[0]:
            target[part[1].astype(np.bool_)] = PARTS.get(str(part[0][0]), 0)
    if target is None or not target.any():
        return np.full((1, 1), UNLABELLED, np.uint8)
    return target


def _label_map(root: Path, name: str) -> NDArray[Any]:
    path = root / "pascal-context" / "trainval" / f"{name}.mat"
    labels = truth_files.matlab(path, "LabelMap")
    if labels.ndim != 2:
        raise truth_files.wrong(path, labels, "a LabelMap (H, W)")
    return labels
