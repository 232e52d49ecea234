"""The newest CameraInfo: what is made of it, and what is said of it."""

import pytest
from sensor_msgs.msg import CameraInfo

from mtshare_ros.perception.camera.calibration import CalibrationError
from mtshare_ros.ros import camera_calibration
from mtshare_ros.ros.camera_calibration import CalibrationState, CameraCalibration
from support.malformed import GOOD_INFO, INFOS

P = [140.0, 0.0, 82.0, 0.0, 0.0, 140.0, 61.0, 0.0, 0.0, 0.0, 1.0, 0.0]


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(camera_calibration.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def calibration(clock):
    return CameraCalibration("/front/image_raw", "/front/camera_info")


def test_the_intrinsics_are_those_that_the_images_topic_asks_for(calibration):
    both = CameraInfo(width=160, height=120, k=GOOD_INFO.k, p=P)
    calibration.take(both)
    assert calibration.intrinsics(160, 120, "auto").fx == 150.0
    assert calibration.state(metric=True) == CalibrationState("fx 150.0 (K)")
    assert calibration.intrinsics(160, 120, "p").fx == 140.0
    assert calibration.state(metric=True) == CalibrationState("fx 140.0 (P)")
    rectified = CameraCalibration("/front/image_rect", "/front/camera_info")
    rectified.take(both)
    assert rectified.intrinsics(160, 120, "auto").source == "P"


@pytest.mark.parametrize("name", INFOS)
def test_one_that_can_not_be_used_is_a_warning_with_the_reason(calibration, name):
    calibration.take(INFOS[name])
    with pytest.raises(CalibrationError) as caught:
        calibration.intrinsics(160, 120, "k" if "P" not in name else "p")
    state = calibration.state(metric=False)
    assert state.words == str(caught.value)
    assert state.warning == f"camera_info is not used: {caught.value}"


def test_the_newest_counts(calibration):
    calibration.take(INFOS["identity"])
    with pytest.raises(CalibrationError):
        calibration.intrinsics(160, 120, "auto")
    calibration.take(GOOD_INFO)
    assert calibration.intrinsics(160, 120, "auto") is not None
    assert calibration.state(metric=True).warning is None
    calibration.restart()
    assert calibration.state(metric=True) == CalibrationState("none")


def test_none_is_a_warning_some_time_after_the_first_image_where_metres_are_computed(
    calibration, clock
):
    clock[0] += 20.0
    assert calibration.state(metric=True) == CalibrationState("none")
    assert calibration.intrinsics(160, 120, "auto") is None
    clock[0] += 1.8
    assert calibration.intrinsics(160, 120, "auto") is None
    assert calibration.state(metric=True).warning is None
    clock[0] += 0.4
    assert calibration.state(metric=False).warning is None
    assert "no camera_info on /front/camera_info" in calibration.state(metric=True).warning
    calibration.restart()
    assert calibration.state(metric=True).warning is None


def test_a_distortion_of_an_unknown_model_is_a_warning(calibration):
    lens = CameraInfo(
        width=160, height=120, k=GOOD_INFO.k, d=[0.1, 0.2], distortion_model="secret"
    )
    calibration.take(lens)
    assert not calibration.intrinsics(160, 120, "auto").undistorts
    assert "'secret' with 2 coefficients is not known" in calibration.state(False).warning
