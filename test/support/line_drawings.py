"""Pictures of one line, as files to score."""

import cv2
import numpy as np


def line(column, size=(48, 64)):
    """Return a mask (H, W) uint8 with a line at a column, 255 on it."""
    mask = np.zeros(size, np.uint8)
    mask[8:40, column] = 255
    return mask


def write_folders(root):
    """Write a folder of predictions and one of truths: one exact, one 3 pixels off."""
    for kind, shifts in (("pred", (0, 3)), ("truth", (0, 0))):
        (root / kind).mkdir()
        for number, shift in enumerate(shifts):
            cv2.imwrite(str(root / kind / f"{number}.png"), line(30 + shift))
    return root / "pred", root / "truth"
