"""Pixels of messages to arrays and back."""

import io
from types import SimpleNamespace

import numpy as np
import PIL.Image
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


def test_a_compressed_picture_gives_back_its_values_and_its_order_of_colours():
    rng = np.random.default_rng(1)
    colour = rng.integers(0, 255, (16, 20, 3)).astype(np.uint8)
    depth = rng.integers(0, 65535, (16, 20)).astype(np.uint16)
    for values in (colour, depth):
        data = pixels.png(values)
        assert np.array_equal(np.asarray(PIL.Image.open(io.BytesIO(data.tobytes()))), values)
        assert np.array_equal(pixels.unpacked(SimpleNamespace(data=data)), values)


def test_a_picture_of_which_only_the_header_and_the_end_are_left_is_damaged():
    data = pixels.png(np.ones((16, 20, 3), np.uint8))
    data = np.concatenate([data[:33], data[-12:]])
    with pytest.raises(ValueError, match="45 bytes of a picture that is damaged"):
        pixels.unpacked(SimpleNamespace(data=data))


def test_millimetres_and_metres_become_metres_and_what_is_no_depth_is_invalid():
    whole = np.array([[0, 1, 2000, 65535]], np.uint16)
    np.testing.assert_allclose(pixels.as_depth(whole), [[np.nan, 0.001, 2.0, 65.535]], rtol=1e-6)
    metres = np.array([[np.nan, np.inf, -np.inf, -1.0, 0.0, 0.25]], np.float32)
    np.testing.assert_array_equal(pixels.as_depth(metres), [[np.nan] * 5 + [0.25]])
    assert pixels.millimetres(np.array([[65.535, 65.536, 0.0004]], np.float32)).tolist() == [
        [65535, 0, 0]
    ]


@pytest.mark.parametrize(
    ("convert", "shape", "kind", "said"),
    [
        (pixels.as_depth, (2, 4), np.uint8, r"1 channel\(s\) of type uint8: expected one channel"),
        (pixels.as_depth, (2, 4, 3), np.float32, r"3 channel\(s\) of type float32"),
        (
            pixels.as_normals,
            (2, 4, 3),
            np.uint16,
            r"3 channel\(s\) of type uint16: expected three",
        ),
        (pixels.as_normals, (2, 4), np.float32, r"1 channel\(s\) of type float32"),
        (pixels.as_labels, (2, 4), np.uint16, r"1 channel\(s\) of type uint16: expected one"),
        (pixels.as_labels, (2, 4, 3), np.uint8, r"3 channel\(s\) of type uint8"),
    ],
)
def test_pixels_of_another_shape_or_type_are_refused_by_what_they_are(convert, shape, kind, said):
    with pytest.raises(ValueError, match=said):
        convert(np.ones(shape, kind))


def test_normals_have_their_colours_and_a_short_vector_is_none():
    normals = np.array([[[0.6, 0.48, 0.64], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]], np.float32)
    coloured = pixels.coloured_normals(normals)
    assert coloured.tolist() == [[[204, 189, 209], [0, 128, 128], [128, 128, 128]]]
    # Only a pixel with all three channels at the value has no normal.
    np.testing.assert_allclose(pixels.as_normals(coloured)[0, 1], [-1, 0.0039, 0.0039], atol=1e-4)
    np.testing.assert_array_equal(pixels.as_normals(np.full((1, 1, 3), 127, np.uint8)), 0)
    vectors = np.array([[[0.4, 0.0, 0.0], [0.0, 3.0, 4.0], [np.nan] * 3]], np.float32)
    np.testing.assert_allclose(pixels.as_normals(vectors), [[[0] * 3, [0, 0.6, 0.8], [0] * 3]])


def test_a_jpeg_has_the_quality_that_is_written_down():
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[..., 0] = 255
    other = io.BytesIO()
    PIL.Image.fromarray(rgb).save(other, "JPEG", quality=92)
    found = PIL.Image.open(io.BytesIO(pixels.jpeg(rgb).tobytes()))
    assert found.quantization == PIL.Image.open(other).quantization
    np.testing.assert_allclose(np.asarray(found)[8, 8], [255, 0, 0], atol=4)
