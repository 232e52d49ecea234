"""NYUD-v2 for several tasks, in both layouts that users have.

``NYUD_MT``: images ``.jpg``; normals and edges ``.npy``. ``NYUDv2``: all ``.png``; normals
``2 v / 255 - 1``, edges ``v / 255``. Both: ``gt_sets/{train,val}.txt``, ``segmentation/*.png`` (0
void, 1 to 40), ``depth/*.npy`` in metres, 0 invalid.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.image_sets import picture_files, truth_files
from mtshare_ros.datasets.image_sets.axes import find_axes, parse_axes
from mtshare_ros.datasets.image_sets.image_set import (
    RGB,
    DatasetError,
    ImageSet,
    Reader,
    find_file,
    read_names,
)
from mtshare_ros.datasets.image_sets.vocabularies import NYUD_CLASSES, NYUD_TASKS
from mtshare_ros.datasets.lines import outlines
from mtshare_ros.tasks import UNLABELLED

FOCAL_LENGTH = 518.86
"""fx in pixels of the colour camera at 640x480, and of the crops from it that are published."""
MAX_DISTANCE = 0.011
SIZES = (425, 640)
"""Narrowest and widest image for which ``FOCAL_LENGTH`` holds."""
VIEWS_FOR_AXES = 12
"""Number of images from which the axes of the normals are found."""


def open_nyud(root: Path, split: str, normal_axes: str | None = None) -> ImageSet:
    """Open a split.

    Args:
        root: Folder ``NYUD_MT`` or ``NYUDv2``.
        split: ``train`` or ``val``.
        normal_axes: See ``axes.parse_axes``; by default they are found from depth.

    Raises:
        DatasetError: The folder does not hold this data set, or a file can't be read.
    """
    names = read_names(root / "gt_sets" / f"{split}.txt")
    published = _is_published(root, names[0])
    readers = _readers(root, published)
    if normal_axes is None:
        normal_axes = _find_axes(root, names, readers)
    matrix = parse_axes(normal_axes)
    stored, drawn = readers["normals"], readers["boundary"]
    readers["normals"] = Reader(stored.find, lambda path: stored.convert(path) @ matrix.T)
    layout = "NYUDv2" if published else "NYUD_MT"
    return ImageSet(
        title=f"NYUD-v2 ({layout}, {split}, normals {normal_axes})",
        root=root,
        names=names,
        tasks=NYUD_TASKS,
        readers=readers,
        scored={"boundary": Reader(drawn.find, lambda path: _outlined(drawn.convert(path)))},
        focal_length=FOCAL_LENGTH,
        max_distance=MAX_DISTANCE,
    )


def _is_published(root: Path, name: str) -> bool:
    """Return whether images are PNG, the layout ``NYUDv2``."""
    suffixes = [suffix for suffix in (".jpg", ".png") if _is_there(root / "images", name, suffix)]
    if len(suffixes) != 1:
        raise DatasetError(
            f"{root / 'images' / name}: found {' and '.join(suffixes) or 'neither .jpg nor .png'};"
            " expected .jpg (NYUD_MT) or .png (NYUDv2)"
        )
    return suffixes == [".png"]


def _is_there(folder: Path, name: str, suffix: str) -> bool:
    try:
        find_file(folder, name, (suffix,))
    except DatasetError:
        return False
    return True


def _readers(root: Path, png: bool) -> dict[str, Reader]:
    """Return how each file is read; normals in the file's own axes."""

    def segmentation(path: Path) -> NDArray[np.uint8]:
        ids = picture_files.class_ids(path)
        truth_files.checked_ids(path, ids, len(NYUD_CLASSES), first=1)
        shifted = np.where(ids == UNLABELLED, ids, ids - np.uint8(1))
        return np.where(ids == 0, np.uint8(UNLABELLED), shifted)

    def depth(path: Path) -> NDArray[np.float32]:
        return truth_files.metres(path, truth_files.array(path))

    def normals(path: Path) -> NDArray[np.float32]:
        values = picture_files.channels(path) if png else truth_files.array(path)
        return truth_files.unit_vectors(path, values)

    def boundary(path: Path) -> NDArray[np.float32]:
        values = picture_files.grey(path) if png else _edges(truth_files.array(path))
        return (truth_files.shares(path, values) > 0.5).astype(np.float32)

    def reader(folder: str, suffix: str, convert: Callable[[Path], NDArray[Any]]) -> Reader:
        return Reader(lambda name: find_file(root / folder, name, (suffix,)), convert)

    return {
        RGB: reader("images", ".png" if png else ".jpg", picture_files.colour),
        "segmentation": reader("segmentation", ".png", segmentation),
        "depth": reader("depth", ".npy", depth),
        "normals": reader("normals", ".png" if png else ".npy", normals),
        "boundary": reader("edge", ".png" if png else ".npy", boundary),
    }


def _edges(values: NDArray[Any]) -> NDArray[Any]:
    """Return edges of 0 and 1; bytes of an array hold them as they are, unlike a picture's."""
    return values.astype(np.float32) if values.dtype == np.uint8 else values


def _outlined(lines: NDArray[Any]) -> NDArray[np.float32]:
    """Return the outlines of the drawn lines, which is what published scores are against."""
    return outlines(lines > 0.5).astype(np.float32)


def _find_axes(root: Path, names: tuple[str, ...], readers: dict[str, Reader]) -> str:
    chosen = names[:: max(1, len(names) // VIEWS_FOR_AXES)][:VIEWS_FOR_AXES]
    width = readers[RGB](chosen[0]).shape[1]
    if not SIZES[0] <= width <= SIZES[1]:
        raise DatasetError(
            f"{root}: images {width} wide; expected {SIZES[0]} to {SIZES[1]}, as recorded: the"
            " focal length of others is not known"
        )
    views = ((readers["depth"](name), readers["normals"](name)) for name in chosen)
    return find_axes(views, FOCAL_LENGTH, str(root / "normals"))
