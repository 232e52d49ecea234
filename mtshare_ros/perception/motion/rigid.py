"""How the camera moved since a key frame, out of the flow and the key frame's own depth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.motion.flow import Where

_POINTS = (15, 20)
"""Rows and columns of the points that are looked at."""
_LEAST_POINTS = 30
_ROUNDS = 8
"""Of reweighting: what moves by itself loses its say."""
_LEAST_RESIDUAL = 5e-4
"""In units of the focal length: what the flow is wrong by anyway."""
_MOST_RESIDUAL = 0.02
"""Median, in units of the focal length: beyond, no motion of the camera explains the flow."""
_MOST_TURN = 0.5
"""Radians. The equations are those of small angles."""


@dataclass(frozen=True)
class Pinhole:
    """A pinhole camera in the pixels of some map: focal lengths and principal point."""

    fx: float
    fy: float
    cx: float
    cy: float

    def rays(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[NDArray, NDArray]:
        """Return X / Z and Y / Z of pixels."""
        return (x - self.cx) / self.fx, (y - self.cy) / self.fy


def pinhole_of(focal_length: float, image: tuple[int, int], size: tuple[int, int]) -> Pinhole:
    """Return the camera of a map of an image with square pixels, its principal point amid.

    Args:
        focal_length: fx / width of the image.
        image: Width and height of the image.
        size: Width and height of the map, to which the image was stretched.
    """
    fx = focal_length * size[0]
    fy = focal_length * image[0] * size[1] / image[1]
    return Pinhole(fx, fy, (size[0] - 1) / 2, (size[1] - 1) / 2)


@dataclass(frozen=True)
class RigidMotion:
    """Motion of the scene in the camera's optical frame since the key frame, X' = R X + t.

    Attributes:
        turn: (3,) rotation vector of R, radians.
        shift: (3,) t in metres; zero where it could not be told.
    """

    turn: NDArray[np.float64]
    shift: NDArray[np.float64]

    def rotation(self) -> NDArray[np.float64]:
        """Return R, (3, 3)."""
        return np.asarray(cv2.Rodrigues(self.turn)[0])


def rigid_motion(
    where: Where, depth: NDArray[np.float32] | None, camera: Pinhole
) -> RigidMotion | None:
    """Return the motion that explains the flow best, or None if none does.

    With the depth known the flow is linear in rotation and translation (Longuet-Higgins and
    Prazdny, "The interpretation of a moving retinal image", 1980), taken amid the two frames;
    solved by least squares, reweighted so that large residuals hardly count (Geman and McClure).

    Args:
        where: See ``flow.Where``.
        depth: (H, W) metres of the key frame, NaN invalid. Without it only a rotation is sought.
        camera: In the pixels of ``where``.
    """
    height, width = where.shape[:2]
    rows = np.linspace(0, height - 1, _POINTS[0] + 2).round().astype(int)[1:-1]
    columns = np.linspace(0, width - 1, _POINTS[1] + 2).round().astype(int)[1:-1]
    then = where[np.ix_(rows, columns)].reshape(-1, 2).astype(np.float64)
    now = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2).astype(np.float64)
    pixel = then.round().astype(int)
    seen = ((pixel >= 0) & (pixel < (width, height))).all(axis=1)
    if depth is None:
        inverse = np.zeros(len(then))
    else:
        inside = pixel.clip(0, (width - 1, height - 1))
        inverse = 1.0 / depth[inside[:, 1], inside[:, 0]]
        seen &= np.isfinite(inverse)
    if seen.sum() < _LEAST_POINTS:
        return None
    x_then, y_then = camera.rays(*then[seen].T)
    x_now, y_now = camera.rays(*now[seen].T)
    system = _equations((x_then + x_now) / 2, (y_then + y_now) / 2, inverse[seen])
    if depth is None:
        system = system[:, :3]
    moved = np.concatenate([x_now - x_then, y_now - y_then])
    found, residual = _robust(system, moved)
    motion = RigidMotion(found[:3], found[3:] if depth is not None else np.zeros(3))
    unlikely = residual > _MOST_RESIDUAL or np.linalg.norm(motion.turn) > _MOST_TURN
    return None if unlikely or not np.isfinite(found).all() else motion


def _equations(x: NDArray, y: NDArray, inverse: NDArray) -> NDArray[np.float64]:
    """Return the flow's derivatives by rotation and translation, (2 M, 6)."""
    zero = np.zeros_like(x)
    across = np.stack([-x * y, 1 + x * x, -y, inverse, zero, -x * inverse], axis=1)
    down = np.stack([-(1 + y * y), x * y, x, zero, inverse, -y * inverse], axis=1)
    return np.concatenate([across, down])


def _robust(system: NDArray, target: NDArray) -> tuple[NDArray[np.float64], float]:
    """Return the solution of least reweighted squares, and its median absolute residual."""
    weight = np.ones(len(target))
    for _ in range(_ROUNDS):
        weighted = system * weight[:, None]
        # Small enough to change nothing but what the points leave open.
        normal = weighted.T @ system + 1e-9 * np.eye(system.shape[1])
        found = np.linalg.solve(normal, weighted.T @ target)
        residual = np.abs(system @ found - target)
        middle = float(np.partition(residual, len(residual) // 2)[len(residual) // 2])
        weight = 1.0 / (1.0 + (residual / max(2.0 * middle, _LEAST_RESIDUAL)) ** 2) ** 2
    return found, middle
