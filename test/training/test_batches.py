"""Training batches: drawn by their seed, with the truth that is wanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mtshare_ros.datasets.derived import boundaries
from mtshare_ros.perception.frame import IMAGE_MEAN, IMAGE_SCALE
from mtshare_ros.tasks import (
    TASKS,
)
from mtshare_ros.training.batches import (
    BatchSettings,
    SmallStills,
    draw_batch,
    to_batch,
    training_batches,
    truth_maps,
    validation_batches,
)
from support.fake_stills import FakeStills
from support.places import Places


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


KEYS = ("segmentation", "depth", "normals", "boundary")


@pytest.mark.parametrize("size", [(40, 48), (80, 16), (160, 96), (27, 31)])
def test_truth_is_picked_where_the_image_shows_it(size: tuple[int, int]) -> None:
    (batch,) = validation_batches(Places((80, 48)), size, 4, KEYS)
    image = batch["image"][0] / IMAGE_SCALE + torch.tensor(IMAGE_MEAN).view(3, 1, 1)
    column = batch["depth"][0].floor() - 1
    row = ((batch["depth"][0] - column - 1) * 100).round()
    # Half a pixel of either is as near as a picked pixel is to a mean of several.
    across, down = 80 / size[0], 48 / size[1]
    assert (image[0] - column).abs().max() <= max(across, 1.0) / 2 + 0.6
    assert (image[1] - row).abs().max() <= max(down, 1.0) / 2 + 0.6
    assert torch.equal(batch["segmentation"][0], (column // 2).long())
    assert torch.equal(batch["boundary"][0], column % 2)
    x = torch.sin(column / 100)
    assert torch.allclose(batch["normals"][0, 0], x, atol=1e-5)


def test_small_stills_are_the_large_ones_made_small_each_time_alike() -> None:
    class Counting(FakeStills):
        reads = 0

        def stored(self, index: int) -> dict:
            self.reads += 1
            return super().stored(index)

    stills = Counting()
    small = SmallStills(stills, (32, 16))
    first = [{k: v.copy() for k, v in small.stored(n).items()} for n in range(8)]
    reads = stills.reads
    again = [small.stored(n) for n in range(8)]
    assert stills.reads == reads == 9 and len(small) == 8 and small.clip_length == 4
    for a, b in zip(first, again, strict=True):
        assert all(np.array_equal(a[key], b[key], equal_nan=key == "depth") for key in a)
        assert a["rgb"].shape == (16, 32, 3) and a["depth"].shape == (16, 32)
    assert not np.array_equal(first[0]["rgb"], first[1]["rgb"])


def test_small_stills_that_do_not_fit_into_memory_are_made_small_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = SmallStills(FakeStills(), (32, 16)).stored(5)
    monkeypatch.setattr(SmallStills, "LIMIT_BYTES", 1)
    small = SmallStills(FakeStills(), (32, 16))
    assert not small._kept
    for key, array in small.stored(5).items():
        assert np.array_equal(array, kept[key], equal_nan=key == "depth")


def test_validation_sees_every_image_once_in_order_and_as_it_is() -> None:
    stills = FakeStills()
    batches = list(validation_batches(stills, (64, 48), 3, ("segmentation",)))
    assert [len(batch["image"]) for batch in batches] == [3, 3, 2]
    labels = torch.cat([batch["segmentation"] for batch in batches])
    for number in range(8):
        assert np.array_equal(labels[number].numpy(), stills.stored(number)["labels"])


def test_truth_goes_back_to_what_metrics_take() -> None:
    sample = Places((32, 16)).sample
    batch = to_batch([sample, sample], KEYS)
    for key in KEYS:
        for found in truth_maps(batch[key]):
            assert found.dtype == sample[key].dtype and found.shape == sample[key].shape
            assert np.allclose(found, sample[key], atol=1e-6)


def test_steps_have_batches_of_their_own_from_the_first_that_is_asked_for() -> None:
    settings = BatchSettings((64, 48), 2)
    whole = list(training_batches(FakeStills(), settings, (3, 1), 0, 5))
    rest = list(training_batches(FakeStills(), settings, (3, 1), 2, 5))
    assert len(whole) == 5 and len(rest) == 3
    for a, b in zip(whole[2:], rest, strict=True):
        assert torch.equal(a["image"], b["image"])
    other = next(training_batches(FakeStills(), settings, (3, 2), 0, 5))
    assert not torch.equal(other["image"], whole[0]["image"])


def test_a_process_gets_its_part_of_the_batch_in_order() -> None:
    settings = BatchSettings((32, 16), 6, jitter=0.2)
    whole = draw_batch(FakeStills(), settings, (0, 1))
    parts = [
        draw_batch(FakeStills(), replace(settings, rank=r, world=3), (0, 1)) for r in range(3)
    ]
    for key in ("image", "segmentation"):
        assert torch.equal(torch.cat([part[key] for part in parts]), whole[key])
