"""Cuts between scenes, seen in low-passed images."""

from __future__ import annotations

import numpy as np

from mtshare_ros.perception.tokens import is_cut


def _scene(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def test_another_scene_is_a_cut_and_a_brightness_step_is_not() -> None:
    scene = (_scene(0) // 2).astype(np.uint8)
    assert is_cut(_scene(1), scene)
    assert not is_cut(scene + 60, scene)
    assert not is_cut(scene, scene)


def test_noise_in_the_dark_is_no_cut() -> None:
    assert not is_cut(_scene(0) // 64, _scene(1) // 64)
