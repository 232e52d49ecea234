"""Small videos for tests."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def scene(number: int, size: tuple[int, int] = (128, 96)) -> NDArray[np.uint8]:
    """Return an image (H, W, 3): red on the left, blue on the right, a white bar that moves."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (220, 20, 20)
    image[:, width // 2 :] = (20, 20, 220)
    image[:12, 4 * number : 4 * number + 16] = 255
    return image


def write_video(path: Path, frames: int = 6, rate: float = 20.0) -> Path:
    """Write a video of some frames of ``scene``; return its path."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, (128, 96))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(cv2.cvtColor(scene(number), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def read_video(path: Path) -> tuple[float, list[NDArray[np.uint8]]]:
    """Return the rate and the images, (H, W, 3) RGB, of a video."""
    capture = cv2.VideoCapture(str(path))
    images = []
    while True:
        there, image = capture.read()
        if not there:
            break
        images.append(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8))
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    capture.release()
    return rate, images
