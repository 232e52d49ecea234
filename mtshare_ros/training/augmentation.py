"""Random changes of training images, the same for every process and after a resume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtshare_ros.perception.frame import IMAGE_SCALE

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Augmentation:
    """Random changes of the images of a batch.

    Attributes:
        flip: (B,) bool, which images are mirrored.
        contrast: (B, 1, 1, 1) factor on the distance to the image's mean.
        channel: (B, 3, 1, 1) factor on the mean of each channel.
        brightness: (B, 1, 1, 1) added.
        noise: (B, 1, 1, 1) standard deviation of added noise.
        seeds: (B,) of that noise.
    """

    flip: NDArray[np.bool_]
    contrast: NDArray[np.float64]
    channel: NDArray[np.float64]
    brightness: NDArray[np.float64]
    noise: NDArray[np.float64]
    seeds: NDArray[np.int64]

    @staticmethod
    def draw(
        count: int, jitter: float, rng: np.random.Generator, noise: float = 0.0
    ) -> Augmentation:
        """Draw for ``count`` images.

        Args:
            count: Number of images.
            jitter: Largest relative change of brightness and contrast.
            rng: Source of every choice.
            noise: Largest standard deviation of added noise, in 8-bit levels.
        """
        flip = rng.random(count) < 0.5
        contrast = 1 + jitter * (2 * rng.random((count, 1, 1, 1)) - 1)
        channel = 1 + jitter * (2 * rng.random((count, 3, 1, 1)) - 1)
        brightness = jitter * 2 * (2 * rng.random((count, 1, 1, 1)) - 1)
        deviation = noise * IMAGE_SCALE * rng.random((count, 1, 1, 1))
        seeds = rng.integers(2**62, size=count)
        return Augmentation(flip, contrast, channel, brightness, deviation, seeds)

    def repeated(self, frames: int, rng: np.random.Generator) -> Augmentation:
        """Return the same changes for ``frames`` images each; their noise is drawn anew."""
        same = {f.name: getattr(self, f.name).repeat(frames, axis=0) for f in fields(self)}
        same["seeds"] = rng.integers(2**62, size=len(same["seeds"]))
        return Augmentation(**same)

    def part(self, images: slice) -> Augmentation:
        """Return the changes of some of the images."""
        return Augmentation(*(getattr(self, f.name)[images] for f in fields(self)))

    def mirror(self, images: Tensor) -> Tensor:
        """Return (B, ..., W) with the chosen images mirrored."""
        choose = torch.from_numpy(self.flip).view(-1, *[1] * (images.dim() - 1))
        return torch.where(choose, images.flip(-1), images)

    def apply(self, batch: Batch) -> Batch:
        """Mirror images (their normals' x turns over), vary brightness, contrast and noise."""
        changed = {key: self.mirror(value) for key, value in batch.items()}
        sign = torch.from_numpy(np.where(self.flip, -1.0, 1.0)).float().view(-1, 1, 1)
        for key in changed.keys() - {"image"}:
            if changed[key].dim() == 4:
                changed[key][:, 0] *= sign
        contrast, channel, brightness = (
            torch.from_numpy(values).float()
            for values in (self.contrast, self.channel, self.brightness)
        )
        image = changed["image"]
        mean = image.mean(dim=(2, 3), keepdim=True)
        changed["image"] = (image - mean) * contrast + mean * channel + brightness
        if self.noise.any():
            changed["image"] += self._white(changed["image"].shape[1:])
        return changed

    def _white(self, shape: Sequence[int]) -> Tensor:
        """Return white noise (B, *shape); an image's is the same whatever batch it is in."""
        drawn = [np.random.default_rng(s).standard_normal(shape, np.float32) for s in self.seeds]
        return torch.from_numpy(np.stack(drawn) * self.noise.astype(np.float32))
