"""Pixels of messages to arrays and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mtshare_ros.datasets.bags import pixels


@given(arrays(np.float32, (4, 5), elements=st.floats(0.125, 65.0, width=32)))
def test_depth_in_millimetres_is_off_by_at_most_half_of_one(depth):
    assert np.abs(pixels.as_depth(pixels.millimetres(depth)) - depth).max() <= 0.00051


def test_depth_that_16_bits_can_not_hold_is_invalid_and_not_near():
    depth = np.array([[np.nan, 0.0, -1.0, 70.0, np.inf, 1.0]], np.float32)
    read = pixels.as_depth(pixels.millimetres(depth))
    np.testing.assert_array_equal(np.isnan(read), [[True, True, True, True, True, False]])


def test_normals_in_8_bits_stay_unit_vectors_and_know_what_is_invalid():
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(6, 5, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    normals[0] = 0
    read = pixels.as_normals(pixels.coloured_normals(normals))
    assert not read[0].any()
    np.testing.assert_allclose(np.linalg.norm(read[1:], axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(read, normals, atol=0.01)


def test_compressed_bytes_that_are_no_picture_are_refused():
    class Message:
        data = b"no picture"

    with pytest.raises(ValueError, match="10 bytes that begin with .*; expected JPEG or PNG"):
        pixels.unpacked(Message())
