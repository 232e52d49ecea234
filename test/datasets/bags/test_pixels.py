"""Pixels of messages to arrays and back."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mtshare_ros.datasets.bags import pixels


def raw(values, encoding, big=False):
    """Return what an Image message says of an array."""
    data = values.astype(values.dtype.newbyteorder(">" if big else "<"))
    return SimpleNamespace(
        height=values.shape[0],
        width=values.shape[1],
        encoding=encoding,
        is_bigendian=big,
        step=values.strides[0],
        data=data.tobytes(),
    )


@pytest.mark.parametrize("big", [False, True])
def test_either_order_of_bytes_is_read(big):
    values = np.arange(12, dtype=np.uint16).reshape(3, 4) + 250
    assert np.array_equal(pixels.raw_pixels(raw(values, "16UC1", big)), values)
    values = np.linspace(-2, 2, 24, dtype=np.float32).reshape(2, 4, 3)
    found = pixels.raw_pixels(raw(values, "32FC3", big))
    assert np.array_equal(found, values) and found.dtype == np.float32 and found.dtype.isnative


def test_an_image_without_pixels_or_of_a_long_encoding_is_refused_in_one_line():
    with pytest.raises(ValueError, match="an image of 4x0: expected pixels"):
        pixels.raw_pixels(raw(np.zeros((0, 4), np.uint8), "mono8"))
    with pytest.raises(ValueError, match=f"encoding '{'x' * 32}': expected one of rgb8"):
        pixels.raw_pixels(raw(np.zeros((2, 4), np.uint8), "x" * 99))


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
