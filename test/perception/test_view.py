"""A camera's image as everything looks at it, and where one image says nothing about the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.perception.view import MAX_GAP_NS, break_between, view_of
from support.samples import coarse_image

SPEC = InputSpec(128, 96, (0.0, 0.0, 0.0), 1.0, 16, 4, 0.8)


def test_an_image_of_any_size_is_seen_at_the_model_s() -> None:
    view = view_of(coarse_image(size=(200, 150)), 7, SPEC, 0.9)
    assert view.small.shape == (96, 128, 3) and view.small.dtype == np.uint8
    assert view.size == (200, 150) and view.stamp == 7 and view.focal_length == 0.9
    assert view.small.shape[0] % view.cells.shape[0] == 0


@pytest.mark.parametrize(
    ("image", "focal_length", "said"),
    [
        (np.zeros((4, 5), np.uint8), None, "expected"),
        (np.zeros((4, 5, 3), np.float32), None, "uint8"),
        (coarse_image(), 0.0, "focal_length: 0.0, expected"),
        (coarse_image(), -0.5, "focal_length: -0.5, expected"),
        (coarse_image(), float("nan"), "focal_length: nan, expected"),
        (coarse_image(), 1e6, "below"),
    ],
)
def test_what_is_no_image_of_a_camera_is_refused(
    image: np.ndarray, focal_length: float | None, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        view_of(image, 0, SPEC, focal_length)


@pytest.mark.parametrize(
    ("after_ns", "reason"),
    [(0, None), (1, None), (MAX_GAP_NS, None), (MAX_GAP_NS + 1, "clock"), (-1, "clock")],
)
def test_equal_stamps_are_legal_and_a_clock_that_jumps_is_a_break(
    after_ns: int, reason: str | None
) -> None:
    before = view_of(coarse_image(), 10 * MAX_GAP_NS, SPEC)
    assert break_between(before, replace(before, stamp=before.stamp + after_ns)) == reason


def test_another_scene_or_another_size_is_a_break() -> None:
    before = view_of(coarse_image(), 0, SPEC)
    assert break_between(before, view_of(coarse_image(seed=5), 1, SPEC)) == "cut"
    assert break_between(before, view_of(coarse_image(size=(256, 192)), 1, SPEC)) == "size"
