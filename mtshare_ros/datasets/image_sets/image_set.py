"""What a data set of images is: names, tasks, and one reader per kind of file."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import cv2
from numpy.typing import NDArray

from mtshare_ros.datasets.aspect import have_one_aspect
from mtshare_ros.errors import UserError
from mtshare_ros.tasks import UNLABELLED, Task

Array = NDArray[Any]

RGB = "rgb"
"""Key of the image in a sample; the others are names of tasks."""
ENDINGS = (".jpg", ".jpeg", ".png", ".npy", ".mat")
"""Endings of the files of a data set."""
LONGEST_NAME = 1000
"""Largest number of letters in a name, folders included."""


class DatasetError(UserError):
    """A data set can't be read; the message names the file, what was found and was expected."""


@dataclass(frozen=True)
class Reader:
    """How the arrays of one kind are read.

    Attributes:
        find: Returns the file of the image of a name, or refuses that there is none.
        convert: Returns a file's array, as ``Sample`` says.
    """

    find: Callable[[str], Path]
    convert: Callable[[Path], Array]

    def __call__(self, name: str) -> Array:
        """Return the array of the image of a name.

        Raises:
            DatasetError: The file is missing or holds what it should not.
        """
        return self.convert(self.find(name))


class Sample(Mapping[str, Array]):
    """One image with its truth by task; a file is read when its array is asked for.

    ``rgb`` is (H, W, 3) uint8. Truth has the image's size (a file of another size and the same
    aspect ratio is brought to it, nearest neighbour): class ids (H, W) uint8, 255 unlabelled;
    depth (H, W) float32 metres, NaN invalid; normals (H, W, 3) float32 unit vectors in the optical
    frame, towards the camera, zero invalid; boundary and saliency (H, W) float32, 0 or 1, NaN
    ignored.
    """

    def __init__(self, name: str, readers: Mapping[str, Reader]) -> None:
        """Read nothing yet."""
        self.name = name
        self._readers = readers
        self._arrays: dict[str, Array] = {}

    def __getitem__(self, key: str) -> Array:
        """Return the array of ``rgb`` or of a task.

        Raises:
            DatasetError: The file is missing or holds what it should not, or truth has another
                aspect ratio than its image.
        """
        if key not in self._arrays:
            values = self._readers[key](self.name)
            if key != RGB:
                height, width = self[RGB].shape[:2]
                if values.shape[:2] != (height, width):
                    self._check_aspect(key, values)
                    values = cv2.resize(
                        values, (width, height), interpolation=cv2.INTER_NEAREST_EXACT
                    )
            self._arrays[key] = values
        return self._arrays[key]

    def _check_aspect(self, key: str, values: Array) -> None:
        """Refuse truth that is no resized truth of its image: it was turned or cut."""
        if values.shape == (1, 1) and values[0, 0] == UNLABELLED:
            return  # Nothing is labelled, as the published sets store it.
        truth = values.shape[1], values.shape[0]
        image = self[RGB].shape[1], self[RGB].shape[0]
        if not have_one_aspect(truth, image):
            raise DatasetError(
                f"{self._readers[key].find(self.name)}: {truth[0]}x{truth[1]}, but its image is"
                f" {image[0]}x{image[1]}; expected the same aspect ratio"
            )

    def __contains__(self, key: object) -> bool:
        """Return whether there is such an array, without reading it."""
        return key in self._readers

    def __iter__(self) -> Iterator[str]:
        """Yield ``rgb`` and the tasks that there is truth for."""
        return iter(self._readers)

    def __len__(self) -> int:
        """Return the number of arrays."""
        return len(self._readers)


@dataclass(frozen=True)
class ImageSet:
    """A split of a data set.

    Attributes:
        title: What it is, in words.
        root: Its folder.
        names: Name of each image.
        tasks: Tasks that there is truth for, by name.
        readers: ``rgb`` and each task -> how its array is read.
        scored: Task -> how its truth is read for scores, where published protocols score against
            another one than is trained on.
        focal_length: fx in pixels of the images, or None where it is not known.
        max_distance: Tolerance of boundaries in image diagonals, as published.
        clip_length: 1, as no image follows another.
    """

    clip_length: ClassVar[int] = 1
    title: str
    root: Path
    names: tuple[str, ...]
    tasks: Mapping[str, Task]
    readers: Mapping[str, Reader]
    scored: Mapping[str, Reader] = field(default_factory=dict)
    focal_length: float | None = None
    max_distance: float = 0.011

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def stored(self, index: int) -> Sample:
        """Return an image with the truth that is trained on."""
        return Sample(self.names[index], self.readers)

    def to_score(self, index: int) -> Sample:
        """Return an image with the truth that is scored against."""
        return Sample(self.names[index], {**self.readers, **self.scored})

    def only(self, wanted: Path) -> ImageSet:
        """Return the images that a text file names, one a line.

        Raises:
            DatasetError: The set has no such image.
        """
        there = set(self.names)
        chosen = tuple(without_ending(name, there) for name in read_names(wanted))
        unknown = sorted(set(chosen) - there)
        if unknown:
            raise DatasetError(f"{wanted}: {unknown[0]!r} is not an image of {self.root}")
        return replace(self, names=chosen)

    def relative_focal_length(self) -> float | None:
        """Return fx / width of the first image, or None where fx is not known."""
        if self.focal_length is None:
            return None
        return self.focal_length / float(self.stored(0)[RGB].shape[1])


def read_names(path: Path) -> tuple[str, ...]:
    """Return the names in a list, one a line; blanks around a name are no part of it.

    Raises:
        DatasetError: The list is missing, empty or none of names.
    """
    try:
        data = path.read_bytes()
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        # Names of files are bytes: what is no UTF-8 stands for itself.
        text = data.decode("utf-16") if wide else os.fsdecode(data)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: can't be read; expected one name a line") from error
    if "\0" in text:
        raise DatasetError(f"{path}: no text; expected one name a line")
    lines = text.removeprefix("\ufeff").replace("\r", "\n").split("\n")
    names = tuple(line.strip(" \t") for line in lines if line.strip(" \t"))
    if not names:
        raise DatasetError(f"{path}: empty; expected one name a line")
    longest = max(map(len, names))
    if longest > LONGEST_NAME:
        raise DatasetError(f"{path}: a line of {longest} letters; expected one name a line")
    return names


def without_ending(name: str, there: Collection[str] = ()) -> str:
    """Return a listed name without the ending of a file, unless it is one of those ``there``."""
    bare, ending = os.path.splitext(name)
    return bare if ending.lower() in ENDINGS and name not in there else name


def find_file(folder: Path, name: str, endings: Sequence[str]) -> Path:
    """Return the file of a name with one of some endings, in upper or lower case.

    A name in a list may have the ending of its image.

    Args:
        folder: Where to look.
        name: Name of the image.
        endings: Such as ``.png``; the first that there is counts.

    Raises:
        DatasetError: There is none.
    """
    for stem in dict.fromkeys((name, without_ending(name))):
        for path in (folder / f"{stem}{ending}" for ending in endings):
            if os.path.exists(path):
                return path
        place = folder / stem
        for ending in endings:
            file = _files(place.parent).get(f"{place.name}{ending}")
            if file is not None:
                return place.parent / file
    if len(endings) == 1:
        raise DatasetError(f"{folder / name}{endings[0]}: not found")
    raise DatasetError(f"{folder / name}: not found; expected {' or '.join(endings)}")


def _files(folder: Path) -> Mapping[str, str]:
    """Return name with the ending in lower case -> file of a folder; empty where it is none."""
    try:
        return _listed(folder, os.stat(folder).st_mtime_ns)
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=32)
def _listed(folder: Path, changed: int) -> Mapping[str, str]:
    """List a folder once for each time at which it was changed."""
    split = [os.path.splitext(file) for file in sorted(os.listdir(folder))]
    return {f"{bare}{ending.lower()}": f"{bare}{ending}" for bare, ending in split}
