"""Exact surface normals of MuJoCo's primitives at points on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.simulator.gl import mujoco

Array = NDArray[np.float64]


def _sphere(point: Array, size: Array) -> Array:
    return point


def _ellipsoid(point: Array, size: Array) -> Array:
    return np.asarray(point / size**2)


def _plane(point: Array, size: Array) -> Array:
    return np.broadcast_to(np.array([0.0, 0.0, 1.0]), point.shape)


def _box(point: Array, size: Array) -> Array:
    # The face that the point is nearest to, in metres: ratios would mislead on thin boards.
    face = np.argmin(size - np.abs(point), axis=1)
    rows = np.arange(len(point))
    normal = np.zeros_like(point)
    normal[rows, face] = np.where(point[rows, face] < 0, -1.0, 1.0)
    return normal


def _capsule(point: Array, size: Array) -> Array:
    half = size[:, 1]
    away = point.copy()
    away[:, 2] -= np.clip(point[:, 2], -half, half)
    return away


def _cylinder(point: Array, size: Array) -> Array:
    to_cap = size[:, 1] - np.abs(point[:, 2])
    to_side = size[:, 0] - np.hypot(point[:, 0], point[:, 1])
    # Tessellation puts the rendered side a little inside the true one, never the cap.
    on_cap = (to_cap < 1e-3) & (to_cap < to_side + 1e-3)
    normal = point.copy()
    normal[:, 2] = 0.0
    normal[on_cap] = 0.0
    normal[on_cap, 2] = np.sign(point[on_cap, 2])
    return normal


_SHAPES = {
    int(mujoco.mjtGeom.mjGEOM_PLANE): _plane,
    int(mujoco.mjtGeom.mjGEOM_BOX): _box,
    int(mujoco.mjtGeom.mjGEOM_SPHERE): _sphere,
    int(mujoco.mjtGeom.mjGEOM_CAPSULE): _capsule,
    int(mujoco.mjtGeom.mjGEOM_CYLINDER): _cylinder,
    int(mujoco.mjtGeom.mjGEOM_ELLIPSOID): _ellipsoid,
}


def local_normals(kinds: NDArray[np.int32], sizes: Array, points: Array) -> Array:
    """Return the outward normal at points on primitives, each in its primitive's own frame.

    Args:
        kinds: ``(n,)`` MuJoCo geom type of each point's primitive.
        sizes: ``(n, 3)`` MuJoCo geom sizes, metres.
        points: ``(n, 3)`` points, metres.

    Returns:
        ``(n, 3)`` vectors along the normals, of any length above zero.
    """
    normals = np.empty_like(points)
    for kind in np.unique(kinds):
        chosen = kinds == kind
        normals[chosen] = _SHAPES[int(kind)](points[chosen], sizes[chosen])
    return normals
