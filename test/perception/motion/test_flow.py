"""Where in the key frame each pixel of a later image was."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mtshare_ros.perception.motion.flow import (
    FLOW_WIDTH,
    ImageMotion,
    Where,
    at_size,
    composed,
    grey_of,
    pulled,
)

LARGE = (640, 360)


def texture(right: int, down: int, size: tuple[int, int] = LARGE) -> np.ndarray:
    """Return a view of one texture, so many pixels further to the right and down."""
    width, height = size
    coarse = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    whole = cv2.resize(coarse, (width + 200, height + 200), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(whole[down : down + height, right : right + width])


def back(motion: ImageMotion, image: np.ndarray, size: tuple[int, int]) -> Where:
    """Return where the pixels of an image were, for maps of some width and height."""
    return at_size(motion.back(grey_of(image)), size)


def moved(where: np.ndarray) -> list[float]:
    """Return the median of how far the pixels came, x and y."""
    height, width = where.shape[:2]
    y, x = np.mgrid[:height, :width]
    apart = where - np.stack([x, y], axis=-1)
    inside = apart[height // 5 : -height // 5, width // 5 : -width // 5]
    return [float(n) for n in np.median(inside.reshape(-1, 2), axis=0)]


@pytest.mark.parametrize("size", [(160, 240), (320, 180), (640, 360), (100, 30)])
def test_the_flow_is_in_the_pixels_of_what_is_carried_along_both_sides(
    size: tuple[int, int],
) -> None:
    motion = ImageMotion()
    motion.start(grey_of(texture(0, 0)))
    where = back(motion, texture(8, 4), size)
    assert where.shape == (size[1], size[0], 2) and where.dtype == np.float32
    assert moved(where) == pytest.approx([8 * size[0] / 640, 4 * size[1] / 360], abs=0.25)


def test_an_image_that_is_smaller_than_the_flow_keeps_its_size() -> None:
    size = (160, 90)
    assert size[0] < FLOW_WIDTH
    motion = ImageMotion()
    motion.start(grey_of(texture(0, 0, size)))
    assert moved(back(motion, texture(3, 2, size), size)) == pytest.approx([3, 2], abs=0.2)


def test_the_search_goes_on_from_the_frame_before() -> None:
    motion = ImageMotion()
    motion.start(grey_of(texture(0, 0)))
    for step in range(1, 13):  # 120 pixels in the end, a fifth of the width
        where = back(motion, texture(10 * step, 5 * step), (320, 180))
        assert moved(where) == pytest.approx([5 * step, 2.5 * step], abs=0.5)


def test_a_frame_that_is_asked_for_twice_has_the_same_flow() -> None:
    motion = ImageMotion()
    motion.start(grey_of(texture(0, 0)))
    for _ in range(3):
        assert moved(back(motion, texture(10, 6), (320, 180))) == pytest.approx([5, 3], abs=0.2)


def test_a_new_key_frame_may_be_of_another_size() -> None:
    motion = ImageMotion()
    for size in (LARGE, (200, 120), LARGE):
        motion.start(grey_of(texture(100, 0, size)))
        found = back(motion, texture(104, 0, size), size)
        assert moved(found) == pytest.approx([4, 0], abs=0.3)


def test_each_search_begins_at_the_flow_before_and_anew_with_a_key_frame() -> None:
    class Search:
        """Notes where each search begins, and finds the number of the search."""

        def __init__(self) -> None:
            self.began: list[float | None] = []
            self.finest: list[int] = []

        def setFinestScale(self, scale: int) -> None:  # noqa: N802
            self.finest.append(scale)

        def calc(self, image: np.ndarray, key: np.ndarray, start: np.ndarray | None) -> np.ndarray:
            self.began.append(None if start is None else float(start.mean()))
            return np.full((*image.shape, 2), float(len(self.began)), np.float32)

    motion, search = ImageMotion(), Search()
    motion._flow = search  # type: ignore[assignment]
    for _ in range(2):
        motion.start(grey_of(texture(0, 0)))
        for _ in range(3):
            back(motion, texture(0, 0), (320, 180))
    assert search.began == [None, 1.0, 2.0, None, 4.0, 5.0]
    for width in (40, 80, 128, 160, 300, 640):
        motion.start(grey_of(texture(0, 0, (width, 60))))
    # The finest level is 80 pixels wide or more, where the image is.
    assert search.finest == [2, 2, 0, 0, 0, 1, 1, 2]


def test_without_a_key_frame_there_is_no_flow() -> None:
    with pytest.raises(AssertionError, match="no key frame"):
        back(ImageMotion(), texture(0, 0), (320, 180))


def test_what_was_outside_has_the_value_of_the_border() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    where = np.array([[[-5, 1], [2, -5], [9, 9], [1.4, 0]]], np.float32)
    assert pulled(array, where, cv2.INTER_NEAREST).tolist() == [[4, 2, 11, 1]]
    assert pulled(array, where, cv2.INTER_LINEAR)[0, 3] == pytest.approx(1.4, abs=0.05)


def test_what_was_outside_may_have_a_value_of_its_own() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    where = np.array([[[-5, 1], [2, -5], [9, 9], [1.4, 0]]], np.float32)
    assert pulled(array, where, cv2.INTER_NEAREST, -1).tolist() == [[-1, -1, -1, 1]]
    three = np.dstack([array] * 3)
    found = pulled(three, where, cv2.INTER_NEAREST, (-1, -2, -3))
    assert found.tolist() == [[[-1, -2, -3]] * 3 + [[1, 1, 1]]]


def test_maps_of_the_flow_s_own_size_need_no_other_flow() -> None:
    where = np.zeros((3, 4, 2), np.float32)
    assert at_size(where, (4, 3)) is where


def test_two_flows_make_one_and_what_was_outside_moved_as_the_border_did() -> None:
    """Each pixel was one further right in the key frame, there two right and three down."""
    y, x = np.mgrid[:20, :30].astype(np.float32)
    there = np.stack([x + 1, y], axis=-1)
    before = np.stack([x + 2 + (x >= 15), y + 3], axis=-1)
    found = composed(there, before)
    jump = np.abs(x - 14) < 1
    expected = np.stack([x + 3 + (x >= 14), y + 3], axis=-1)
    np.testing.assert_allclose(found[~jump], expected[~jump], atol=1e-4)


def test_composing_follows_the_image_as_one_flow_does() -> None:
    size = (320, 180)
    first, second = ImageMotion(), ImageMotion()
    first.start(grey_of(texture(0, 0)))
    second.start(grey_of(texture(10, 4)))
    before = back(first, texture(10, 4), size)
    there = back(second, texture(18, 10), size)
    assert moved(composed(there, before)) == pytest.approx([9, 5], abs=0.3)


def test_a_key_frame_can_be_taken_back() -> None:
    motion = ImageMotion()
    assert not motion.started
    motion.start(grey_of(texture(0, 0)))
    assert motion.started
    motion.stop()
    assert not motion.started
    with pytest.raises(AssertionError, match="no key frame"):
        motion.back(grey_of(texture(0, 0)))
