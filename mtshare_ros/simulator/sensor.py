"""What a small camera does to an image: exposure, white balance, vignette, blur and noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

METERED_LEVEL = 105.0
"""Mean level (0-255) that automatic exposure aims at."""

SHORTEST, LONGEST = 20, 60
"""Frames between two corrections of an exposure that hunts."""

RANGE = 0.45
"""Largest change of the natural logarithm of the exposure."""

FOLLOW = 0.15
"""Share of the way to the new level that each frame goes."""


@dataclass(frozen=True)
class Sensor:
    """Settings of a camera for one frame.

    Attributes:
        gain: Exposure of each colour channel, 1 is as rendered.
        gamma: Exponent on brightness, 1 is as rendered.
        vignette: Darkening of the corners, 0-1.
        blur: Standard deviation of the blur, pixels at 320 columns.
        shot: Noise that grows with the root of brightness, in 0-255.
        read: Noise that is always there, in 0-255.
    """

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    vignette: float = 0.0
    blur: float = 0.45
    shot: float = 1.5
    read: float = 1.0


def random_sensor(rng: np.random.Generator, rgb: NDArray[np.uint8]) -> Sensor:
    """Draw the settings of a camera that meters an image imperfectly.

    Args:
        rng: Source of every choice.
        rgb: ``(H, W, 3)`` uint8 image to meter.
    """
    metered = METERED_LEVEL / max(float(rgb[::4, ::4].mean()), 1.0)
    exposure = float(np.clip(metered, 0.6, 2.5) * np.exp(rng.normal(0.0, 0.2)))
    red, blue = np.exp(rng.normal(0.0, 0.06, 2))
    return Sensor(
        gain=(exposure * float(red), exposure, exposure * float(blue)),
        gamma=float(rng.uniform(0.8, 1.15)),
        vignette=float(rng.uniform(0.0, 0.3)),
        blur=float(rng.uniform(0.3, 0.8)),
        shot=float(rng.uniform(0.5, 3.5)),
        read=float(rng.uniform(0.5, 3.0)),
    )


class Exposure:
    """Automatic exposure that hunts: now and then the brightness goes to another level.

    Factors on the exposure, frame by frame, beginning with 1.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        """Start at the level that was metered."""
        self._rng = rng
        self._level = self._target = 0.0
        self._left = int(rng.integers(SHORTEST, LONGEST))

    def step(self) -> float:
        """Return the factor of the next frame."""
        self._level += FOLLOW * (self._target - self._level)
        self._left -= 1
        if self._left < 0:
            self._left = int(self._rng.integers(SHORTEST, LONGEST))
            self._target = float(self._rng.uniform(-RANGE, RANGE))
        return float(np.exp(self._level))


def expose(rgb: NDArray[np.uint8], sensor: Sensor, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the image that the sensor records: ``(H, W, 3)`` uint8 in and out."""
    height, width = rgb.shape[:2]
    levels = np.arange(256, dtype=np.float32) / 255.0
    # One table per channel: exposure and gamma.
    table = np.stack(
        [255.0 * np.minimum(levels**sensor.gamma * g, 1.0) for g in sensor.gain], axis=-1
    )
    image = np.asarray(cv2.LUT(rgb, table.astype(np.float32)[None]), np.float32)
    if sensor.vignette > 0:
        image *= _vignette(height, width, sensor.vignette)[..., None]
    sigma = sensor.blur * width / 320
    if sigma > 0:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    image += noise * np.sqrt(sensor.read**2 + sensor.shot**2 * image / 64.0)
    return np.asarray(np.clip(image + 0.5, 0.0, 255.0), np.uint8)


def _vignette(height: int, width: int, strength: float) -> NDArray[np.float32]:
    """Return the factor ``(H, W)`` by which a lens darkens towards the corners."""
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None]
    return np.asarray(1.0 - strength * 0.5 * (rows**2 + columns**2), np.float32)
