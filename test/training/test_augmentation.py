"""Random changes of images: drawn alike, and truth moves along."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtshare_ros.datasets.derived import boundaries
from mtshare_ros.perception.frame import IMAGE_SCALE
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


def still(count: int = 1, **changes: np.ndarray) -> Augmentation:
    """Return what changes nothing but ``changes``."""
    values = {
        "flip": np.zeros(count, bool),
        "contrast": np.ones((count, 1, 1, 1)),
        "channel": np.ones((count, 3, 1, 1)),
        "brightness": np.zeros((count, 1, 1, 1)),
        "noise": np.zeros((count, 1, 1, 1)),
        "seeds": np.arange(count),
    }
    return Augmentation(**{**values, **changes})


def test_contrast_is_about_the_mean_and_each_channel_has_its_own() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, 3, 4, 6, generator=generator) + torch.tensor([1.0, 2, 3]).view(3, 1, 1)
    mean = image.mean(dim=(2, 3), keepdim=True)
    channel = np.array([[1.0, 0.5, 2.0], [1.0, 1.0, 1.0]]).reshape(2, 3, 1, 1)
    changes = still(
        2,
        contrast=np.array([0.5, 2.0]).reshape(2, 1, 1, 1),
        channel=channel,
        brightness=np.array([0.25, -1.0]).reshape(2, 1, 1, 1),
    )
    found = changes.apply({"image": image})["image"]
    means = found.mean(dim=(2, 3), keepdim=True)
    expected = mean * torch.from_numpy(channel) + torch.tensor([0.25, -1.0]).view(2, 1, 1, 1)
    assert torch.allclose(means, expected.float(), atol=1e-5)
    factor = torch.tensor([0.5, 2.0]).view(2, 1, 1, 1)
    assert torch.allclose(found - means, factor * (image - mean), atol=1e-5)


def test_noise_is_each_image_s_own_and_as_strong_as_was_drawn() -> None:
    image = torch.zeros(2, 3, 64, 96)
    changes = still(2, noise=np.array([0.0, 0.5]).reshape(2, 1, 1, 1), seeds=np.array([3, 4]))
    found = changes.apply({"image": image})["image"]
    assert not found[0].any() and found[1].std() == pytest.approx(0.5, rel=0.05)
    alone = changes.part(slice(1, 2)).apply({"image": image[:1]})["image"]
    assert torch.equal(alone[0], found[1])
    drawn = Augmentation.draw(400, 0.0, np.random.default_rng(0), noise=10.0).noise
    assert 0 <= drawn.min() and 9.5 * IMAGE_SCALE < drawn.max() <= 10 * IMAGE_SCALE


def test_what_is_drawn_is_within_the_jitter_on_both_sides() -> None:
    drawn = Augmentation.draw(2000, 0.2, np.random.default_rng(0))
    for values, middle, most in (
        (drawn.contrast, 1.0, 0.2),
        (drawn.channel, 1.0, 0.2),
        (drawn.brightness, 0.0, 0.4),
    ):
        assert np.abs(values - middle).max() <= most
        assert values.max() > middle + 0.95 * most and values.min() < middle - 0.95 * most
    assert 0.45 < drawn.flip.mean() < 0.55 and not drawn.noise.any()
    assert np.ptp(drawn.channel, axis=1).max() > 0.1


def test_only_the_chosen_images_are_mirrored_and_the_batch_itself_is_left_alone() -> None:
    batch = to_batch([Places((32, 16)).sample] * 3, KEYS)
    before = {key: value.clone() for key, value in batch.items()}
    found = still(3, flip=np.array([False, True, False])).apply(batch)
    for key, value in found.items():
        assert value[0].allclose(before[key][0], atol=1e-6), key
        assert value[2].allclose(before[key][2], atol=1e-6), key
        assert not value[1].equal(before[key][1]), key
        assert batch[key].equal(before[key]), key
