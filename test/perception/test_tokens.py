"""The token grid of a frame: cells, rows with prefix tokens, cuts between scenes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mtshare_ros.perception.tokens import commit_reference, is_cut, low_pass, token_rows
from support.hand_made import WIDE


def _scene(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def test_another_scene_is_a_cut_and_a_brightness_step_is_not() -> None:
    scene = (_scene(0) // 2).astype(np.uint8)
    assert is_cut(_scene(1), scene)
    assert not is_cut(scene + 60, scene)
    assert not is_cut(scene, scene)


def test_noise_in_the_dark_is_no_cut() -> None:
    assert not is_cut(_scene(0) // 64, _scene(1) // 64)


def test_another_scene_of_the_same_brightness_is_a_cut_and_so_is_its_negative() -> None:
    scene = _scene(0)
    assert is_cut((255 - scene).astype(np.uint8), scene)
    assert not is_cut((scene // 2 + _scene(1) // 4).astype(np.uint8), scene)


def test_the_end_of_darkness_is_a_cut() -> None:
    assert is_cut(_scene(0), np.zeros((12, 16, 3), np.uint8))
    assert is_cut(np.zeros((12, 16, 3), np.uint8), _scene(0))


def test_cells_are_means_of_the_image_where_they_lie() -> None:
    image = np.zeros((64, 160, 3), np.uint8)
    image[8:12, 20:24] = (160, 80, 16)
    image[8, 24] = 16  # a sixteenth of the next cell
    cells = low_pass(image, WIDE)
    assert cells.shape == (16, 40, 3)
    assert cells[2, 5].tolist() == [160, 80, 16] and cells[2, 6].tolist() == [1, 1, 1]
    assert np.count_nonzero(cells.any(-1)) == 2


def test_the_reference_takes_the_cells_of_a_dirty_token_and_no_others() -> None:
    old, new = np.zeros((16, 40, 3), np.uint8), np.full((16, 40, 3), 9, np.uint8)
    dirty = np.zeros(40, np.bool_)
    dirty[17] = True  # row 1, column 7 of 4 x 10 tokens
    reference = commit_reference(old, new, dirty, WIDE)
    expected = np.zeros((16, 40, 3), np.uint8)
    expected[4:8, 28:32] = 9
    assert np.array_equal(reference, expected) and not old.any()


def test_rows_of_an_engine_begin_with_the_prefix_tokens() -> None:
    dirty = np.zeros(40, np.bool_)
    dirty[[0, 39]] = True
    for prefix, expected in ((0, [0, 39]), (1, [0, 1, 40]), (5, [0, 1, 2, 3, 4, 5, 44])):
        rows = token_rows(dirty, replace(WIDE, prefix=prefix))
        assert rows.tolist() == expected and rows.dtype == np.int64
