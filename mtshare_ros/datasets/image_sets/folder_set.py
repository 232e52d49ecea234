"""A user's folder as a data set: images, a folder of truth per task, and ``dataset.yaml``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import Field, model_validator

from mtshare_ros.datasets.image_sets import picture_files, truth_files
from mtshare_ros.datasets.image_sets.axes import parse_axes
from mtshare_ros.datasets.image_sets.image_set import (
    RGB,
    DatasetError,
    ImageSet,
    Reader,
    find_file,
    read_names,
)
from mtshare_ros.datasets.image_sets.vocabularies import segmentation
from mtshare_ros.errors import written
from mtshare_ros.settings import KindName, Strict, load_settings
from mtshare_ros.tasks import KINDS, UNLABELLED, Task

DESCRIPTION = "dataset.yaml"
_PICTURES = (".jpg", ".jpeg", ".png")
_TRUTHS = (".png", ".npy")


class Confidence(Strict):
    """Confidence of the truth, pixel by pixel.

    Attributes:
        folder: 8-bit PNG, 255 is sure.
        least: Smallest confidence that counts, 0 to 1; less certain truth is ignored.
    """

    folder: str
    least: float = Field(ge=0, le=1)


class TaskFolder(Strict):
    """The truth of one task: PNG or ``.npy`` files with the images' names.

    Attributes:
        kind: What it is.
        folder: Its folder.
        classes: Names of a segmentation's classes, in the order of their ids; 255 is unlabelled.
        metres: Metres per unit of depth: 0.001 for millimetres. 0 and NaN are invalid.
        range: Smallest and largest depth that is trained and decoded, in metres.
        axes: Axes of normals, as in ``axes.parse_axes``; PNG are ``255 (n + 1) / 2``.
        confidence: Confidence of each pixel, if it is known.
    """

    kind: KindName
    folder: str
    classes: tuple[str, ...] = ()
    metres: float = Field(default=1.0, gt=0)
    range: tuple[float, float] = (0.1, 20.0)
    axes: str = "x y z"
    confidence: Confidence | None = None

    @model_validator(mode="after")
    def _fits(self) -> TaskFolder:
        if KINDS[self.kind].has_classes != bool(self.classes):
            raise ValueError(f"classes {list(self.classes)}: expected with segmentation, only")
        if len(self.classes) > UNLABELLED:
            raise ValueError(f"{len(self.classes)} classes, expected up to {UNLABELLED}")
        if not 0 < self.range[0] < self.range[1]:
            raise ValueError(f"range {self.range}: expected two depths above 0, nearest first")
        parse_axes(self.axes)
        return self


class Description(Strict):
    """The contents of ``dataset.yaml``.

    Attributes:
        images: Folder of the images, JPEG or PNG.
        focal_length: fx / width of the camera; needed to learn metric depth.
        splits: Split -> text file of names, one a line; by default ``train.txt``, ``val.txt``.
        tasks: Task name -> its truth.
    """

    images: str = "images"
    focal_length: float | None = Field(default=None, gt=0, lt=1000)
    splits: dict[str, str] = {}
    tasks: dict[str, TaskFolder] = Field(min_length=1)

    @model_validator(mode="after")
    def _names(self) -> Description:
        for name in self.tasks:
            if not (name.isidentifier() and name.islower()) or name in (RGB, "image"):
                raise ValueError(f"task {name!r}: expected a name of a-z, 0-9 and _")
        return self


def write_description(root: Path, description: Description) -> None:
    """Write ``dataset.yaml``."""
    values = description.model_dump(mode="json", exclude_defaults=True)
    with written(root / DESCRIPTION):
        (root / DESCRIPTION).write_text(yaml.safe_dump(values, sort_keys=False))


def open_folder(root: Path, split: str, normal_axes: str | None = None) -> ImageSet:
    """Open a split.

    Args:
        root: Folder with ``dataset.yaml``.
        split: One of its splits.
        normal_axes: Must be None, since ``dataset.yaml`` names the axes.

    Raises:
        DatasetError: The description is wrong, or a file can't be read.
    """
    path = root / DESCRIPTION
    if normal_axes is not None:
        raise DatasetError(f"normal axes {normal_axes!r}: expected in {path}, under the task")
    description = load_settings(path, Description, DatasetError)
    readers: dict[str, Reader] = {RGB: _images(root / description.images)}
    for name, task in description.tasks.items():
        readers[name] = _sure(root, task, _reader(root / task.folder, task))
    image_set = ImageSet(
        title=f"{root} ({split})",
        root=root,
        names=read_names(root / description.splits.get(split, f"{split}.txt")),
        tasks={name: _task(name, folder) for name, folder in description.tasks.items()},
        readers=readers,
    )
    if description.focal_length is None:
        return image_set
    width = image_set.stored(0)[RGB].shape[1]
    return replace(image_set, focal_length=description.focal_length * width)


def _task(name: str, folder: TaskFolder) -> Task:
    kind = KINDS[folder.kind]
    if kind.has_classes:
        return segmentation(name, folder.classes)
    return kind.task(name, value_range=folder.range if kind.in_metres else None)


def _images(folder: Path) -> Reader:
    return Reader(lambda name: find_file(folder, name, _PICTURES), picture_files.colour)


def _depth(path: Path, values: NDArray[Any], task: TaskFolder) -> NDArray[np.float32]:
    return truth_files.metres(path, values, task.metres, task.range)


def _ids(path: Path, values: NDArray[Any], task: TaskFolder) -> NDArray[np.uint8]:
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    if values.ndim != 2 or values.dtype != np.uint8:
        raise truth_files.wrong(path, values, "class ids in one channel of 8 bits")
    truth_files.checked_ids(path, values, len(task.classes), first=0)
    return values


def _normals(path: Path, values: NDArray[Any], task: TaskFolder) -> NDArray[np.float32]:
    return truth_files.unit_vectors(path, values, parse_axes(task.axes))


def _share(path: Path, values: NDArray[Any], task: TaskFolder) -> NDArray[np.float32]:
    shares = truth_files.shares(path, values)
    return np.where(np.isnan(shares), shares, (shares > 0.5).astype(np.float32))


@dataclass(frozen=True)
class KindFiles:
    """How the truth of a kind lies in files.

    Attributes:
        convert: Returns the truth of a file's values, or refuses them with its path.
        ignored: Value of a pixel that is left out of training and scores.
        picture: Returns the values of a picture's file.
    """

    convert: Callable[[Path, NDArray[Any], TaskFolder], NDArray[Any]]
    ignored: float = np.nan
    picture: Callable[[Path], NDArray[Any]] = picture_files.indices


KIND_FILES: dict[str, KindFiles] = {
    "depth": KindFiles(_depth),
    "segmentation": KindFiles(_ids, UNLABELLED),
    "normals": KindFiles(_normals, 0.0, picture_files.channels),
    "boundary": KindFiles(_share, picture=picture_files.grey),
    "saliency": KindFiles(_share, picture=picture_files.grey),
}
"""Kind of task -> how its truth lies in files."""


def _reader(folder: Path, task: TaskFolder) -> Reader:
    kind = KIND_FILES[task.kind]

    def read(path: Path) -> NDArray[Any]:
        # By the ending in any case, as the file was found.
        read_values = truth_files.array if path.suffix.lower() == ".npy" else kind.picture
        return kind.convert(path, read_values(path), task)

    return Reader(lambda name: find_file(folder, name, _TRUTHS), read)


def _sure(root: Path, task: TaskFolder, reader: Reader) -> Reader:
    """Return a reader that marks truth of too little confidence as ignored."""
    if task.confidence is None:
        return reader
    folder, least = root / task.confidence.folder, task.confidence.least
    truths, ignored = root / task.folder, KIND_FILES[task.kind].ignored

    def sure(path: Path) -> NDArray[Any]:
        values = np.array(reader.convert(path))
        name = str(path.relative_to(truths).with_suffix(""))
        beside = find_file(folder, name, (".png",))
        confidence = picture_files.grey(beside)
        truth_files.check_bytes(beside, confidence)
        if confidence.shape != values.shape[:2]:
            expected = f"the size of its truth, {values.shape[:2]}"
            raise truth_files.wrong(beside, confidence, expected)
        values[confidence < 255 * least] = ignored
        return values

    return Reader(reader.find, sure)
