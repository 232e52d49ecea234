"""Lines of masks and label maps."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mtshare_ros.datasets.lines import outlines, thin


def test_an_outline_is_where_the_label_changes_to_the_right_below_or_both() -> None:
    labels = np.array([[1, 1, 2], [1, 1, 2], [1, 3, 3]])
    expected = [[0, 1, 0], [1, 1, 1], [1, 0, 0]]
    assert outlines(labels).astype(int).tolist() == expected


@pytest.mark.parametrize("seed", range(3))
def test_a_mask_is_thinned_to_lines_that_are_connected_as_it_was(seed: int) -> None:
    coarse = np.random.default_rng(seed).random((12, 16)).astype(np.float32)
    mask = cv2.resize(coarse, (80, 60), interpolation=cv2.INTER_CUBIC) > 0.5
    lines = thin(mask)
    assert 0 < lines.sum() < 0.4 * mask.sum() and not (lines & ~mask).any()
    parts = [cv2.connectedComponents(m.astype(np.uint8), connectivity=8)[0] for m in (mask, lines)]
    assert parts[0] == parts[1]
    blocks = lines[:-1, :-1] & lines[1:, :-1] & lines[:-1, 1:] & lines[1:, 1:]
    assert not blocks.any()
    assert np.array_equal(thin(lines), lines)


def test_a_bar_becomes_the_line_in_its_middle() -> None:
    mask = np.zeros((7, 20), np.bool_)
    mask[2:5, 2:18] = True
    lines = thin(mask)
    assert not lines[[0, 1, 2, 4, 5, 6]].any() and lines[3].sum() >= 13


def test_thinning_by_hand() -> None:
    def drawn(*rows: str) -> np.ndarray:
        return np.array([[letter == "#" for letter in row] for row in rows])

    # A line that ends at the border keeps its ends, a pixel stays, and a square leaves one.
    line = drawn("....", "####", "....")
    assert np.array_equal(thin(line), line)
    end = drawn("#...", ".#..", "..#.")
    assert np.array_equal(thin(end), end)
    assert thin(drawn("....", ".##.", ".##.", "....")).sum() == 1
