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


@pytest.mark.parametrize(
    ("size", "fits"),
    [((42, 40), True), ((43, 40), False), ((11, 10), True), ((9, 10), False)],
)
def test_a_side_may_be_off_by_a_pixel_and_the_shape_by_a_tenth(size, fits):
    assert have_one_aspect(size, (1000, 1000)) is fits


def test_the_smaller_one_is_that_of_fewer_pixels():
    assert have_one_aspect((100, 101), (101, 100)) is have_one_aspect((101, 100), (100, 101))
    assert not have_one_aspect((3, 30), (4, 20))
