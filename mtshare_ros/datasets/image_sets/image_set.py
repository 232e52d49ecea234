"""What a data set of images is: names, tasks, and one reader per kind of file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import cv2
from numpy.typing import NDArray

from mtshare_ros.errors import UserError
from mtshare_ros.tasks import Task

Array = NDArray[Any]
Reader = Callable[[str], Array]
"""Takes the name of an image and returns its array, as ``Sample`` says."""

RGB = "rgb"
"""Key of the image in a sample; the others are names of tasks."""


class DatasetError(UserError):
    """A data set can't be read; the message names the file, what was found and was expected."""


class Sample(Mapping[str, Array]):
    """One image with its truth by task; a file is read when its array is asked for.

    ``rgb`` is (H, W, 3) uint8. Truth has the image's size (a file of another size is brought to
    it, nearest neighbour): class ids (H, W) uint8, 255 unlabelled; depth (H, W) float32 metres,
    NaN invalid; normals (H, W, 3) float32 unit vectors in the optical frame, towards the camera,
    zero invalid; boundary and saliency (H, W) float32, 0 or 1, NaN ignored.
    """

    def __init__(self, name: str, readers: Mapping[str, Reader]) -> None:
        """Read nothing yet."""
        self.name = name
        self._readers = readers
        self._arrays: dict[str, Array] = {}

    def __getitem__(self, key: str) -> Array:
        """Return the array of ``rgb`` or of a task.

        Raises:
            DatasetError: The file is missing or holds what it should not.
        """
        if key not in self._arrays:
            values = self._readers[key](self.name)
            if key != RGB:
                height, width = self[RGB].shape[:2]
                if values.shape[:2] != (height, width):
                    values = cv2.resize(
                        values, (width, height), interpolation=cv2.INTER_NEAREST_EXACT
                    )
            self._arrays[key] = values
        return self._arrays[key]

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
        chosen = read_names(wanted)
        unknown = sorted(set(chosen) - set(self.names))
        if unknown:
            raise DatasetError(f"{wanted}: {unknown[0]!r} is not an image of {self.root}")
        return replace(self, names=chosen)

    def relative_focal_length(self) -> float | None:
        """Return fx / width of the first image, or None where fx is not known."""
        if self.focal_length is None:
            return None
        return self.focal_length / float(self.stored(0)[RGB].shape[1])


def read_names(path: Path) -> tuple[str, ...]:
    """Return the names in a list, one a line.

    Raises:
        DatasetError: The list is missing or empty.
    """
    try:
        names = tuple(path.read_text().split())
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: can't be read; expected one name a line") from error
    if not names:
        raise DatasetError(f"{path}: empty; expected one name a line")
    return names
