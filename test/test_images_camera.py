"""CameraInfo and colour pictures."""

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from mtshare_ros.ros import camera, palette


def info(width=640, height=480, fx=500.0, binning=0):
    result = CameraInfo(width=width, height=height, binning_x=binning)
    result.k = [fx, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0]
    result.p = [fx, 0.0, 320.0, -50.0, 0.0, 510.0, 240.0, 2.0, 0.0, 0.0, 1.0, 0.0]
    return result


def test_intrinsics_are_scaled_with_the_image():
    source = info()
    found = camera.scaled(source, 320, 120, Header(frame_id="camera"))
    assert (found.width, found.height, found.header.frame_id) == (320, 120, "camera")
    assert list(found.k) == [250.0, 0, 160.0, 0, 127.5, 60.0, 0, 0, 1]
    assert list(found.p) == [250.0, 0, 160.0, -25.0, 0, 127.5, 60.0, 0.5, 0, 0, 1, 0]
    assert list(source.k) == list(info().k) and source.width == 640


def test_focal_length_is_in_units_of_the_width():
    assert camera.focal_length(info()) == pytest.approx(500 / 640)


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
    camera.check(info(), 640, 480)
    with pytest.raises(camera.CameraInfoError, match=says):
        camera.check(bad, 640, 480)


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
