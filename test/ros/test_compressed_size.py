"""Sizes of compressed pictures, read from their headers."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtshare_ros.ros.compressed_size import compressed_size


def compressed(extension, width, height):
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(extension, picture)[1].tobytes()


@given(st.sampled_from([".jpg", ".png"]), st.integers(1, 90), st.integers(1, 90))
def test_the_size_is_that_of_the_picture(extension, width, height):
    assert compressed_size(compressed(extension, width, height)) == (width, height)


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_a_picture_that_is_cut_short_is_refused_wherever_it_ends(extension):
    data = compressed(extension, 40, 30)
    for end in range(len(data) - 17):
        with pytest.raises(ValueError, match=r"cut short|without a frame header|expected JPEG"):
            compressed_size(data[:end])


def test_other_formats_are_named_by_how_they_begin():
    with pytest.raises(ValueError, match=r"4 bytes that begin with '47494638'; expected JPEG or"):
        compressed_size(b"GIF8")
