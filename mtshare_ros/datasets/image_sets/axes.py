"""Axes of normals: named by a text such as ``x -y -z``, or found by comparison with depth."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.image_sets.image_set import DatasetError

Array = NDArray[Any]

CLOSEST_RIVAL = 0.05
"""Smallest lead of the best axes over the second best, in mean cosine."""
LEAST_AGREEMENT = 0.5
"""Smallest mean cosine of the best axes."""
LARGEST_STEP = 0.05
"""Largest relative change of depth between neighbouring pixels of one surface."""


def parse_axes(text: str) -> NDArray[np.float32]:
    """Return the matrix (3, 3) from a file's components to the optical frame.

    ``x -y -z`` reads: right is the file's x, down is minus its y, forward is minus its z.

    Raises:
        DatasetError: The text does not name each axis once.
    """
    words = text.split()
    matrix = np.zeros((3, 3), np.float32)
    names = [word.lstrip("-") for word in words]
    if sorted(names) != ["x", "y", "z"] or any(len(word) > 2 for word in words):
        raise DatasetError(f"normal axes {text!r}: expected each of x, y, z once, as 'x -y -z'")
    for row, (word, name) in enumerate(zip(words, names, strict=True)):
        matrix[row, "xyz".index(name)] = -1.0 if word.startswith("-") else 1.0
    return matrix


def normals_from_depth(depth: Array, focal_length: float) -> NDArray[np.float32]:
    """Return the normals of a depth map, in the optical frame, towards the camera.

    The cross product of the vectors to the neighbours' points (two pixels apart) of a camera
    whose optical axis goes through the middle of the image.

    Args:
        depth: (H, W) metres, NaN invalid.
        focal_length: fx and fy in pixels.

    Returns:
        (H, W, 3) float32 unit vectors, zero where a neighbour is invalid or across an edge.
    """
    height, width = depth.shape
    z = depth.astype(np.float64)
    x = (np.arange(width) - (width - 1) / 2) / focal_length * z
    y = ((np.arange(height) - (height - 1) / 2) / focal_length)[:, None] * z
    points = np.stack([x, y, z], axis=-1)
    normals = np.zeros((height, width, 3), np.float32)
    across = points[1:-1, 2:] - points[1:-1, :-2]
    down = points[2:, 1:-1] - points[:-2, 1:-1]
    inner = np.cross(down, across)  # Towards the camera: its z is negative on a wall ahead.
    length = np.linalg.norm(inner, axis=-1, keepdims=True)
    step = np.maximum(np.abs(across[..., 2]), np.abs(down[..., 2])) / z[1:-1, 1:-1]
    with np.errstate(invalid="ignore"):
        valid = (step < 2 * LARGEST_STEP) & (length[..., 0] > 0)
    normals[1:-1, 1:-1][valid] = (inner / np.where(length > 0, length, 1))[valid]
    return normals


def find_axes(views: Iterable[tuple[Array, Array]], focal_length: float, where: str) -> str:
    """Return the axes for which stored normals agree best with normals computed from depth.

    Args:
        views: Depth (H, W) metres and normals (H, W, 3) as stored, of some images.
        focal_length: fx in pixels.
        where: What to name in an error.

    Returns:
        A text that ``parse_axes`` takes.

    Raises:
        DatasetError: No axes agree, or two agree about as well.
    """
    moments, pixels = np.zeros((3, 3)), 0
    for depth, stored in views:
        expected = normals_from_depth(depth, focal_length)
        both = expected.any(-1) & stored.any(-1)
        moments += expected[both].T.astype(np.float64) @ stored[both]
        pixels += int(both.sum())
    scores = {}
    for order, signs in product(permutations("xyz"), product((1, -1), repeat=3)):
        text = " ".join(
            axis if sign > 0 else f"-{axis}" for axis, sign in zip(order, signs, strict=True)
        )
        scores[text] = float((parse_axes(text) * moments).sum()) / max(pixels, 1)
    (best, agreement), (second, rival) = sorted(scores.items(), key=lambda i: -i[1])[:2]
    if agreement < LEAST_AGREEMENT or agreement - rival < CLOSEST_RIVAL:
        raise DatasetError(
            f"{where}: the normals' axes can't be told from depth ({best!r}: mean cosine"
            f" {agreement:.2f}, {second!r}: {rival:.2f}); name them, as 'x -y -z'"
        )
    return best
