"""Batches of stills: drawn by step number, so that a resumed run sees the same ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mtshare_ros.datasets.derived import DERIVED
from mtshare_ros.perception.frame import IMAGE_MEAN, IMAGE_SCALE
from mtshare_ros.tasks import TASKS, Task
from mtshare_ros.training.augmentation import Augmentation, Batch
from mtshare_ros.training.crops import CropSettings, Sample, cut, wanted_keys


class Stills(Protocol):
    """What a data set offers: rendered stills, or an ``image_sets.ImageSet``."""

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Tasks that there is truth for, by name."""
        ...

    @property
    def clip_length(self) -> int:
        """Images that follow each other as frames of a clip; 1 of single images."""
        ...

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def stored(self, index: int) -> Sample:
        """Return ``rgb`` of one image and its truth by task, as in the files.

        Rendered stills have ``labels`` for the tasks that follow from class ids.
        """
        ...


def _resize(sample: Sample, size: tuple[int, int], keys: Collection[str]) -> Sample:
    """Return the sample at ``size`` (width, height): pixels averaged, truth picked."""
    height, width = sample["rgb"].shape[:2]
    if (width, height) == size:
        return sample
    rows = ((np.arange(size[1]) + 0.5) * height / size[1]).astype(np.intp)
    columns = ((np.arange(size[0]) + 0.5) * width / size[0]).astype(np.intp)
    resized = {key: sample[key][rows][:, columns] for key in keys}
    resized["rgb"] = cv2.resize(np.asarray(sample["rgb"]), size, interpolation=cv2.INTER_AREA)
    return resized


class SmallStills:
    """Stills at a smaller size, kept in memory once they were resized, if they all fit.

    Resizing takes a good part of a core at low resolution, and every image is drawn many times.
    One array per kind: many small ones between large batches would fragment the heap.
    """

    LIMIT_BYTES = 3 << 30

    def __init__(
        self, stills: Stills, size: tuple[int, int], wanted: Collection[str] = tuple(TASKS)
    ) -> None:
        """Offer ``stills`` at ``size`` (width, height) with the truth of wanted tasks."""
        self._stills, self._size, self.tasks = stills, size, stills.tasks
        self.clip_length = stills.clip_length
        self._filled = np.zeros(len(stills), np.bool_)
        self._kept: dict[str, NDArray[Any]] = {}
        first = stills.stored(0)
        self._keys = wanted_keys(first, wanted)
        small = _resize(first, size, self._keys)
        total = len(stills) * sum(array.nbytes for array in small.values())
        if small is not first and total <= self.LIMIT_BYTES:
            self._kept = {k: np.empty((len(stills), *v.shape), v.dtype) for k, v in small.items()}

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._stills)

    def stored(self, index: int) -> Sample:
        """Return one image at the smaller size."""
        if not self._kept:
            return _resize(self._stills.stored(index), self._size, self._keys)
        if not self._filled[index]:
            small = _resize(self._stills.stored(index), self._size, self._keys)
            for kind, array in self._kept.items():
                array[index] = small[kind]
            self._filled[index] = True
        return {kind: array[index] for kind, array in self._kept.items()}


def _fitted(
    stills: Stills,
    index: int,
    size: tuple[int, int],
    wanted: Collection[str],
    crop: CropSettings | None,
    rng: np.random.Generator | None = None,
) -> Sample:
    """Return an image with its truth at ``size``: stretched, or cut out by ``crops.cut``."""
    sample = stills.stored(index)
    keys = wanted_keys(sample, wanted)
    if crop is None:
        return _resize(sample, size, keys)
    return cut(sample, keys, stills.tasks, size, crop, rng)


def _tensor(truth: NDArray[Any]) -> Tensor:
    """Return the truth of a task, (B, H, W, ...), as its loss takes it."""
    if truth.ndim == 4:
        return F.normalize(torch.from_numpy(truth).permute(0, 3, 1, 2).float(), dim=1)
    if truth.dtype == np.uint8:
        return torch.from_numpy(truth).long()
    return torch.from_numpy(truth.astype(np.float32))


def truth_maps(truth: Tensor) -> Iterator[NDArray[Any]]:
    """Yield the truth of each image of a batch as metrics take it: (H, W) or (H, W, 3)."""
    ids = truth.dtype == torch.int64
    for array in truth.numpy():
        if ids:
            array = array.astype(np.uint8)
        yield np.moveaxis(array, 0, -1) if array.ndim == 3 else array


def to_batch(
    samples: list[Sample],
    wanted: Collection[str] = tuple(TASKS),
    changes: Augmentation | None = None,
) -> Batch:
    """Stack samples of one size into tensors.

    Args:
        samples: Images with their truth.
        wanted: Names of the tasks whose truth is wanted.
        changes: Augmentation; None leaves the images as they are.

    Returns:
        ``image`` (B, 3, H, W) float32 normalised, and by task: class ids (B, H, W) int64, depth
        (B, H, W) float32 metres, NaN invalid, normals (B, 3, H, W) float32 unit vectors, zero
        where invalid, boundary and saliency (B, H, W) float32, NaN where ignored.
    """
    image = torch.from_numpy(np.stack([s["rgb"] for s in samples])).permute(0, 3, 1, 2).float()
    mean = torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1)
    batch = {"image": (image - mean) * IMAGE_SCALE}
    stored = [name for name in wanted if name in samples[0]]
    batch |= {name: _tensor(np.stack([s[name] for s in samples])) for name in stored}
    if changes is not None:
        batch = changes.apply(batch)
    missing = set(wanted) - set(stored)
    return batch | (_from_labels(samples, missing, changes) if missing else {})


def _from_labels(
    samples: list[Sample], wanted: Collection[str], changes: Augmentation | None
) -> Batch:
    """Return the truth that follows from the class ids of rendered stills."""
    labels = torch.from_numpy(np.stack([s["labels"] for s in samples]))
    if changes is not None:
        labels = changes.mirror(labels)
    batch = {"segmentation": labels.long()} if "segmentation" in wanted else {}
    # Derived from mirrored labels: a mirrored line would lie on the other side of its edge.
    return batch | {
        kind: torch.from_numpy(derive(labels.numpy()))
        for kind, derive in DERIVED.items()
        if kind in wanted
    }


@dataclass(frozen=True)
class BatchSettings:
    """How training batches are drawn.

    Attributes:
        size: Width and height in pixels.
        count: Images in the batch of all processes together, a multiple of ``world``.
        wanted: Names of the tasks whose truth is wanted.
        jitter: Largest relative change of brightness and contrast.
        noise: Largest standard deviation of added noise, in 8-bit levels.
        crop: How random crops are taken; None stretches whole images.
        frames: Images that follow each other in the batch, of one clip; 1 for single images.
        rank: Number of this process, which gets its part of the batch only.
        world: Number of processes.
    """

    size: tuple[int, int]
    count: int
    wanted: Collection[str] = tuple(TASKS)
    jitter: float = 0.0
    noise: float = 0.0
    crop: CropSettings | None = None
    frames: int = 1
    rank: int = 0
    world: int = 1


def _drawn_clips(
    stills: Stills, clips: int, frames: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the numbers of ``frames`` frames of each of some clips, in order within each."""
    length = stills.clip_length
    first = length * rng.integers(len(stills) // length, size=(clips, 1))
    within = [np.sort(rng.choice(length, frames, replace=False)) for _ in range(clips)]
    return np.asarray(first + np.stack(within), np.int64).ravel()


def draw_batch(stills: Stills, settings: BatchSettings, seed: tuple[int, ...]) -> Batch:
    """Draw an augmented training batch; the same ``seed`` gives the same batch."""
    size, count, wanted = settings.size, settings.count, settings.wanted
    rng = np.random.default_rng(seed)
    if settings.frames == 1:
        chosen = rng.integers(len(stills), size=count)
        changes = Augmentation.draw(count, settings.jitter, rng, settings.noise)
    else:
        chosen = _drawn_clips(stills, count // settings.frames, settings.frames, rng)
        changes = Augmentation.draw(count // settings.frames, settings.jitter, rng, settings.noise)
        changes = changes.repeated(settings.frames, rng)
    part = slice(
        settings.rank * count // settings.world, (settings.rank + 1) * count // settings.world
    )
    samples = []
    for place in range(part.start, part.stop):
        index, of_image = int(chosen[place]), np.random.default_rng((*seed, place))
        samples.append(_fitted(stills, index, size, wanted, settings.crop, of_image))
    return to_batch(samples, wanted, changes.part(part))


def training_batches(
    stills: Stills, settings: BatchSettings, seed: tuple[int, ...], first: int, last: int
) -> Iterator[Batch]:
    """Yield the batches of steps ``first`` to ``last`` - 1, the next one prepared meanwhile."""
    if settings.crop is None:
        stills = SmallStills(stills, settings.size, settings.wanted)
    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(draw_batch, stills, settings, (*seed, first))
        for step in range(first, last):
            batch = upcoming.result()
            upcoming = pool.submit(draw_batch, stills, settings, (*seed, step + 1))
            yield batch


def validation_batches(
    stills: Stills,
    size: tuple[int, int],
    count: int,
    wanted: Collection[str] = tuple(TASKS),
    crop: CropSettings | None = None,
) -> Iterator[Batch]:
    """Yield every image once, in order, not augmented.

    Whole images are stretched; with ``crop`` they are put in the middle of its frame.
    """
    for start in range(0, len(stills), count):
        indices = range(start, min(start + count, len(stills)))
        yield to_batch([_fitted(stills, i, size, wanted, crop) for i in indices], wanted)
