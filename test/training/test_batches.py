"""Training batches: drawn by their seed, with the truth that is wanted."""

from __future__ import annotations

from dataclasses import replace

import torch

from mtshare_ros.datasets.derived import boundaries
from mtshare_ros.perception.frame import IMAGE_SCALE
from mtshare_ros.tasks import (
    TASKS,
)
from mtshare_ros.training.batches import BatchSettings, draw_batch, to_batch
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


def test_a_batch_has_only_the_truth_that_is_wanted() -> None:
    batch = draw_batch(FakeStills(), BatchSettings((32, 16), 4, ("depth", "boundary")), (0, 5))
    assert set(batch) == {"image", "depth", "boundary"}


def test_a_batch_has_the_truth_of_every_kind_with_thin_lines_at_any_size() -> None:
    batch = draw_batch(FakeStills(), BatchSettings((32, 32), 4), (0,))
    assert set(TASKS) < set(batch)
    for kind in ("boundary", "saliency"):
        assert batch[kind].shape == (4, 32, 32) and batch[kind].dtype == torch.float32
    one = to_batch([FakeStills().stored(0)])
    expected = boundaries(FakeStills().stored(0)["labels"])
    assert torch.equal(one["boundary"][0], torch.from_numpy(expected))
    # The outline of one square of 20 pixels: not a thick or a broken line.
    assert 60 <= one["boundary"].sum() <= 80


def test_a_batch_of_clips_has_frames_in_order_changed_alike() -> None:
    stills = FakeStills()
    for number in range(8):
        stills.stored(number)["depth"][:] = number + 1
        stills.stored(number)["rgb"][:] = 100
    settings = BatchSettings((64, 48), 6, {"depth"}, jitter=0.3, noise=4.0, frames=3)
    seen = set()
    for step in range(10):
        batch = draw_batch(stills, settings, (0, step))
        numbers = batch["depth"][:, 0, 0].view(2, 3)
        assert (numbers.diff(dim=1) > 0).all()
        assert ((numbers - 1).div(4, rounding_mode="floor").diff(dim=1) == 0).all()
        means = batch["image"].mean(dim=(2, 3)).view(2, 3, 3)
        assert means.std(dim=1).max() < 0.01 < means.std(dim=0).max()
        noise = batch["image"] - batch["image"].mean(dim=(2, 3), keepdim=True)
        assert not torch.allclose(noise[0], noise[1], atol=1e-3)
        seen |= {tuple(row) for row in numbers.int().tolist()}
    assert len(seen) > 4
