"""CameraInfo and colour pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from mtshare_ros.perception import palette
from mtshare_ros.ros import camera_info


def info(width=640, height=480, fx=500.0, binning=0):
    result = CameraInfo(width=width, height=height, binning_x=binning)
    result.k = [fx, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0]
    result.p = [fx, 0.0, 320.0, -50.0, 0.0, 510.0, 240.0, 2.0, 0.0, 0.0, 1.0, 0.0]
    return result


def test_intrinsics_are_scaled_with_the_image():
    source = info()
    found = camera_info.scaled(source, 320, 120, Header(frame_id="camera"))
    assert (found.width, found.height, found.header.frame_id) == (320, 120, "camera")
    assert list(found.k) == [250.0, 0, 160.0, 0, 127.5, 60.0, 0, 0, 1]
    assert list(found.p) == [250.0, 0, 160.0, -25.0, 0, 127.5, 60.0, 0.5, 0, 0, 1, 0]
    assert list(source.k) == list(info().k) and source.width == 640


def test_focal_length_is_in_units_of_the_width():
    assert camera_info.focal_length(info()) == pytest.approx(500 / 640)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (info(width=320), "camera_info is of 320x480, the image of 640x480"),
        (info(fx=0.0), "calibrated"),
        (info(fx=float("nan")), "calibrated"),
        (info(fx=float("inf")), "calibrated"),
        (info(fx=-500.0), "calibrated"),
        (info(fx=640e3), "fx 640000.0 for 640 pixels; expected less than 1000 widths"),
        (info(fx=5e-324), "expected less than 1000 widths"),
        (info(binning=2), "binning"),
    ],
)
def test_a_camera_info_that_does_not_fit_is_refused(bad, says):
    camera_info.check(info(), 640, 480)
    with pytest.raises(camera_info.CameraInfoError, match=says):
        camera_info.check(bad, 640, 480)


numbers = st.floats() | st.floats(-2000.0, 2000.0)
sizes = st.integers(0, 2**32 - 1) | st.sampled_from([640, 480])


@settings(max_examples=100, deadline=None)
@given(k=st.lists(numbers, min_size=9, max_size=9), width=sizes, height=sizes, binning=sizes)
def test_any_camera_info_is_refused_or_gives_numbers(k, width, height, binning):
    found = CameraInfo(width=width, height=height, k=k, binning_x=binning)
    try:
        camera_info.check(found, 640, 480)
    except camera_info.CameraInfoError as error:
        assert len(str(error)) < 300
    else:
        assert 0.0 < camera_info.focal_length(found) < camera_info.MAX_FOCAL_LENGTH
        small = camera_info.scaled(found, 160, 120, Header())
        assert (small.width, small.height) == (160, 120)
        assert all(np.isfinite(small.k[n]) for n in (0, 2, 4, 5))


def test_distortion_is_passed_on_and_not_applied():
    source = info()
    source.distortion_model, source.d = "plumb_bob", [0.1, -0.2, 0.0, 0.0, float("nan")]
    camera_info.check(source, 640, 480)
    found = camera_info.scaled(source, 320, 240, Header())
    assert found.distortion_model == "plumb_bob" and list(found.d)[:2] == [0.1, -0.2]
    assert camera_info.focal_length(source) == 500.0 / 640


def test_a_depth_has_the_same_colour_in_every_frame_and_invalid_is_black():
    near = palette.colour_depth(np.array([[1.0, 2.0]], np.float32), 20.0)
    far = palette.colour_depth(np.array([[1.0, 19.0, np.nan, np.inf]], np.float32), 20.0)
    assert (near[0, 0] == far[0, 0]).all() and (near[0, 1] != far[0, 1]).any()
    assert (far[0, 2:] == 0).all()


def test_normals_map_from_minus_one_and_one_to_black_and_white():
    normals = np.array([[[-1, 0, 1]]], np.float32)
    assert palette.colour_normals(normals).tolist() == [[[0, 128, 255]]]


def test_the_overlay_has_the_labels_size_and_leaves_unlabelled_pixels():
    table = palette.label_table([(200, 0, 0), (0, 100, 0)])
    image = np.full((8, 8, 3), 100, np.uint8)
    found = palette.overlay(image, np.array([[0, 1], [255, 1]], np.uint8), table)
    assert found.tolist() == [[[150, 50, 50], [50, 100, 50]], [[100, 100, 100], [50, 100, 50]]]
