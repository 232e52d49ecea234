"""Batches of stills: drawn by step number, so that a resumed run sees the same ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mtshare_ros.datasets.derived import DERIVED
from mtshare_ros.perception.frame import IMAGE_MEAN, IMAGE_SCALE
from mtshare_ros.tasks import KINDS

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

    def mirror(self, images: Tensor) -> Tensor:
        """Return (B, ..., W) with the chosen images mirrored."""
        choose = torch.from_numpy(self.flip).view(-1, *[1] * (images.dim() - 1))
        return torch.where(choose, images.flip(-1), images)

    def apply(self, batch: Batch) -> Batch:
        """Mirror images (their normals' x turns over) and vary brightness and contrast."""
        changed = {key: self.mirror(value) for key, value in batch.items()}
        if "normals" in changed:
            sign = torch.from_numpy(np.where(self.flip, -1.0, 1.0)).float()
            changed["normals"][:, 0] *= sign.view(-1, 1, 1)
        contrast, channel, brightness = (
            torch.from_numpy(values).float()
            for values in (self.contrast, self.channel, self.brightness)
        )
        image = changed["image"]
        mean = image.mean(dim=(2, 3), keepdim=True)
        changed["image"] = (image - mean) * contrast + mean * channel + brightness
        return changed


def to_batch(
    samples: list[Sample],
    kinds: Collection[str] = KINDS,
    changes: Augmentation | None = None,
) -> Batch:
    """Stack samples of one size into tensors.

    Args:
        samples: Images with their truth.
        kinds: Kinds of tasks whose truth is wanted.
        changes: Augmentation; None leaves the images as they are.

    Returns:
        ``image`` (B, 3, H, W) float32 normalised, and by kind ``depth`` (B, H, W) float32 metres,
        NaN invalid, ``segmentation`` (B, H, W) int64, ``normals`` (B, 3, H, W) float32 unit
        vectors, zero where invalid, ``boundary`` and ``saliency`` (B, H, W) float32, NaN where
        ignored.
    """
    image = torch.from_numpy(np.stack([s["rgb"] for s in samples])).permute(0, 3, 1, 2).float()
    mean = torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1)
    batch = {"image": (image - mean) * IMAGE_SCALE}
    if "depth" in kinds:
        depth = np.stack([s["depth"] for s in samples])
        batch["depth"] = torch.from_numpy(depth.astype(np.float32))
    if "normals" in kinds:
        normals = torch.from_numpy(np.stack([s["normals"] for s in samples]))
        batch["normals"] = F.normalize(normals.permute(0, 3, 1, 2).float(), dim=1)
    labels = torch.from_numpy(np.stack([s["labels"] for s in samples]))
    if changes is not None:
        batch, labels = changes.apply(batch), changes.mirror(labels)
    if "segmentation" in kinds:
        batch["segmentation"] = labels.long()
    # Derived from mirrored labels: a mirrored line would lie on the other side of its edge.
    return batch | {
        kind: torch.from_numpy(derive(labels.numpy()))
        for kind, derive in DERIVED.items()
        if kind in kinds
    }


def draw_batch(
    stills: Stills,
    size: tuple[int, int],
    count: int,
    jitter: float,
    seed: tuple[int, ...],
    kinds: Collection[str] = KINDS,
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
        kinds: Kinds of tasks whose truth is wanted.
        rank: Number of this process, which gets its part of the batch only.
        world: Number of processes.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(stills), size=count)
    changes = Augmentation.draw(count, jitter, rng)
    part = slice(rank * count // world, (rank + 1) * count // world)
    samples = [_resize(stills.stored(int(i)), size) for i in chosen[part]]
    return to_batch(samples, kinds, changes.part(part))


def training_batches(
    stills: Stills,
    size: tuple[int, int],
    count: int,
    jitter: float,
    seed: tuple[int, ...],
    first: int,
    last: int,
    kinds: Collection[str] = KINDS,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """Yield the batches of steps ``first`` to ``last`` - 1, the next one prepared meanwhile."""
    small = SmallStills(stills, size)
    with ThreadPoolExecutor(1) as pool:

        def prepare(step: int) -> Any:
            which = (size, count, jitter, (*seed, step), kinds, rank, world)
            return pool.submit(draw_batch, small, *which)

        upcoming = prepare(first)
        for step in range(first, last):
            batch = upcoming.result()
            upcoming = prepare(step + 1)
            yield batch


def validation_batches(
    stills: Stills, size: tuple[int, int], count: int, kinds: Collection[str] = KINDS
) -> Iterator[Batch]:
    """Yield every image once, in order, not augmented."""
    for start in range(0, len(stills), count):
        stop = min(start + count, len(stills))
        yield to_batch([_resize(stills.stored(i), size) for i in range(start, stop)], kinds)
