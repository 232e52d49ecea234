"""CameraInfo of the outputs, from which others make the same points."""

import cv2
import numpy as np
import pytest
from std_msgs.msg import Header

from mtshare_ros.perception.camera.calibration import Intrinsics
from mtshare_ros.ros.camera_info import camera_info

RECTIFIED = Intrinsics(640, 480, 380.0, 390.0, 300.0, 230.0, "P", tx=-38.0, ty=3.0)
RAW = Intrinsics(
    640, 480, 400.0, 420.0, 310.0, 250.0, "K", d=(-0.3, 0.1, 0.0, 0.0, 0.0), model="plumb_bob"
)


@pytest.mark.parametrize("intrinsics", [RECTIFIED, RAW])
def test_it_has_the_outputs_size_and_the_same_intrinsics_in_both_matrices(intrinsics):
    header = Header(frame_id="camera")
    found = camera_info(intrinsics.at_size(320, 120), header)
    assert found.header is header and (found.width, found.height) == (320, 120)
    assert (found.binning_x, found.binning_y) == (0, 0)
    assert (found.roi.width, found.roi.height, found.roi.x_offset, found.roi.y_offset) == (0,) * 4
    expected = intrinsics.at_size(320, 120)
    fx, fy, cx, cy = expected.fx, expected.fy, expected.cx, expected.cy
    assert list(found.k) == [fx, 0, cx, 0, fy, cy, 0, 0, 1]
    assert list(found.p) == [fx, 0, cx, expected.tx, 0, fy, cy, expected.ty, 0, 0, 1, 0]
    assert list(found.r) == list(np.eye(3).ravel())


def test_a_rectified_image_has_no_distortion():
    found = camera_info(RECTIFIED, Header())
    assert list(found.d) == [0.0] * 5 and found.distortion_model == "plumb_bob"


def test_rectified_by_it_a_raw_image_has_the_rays_that_were_published():
    found = camera_info(RAW, Header())
    k, p = np.array(found.k).reshape(3, 3), np.array(found.p).reshape(3, 4)
    rectification = np.array(found.r).reshape(3, 3)
    pixel = np.array([[[600.0, 40.0]]])
    moved = cv2.undistortPoints(pixel, k, np.array(found.d), R=rectification, P=p)[0, 0]
    ray = (moved - p[:2, 2]) / (p[0, 0], p[1, 1])
    assert ray == pytest.approx(RAW.rays()[40, 600], abs=1e-3)
