"""PASCAL-Context for several tasks: ``PASCAL_MT`` or ``PASCALContext``, which have one tree.

``ImageSets/Context/{train,val}.txt``; ``JPEGImages/*.jpg``; ``semseg/VOC12/*.png`` or else
``semseg/pascal-context/*.png`` (0 to 20, 255 ignored); ``human_parts/*.mat``;
``sal_distill/*.png``; ``normals_distill/*.png``; ``pascal-context/trainval/*.mat`` with the
``LabelMap`` that boundaries are taken from.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.image_sets import matlab_files, picture_files, truth_files
from mtshare_ros.datasets.image_sets.axes import parse_axes
from mtshare_ros.datasets.image_sets.image_set import (
    RGB,
    DatasetError,
    ImageSet,
    Reader,
    find_file,
    read_names,
)
from mtshare_ros.datasets.image_sets.vocabularies import PASCAL_CLASSES, PASCAL_TASKS
from mtshare_ros.datasets.lines import outlines, thin
from mtshare_ros.errors import reason_of
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
        scored={"boundary": Reader(partial(_label_map, root), _outlined)},
        max_distance=MAX_DISTANCE,
    )


def _readers(root: Path, axes: NDArray[np.float32]) -> dict[str, Reader]:
    def segmentation(path: Path) -> NDArray[np.uint8]:
        ids = picture_files.class_ids(path)
        truth_files.checked_ids(path, ids, len(PASCAL_CLASSES), first=0)
        return ids

    def human_parts(path: Path) -> NDArray[np.uint8]:
        annotation = matlab_files.matlab(path, "anno")
        try:
            return read_parts(annotation)
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
            raise DatasetError(
                f"{path}: {reason_of(error)}; expected objects with a class, a mask and parts, as"
                " PASCAL-Part has them"
            ) from error

    def saliency(path: Path) -> NDArray[np.float32]:
        return (picture_files.grey(path) / 255 > 0.5).astype(np.float32)

    def normals(path: Path) -> NDArray[np.float32]:
        vectors = truth_files.unit_vectors(path, picture_files.channels(path), axes)
        labels = matlab_files.label_map(_label_map(root, path.stem))
        if labels.shape != vectors.shape[:2]:
            raise truth_files.wrong(path, vectors, f"the size of its LabelMap, {labels.shape}")
        vectors[~np.isin(labels, WITH_NORMALS)] = 0
        return vectors

    def boundary(path: Path) -> NDArray[np.float32]:
        second = cv2.Laplacian(matlab_files.label_map(path).astype(np.float64), cv2.CV_64F)
        return thin(second != 0).astype(np.float32)

    def reader(folder: str, suffix: str, convert: Callable[[Path], NDArray[Any]]) -> Reader:
        return Reader(lambda name: find_file(root / folder, name, (suffix,)), convert)

    return {
        RGB: reader("JPEGImages", ".jpg", picture_files.colour),
        "segmentation": Reader(partial(_mask, root / "semseg"), segmentation),
        "human_parts": reader("human_parts", ".mat", human_parts),
        "saliency": reader("sal_distill", ".png", saliency),
        "normals": reader("normals_distill", ".png", normals),
        "boundary": Reader(partial(_label_map, root), boundary),
    }


def _mask(folder: Path, name: str) -> Path:
    """Return the file of VOC 2012 where there is one, else that of PASCAL-Context."""
    try:
        return find_file(folder / "VOC12", name, (".png",))
    except DatasetError:
        return find_file(folder / "pascal-context", name, (".png",))


def _label_map(root: Path, name: str) -> Path:
    return find_file(root / "pascal-context" / "trainval", name, (".mat",))


def _outlined(path: Path) -> NDArray[np.float32]:
    return outlines(matlab_files.label_map(path)).astype(np.float32)


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
    if target is not None and target.ndim != 2:
        raise ValueError(f"mask of shape {target.shape}")
    if target is None or not target.any():
        return np.full((1, 1), UNLABELLED, np.uint8)
    return target
