"""The camera's sensor: exposure, vignetting, blur and noise."""

import numpy as np
import pytest

from mtshare_ros.simulator.sensor import METERED_LEVEL, Exposure, Sensor, expose, random_sensor

QUIET = {"blur": 0.0, "shot": 0.0, "read": 0.0}


def grey(level, size=(48, 64)):
    return np.full((*size, 3), level, np.uint8)


def test_a_plain_sensor_changes_nothing_but_noise():
    rng = np.random.default_rng(0)
    assert np.abs(expose(grey(100), Sensor(**QUIET), rng).astype(int) - 100).max() <= 1
    noisy = expose(grey(100), Sensor(), rng).astype(float)
    assert 0.5 < noisy.std() < 6 and abs(noisy.mean() - 100) < 2


def test_gain_is_by_channel_and_saturates():
    shown = expose(grey(100), Sensor(gain=(0.5, 1.0, 3.0), **QUIET), np.random.default_rng(0))
    assert np.abs(shown.reshape(-1, 3).mean(0) - (50, 100, 255)).max() < 2


def test_corners_are_darker_than_the_middle():
    shown = expose(grey(200), Sensor(vignette=0.3, **QUIET), np.random.default_rng(0))
    assert shown[24, 32].mean() > 1.15 * shown[0, 0].mean()


def test_automatic_exposure_lifts_the_dark_and_lowers_the_bright():
    def mean(level):
        drawn = [random_sensor(np.random.default_rng(seed), grey(level)) for seed in range(40)]
        return np.mean([level * sensor.gain[1] for sensor in drawn])

    assert 0.7 * METERED_LEVEL < mean(60) < 1.4 * METERED_LEVEL
    assert mean(200) < 180


def test_gamma_darkens_the_middle_tones_and_levels_are_rounded():
    rng = np.random.default_rng(0)
    # 255 * (64 / 255)^2 = 16.06, and 50 * 0.536 = 26.8.
    assert (expose(grey(64), Sensor(gamma=2.0, **QUIET), rng) == 16).all()
    assert (expose(grey(50), Sensor(gain=(0.536,) * 3, **QUIET), rng) == 27).all()


def test_a_vignette_takes_its_strength_at_the_corners_and_half_of_it_at_the_sides():
    shown = expose(grey(200, (49, 65)), Sensor(vignette=0.3, **QUIET), np.random.default_rng(0))
    assert [shown[24, 32, 0], shown[24, 0, 0], shown[0, 32, 0], shown[0, 0, 0]] == [
        200,
        170,
        170,
        140,
    ]


def test_blur_grows_with_the_images_width():
    line = grey(0, (32, 640))
    line[:, 320] = 255
    shown = expose(line, Sensor(blur=0.5, shot=0.0, read=0.0), np.random.default_rng(0))
    # Half a pixel at 320 columns is one at 640: the middle of a normal curve is 0.399.
    assert abs(int(shown[16, 320, 0]) - 102) <= 2


def test_noise_is_that_of_reading_and_of_light_together():
    sensor = Sensor(blur=0.0, shot=3.0, read=4.0)
    for level, expected in ((64, 5.0), (0, None), (128, np.sqrt(16 + 18))):
        shown = expose(grey(level, (200, 200)), sensor, np.random.default_rng(0)).astype(float)
        if expected is not None:
            assert abs(shown.std() - expected) < 0.1


def test_exposure_goes_a_share_of_the_way_with_each_frame():
    hunting = Exposure(np.random.default_rng(0))
    hunting._target, hunting._left = 0.4, 99
    assert hunting.step() == pytest.approx(np.exp(0.06))
    assert hunting.step() == pytest.approx(np.exp(0.06 + 0.15 * 0.34))
