"""The camera's sensor: exposure, vignetting, blur and noise."""

import numpy as np

from mtshare_ros.simulator.sensor import METERED_LEVEL, Sensor, expose, random_sensor

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
