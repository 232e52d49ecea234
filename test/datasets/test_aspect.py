"""Sizes of truth and image."""

import pytest

from mtshare_ros.datasets.aspect import have_one_aspect


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [
        ((640, 480), (320, 240), True),
        ((107, 80), (640, 480), True),
        ((640, 480), (480, 640), False),
        ((640, 480), (640, 360), False),
        ((640, 480), (600, 480), False),
        ((1, 1), (640, 480), False),
    ],
)
def test_sizes_fit_up_to_rounding(first, second, fits):
    assert have_one_aspect(first, second) is have_one_aspect(second, first) is fits
