"""Random changes of images: drawn alike, and truth moves along."""

from __future__ import annotations

import numpy as np
import torch

from mtshare_ros.datasets.derived import boundaries
from mtshare_ros.training.augmentation import Augmentation
from mtshare_ros.training.batches import (
    to_batch,
)
from support.fake_stills import FakeStills
from support.places import Places

KEYS = ("segmentation", "depth", "normals", "boundary")


def test_mirroring_turns_the_normals_x_over() -> None:
    stills = FakeStills()
    batch = to_batch([stills.stored(0)] * 16)
    changes = Augmentation.draw(16, 0.0, np.random.default_rng(0))
    mirrored = to_batch([stills.stored(0)] * 16, changes=changes)
    flipped = [
        i for i in range(16) if not torch.equal(mirrored["normals"][i], batch["normals"][i])
    ]
    assert 0 < len(flipped) < 16
    for i in range(16):
        same = batch["normals"][i]
        expected = (
            same.flip(-1) * torch.tensor([-1.0, 1, 1]).view(3, 1, 1) if i in flipped else same
        )
        assert torch.equal(mirrored["normals"][i], expected)
        labels = batch["segmentation"][i]
        derived = boundaries(mirrored["segmentation"][i].numpy())
        assert np.array_equal(mirrored["boundary"][i].numpy(), derived, equal_nan=True)
        assert torch.equal(
            mirrored["segmentation"][i], labels.flip(-1) if i in flipped else labels
        )


def test_mirroring_is_right_for_every_kind_of_map() -> None:
    sample = Places((32, 16)).sample
    flip = np.array([True])
    none = [np.zeros((1, n, 1, 1)) for n in (1, 3, 1)]
    seeds = np.zeros(1, np.int64)
    changes = Augmentation(flip, 1 + none[0], 1 + none[1], none[2], none[2], seeds)
    plain, mirrored = to_batch([sample], KEYS), to_batch([sample], KEYS, changes)
    for key in ("image", "segmentation", "depth", "boundary"):
        assert mirrored[key].allclose(plain[key].flip(-1), atol=1e-6), key
    sign = plain["normals"].new_tensor([-1.0, 1.0, 1.0]).view(1, 3, 1, 1)
    assert mirrored["normals"].equal(plain["normals"].flip(-1) * sign)


def test_the_same_source_draws_the_same_and_a_clip_is_changed_alike() -> None:
    first, again = (Augmentation.draw(2, 0.3, np.random.default_rng(5), 4.0) for _ in range(2))
    assert np.array_equal(first.contrast, again.contrast)
    assert np.array_equal(first.seeds, again.seeds)
    clips = first.repeated(3, np.random.default_rng(6))
    assert np.array_equal(clips.channel, first.channel.repeat(3, axis=0))
    assert len(set(clips.seeds.tolist())) == 6
    assert np.array_equal(clips.part(slice(3, 6)).noise, clips.noise[3:])
