"""Where the flow explains an image."""

from __future__ import annotations

import numpy as np
import pytest

from mtshare_ros.perception.motion.explained import explained, in_view

LARGEST_CHANGE = 12.0


def still(size: tuple[int, int] = (128, 96)) -> np.ndarray:
    """Return where each pixel was while nothing moves."""
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    return np.stack([x, y], axis=-1)


@pytest.mark.parametrize(("axis", "side"), [(0, 128), (1, 96)])
@pytest.mark.parametrize("share", [-0.5, -0.25, 0.0, 0.25, 0.5])
def test_what_was_not_in_view_is_unexplained_even_where_nothing_changed(
    axis: int, side: int, share: float
) -> None:
    cells = np.full((24, 32, 3), 90, np.uint8)
    where = still()
    where[..., axis] += share * side
    found = explained(cells, cells, where, LARGEST_CHANGE)
    assert 1 - found.mean() == pytest.approx(abs(share), abs=0.06)


@pytest.mark.parametrize("more", [-2, -1, 1, 2])
def test_a_cell_that_changed_by_more_than_the_largest_change_is_unexplained(more: int) -> None:
    cells = np.full((24, 32, 3), 90, np.uint8)
    brighter = cells.copy()
    brighter[:6] += np.uint8(LARGEST_CHANGE + more)
    found = explained(brighter, cells, still(), LARGEST_CHANGE)
    assert found[6:].all() and (found[:6] == (more < 0)).all()


def test_a_change_of_one_colour_counts_for_a_third() -> None:
    cells = np.full((24, 32, 3), 90, np.uint8)
    redder = cells.copy()
    redder[..., 0] += np.uint8(2 * LARGEST_CHANGE)
    assert explained(redder, cells, still(), LARGEST_CHANGE).all()
    redder[..., 0] += np.uint8(2 * LARGEST_CHANGE)
    assert not explained(redder, cells, still(), LARGEST_CHANGE).any()


def test_a_cell_is_held_against_where_it_was() -> None:
    """Stripes that moved by four cells, a cell being four pixels."""
    stripes = np.repeat((np.arange(32) % 8 < 4)[None], 24, axis=0)
    key = np.dstack([np.where(stripes, 200, 40)] * 3).astype(np.uint8)
    cells = np.roll(key, -4, axis=1)
    assert explained(cells, key, still(), LARGEST_CHANGE).mean() == 0.0
    where = still()
    where[..., 0] += 16
    found = explained(cells, key, where, LARGEST_CHANGE)
    assert found[:, :26].all() and not found[:, 29:].any()


def test_a_pixel_is_in_view_as_far_as_half_a_pixel_beyond_the_middle_of_the_last() -> None:
    where = np.array([[[-0.6, 2], [-0.4, 2], [9.4, 2], [9.6, 2]]], np.float32)
    assert in_view(where, (10, 5)).tolist() == [[False, True, True, False]]
    swapped = np.array([[[2, -0.6], [2, -0.4], [2, 4.4], [2, 4.6]]], np.float32)
    assert in_view(swapped, (10, 5)).tolist() == [[False, True, True, False]]
