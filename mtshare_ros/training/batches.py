"""Batches of stills: drawn by step number, so that a resumed run sees the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtshare_ros.datasets.derived import DERIVED
from mtshare_ros.perception.frame import IMAGE_MEAN, IMAGE_SCALE

Batch = dict[str, Tensor]
Sample = dict[str, NDArray[Any]]


class Stills(Protocol):
    """What a data set of stills offers (see ``datasets.stills``)."""

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def stored(self, index: int) -> Sample:
        """Return ``rgb``, ``depth``, ``labels`` and ``normals`` of one image, as in the files."""
        ...


def _resize(sample: Sample, size: tuple[int, int]) -> Sample:
    """Return the sample at ``size`` (width, height): pixels averaged, truth picked."""
    height, width = sample["rgb"].shape[:2]
    if (width, height) == size:
        return sample
    rows = ((np.arange(size[1]) + 0.5) * height / size[1]).astype(np.intp)
    columns = ((np.arange(size[0]) + 0.5) * width / size[0]).astype(np.intp)
    resized = {key: sample[key][rows][:, columns] for key in ("depth", "labels", "normals")}
    resized["rgb"] = cv2.resize(np.asarray(sample["rgb"]), size, interpolation=cv2.INTER_AREA)
    return resized


class SmallStills:
    """Stills at a smaller size, kept in memory once they were resized, if they all fit.

    Resizing takes a good part of a core at low resolution, and every image is drawn many times.
    One array per kind: many small ones between large batches would fragment the heap.
    """

    LIMIT_BYTES = 3 << 30

    def __init__(self, stills: Stills, size: tuple[int, int]) -> None:
        """Offer ``stills`` at ``size`` (width, height)."""
        self._stills, self._size = stills, size
        self._filled = np.zeros(len(stills), np.bool_)
        self._kept: Sample = {}
        first = stills.stored(0)
        small = _resize(first, size)
        total = len(stills) * sum(array.nbytes for array in small.values())
        if small is not first and total <= self.LIMIT_BYTES:
            self._kept = {k: np.empty((len(stills), *v.shape), v.dtype) for k, v in small.items()}

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._stills)

    def stored(self, index: int) -> Sample:
        """Return one image at the smaller size."""
        if not self._kept:
            return _resize(self._stills.stored(index), self._size)
        if not self._filled[index]:
            for kind, array in _resize(self._stills.stored(index), self._size).items():
                self._kept[kind][index] = array
            self._filled[index] = True
        return {kind: array[index] for kind, array in self._kept.items()}


def to_batch(samples: list[Sample]) -> Batch:
    """Stack samples of one size into tensors.

    Returns:
        ``image`` (B, 3, H, W) float32 normalised, ``depth`` (B, H, W) float32 metres, NaN
        invalid, ``segmentation`` (B, H, W) int64, ``normals`` (B, 3, H, W) float32 unit vectors,
        zero where invalid, ``boundary`` and ``saliency`` (B, H, W) float32, NaN where ignored.
    """
    kinds = ("rgb", "depth", "labels", "normals")
    stacked = {key: np.stack([s[key] for s in samples]) for key in kinds}
    image = torch.from_numpy(stacked["rgb"]).permute(0, 3, 1, 2).float()
    mean = torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1)
    normals = torch.from_numpy(stacked["normals"]).permute(0, 3, 1, 2).float()
    return {
        "image": (image - mean) * IMAGE_SCALE,
        "depth": torch.from_numpy(stacked["depth"].astype(np.float32)),
        "segmentation": torch.from_numpy(stacked["labels"].astype(np.int64)),
        "normals": torch.nn.functional.normalize(normals, dim=1),
        **{kind: torch.from_numpy(derive(stacked["labels"])) for kind, derive in DERIVED.items()},
    }


@dataclass(frozen=True)
class Augmentation:
    """Random changes of the images of a batch.

    Attributes:
        flip: (B,) bool, which images are mirrored.
        contrast: (B, 1, 1, 1) factor on the distance to the image's mean.
        channel: (B, 3, 1, 1) factor on the mean of each channel.
        brightness: (B, 1, 1, 1) added.
    """

    flip: NDArray[np.bool_]
    contrast: NDArray[np.float64]
    channel: NDArray[np.float64]
    brightness: NDArray[np.float64]

    @staticmethod
    def draw(count: int, jitter: float, rng: np.random.Generator) -> Augmentation:
        """Draw for ``count`` images; ``jitter`` is the largest relative change."""
        flip = rng.random(count) < 0.5
        contrast = 1 + jitter * (2 * rng.random((count, 1, 1, 1)) - 1)
        channel = 1 + jitter * (2 * rng.random((count, 3, 1, 1)) - 1)
        brightness = jitter * 2 * (2 * rng.random((count, 1, 1, 1)) - 1)
        return Augmentation(flip, contrast, channel, brightness)

    def part(self, images: slice) -> Augmentation:
        """Return the changes of some of the images."""
        return Augmentation(*(getattr(self, f.name)[images] for f in fields(self)))


def augment(batch: Batch, changes: Augmentation) -> Batch:
    """Mirror images (their normals' x turns over) and vary brightness and contrast."""
    flip = torch.from_numpy(changes.flip)
    mirrored = {}
    for key, value in batch.items():
        other = value.flip(-1)
        if key == "normals":
            other = other * torch.tensor([-1.0, 1.0, 1.0]).view(1, 3, 1, 1)
        choose = flip.view(-1, *[1] * (value.dim() - 1))
        mirrored[key] = torch.where(choose, other, value)
    image = mirrored["image"]
    contrast, channel, brightness = (
        torch.from_numpy(values).float()
        for values in (changes.contrast, changes.channel, changes.brightness)
    )
    mean = image.mean(dim=(2, 3), keepdim=True)
    mirrored["image"] = (image - mean) * contrast + mean * channel + brightness
    return mirrored


def draw_batch(
    stills: Stills,
    size: tuple[int, int],
    count: int,
    jitter: float,
    seed: tuple[int, ...],
    rank: int = 0,
    world: int = 1,
) -> Batch:
    """Draw an augmented training batch; the same ``seed`` gives the same batch.

    Args:
        stills: Data set.
        size: Width and height in pixels.
        count: Images in the batch of all processes together, a multiple of ``world``.
        jitter: Largest relative change of brightness and contrast.
        seed: Seed of choice and augmentation.
        rank: Number of this process, which gets its part of the batch only.
        world: Number of processes.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(stills), size=count)
    changes = Augmentation.draw(count, jitter, rng)
    part = slice(rank * count // world, (rank + 1) * count // world)
    samples = [_resize(stills.stored(int(i)), size) for i in chosen[part]]
    return augment(to_batch(samples), changes.part(part))


def training_batches(
    stills: Stills,
    size: tuple[int, int],
    count: int,
    jitter: float,
    seed: tuple[int, ...],
    first: int,
    last: int,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """Yield the batches of steps ``first`` to ``last`` - 1, the next one prepared meanwhile."""
    small = SmallStills(stills, size)
    with ThreadPoolExecutor(1) as pool:

        def prepare(step: int) -> Any:
            return pool.submit(draw_batch, small, size, count, jitter, (*seed, step), rank, world)

        upcoming = prepare(first)
        for step in range(first, last):
            batch = upcoming.result()
            upcoming = prepare(step + 1)
            yield batch


def validation_batches(stills: Stills, size: tuple[int, int], count: int) -> Iterator[Batch]:
    """Yield every image once, in order, not augmented."""
    for start in range(0, len(stills), count):
        stop = min(start + count, len(stills))
        yield to_batch([_resize(stills.stored(i), size) for i in range(start, stop)])
