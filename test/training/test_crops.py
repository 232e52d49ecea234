"""Crops: every map moves with the image, depth is divided by the scale, outside is invalid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtshare_ros.datasets.image_sets.vocabularies import NYUD_TASKS
from mtshare_ros.training.batches import (
    BatchSettings,
    draw_batch,
    validation_batches,
)
from mtshare_ros.training.crops import CropSettings, cut, photometric
from support.places import Places

KEYS = ("segmentation", "depth", "normals", "boundary")
PLAIN = {"largest_class": 1.0, "photometric": False}


def take(scale: float, size: tuple[int, int], window: tuple[int, int], seed: int = 0) -> Any:
    crop = CropSettings(size=window, scale=(scale, scale), **PLAIN)
    return cut(Places().sample, KEYS, NYUD_TASKS, size, crop, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(5))
def test_a_crop_at_scale_one_is_a_part_of_every_map(seed: int) -> None:
    found = take(1.0, (32, 16), (32, 16), seed)
    left, top = found["rgb"][0, 0, :2]
    whole = Places().sample
    for key, values in found.items():
        assert np.array_equal(values, whole[key][top : top + 16, left : left + 32]), key


def test_crops_come_from_everywhere_and_the_same_seed_gives_the_same() -> None:
    corners = [tuple(take(1.0, (32, 16), (32, 16), seed)["rgb"][0, 0, :2]) for seed in range(40)]
    assert len(set(corners)) > 30 and {x for x, _ in corners} <= set(range(49))
    assert corners[3] == tuple(take(1.0, (32, 16), (32, 16), 3)["rgb"][0, 0, :2])


@pytest.mark.parametrize("scale", [0.75, 1.5, 2.0])
def test_depth_is_divided_by_the_scale_and_maps_stay_aligned(scale: float) -> None:
    found = take(scale, (32, 16), (32, 16))
    inside = np.isfinite(found["depth"])
    column = np.floor(found["depth"] * scale + 0.02).astype(int)[inside] - 1
    assert inside.mean() > 0.9
    assert np.abs(found["rgb"][..., 0][inside] - column).max() <= 1
    assert np.array_equal(found["segmentation"][inside], column // 2)
    assert np.allclose(found["normals"][inside][:, 0], np.sin(column / 100), atol=1e-6)
    assert np.array_equal(found["boundary"][inside], column % 2)
    # The crop shows 32 / scale columns of the image.
    assert np.ptp(column) + 1 == pytest.approx(32 / scale, abs=1.1)


def test_a_smaller_phase_sees_the_same_window() -> None:
    full, half = take(1.0, (64, 32), (64, 32)), take(1.0, (32, 16), (64, 32))
    assert np.ptp(full["segmentation"]) == np.ptp(half["segmentation"]) == 31
    # Not a smaller scale: a window of the same width is the same camera.
    assert np.ptp(half["depth"][0]) == pytest.approx(62, abs=1)


def test_outside_of_the_image_is_the_mean_colour_and_without_truth() -> None:
    found = take(0.5, (64, 32), (64, 32))
    left, top = (64 - 40) // 2, (32 - 24) // 2
    inner = np.zeros((32, 64), bool)
    inner[top : top + 24, left : left + 40] = True
    assert (found["rgb"][~inner] == [124, 116, 104]).all()
    assert (found["segmentation"][~inner] == 255).all() and (
        found["segmentation"][inner] < 40
    ).all()
    assert np.isnan(found["depth"][~inner]).all() and np.isfinite(found["depth"][inner]).all()
    assert not found["normals"][~inner].any() and found["normals"][inner].any(-1).all()
    assert np.isnan(found["boundary"][~inner]).all()


def test_a_crop_of_mostly_one_class_is_drawn_again() -> None:
    sample = Places().sample
    labels = np.zeros((48, 80), np.uint8)
    labels[:, 60:] = 1
    crop = CropSettings(size=(32, 16), scale=(1.0, 1.0), largest_class=0.75, photometric=False)
    shares = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = cut({**sample, "segmentation": labels}, KEYS, NYUD_TASKS, (32, 16), crop, rng)
        shares.append(found["segmentation"].mean())
    # Of the 49 places of a crop 12 are mixed enough: ten draws miss them once in 16.
    assert np.mean([0.25 < share < 0.75 for share in shares]) > 0.85


def test_a_batch_of_crops_depends_on_its_seed_alone_and_mirrors_normals() -> None:
    crop = CropSettings(size=(32, 16), scale=(0.5, 2.0))
    stills = Places()
    settings = BatchSettings((32, 16), 6, KEYS, 0.1, crop=crop)
    a, b, c = (draw_batch(stills, settings, (0, s)) for s in (5, 5, 6))
    assert set(a) == {"image", *KEYS}
    assert all(a[key].equal(b[key]) or a[key].isnan().any() for key in a)
    assert a["image"].equal(b["image"]) and not a["image"].equal(c["image"])
    # Where the image is mirrored, x of the normals falls with the column and is negative.
    x = a["normals"][:, 0]
    mirrored = x.flatten(1).min(1).values < 0
    assert 0 < mirrored.sum() < 6
    assert (x[mirrored] <= 0).all() and (x[~mirrored] >= 0).all()
    first, second = (
        draw_batch(stills, replace(settings, rank=rank, world=2), (0, 5)) for rank in (0, 1)
    )
    assert a["image"][:3].equal(first["image"]) and a["image"][3:].equal(second["image"])


def test_validation_puts_the_whole_image_in_the_middle_of_the_frame() -> None:
    crop = CropSettings(size=(96, 64))
    (batch,) = validation_batches(Places(), (96, 64), 2, KEYS, crop)
    depth = batch["depth"][0].numpy()
    assert np.array_equal(depth[8:56, 8:88], Places().sample["depth"])
    assert np.isnan(depth).sum() == 96 * 64 - 80 * 48


def test_colours_vary_within_the_published_ranges() -> None:
    grey = np.full((4, 4, 3), 100, np.uint8)
    found = [photometric(grey, np.random.default_rng(seed))[0, 0] for seed in range(200)]
    values = np.array(found).mean(-1)
    assert (np.array(found) == 100).all(-1).mean() > 0.15  # nothing changed
    assert values.min() >= 0.5 * 68 - 1 and values.max() <= 1.5 * 132 + 1
    assert values.min() < 60 and values.max() > 140
    red = np.tile(np.array([200, 50, 50], np.uint8), (4, 4, 1))
    hues = {tuple(photometric(red, np.random.default_rng(seed))[0, 0] > 128) for seed in range(50)}
    assert (True, False, False) in hues
    assert red[0, 0].tolist() == [200, 50, 50]  # the image itself is left alone


def test_a_crop_is_as_large_as_asked_whatever_the_image_s_sides() -> None:
    """Longer than the window on one side, shorter on the other, and odd."""
    for sides, size in (((21, 90), (32, 16)), ((90, 11), (16, 32)), ((17, 17), (33, 15))):
        crop = CropSettings(size=(32, 32), scale=(1.0, 1.0), **PLAIN)
        sample = Places(sides).sample
        for rng in (None, np.random.default_rng(0)):
            found = cut(sample, KEYS, NYUD_TASKS, size, crop, rng)
            assert found["rgb"].shape == (size[1], size[0], 3)
            assert all(found[key].shape[:2] == size[::-1] for key in KEYS)
            known = np.isfinite(found["depth"])
            assert known.any() and (known == (found["segmentation"] != 255)).all()
            column = np.floor(found["depth"][known]).astype(int) - 1
            assert (found["segmentation"][known] == column // 2).all()


def test_truth_of_a_shrunk_image_is_that_at_the_middle_of_its_pixels() -> None:
    crop = CropSettings(size=(40, 24), scale=(0.5, 0.5), **PLAIN)
    found = cut(Places().sample, KEYS, NYUD_TASKS, (40, 24), crop, np.random.default_rng(0))
    # Pixel n shows columns 2 n and 2 n + 1, whose middle begins the latter.
    column = np.floor(found["depth"] * 0.5).astype(int) - 1
    assert (column == 2 * np.arange(40) + 1).all() and (found["boundary"] == 1).all()
    row = ((found["depth"] * 0.5 - column - 1) * 100).round()
    assert (row == 2 * np.arange(24)[:, None] + 1).all()


def test_a_window_of_the_image_s_own_size_is_the_image() -> None:
    sample = Places((80, 48)).sample
    crop = CropSettings(size=(80, 48), scale=(1.0, 1.0), **PLAIN)
    for rng in (None, np.random.default_rng(0)):
        found = cut(sample, KEYS, NYUD_TASKS, (80, 48), crop, rng)
        assert all(np.array_equal(found[key], sample[key]) for key in ("rgb", *KEYS))


def test_every_place_of_the_image_is_drawn_the_last_one_too() -> None:
    sample, crop = Places((20, 18)).sample, CropSettings(size=(16, 16), scale=(1.0, 1.0), **PLAIN)
    corners = set()
    for seed in range(200):
        found = cut(sample, KEYS, NYUD_TASKS, (16, 16), crop, np.random.default_rng(seed))
        corners.add(tuple(found["rgb"][0, 0, :2].tolist()))
    assert corners == {(x, y) for x in range(5) for y in range(3)}


def test_a_crop_of_one_class_alone_is_drawn_again_however_large_a_share_may_be() -> None:
    sample = Places((80, 48)).sample
    labels = np.full((48, 80), 255, np.uint8)
    labels[:, :40], labels[:, 60:75] = 3, 4
    crop = CropSettings(size=(32, 16), scale=(1.0, 1.0), largest_class=1.0, photometric=False)
    kinds = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        found = cut({**sample, "segmentation": labels}, KEYS, NYUD_TASKS, (32, 16), crop, rng)
        kinds.append(len(set(np.unique(found["segmentation"])) - {255}))
    # Of 49 places 11 see both classes: ten draws miss them once in 13.
    assert kinds.count(2) >= 22


def test_crop_settings_out_of_order_are_refused() -> None:
    for bad in ({"scale": (2.0, 0.5)}, {"scale": (0.0, 1.0)}, {"size": (15, 64)}):
        with pytest.raises(ValueError, match="expected pixels and factors"):
            CropSettings(**{"size": (64, 64), **bad})
    for share in (0.0, 1.1):
        with pytest.raises(ValueError, match="largest_class"):
            CropSettings(size=(64, 64), largest_class=share)
    assert CropSettings(size=(16, 16), scale=(1.0, 1.0)).size == (16, 16)
