"""Flicker by hand: a part of the image moves, a part of the predictions changes."""

import numpy as np
import pytest

from mtshare_ros.evaluation.bag_frames import Flicker
from mtshare_ros.tasks import TASKS

NAMES = ("segmentation", "depth", "normals", "saliency")
SIZE = (20, 40)


def frame(shift=0):
    """Return an image whose right half is a pattern that moves."""
    rgb = np.full((*SIZE, 3), 100, np.uint8)
    rgb[:, 20:] = np.roll(np.arange(20, dtype=np.uint8) * 12, shift)[:, None]
    return rgb


def maps(label=0, depth=2.0, tilt=0.0, level=0, where=np.s_[:, :]):
    found = {
        "segmentation": np.zeros(SIZE, np.uint8),
        "depth": np.full(SIZE, 2.0, np.float32),
        "normals": np.tile(np.array([0, 0, -1], np.float32), (*SIZE, 1)),
        "saliency": np.zeros(SIZE, np.uint8),
    }
    found["segmentation"][where], found["depth"][where] = label, depth
    found["normals"][where] = (0, np.sin(np.radians(tilt)), -np.cos(np.radians(tilt)))
    found["saliency"][where] = level
    return found


def run(*frames):
    flicker = Flicker([TASKS[name] for name in NAMES])
    for rgb, predicted in frames:
        flicker.update(rgb, predicted)
    return flicker.result()


def test_changes_count_where_the_image_is_static():
    # Columns 0 to 17 are static: the averages of the others reach into the pattern.
    changed = maps(label=3, depth=3.0, tilt=30.0, level=51, where=np.s_[:, :9])
    result = run((frame(), maps()), (frame(5), changed))
    assert result["segmentation"] == pytest.approx(0.5)
    assert result["depth"] == pytest.approx(0.25)
    assert result["normals"] == pytest.approx(15.0)
    assert result["saliency"] == pytest.approx(0.1)


def test_changes_where_the_image_moves_do_not_count():
    moved = maps(label=3, depth=3.0, tilt=30.0, level=51, where=np.s_[:, 22:38])
    result = run((frame(), maps()), (frame(5), moved))
    assert result == pytest.approx(dict.fromkeys(NAMES, 0.0), abs=1e-5)


def test_it_is_a_mean_over_the_static_pixels_of_all_frames():
    # 800 static pixels without a change, then 360 of which half changed.
    result = run((frame(), maps()), (frame(), maps()), (frame(5), maps(1, where=np.s_[:, :9])))
    assert result["segmentation"] == pytest.approx(180 / (800 + 360))


def test_a_little_noise_is_static_and_another_exposure_is_not():
    noise = np.random.default_rng(0).integers(-4, 5, (*SIZE, 3))
    noisy = (frame().astype(int) + noise).clip(0, 255).astype(np.uint8)
    assert run((frame(), maps()), (noisy, maps(1)))["segmentation"] == pytest.approx(1.0)
    brighter = frame() + np.uint8(5)
    assert run((frame(), maps()), (brighter, maps(1))) == {}


def test_one_frame_or_another_size_has_no_flicker():
    assert run((frame(), maps())) == {}
    assert run((frame(), maps()), (frame()[:10], {k: v[:10] for k, v in maps().items()})) == {}
    turned = {k: np.ascontiguousarray(v.swapaxes(0, 1)) for k, v in maps().items()}
    assert run((frame(), maps()), (frame().swapaxes(0, 1), turned)) == {}


def test_a_pixel_is_static_up_to_two_levels_of_every_channel():
    grey = np.full((*SIZE, 3), 100, np.uint8)
    for channel in range(3):
        for change, is_static in ((2, True), (3, False)):
            other = grey.copy()
            other[..., channel] += change
            found = run((grey, maps()), (other, maps(1)))
            assert ("segmentation" in found) == is_static, (channel, change)
