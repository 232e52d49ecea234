"""Training batches: drawn by their seed, mirrored, with noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from mtshare_ros.datasets.derived import boundaries
from mtshare_ros.perception.frame import IMAGE_SCALE
from mtshare_ros.training.batches import Augmentation, BatchSettings, draw_batch, to_batch
from support.fake_stills import FakeStills


def test_batches_depend_on_their_seed_only() -> None:
    settings = BatchSettings((32, 16), 4, jitter=0.2, noise=8.0)
    a, b, c = (draw_batch(FakeStills(), settings, (0, s)) for s in (5, 5, 6))
    assert all(torch.equal(a[key].nan_to_num(), b[key].nan_to_num()) for key in a)
    assert not torch.equal(a["image"], c["image"])
    assert a["image"].shape == (4, 3, 16, 32) and a["depth"].shape == (4, 16, 32)


def test_noise_is_added_to_the_image_alone_whatever_part_of_the_batch_it_is_in() -> None:
    plain = BatchSettings((64, 48), 8)
    noisy = replace(plain, noise=10.0)
    before, after = (draw_batch(FakeStills(), s, (0, 5)) for s in (plain, noisy))
    for key in before.keys() - {"image"}:
        assert torch.equal(before[key].nan_to_num(), after[key].nan_to_num())
    added = (after["image"] - before["image"]) / IMAGE_SCALE
    deviation = added.flatten(1).std(1)
    assert added.mean().abs() < 0.1 and deviation.max() < 10.5 and deviation.max() > 5.0
    assert len(set(deviation.round(decimals=2).tolist())) == 8
    halves = [draw_batch(FakeStills(), replace(noisy, rank=r, world=2), (0, 5)) for r in (0, 1)]
    assert torch.equal(torch.cat([half["image"] for half in halves]), after["image"])


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


def test_a_batch_has_only_the_truth_that_is_wanted() -> None:
    batch = draw_batch(FakeStills(), BatchSettings((32, 16), 4, ("depth", "boundary")), (0, 5))
    assert set(batch) == {"image", "depth", "boundary"}
